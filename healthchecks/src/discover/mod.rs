//! What this host runs, each finding with its evidence.
//!
//! Everything comes from what is already at hand: the engine's list of
//! containers and the process table. Nothing is connected to, no port is
//! tried, and no environment of a container is looked at.

mod container;
mod process;

use serde::Serialize;

pub use container::{Container, kind, proxy};
pub use process::{Process, processes};

/// What kind of thing was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The machine itself.
    Host,
    /// The Docker engine.
    Engine,
    /// A compose project.
    Compose,
    /// A PostgreSQL server.
    Postgres,
    /// A Redis or Valkey server.
    Redis,
    /// A Celery worker, beat or monitor.
    Celery,
    /// A reverse proxy.
    Proxy,
}

impl Kind {
    /// The word that stands for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Engine => "engine",
            Self::Compose => "compose",
            Self::Postgres => "postgres",
            Self::Redis => "redis",
            Self::Celery => "celery",
            Self::Proxy => "proxy",
        }
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// What kind of thing it is.
    pub kind: Kind,
    /// What it is, in a few words: `PostgreSQL 16 in shop-db-1`.
    pub what: String,
    /// How we know: `image postgres:16`.
    pub evidence: String,
}

/// What the findings are drawn from. A part that could not be read is empty.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The machine: name, system, cores, memory.
    pub host: Option<Host>,
    /// The engine, when it answers.
    pub engine: Option<Engine>,
    /// All its containers, stopped ones too.
    pub containers: Vec<Container>,
    /// All processes that do not run in a container.
    pub processes: Vec<Process>,
}

/// The machine.
#[derive(Debug, Clone)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// Its system and architecture: `Debian GNU/Linux 12, x86_64`.
    pub system: String,
    /// Logical processors.
    pub cores: usize,
    /// Memory in bytes.
    pub memory_bytes: u64,
}

/// The engine.
#[derive(Debug, Clone)]
pub struct Engine {
    /// Its version.
    pub version: String,
    /// The API version in use.
    pub api_version: String,
    /// Where it was reached.
    pub socket: String,
}

/// All findings, in the order of [`Kind`]; a missing engine is a finding too.
#[must_use]
pub fn discover(sources: &Sources) -> Vec<Found> {
    let mut found = Vec::new();
    if let Some(host) = &sources.host {
        #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
        let gigabytes = host.memory_bytes as f64 / f64::from(1 << 30);
        found.push(Found {
            kind: Kind::Host,
            what: format!(
                "{}: {}, {} cores, {gigabytes:.1} GiB",
                host.name, host.system, host.cores
            ),
            evidence: "/proc/cpuinfo, /proc/meminfo, /etc/os-release".into(),
        });
    }
    if let Some(engine) = &sources.engine {
        let running = sources
            .containers
            .iter()
            .filter(|container| container.running)
            .count();
        found.push(Found {
            kind: Kind::Engine,
            what: format!(
                "Docker {} with {} containers, {running} of them running",
                engine.version,
                sources.containers.len()
            ),
            evidence: format!("{} answers with API {}", engine.socket, engine.api_version),
        });
    }
    found.extend(container::compose_projects(&sources.containers));
    found.extend(sources.containers.iter().filter_map(container::service));
    found.extend(process::services(&sources.processes));
    found.sort_by_key(|finding| finding.kind);
    found
}

/// What a program's name says it is.
fn program(name: &str) -> Option<(Kind, &'static str)> {
    Some(match name {
        "postgres" | "postmaster" => (Kind::Postgres, "PostgreSQL"),
        "redis-server" => (Kind::Redis, "Redis"),
        "valkey-server" => (Kind::Redis, "Valkey"),
        "celery" => (Kind::Celery, "Celery"),
        "caddy" => (Kind::Proxy, "Caddy"),
        "nginx" => (Kind::Proxy, "nginx"),
        "traefik" => (Kind::Proxy, "Traefik"),
        "haproxy" => (Kind::Proxy, "HAProxy"),
        _ => return None,
    })
}

/// Whether a command line starts Celery, and what part of it: `worker`, `beat`.
fn celery(words: &[&str]) -> Option<String> {
    // The engine quotes what a shell is given: `sh -c 'celery -A app worker'`.
    let words: Vec<&str> = words
        .iter()
        .map(|word| word.trim_matches(['\'', '"', ';']))
        .collect();
    let at = words
        .iter()
        .position(|word| word.rsplit('/').next() == Some("celery"))?;
    // `python -m celery -A app worker`: the command is the first known word behind.
    let part = words[at + 1..]
        .iter()
        .find(|word| matches!(**word, "worker" | "beat" | "flower" | "multi"))?;
    Some((*part).to_owned())
}
