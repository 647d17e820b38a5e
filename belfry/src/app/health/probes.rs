//! Looking at targets when they are due, each on a task of its own: one that
//! hangs delays no other.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use exporter::container::{Containers, Mount};
use healthchecks::probe::{self, Board, Due, Failure, Module, Outcome, Reason, Samples, Target};
use tokio::task::JoinSet;
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::super::Watch;
use super::Health;

/// So long nothing changes that nobody told us of: a reload, a new container.
const IDLE: Duration = Duration::from_secs(2);
/// How often the labels of containers are looked at.
const FIND: Duration = Duration::from_secs(10);
/// The label by which a container asks to be looked at.
const ASKS: &str = "belfry.probe";

/// What is looked at: what is ours, and the sites of peers.
const BOARDS: [fn(&Health) -> &Board; 2] = [|health| &health.probes, |health| &health.abroad];

/// Looks until told to stop.
pub(super) async fn run(watch: &Arc<Watch>, stop: &CancellationToken) {
    let beat = watch.liveness.watch("probes", IDLE * 15, Instant::now());
    let mut looks = JoinSet::new();
    let mut found_at: Option<Instant> = None;
    loop {
        let now_ms = watch.clock.now_ms();
        if found_at.is_none_or(|at| at.elapsed() >= FIND) {
            let mut all = found(watch);
            all.extend(watch.health.discovered.all());
            watch.health.probes.found(all, now_ms);
            found_at = Some(Instant::now());
        }
        for of in BOARDS {
            for due in of(&watch.health).due(now_ms) {
                looks.spawn(look(Arc::clone(watch), of, due));
            }
        }
        beat.beat(Instant::now());
        let boards = BOARDS.iter().map(|of| of(&watch.health));
        let next_ms = boards.filter_map(Board::next_due_ms).min();
        let wait = next_ms.map_or(IDLE, |next_ms| {
            Duration::from_millis(u64::try_from(next_ms - now_ms).unwrap_or(0))
        });
        tokio::select! {
            () = stop.cancelled() => break,
            () = time::sleep(wait.min(IDLE)) => {}
            Some(_) = looks.join_next(), if !looks.is_empty() => {}
        }
    }
    looks.shutdown().await;
}

async fn look(watch: Arc<Watch>, of: fn(&Health) -> &Board, due: Due) {
    let mut asked = due.clone();
    let root = &watch.config().exporter.host.rootfs;
    compare(&watch.containers, root, &mut asked.module, &due.certificate);
    let look =
        tokio::spawn(async move { probe::run(&asked.target, &asked.module, asked.timeout).await });
    let _end = look.abort_handle();
    let outcome = look.await.unwrap_or_else(|err| Outcome {
        samples: Samples::default(),
        failure: Some(Failure {
            reason: Reason::Internal,
            detail: err.to_string(),
        }),
        took: Duration::ZERO,
    });
    of(&watch.health).done(&due, outcome, watch.clock.now_ms());
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

/// What containers ask for by their label: `[MODULE] TARGET`, where a target
/// `:8000/health` is a port of the container, where it is published or in its network.
fn found(watch: &Watch) -> Vec<Target> {
    let inventory = watch.containers.inventory();
    let running = inventory
        .iter()
        .filter(|container| container.state.has_processes());
    running
        .filter_map(|container| {
            let asked = container.all_labels.get(ASKS)?.trim();
            let (module, target) = asked.split_once(' ').unwrap_or(("http_2xx", asked));
            let address = container.addresses.values().next().map(String::as_str);
            let labels = [
                ("project", &container.project),
                ("service", &container.service),
            ];
            let labels = labels.into_iter().filter(|(_, value)| !value.is_empty());
            Some(Target {
                name: container.name.clone(),
                target: resolved(target.trim(), module, &container.ports, address)?,
                module: module.to_owned(),
                labels: labels
                    .map(|(name, value)| (name.to_owned(), value.clone()))
                    .collect(),
                ..Target::default()
            })
        })
        .collect()
}

/// A target with its host.
fn resolved(
    target: &str,
    module: &str,
    ports: &[exporter::container::Port],
    address: Option<&str>,
) -> Option<String> {
    let Some(rest) = target.strip_prefix(':') else {
        return (!target.is_empty()).then(|| target.to_owned());
    };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (private, path) = rest.split_at(digits);
    let private: u16 = private.parse().ok()?;
    let published = ports
        .iter()
        .filter(|port| port.private == private && port.protocol == "tcp")
        .find_map(|port| port.published.clone());
    let (host, port) = published.or_else(|| Some((address?.to_owned(), private)))?;
    let host = match host.as_str() {
        "" | "0.0.0.0" | "::" => "127.0.0.1".to_owned(),
        host if host.contains(':') => format!("[{host}]"),
        host => host.to_owned(),
    };
    let scheme = if module.starts_with("http") {
        "http://"
    } else {
        ""
    };
    Some(format!("{scheme}{host}:{port}{path}"))
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

    #[test]
    fn a_port_of_a_container_is_where_it_is_published() {
        let port = |private, published: Option<(&str, u16)>| exporter::container::Port {
            private,
            protocol: "tcp".to_owned(),
            published: published.map(|(host, port)| (host.to_owned(), port)),
        };
        let ports = [
            port(80, None),
            port(8000, Some(("0.0.0.0", 32000))),
            port(5432, Some(("::1", 5433))),
        ];
        for (target, module, expected) in [
            (
                "http://shop.example/",
                "http_2xx",
                Some("http://shop.example/"),
            ),
            (
                ":8000/health",
                "http_2xx",
                Some("http://127.0.0.1:32000/health"),
            ),
            (":5432", "postgres", Some("[::1]:5433")),
            (":80", "http_2xx", Some("http://172.17.0.2:80")),
            (":x", "http_2xx", None),
            ("", "http_2xx", None),
        ] {
            assert_eq!(
                resolved(target, module, &ports, Some("172.17.0.2")).as_deref(),
                expected,
                "{target}"
            );
        }
    }
}
