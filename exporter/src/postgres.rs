//! PostgreSQL servers under postgres_exporter's names, with all their
//! databases, and what that exporter leaves out.
//!
//! [`Postgres::run`] reads each server at its own pace, over one kept
//! connection and one more during a visit to another database;
//! [`Postgres::page`] writes what was read last and never waits for a server.
//! Nothing is ever written to a server.

mod access;
mod catalogue;
mod collector;
mod database;
mod link;
mod literal;
mod pending;
mod question;
mod reading;
mod rows;
mod settings;
mod statements;
mod target;
mod tls;
mod visits;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::settings::Secret;
use exposition::Kind;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::pieces::{self, Pieces, Sheet};
use crate::served::Served;
use access::Access;
use link::Failure;
use reading::Reader;
use target::Target;
use tls::Connector;

::settings::section! {
    /// PostgreSQL servers, under postgres_exporter's names. The user should be
    /// a member of pg_monitor.
    pub struct Config {
        /// The servers to read.
        pub servers: Vec<Server> = Vec::new(),
        /// How often each server is read.
        pub interval: Duration = Duration::from_secs(15),
        /// How long reading a server may take, visits to its databases
        /// included. A quarter of it is the server's limit for a statement, a
        /// tenth for a lock, but a second at most.
        pub deadline: Duration = Duration::from_secs(10),
        /// How often the tables of databases are read that need a connection of
        /// their own.
        pub visit: Duration = Duration::from_secs(60),
        /// How often sizes and settings are read, and the tables chosen that
        /// are shown.
        pub seldom: Duration = Duration::from_secs(300),
        /// The most tables of a database that are shown: the largest and the
        /// busiest.
        pub tables_per_database: usize = 30,
        /// The most tables of a server that are shown, shared evenly among its
        /// databases. 0 shows none.
        pub tables: usize = 300,
        /// The most statements that are shown where pg_stat_statements is
        /// installed. 0 shows none.
        pub statements: usize = 50,
    }
}

::settings::section! {
    /// A PostgreSQL server.
    pub struct Server {
        /// Its address: postgres://user@host:port/database, or host=... user=...
        /// for a socket. No password here.
        pub url: String = "postgres://postgres@127.0.0.1:5432/postgres".to_owned(),
        /// A service of ~/.pg_service.conf that is used instead of `url`.
        pub service: String = String::new(),
        /// The label `instance` of its series. Empty: none with one server,
        /// host:port with several.
        pub name: String = String::new(),
        /// The password. Empty: the one of the service, or of ~/.pgpass.
        pub password: Secret = Secret::default(),
        /// Whether the connection is encrypted.
        pub tls: Tls = Tls::Off,
        /// The authorities that may vouch for the server, as a PEM file.
        /// Empty: the system's.
        pub ca_file: Option<PathBuf> = None,
        /// Databases whose tables are not read.
        pub exclude: Vec<String> = Vec::new(),
    }
}

::settings::choice! {
    /// How a connection to PostgreSQL is encrypted.
    pub enum Tls {
        /// Not at all.
        Off = "off",
        /// With TLS, and the server's certificate and name are checked.
        Verify = "verify",
    }
}

impl Config {
    /// What contradicts itself, as (key, message).
    #[must_use]
    pub fn faults(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        let mut names = std::collections::BTreeSet::new();
        for (at, server) in self.servers.iter().enumerate() {
            let key = format!("postgres.servers[{at}]");
            if server.service.is_empty()
                && let Err(fault) = Access::parse(&server.url)
            {
                faults.push((format!("{key}.url"), fault.to_owned()));
                continue;
            }
            let label = server.label();
            if !names.insert(label.clone()) {
                faults.push((format!("{key}.name"), format!("{label:?} stands twice")));
            }
        }
        for (key, value) in [
            ("interval", self.interval),
            ("deadline", self.deadline),
            ("visit", self.visit),
            ("seldom", self.seldom),
        ] {
            if value < Duration::from_millis(100) {
                let message = "it must be 100ms at least".to_owned();
                faults.push((format!("postgres.{key}"), message));
            }
        }
        faults
    }
}

impl Server {
    /// What tells it from others: its name, its service, or its place.
    fn label(&self) -> String {
        if !self.name.is_empty() {
            self.name.clone()
        } else if !self.service.is_empty() {
            self.service.clone()
        } else {
            let access = Access::parse(&self.url);
            access.map_or_else(|_| "a malformed address".to_owned(), |access| access.place)
        }
    }

    /// How to reach it; looks into files of the user where the configuration
    /// leaves something open.
    async fn access(&self) -> Result<Access, &'static str> {
        let mut access = if self.service.is_empty() {
            Access::parse(&self.url)?
        } else {
            let file = access::service_file().await;
            Access::service(&file.ok_or("there is no service file")?, &self.service)?
        };
        if !self.password.is_empty() {
            access.config.password(self.password.expose());
        } else if let Some(passwords) = access::password_file().await {
            access.look_up(&passwords);
        }
        Ok(access)
    }

    fn connector(&self) -> Result<Option<Connector>, &'static str> {
        match self.tls {
            Tls::Off => Ok(None),
            Tls::Verify => Connector::new(self.ca_file.as_deref()).map(Some),
        }
    }
}

/// Reads PostgreSQL servers. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Postgres(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: Config,
    /// One for each server of the configuration.
    served: Vec<Served>,
    readings: watch::Sender<u64>,
}

impl Postgres {
    /// Makes a reader; nothing is read yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let alone = config.servers.len() == 1;
        // A reading is kept over two that fail.
        let keep = config.interval * 3 + config.deadline;
        let served = config.servers.iter().map(|server| {
            let label = server.label();
            let instance = if alone { &server.name } else { &label };
            let instance = instance.as_str().into();
            Served::new("postgres", label, instance, keep)
        });
        Self(Arc::new(Shared {
            served: served.collect(),
            readings: watch::Sender::new(0),
            config,
        }))
    }

    /// Reads every server each interval until `stop`. Returns only then.
    pub async fn run(&self, stop: CancellationToken) {
        let tasks = TaskTracker::new();
        for at in 0..self.0.served.len() {
            let (shared, stop) = (self.0.clone(), stop.clone());
            tasks.spawn(async move { shared.follow(at, stop).await });
        }
        tasks.close();
        stop.cancelled().await;
        tasks.wait().await;
    }

    /// Tells when a reading of any server has ended. The value counts them.
    #[must_use]
    pub fn readings(&self) -> watch::Receiver<u64> {
        self.0.readings.subscribe()
    }

    /// What was read last, as exposition text. Never waits for a server; one
    /// that has not been read yet is not on the page.
    pub async fn page(&self) -> String {
        let now = Instant::now();
        let mut all = Vec::new();
        for served in &self.0.served {
            all.push(Arc::new(standing(served, now)));
            all.extend(served.good(now));
        }
        pieces::page(&all)
    }
}

impl Shared {
    async fn follow(&self, at: usize, stop: CancellationToken) {
        let (server, served) = (&self.config.servers[at], &self.served[at]);
        let mut reader: Option<Reader> = None;
        // An interval of nothing is not allowed.
        let mut ticks = interval(self.config.interval.max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let began = Instant::now();
            let read = async {
                let reader = match &mut reader {
                    Some(reader) => reader,
                    None => reader.insert(self.reader(server, served).await?),
                };
                reader.read().await
            };
            let read = tokio::select! {
                () = stop.cancelled() => return,
                read = read => read,
            };
            if matches!(
                read,
                Err(Failure::Refused { .. } | Failure::NoPassword | Failure::Malformed)
            ) {
                // The files that say how to log in may be put right.
                reader = None;
            }
            served.put(read, began, Instant::now());
            self.readings.send_modify(|count| *count += 1);
        }
    }

    async fn reader(&self, server: &Server, served: &Served) -> Result<Reader, Failure> {
        let access = server.access().await.map_err(Failure::Settings)?;
        let tls = server.connector().map_err(Failure::Settings)?;
        Ok(Reader::new(Target {
            access,
            tls,
            exclude: server.exclude.clone(),
            config: self.config.clone(),
            instance: served.instance.clone(),
        }))
    }
}

/// The families that say how reading goes, under the peer's names and ours.
fn standing(served: &Served, now: Instant) -> Pieces {
    let mut sheet = Sheet::new(&served.instance);
    let Some(latest) = served.latest() else {
        return sheet.finish();
    };
    let failed = f64::from(u8::from(latest.trouble.is_some()));
    for (name, help, value) in [
        (
            "pg_up",
            "Whether the server answered when it was read last.",
            1.0 - failed,
        ),
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
            .sample(&[("err", trouble)], 1.0);
    }
    served.encode(&mut sheet, now);
    sheet.finish()
}

#[cfg(test)]
mod tests;
