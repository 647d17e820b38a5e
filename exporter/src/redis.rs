//! Redis servers under redis_exporter's names.
//!
//! [`Redis::run`] reads each server at its own pace over one kept connection;
//! [`Redis::page`] writes what was read last and never waits for a server.

mod client;
mod encode;
mod families;
mod info;
mod resp;

use std::sync::Arc;
use std::time::{Duration, Instant};

use exposition::Kind;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::pieces::{self, Pieces, Sheet};
use crate::served::Served;
use client::{Address, Client, Failure};

settings::section! {
    /// Redis servers, under redis_exporter's names.
    pub struct Config {
        /// The servers to read.
        pub servers: Vec<Server> = Vec::new(),
        /// How often each server is read.
        pub interval: Duration = Duration::from_secs(15),
        /// How long reading a server may take, connecting included.
        pub deadline: Duration = Duration::from_secs(5),
    }
}

settings::section! {
    /// A Redis server.
    pub struct Server {
        /// Its address: host:port, or the path of a socket. No password here.
        pub address: String = "127.0.0.1:6379".to_owned(),
        /// The label `instance` of its series. Empty: none with one server,
        /// the address with several.
        pub name: String = String::new(),
        /// The user to log in as. Empty: the default user.
        pub username: String = String::new(),
        /// The password. Empty: none is sent.
        pub password: settings::Secret = settings::Secret::default(),
    }
}

impl Config {
    /// What contradicts itself, as (key, message).
    #[must_use]
    pub fn faults(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        let mut names = std::collections::BTreeSet::new();
        for (at, server) in self.servers.iter().enumerate() {
            let key = format!("redis.servers[{at}]");
            if Address::parse(&server.address).is_none() {
                // Not repeated here: there may be a password in it.
                let message = "host:port or the path of a socket is wanted, without a password";
                faults.push((format!("{key}.address"), message.to_owned()));
            } else if !names.insert(server.label()) {
                let message = format!("{:?} stands twice", server.label());
                faults.push((format!("{key}.name"), message));
            }
        }
        for (key, value) in [("interval", self.interval), ("deadline", self.deadline)] {
            if value < Duration::from_millis(100) {
                let message = "it must be 100ms at least".to_owned();
                faults.push((format!("redis.{key}"), message));
            }
        }
        faults
    }
}

impl Server {
    fn label(&self) -> &str {
        if self.name.is_empty() {
            &self.address
        } else {
            &self.name
        }
    }
}

/// Reads Redis servers. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Redis(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: Config,
    /// One for each server of the configuration.
    served: Vec<Served>,
    readings: watch::Sender<u64>,
}

impl Redis {
    /// Makes a reader; nothing is read yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let alone = config.servers.len() == 1;
        // A reading is kept over two that fail.
        let keep = config.interval * 3 + config.deadline;
        let served = config.servers.iter().map(|server| {
            let instance = if alone { &server.name } else { server.label() };
            let name = match Address::parse(&server.address) {
                Some(_) => server.label().to_owned(),
                None => server.name.clone(),
            };
            Served::new("redis", name, instance.into(), keep)
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
        let Some(address) = Address::parse(&server.address) else {
            let now = Instant::now();
            served.put(Err("its address is malformed"), now, now);
            self.readings.send_modify(|count| *count += 1);
            return;
        };
        let mut client = Client::new(address, server.username.clone(), server.password.clone());
        let mut started = None;
        // An interval of nothing is not allowed.
        let mut ticks = interval(self.config.interval.max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let began = Instant::now();
            let read = tokio::select! {
                () = stop.cancelled() => return,
                read = timeout(self.config.deadline, client.read()) => read,
            };
            let pieces = read.unwrap_or(Err(Failure::Late)).and_then(|answers| {
                started = encode::started(&answers.info, started);
                let mut sheet = Sheet::new(&served.instance);
                let help = "How long the latest connecting took.";
                let name = "redis_exporter_last_scrape_connect_time_seconds";
                sheet.single(name, help, Kind::Gauge, client.connecting.as_secs_f64());
                if encode::encode(&answers, started, &mut sheet) {
                    Ok(vec![Arc::new(sheet.finish())])
                } else {
                    Err(Failure::Malformed)
                }
            });
            served.put(pieces, began, Instant::now());
            self.readings.send_modify(|count| *count += 1);
        }
    }
}

/// The families that say how reading goes, under the peer's names and ours.
fn standing(served: &Served, now: Instant) -> Pieces {
    let mut sheet = Sheet::new(&served.instance);
    let Some(latest) = served.latest() else {
        return sheet.finish();
    };
    let trouble = latest.trouble.as_deref().unwrap_or_default();
    let failed = f64::from(u8::from(!trouble.is_empty()));
    let help = "Whether the server answered when it was read last.";
    sheet.single("redis_up", help, Kind::Gauge, 1.0 - failed);
    sheet
        .family(
            "redis_exporter_last_scrape_error",
            "Whether the latest reading failed, and why.",
            Kind::Gauge,
        )
        .sample(&[("err", trouble)], failed);
    sheet.single(
        "redis_exporter_last_scrape_duration_seconds",
        "How long the latest reading took.",
        Kind::Gauge,
        latest.took.as_secs_f64(),
    );
    sheet.single(
        "redis_exporter_scrapes_total",
        "Readings of the server.",
        Kind::Counter,
        latest.readings as f64,
    );
    sheet
        .family(
            "redis_exporter_build_info",
            "Which program serves this page.",
            Kind::Gauge,
        )
        .sample(&[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    served.encode(&mut sheet, now);
    sheet.finish()
}

#[cfg(test)]
mod tests;
