//! Finding out what this host runs: soon after the start, and now and then.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use healthchecks::discover::{self, Container, Engine, Found, Host, Sources};
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::Watch;
use crate::out;

/// An engine that has not answered by then is reported as it is.
const PATIENCE: Duration = Duration::from_secs(8);

/// What is found changes rarely, and the process table costs a little to read.
const AGAIN: Duration = Duration::from_secs(600);

/// Reports what is found, once, and keeps it up to date until told to stop.
pub(super) async fn run(
    watch: Arc<Watch>,
    stop: CancellationToken,
) -> anyhow::Result<&'static str> {
    tokio::select! {
        () = stop.cancelled() => return Ok("discovery"),
        _ = time::timeout(PATIENCE, first_answer(&watch)) => {}
    }
    let mut reported = false;
    loop {
        let found = look(&watch).await;
        if !reported {
            for line in report(&found, &watch) {
                out::line(line);
            }
            reported = true;
        }
        *watch.found() = found;
        tokio::select! {
            () = stop.cancelled() => return Ok("discovery"),
            () = time::sleep(AGAIN) => {}
        }
    }
}

/// Waits until the engine has answered, or is known not to.
async fn first_answer(watch: &Watch) {
    let mut changes = watch.containers.changes();
    loop {
        let engine = watch.containers.engine();
        if engine.listed_ms.is_some() || (engine.since_ms.is_some() && !engine.up) {
            return;
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// Looks now. The process table is read on a thread that may block.
async fn look(watch: &Watch) -> Vec<Found> {
    let config = watch.config();
    let proc = config.exporter.host.procfs.clone();
    let root = config.exporter.host.rootfs.clone();
    let name = config.host_name();
    let read =
        tokio::task::spawn_blocking(move || (host(name, &proc, &root), discover::processes(&proc)));
    let (host, processes) = read.await.unwrap_or_default();
    let engine = watch.containers.engine();
    let sources = Sources {
        host,
        engine: engine.up.then(|| Engine {
            version: engine.version.clone(),
            api_version: engine.api_version.clone(),
            socket: watch.socket.display().to_string(),
        }),
        containers: watch
            .containers
            .inventory()
            .iter()
            .map(|of| container(of))
            .collect(),
        processes,
    };
    discover::discover(&sources)
}

pub(super) fn container(of: &exporter::container::Container) -> Container {
    Container {
        running: of.state.has_processes(),
        name: of.name.clone(),
        image: of.image.clone(),
        command: of.command.clone(),
        project: of.project.clone(),
        service: of.service.clone(),
    }
}

fn host(name: String, proc: &Path, root: &Path) -> Option<Host> {
    let read = |path: &str| std::fs::read_to_string(proc.join(path)).ok();
    let memory = read("meminfo")?;
    let memory_kib: u64 = memory.lines().find_map(|line| {
        line.strip_prefix("MemTotal:")?
            .trim()
            .strip_suffix(" kB")?
            .parse()
            .ok()
    })?;
    let stat = read("stat")?;
    let cores = stat.lines().filter(|line| {
        line.strip_prefix("cpu")
            .is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
    });
    let release = std::fs::read_to_string(root.join("etc/os-release")).unwrap_or_default();
    let system = release
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))
        .map_or("Linux", |name| name.trim_matches('"'));
    Some(Host {
        name,
        system: format!("{system}, {}", std::env::consts::ARCH),
        cores: cores.count(),
        memory_bytes: memory_kib * 1024,
    })
}

/// A line per finding, and one for what was looked for and is not there.
fn report(found: &[Found], watch: &Watch) -> Vec<String> {
    let mut lines: Vec<_> = found
        .iter()
        .map(|finding| {
            format!(
                "found  {:<9} {}  ({})",
                finding.kind.as_str(),
                finding.what,
                finding.evidence
            )
        })
        .collect();
    let engine = watch.containers.engine();
    if !engine.up {
        let why = engine.last_error.unwrap_or_else(|| "no answer yet".into());
        lines.push(format!(
            "none   engine    no Docker engine answers at {}: {why}",
            watch.socket.display()
        ));
    }
    let missing: Vec<_> = ["postgres", "redis", "celery", "proxy"]
        .into_iter()
        .filter(|kind| !found.iter().any(|finding| finding.kind.as_str() == *kind))
        .collect();
    if !missing.is_empty() {
        lines.push(format!(
            "none   {}: no such container or process",
            missing.join(", ")
        ));
    }
    lines
}
