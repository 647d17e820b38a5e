//! Looking at targets when they are due, each on a task of its own: one that
//! hangs delays no other.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use exporter::container::{Containers, Mount};
use healthchecks::probe::{self, Board, Due, Failure, Module, Outcome, Reason, Samples};
use tokio::sync::Notify;
use tokio::task::{self, JoinError, JoinSet};
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::super::Watch;
use super::{Health, asking};

/// So long nothing changes that nobody told us of: a reload, a new container.
const IDLE: Duration = Duration::from_secs(2);
/// How often the labels of containers are looked at.
const FIND: Duration = Duration::from_secs(10);

/// What is looked at: what is ours, and the sites of peers.
const BOARDS: [fn(&Health) -> &Board; 2] = [|health| &health.probes, |health| &health.abroad];

/// A look that is under way.
type Look = (fn(&Health) -> &Board, Due);

/// Looks until told to stop.
pub(super) async fn run(watch: &Arc<Watch>, stop: &CancellationToken) {
    let beat = watch.liveness.watch("probes", IDLE * 15, Instant::now());
    let mut looks = JoinSet::new();
    let mut under_way: HashMap<task::Id, Look> = HashMap::new();
    let soon = Arc::new(Notify::new());
    let mut found_at: Option<Instant> = None;
    loop {
        while let Some(ended) = looks.try_join_next_with_id() {
            reap(watch, &mut under_way, ended);
        }
        let now_ms = watch.clock.now_ms();
        if found_at.is_none_or(|at| at.elapsed() >= FIND) {
            let mut all = asking::targets(watch);
            all.extend(watch.health.discovered.all());
            watch.health.probes.found(all, now_ms);
            found_at = Some(Instant::now());
        }
        for of in BOARDS {
            for due in of(&watch.health).due(now_ms) {
                let look = look(Arc::clone(watch), of, due.clone(), Arc::clone(&soon));
                under_way.insert(looks.spawn(look).id(), (of, due));
            }
        }
        beat.beat(Instant::now());
        let boards = BOARDS.iter().map(|of| of(&watch.health));
        let next_ms = boards.filter_map(Board::next_due_ms).min();
        let wait = next_ms.map_or(IDLE, |next_ms| {
            Duration::from_millis(u64::try_from(next_ms - now_ms).unwrap_or(0))
        });
        // A look that ends wakes nobody, unless its target is soon due again.
        tokio::select! {
            () = stop.cancelled() => break,
            () = time::sleep(wait.min(IDLE)) => {}
            () = soon.notified() => {}
        }
    }
    looks.shutdown().await;
}

/// A look that panicked says so; all others have said what they saw.
fn reap(
    watch: &Watch,
    under_way: &mut HashMap<task::Id, Look>,
    ended: Result<(task::Id, ()), JoinError>,
) {
    let (id, fault) = match ended {
        Ok((id, ())) => (id, None),
        Err(err) => (err.id(), Some(err.to_string())),
    };
    if let (Some((of, due)), Some(detail)) = (under_way.remove(&id), fault) {
        let outcome = Outcome {
            samples: Samples::default(),
            failure: Some(Failure {
                reason: Reason::Internal,
                detail,
            }),
            took: Duration::ZERO,
        };
        of(&watch.health).done(&due, outcome, watch.clock.now_ms());
    }
}

async fn look(watch: Arc<Watch>, of: fn(&Health) -> &Board, mut due: Due, soon: Arc<Notify>) {
    if !due.certificate.is_empty() {
        let root = &watch.config().exporter.host.rootfs;
        let module = Arc::make_mut(&mut due.module);
        compare(&watch.containers, root, module, &due.certificate);
    }
    let outcome = probe::run(&due.target, &due.module, due.timeout).await;
    let now_ms = watch.clock.now_ms();
    let again_ms = of(&watch.health).done(&due, outcome, now_ms);
    let idle_ms = i64::try_from(IDLE.as_millis()).unwrap_or(i64::MAX / 4);
    if again_ms.is_some_and(|again_ms| again_ms < now_ms + idle_ms) {
        soon.notify_one();
    }
}

/// Has a look compare what is served with the certificate on the disk.
pub(crate) fn compare(
    containers: &Containers,
    root: &Path,
    module: &mut Module,
    certificate: &str,
) {
    if certificate.is_empty() {
        return;
    }
    let inventory = containers.inventory();
    let mounts = |name: &str| {
        let container = inventory.iter().find(|container| container.name == name);
        container.map(|container| container.mounts.clone())
    };
    // What is nowhere is told as not found.
    let path = on_disk(certificate, root, mounts).unwrap_or_else(|| certificate.into());
    module.compare_with(&path);
}

/// Where a certificate lies as we see the disk: `container:NAME:PATH` is where
/// the container has it mounted from, and all else is a path of the host.
fn on_disk(
    certificate: &str,
    root: &Path,
    mounts: impl Fn(&str) -> Option<Vec<Mount>>,
) -> Option<PathBuf> {
    let host = match certificate.strip_prefix("container:") {
        None => PathBuf::from(certificate),
        Some(rest) => {
            let (name, path) = rest.split_once(':')?;
            let mounts = mounts(name)?;
            let inner = mounts.iter().filter_map(|mount| {
                let rest = Path::new(path).strip_prefix(&mount.destination).ok()?;
                Some((mount, rest))
            });
            // The mount that is nearest to it.
            let (mount, rest) = inner.max_by_key(|(mount, _)| mount.destination.len())?;
            let source = Path::new(&mount.source);
            match rest.as_os_str().is_empty() {
                true => source.to_owned(),
                false => source.join(rest),
            }
        }
    };
    Some(root.join(host.strip_prefix("/").unwrap_or(&host)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_lies_where_the_container_has_it_from() {
        let mount = |source: &str, destination: &str| Mount {
            kind: "volume".to_owned(),
            volume: String::new(),
            source: source.to_owned(),
            destination: destination.to_owned(),
            writable: true,
        };
        let mounts = |name: &str| {
            (name == "proxy").then(|| {
                vec![
                    mount("/vol/all", "/data"),
                    mount("/vol/caddy", "/data/caddy"),
                ]
            })
        };
        for (certificate, root, expected) in [
            ("/etc/tls/a.crt", "/", Some("/etc/tls/a.crt")),
            ("/etc/tls/a.crt", "/host", Some("/host/etc/tls/a.crt")),
            ("container:proxy:/data/a.crt", "/", Some("/vol/all/a.crt")),
            (
                "container:proxy:/data/caddy/x/a.crt",
                "/host",
                Some("/host/vol/caddy/x/a.crt"),
            ),
            ("container:proxy:/data/caddy", "/", Some("/vol/caddy")),
            (
                "container:proxy:/data/caddy-old/a.crt",
                "/",
                Some("/vol/all/caddy-old/a.crt"),
            ),
            ("container:proxy:/etc/a.crt", "/", None),
            ("container:other:/data/a.crt", "/", None),
            ("container:proxy", "/", None),
        ] {
            let told = on_disk(certificate, Path::new(root), mounts);
            assert_eq!(told.as_deref(), expected.map(Path::new), "{certificate}");
        }
    }
}
