//! Looking at targets when they are due: one that hangs delays no other. Those that
//! wait nearly all of their time share the task that began them, since tasks of their own
//! would be handed out among the workers, each of which must be woken for it and has what
//! they use to fetch from memory.

use std::any::Any;
use std::convert::Infallible;
use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use exporter::container::{Containers, Mount};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use healthchecks::probe::{self, Board, Due, Failure, Module, Outcome, Reason, Samples};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::super::Watch;
use super::{Health, asking};

/// So long nothing changes that nobody told us of: a reload, a new container.
const IDLE: Duration = Duration::from_secs(2);
/// How often the labels of containers are looked at.
const FIND: Duration = Duration::from_secs(10);
/// An engine that lists nothing for so long after the start is waited for no more.
pub(super) const LISTED: Duration = Duration::from_secs(120);

/// What is looked at: what is ours, and the sites of peers.
const BOARDS: [fn(&Health) -> &Board; 2] = [|health| &health.probes, |health| &health.abroad];

/// Looks until told to stop.
pub(super) async fn run(watch: &Arc<Watch>, stop: &CancellationToken) {
    let beat = watch.liveness.watch("probes", IDLE * 15, Instant::now());
    let mut looks = JoinSet::new();
    let mut waiting = FuturesUnordered::new();
    let soon = Arc::new(Notify::new());
    let began = Instant::now();
    let mut found_at: Option<Instant> = None;
    let mut known = false;
    loop {
        // What they saw they have said themselves.
        while looks.try_join_next().is_some() {}
        let now_ms = watch.clock.now_ms();
        if !known || found_at.is_none_or(|at| at.elapsed() >= FIND) {
            // Asked first: what is listed meanwhile is not among them.
            known = known
                || began.elapsed() >= LISTED
                || (watch.knows_containers() && watch.health.discovered.is_known());
            let mut all = asking::targets(watch);
            all.extend(watch.health.discovered.all());
            watch.health.probes.found(all, now_ms);
            watch.health.targets_known.store(known, Ordering::Relaxed);
            found_at = Some(Instant::now());
        }
        for of in BOARDS {
            let due = of(&watch.health).due(now_ms);
            for due in due {
                let waits = waits(&due);
                let look = look(Arc::clone(watch), of, due, Arc::clone(&soon));
                match waits {
                    true => waiting.push(alone(look)),
                    false => drop(looks.spawn(look)),
                }
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
            never = all(&mut waiting) => match never {},
        }
    }
    looks.shutdown().await;
}

/// Whether a look only waits for others, and works next to nothing itself.
fn waits(due: &Due) -> bool {
    due.target.certificate.is_empty() && due.module.only_waits(&due.target.target)
}

/// A look that takes none of those with it with which it shares a task.
async fn alone(look: impl Future<Output = ()>) {
    drop(AssertUnwindSafe(look).catch_unwind().await);
}

/// Goes on with all of them, each as soon as there is something to do for it, until there
/// is something else to do.
async fn all(looks: &mut FuturesUnordered<impl Future<Output = ()>>) -> Infallible {
    while looks.next().await.is_some() {}
    pending().await
}

/// What a look that panicked says.
fn panicked(panic: &(dyn Any + Send)) -> Outcome {
    let told = panic.downcast_ref::<String>().map(String::as_str);
    let told = told.or_else(|| panic.downcast_ref::<&str>().copied());
    Outcome {
        samples: Samples::default(),
        failure: Some(Failure {
            reason: Reason::Internal,
            detail: format!(
                "the look panicked: {}",
                told.unwrap_or("for no told reason")
            ),
        }),
        took: Duration::ZERO,
    }
}

/// What a look sees; one that panics has seen that.
async fn caught(seeing: impl Future<Output = Outcome>) -> Outcome {
    let seen = AssertUnwindSafe(seeing).catch_unwind().await;
    seen.unwrap_or_else(|panic| panicked(&*panic))
}

async fn look(watch: Arc<Watch>, of: fn(&Health) -> &Board, mut due: Due, soon: Arc<Notify>) {
    let outcome = caught(async {
        let target = &due.target;
        if !target.certificate.is_empty() {
            let root = &watch.config().exporter.host.rootfs;
            let module = Arc::make_mut(&mut due.module);
            compare(&watch.containers, root, module, &target.certificate);
        }
        probe::run(&target.target, &due.module, due.timeout).await
    })
    .await;
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

    #[tokio::test]
    async fn one_of_many_that_hangs_or_panics_holds_up_no_other() {
        let (told, mut seen) = tokio::sync::mpsc::unbounded_channel();
        let (let_go, hanging) = tokio::sync::oneshot::channel::<()>();
        let mut hanging = Some(hanging);
        let looks = (0..100).map(|at| {
            let told = told.clone();
            let hanging = if at == 0 { hanging.take() } else { None };
            async move {
                let outcome = caught(async {
                    match (at, hanging) {
                        (_, Some(hanging)) => drop(hanging.await),
                        (1, None) => panic!("one"),
                        _ => tokio::task::yield_now().await,
                    }
                    Outcome {
                        samples: Samples::default(),
                        failure: None,
                        took: Duration::ZERO,
                    }
                })
                .await;
                told.send((at, outcome.failure.is_some())).unwrap();
            }
        });
        let mut looks: FuturesUnordered<_> = looks.map(alone).collect();
        let all = tokio::spawn(async move {
            // Whoever goes on with them may be called away at any time.
            while !looks.is_empty() {
                let _ = time::timeout(Duration::from_millis(1), all(&mut looks)).await;
            }
        });
        drop(told);
        let mut others = Vec::new();
        while others.len() < 99 {
            others.push(seen.recv().await.unwrap());
        }
        others.sort_unstable();
        assert_eq!(others[0], (1, true));
        assert!(others[1..].iter().all(|(_, failed)| !failed), "{others:?}");
        let_go.send(()).unwrap();
        all.await.unwrap();
        assert_eq!(seen.recv().await, Some((0, false)));
    }

    #[tokio::test]
    async fn a_look_that_panics_is_one_that_failed() {
        let failure = caught(async { panic!("no {}", 1) }).await.failure.unwrap();
        assert_eq!(failure.detail, "the look panicked: no 1");
    }

    #[test]
    fn a_look_that_panics_says_with_what() {
        for (panic, expected) in [
            (std::panic::catch_unwind(|| panic!("no {}", 1)), "no 1"),
            (std::panic::catch_unwind(|| panic!("none")), "none"),
            (
                std::panic::catch_unwind(|| std::panic::panic_any(1)),
                "for no told reason",
            ),
        ] {
            let failure = panicked(&*panic.unwrap_err()).failure.unwrap();
            assert_eq!(failure.reason, Reason::Internal);
            assert_eq!(failure.detail, format!("the look panicked: {expected}"));
        }
    }

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
