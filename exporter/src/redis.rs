//! Redis servers under redis_exporter's names.
//!
//! [`Redis::run`] reads each server at its own pace over one kept connection;
//! [`Redis::page`] writes what was read last and never waits for a server.

pub(crate) mod address;
pub(crate) mod client;
mod encode;
mod families;
mod info;
pub(crate) mod resp;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use exposition::Kind;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::fleet::{Fleet, Member, Standing, Wanted};
use crate::pieces::{self, Pieces, Sheet};
use crate::tallies::lock;
use crate::tls::{Papers, Renewable};
use address::Address;
use client::{Client, Failure, Route};

settings::section! {
    /// Redis servers, under redis_exporter's names.
    pub struct Config {
        /// The servers to read.
        pub servers: Vec<Server> = Vec::new(),
        /// Whether servers in containers are found by themselves.
        pub find: bool = true,
        /// Whether a container's environment may be looked at for the password
        /// of a server that was found: REDIS_PASSWORD or VALKEY_PASSWORD.
        pub environment: bool = false,
        /// How often each server is read.
        pub interval: Duration = Duration::from_secs(15),
        /// How long reading a server may take, connecting included.
        pub deadline: Duration = Duration::from_secs(5),
    }
}

settings::section! {
    /// A Redis server.
    pub struct Server {
        /// Its address: host:port, the path of a socket, or rediss://host:port with
        /// TLS. No password here.
        pub address: String = "127.0.0.1:6379".to_owned(),
        /// The label `instance` of its series. Empty: none with one server,
        /// the address with several.
        pub name: String = String::new(),
        /// The user to log in as. Empty: the default user.
        pub username: String = String::new(),
        /// The password. Empty: none is sent.
        pub password: settings::Secret = settings::Secret::default(),
        /// The authorities that may vouch for a server behind rediss://, as a PEM
        /// file. Empty: the system's.
        pub ca_file: Option<PathBuf> = None,
        /// The certificate that is shown to a server behind rediss://, as a PEM file.
        /// Empty: none.
        pub cert_file: Option<PathBuf> = None,
        /// The key of that certificate, as a PEM file.
        pub key_file: Option<PathBuf> = None,
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
                let message = "host:port, the path of a socket or rediss://host:port is wanted, without a password";
                faults.push((format!("{key}.address"), message.to_owned()));
            } else if !names.insert(server.label()) {
                let message = format!("{:?} stands twice", server.label());
                faults.push((format!("{key}.name"), message));
            }
            faults.extend(
                server
                    .tls_fault()
                    .map(|(below, message)| (format!("{key}.{below}"), message.to_owned())),
            );
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
    /// Where it is, as host:port or the path of a socket; nothing when its
    /// address is malformed.
    #[must_use]
    pub fn place(&self) -> Option<String> {
        Address::parse(&self.address).map(|address| address.to_string())
    }

    fn tls_fault(&self) -> Option<(&'static str, &'static str)> {
        let tls = matches!(Address::parse(&self.address), Some(Address::Tls(..)));
        match Papers::first(&self.ca_file, &self.cert_file, &self.key_file) {
            Some(key) if !tls => Some((key, "only an address that begins with rediss:// has TLS")),
            _ => Papers::fault(&self.cert_file, &self.key_file),
        }
    }

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
    interval: Duration,
    deadline: Duration,
}

impl Redis {
    /// Makes a reader; nothing is read yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let redis = Self(Arc::new(Shared {
            sources: Mutex::default(),
            fleet: Fleet::new("redis"),
        }));
        redis.configure(config);
        redis
    }

    /// Puts another configuration in force. Servers that stay as they were go
    /// on with their connections.
    pub fn configure(&self, config: Config) {
        self.renew(|sources| sources.config = config);
    }

    /// Puts these servers beside those of the configuration. Each must have a
    /// name; one whose name or address the configuration has is left out.
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
        let config = &self.config;
        let alone = config.servers.len() == 1;
        let named = config.servers.iter().map(|server| {
            let instance = if alone { &server.name } else { server.label() };
            (server, instance, false)
        });
        let known = |server: &&Server| {
            let mut servers = config.servers.iter();
            !servers.any(|one| one.label() == server.label() || one.place() == server.place())
        };
        let found = self.found.iter().filter(known);
        let found = found.map(|server| (server, server.label(), true));
        named
            .chain(found)
            .map(|(server, instance, found)| Wanted {
                name: match Address::parse(&server.address) {
                    Some(_) => server.label().to_owned(),
                    None => server.name.clone(),
                },
                instance: instance.into(),
                // A reading is kept over two that fail.
                keep: config.interval * 3 + config.deadline,
                found,
                setup: Setup {
                    server: server.clone(),
                    interval: config.interval,
                    deadline: config.deadline,
                },
            })
            .collect()
    }
}

impl Shared {
    async fn follow(&self, member: &Member<Setup>) {
        let (setup, served) = (&member.setup, &member.served);
        let server = &setup.server;
        let Some(address) = Address::parse(&server.address) else {
            let trouble = Err("its address is malformed".into());
            self.fleet.put(member, trouble, Instant::now());
            return;
        };
        let tls = match address {
            Address::Tls(..) => {
                let papers = Papers::new(&server.ca_file, &server.cert_file, &server.key_file);
                Some(Renewable::new(papers, setup.deadline))
            }
            _ => None,
        };
        let route = Route { address, tls };
        let mut client = Client::new(route, server.username.clone(), server.password.clone());
        let mut started = None;
        // An interval of nothing is not allowed.
        let mut ticks = interval(setup.interval.max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let began = Instant::now();
            let read = timeout(setup.deadline, client.read()).await;
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
            self.fleet
                .put(member, pieces.map_err(Failure::trouble), began);
        }
    }
}

/// The families that say how reading goes, under the peer's names and ours.
fn standing(member: &Member<Setup>, now: Instant) -> Pieces {
    let served = &member.served;
    let mut sheet = Sheet::new(&served.instance);
    let Some(latest) = served.latest() else {
        return sheet.finish();
    };
    let trouble = latest.trouble.as_ref();
    let trouble = trouble.map_or("", |trouble| trouble.text.as_str());
    let failed = f64::from(u8::from(!trouble.is_empty()));
    if !member.keeps_us_out() {
        let help = "Whether the server answered when it was read last.";
        sheet.single("redis_up", help, Kind::Gauge, 1.0 - failed);
    }
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

/// Reads the bytes as what a server of Redis sends, for those who throw any at it.
///
/// # Panics
/// If more is read than there is, or what is told of it is no page.
pub fn any(bytes: &[u8]) {
    info::any(bytes);
}

#[cfg(test)]
mod tests;
