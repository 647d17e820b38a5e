//! PostgreSQL servers under postgres_exporter's names, with all their
//! databases, and what that exporter leaves out.
//!
//! [`Postgres::run`] reads each server at its own pace, over one kept
//! connection and one more during a visit to another database;
//! [`Postgres::page`] writes what was read last and never waits for a server.
//! Nothing is ever written to a server.

mod access;
mod any;
mod asked;
mod catalogue;
mod collector;
mod config;
mod database;
mod link;
mod listed;
mod literal;
mod pending;
mod queries;
mod question;
mod reading;
mod rows;
mod settings;
mod statements;
mod target;
mod tls;
mod visits;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use exposition::Kind;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::crew::Crew;
use crate::fleet::{Fleet, Member, Standing, Wanted};
use crate::pieces::{self, Pieces, Sheet};
use crate::tallies::lock;
pub use any::any;
pub use config::{Config, Server, Tls};
use link::Failure;
pub use queries::{Preset, Query, Sort};
use reading::Reader;
use target::Target;

/// Reads PostgreSQL servers. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Postgres(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    sources: Mutex<Sources>,
    fleet: Fleet<Setup>,
}

/// Where the servers come from.
#[derive(Debug, Default)]
struct Sources {
    config: Config,
    found: Vec<Server>,
}

/// What the task of one server needs to know.
#[derive(Debug, PartialEq)]
struct Setup {
    server: Server,
    /// Without the servers.
    config: Config,
}

impl Postgres {
    /// Makes a reader; nothing is read yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let postgres = Self(Arc::new(Shared {
            sources: Mutex::default(),
            fleet: Fleet::new("postgres"),
        }));
        postgres.configure(config);
        postgres
    }

    /// Puts another configuration in force. Servers that stay as they were go
    /// on with their connections.
    pub fn configure(&self, config: Config) {
        self.renew(|sources| sources.config = config);
    }

    /// Puts these servers beside those of the configuration. Each must have a
    /// name; one whose name or place the configuration has is left out.
    pub fn found(&self, servers: Vec<Server>) {
        self.renew(|sources| sources.found = servers);
    }

    fn renew(&self, change: impl FnOnce(&mut Sources)) {
        let mut sources = lock(&self.0.sources);
        change(&mut sources);
        self.0.fleet.set(sources.wanted());
    }

    /// Reads every server each interval until `stop`. Returns only then.
    pub async fn run(&self, stop: CancellationToken) {
        let shared = &self.0;
        let follow = |member: Arc<Member<Setup>>| {
            let shared = Arc::clone(shared);
            async move { shared.follow(&member).await }
        };
        shared.fleet.run(stop, follow).await;
    }

    /// Tells when a reading of any server has ended. The value counts them.
    #[must_use]
    pub fn readings(&self) -> watch::Receiver<u64> {
        self.0.fleet.readings()
    }

    /// Whether there is no server to read.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.0.fleet.members().is_empty()
    }

    /// How reading each server goes.
    #[must_use]
    pub fn standing(&self) -> Vec<Standing> {
        self.0.fleet.standing()
    }

    /// What was read last, as exposition text. Never waits for a server; one
    /// that has not been read yet is not on the page.
    pub async fn page(&self) -> String {
        pieces::page(&self.0.fleet.pieces(Instant::now(), standing))
    }
}

impl Sources {
    fn wanted(&self) -> Vec<Wanted<Setup>> {
        let config = Config {
            servers: Vec::new(),
            ..self.config.clone()
        };
        let servers = &self.config.servers;
        let alone = servers.len() == 1;
        let named = servers.iter().map(|server| (server, false));
        let known = |server: &&Server| {
            let mut servers = servers.iter();
            !servers.any(|one| one.label() == server.label() || one.place() == server.place())
        };
        let found = self.found.iter().filter(known);
        named
            .chain(found.map(|server| (server, true)))
            .map(|(server, found)| {
                let label = server.label();
                let alone = alone && !found;
                let instance = if alone { &server.name } else { &label };
                Wanted {
                    instance: instance.as_str().into(),
                    name: label,
                    // A reading is kept over two that fail.
                    keep: config.interval * 3 + config.deadline,
                    found,
                    setup: Setup {
                        server: server.clone(),
                        config: config.clone(),
                    },
                }
            })
            .collect()
    }
}

impl Shared {
    async fn follow(&self, member: &Member<Setup>) {
        let config = &member.setup.config;
        let mut reader: Option<Reader> = None;
        let files = Crew::default();
        // An interval of nothing is not allowed.
        let mut ticks = interval(config.interval.max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let began = Instant::now();
            let read = async {
                let reader = match &mut reader {
                    Some(reader) => reader,
                    None => reader.insert(make_reader(member, &files).await?),
                };
                reader.read().await
            };
            let read = read.await;
            if matches!(
                read,
                Err(Failure::Refused { .. } | Failure::NoPassword | Failure::Malformed)
            ) {
                // The files that say how to log in may be put right.
                reader = None;
            }
            self.fleet
                .put(member, read.map_err(Failure::trouble), began);
        }
    }
}

async fn make_reader(member: &Member<Setup>, files: &Crew) -> Result<Reader, Failure> {
    let (server, deadline) = (&member.setup.server, member.setup.config.deadline);
    let access = server.access(files, deadline).await;
    let access = access.map_err(Failure::Settings)?;
    let tls = server.connector(files, deadline).await;
    let tls = tls.map_err(Failure::Settings)?;
    Ok(Reader::new(Target {
        access,
        tls,
        exclude: server.exclude.clone(),
        config: member.setup.config.clone(),
        instance: member.served.instance.clone(),
        name: member.served.name.clone(),
    }))
}

/// The families that say how reading goes, under the peer's names and ours.
fn standing(member: &Member<Setup>, now: Instant) -> Pieces {
    let served = &member.served;
    let mut sheet = Sheet::new(&served.instance);
    let Some(latest) = served.latest() else {
        return sheet.finish();
    };
    let failed = f64::from(u8::from(latest.trouble.is_some()));
    if !member.keeps_us_out() {
        let help = "Whether the server answered when it was read last.";
        sheet.single("pg_up", help, Kind::Gauge, 1.0 - failed);
    }
    for (name, help, value) in [
        (
            "pg_exporter_last_scrape_error",
            "Whether the latest reading failed.",
            failed,
        ),
        (
            "pg_exporter_last_scrape_duration_seconds",
            "How long the latest reading took.",
            latest.took.as_secs_f64(),
        ),
    ] {
        sheet.single(name, help, Kind::Gauge, value);
    }
    sheet.single(
        "pg_exporter_scrapes_total",
        "Readings of the server.",
        Kind::Counter,
        latest.readings as f64,
    );
    if let Some(trouble) = &latest.trouble {
        sheet
            .family(
                "belfry_postgres_read_trouble",
                "Why the latest reading failed.",
                Kind::Gauge,
            )
            .sample(&[("err", &trouble.text)], 1.0);
    }
    served.encode(&mut sheet, now);
    sheet.finish()
}

#[cfg(test)]
mod tests;
