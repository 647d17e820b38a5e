//! What is served over HTTP: requests, errors and times from the access logs of
//! reverse proxies, and what nginx and Caddy say of themselves.
//!
//! [`Api::run`] follows each log on a task of its own; [`Api::page`] writes what
//! was counted and never waits. Nothing here keeps a line.

mod config;
mod encode;
mod hosts;
mod line;
mod sources;
mod status;
mod tally;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use exposition::Kind;
use reqwest::Client;
use reqwest::redirect::Policy;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

pub use config::{Config, Format, Keys, Log, Proxy, Unit};
pub use sources::Found;

use crate::container::Containers;
use crate::fleet::{Fleet, Member, Standing};
use crate::pieces::{self, Pieces, Sheet};
use crate::tail::{self, Batch, Tail};
use crate::tallies::{Tallies, lock};
use sources::{Asked, Setup, Sources};
use status::Server;
use tally::Tally;

/// Follows access logs and asks proxies. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Api(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    containers: Containers,
    /// What was written to a container's output before is not counted, in
    /// nanoseconds since 1970.
    since_ns: i64,
    sources: Mutex<Sources>,
    logs: Fleet<Setup>,
    proxies: Fleet<Asked>,
    tallies: Tallies<Tally>,
}

/// Whether a line of an access log tells of a request, in whichever of the
/// formats that are told apart by themselves.
#[must_use]
pub fn is_request(line: &[u8]) -> bool {
    matches!(
        line::read(line, Format::Auto, &Keys::default()),
        line::Line::Request(_)
    )
}

impl Api {
    /// Follows nothing yet. Output of containers is read through `containers`.
    #[must_use]
    pub fn new(config: Config, containers: Containers) -> Self {
        let now_ns = jiff::Timestamp::now().as_nanosecond();
        let api = Self(Arc::new(Shared {
            containers,
            since_ns: i64::try_from(now_ns).unwrap_or(i64::MAX),
            sources: Mutex::default(),
            logs: Fleet::new("access_log"),
            proxies: Fleet::new("proxy"),
            tallies: Tallies::default(),
        }));
        api.configure(config);
        api
    }

    /// Goes on with the counts and places of an earlier process, as
    /// [`Api::snapshot`] wrote them; before [`Api::run`].
    ///
    /// # Errors
    /// Says why they cannot be read.
    pub fn restore(&self, snapshot: &str) -> Result<(), String> {
        self.0.tallies.restore(snapshot)
    }

    /// The counts with the places behind them, so that a restart neither loses
    /// a line nor counts one twice; nothing without a log.
    #[must_use]
    pub fn snapshot(&self) -> Option<String> {
        self.0.tallies.snapshot()
    }

    /// Puts another configuration in force.
    pub fn configure(&self, config: Config) {
        self.renew(|sources| sources.config = config);
    }

    /// Follows these beside those of the configuration.
    pub fn found(&self, found: Vec<Found>) {
        self.renew(|sources| sources.found = found);
    }

    fn renew(&self, change: impl FnOnce(&mut Sources)) {
        let mut sources = lock(&self.0.sources);
        change(&mut sources);
        self.0.logs.set(sources.logs());
        self.0.proxies.set(sources.proxies());
    }

    /// Follows every log and asks every proxy until `stop`. Returns only then.
    pub async fn run(&self, stop: CancellationToken) {
        let follow = |member: Arc<Member<Setup>>| {
            let shared = Arc::clone(&self.0);
            async move { shared.follow(&member).await }
        };
        let ask = |member: Arc<Member<Asked>>| {
            let shared = Arc::clone(&self.0);
            async move { shared.ask(&member).await }
        };
        tokio::join!(
            self.0.logs.run(stop.clone(), follow),
            self.0.proxies.run(stop, ask)
        );
    }

    /// Whether there is neither a log nor a proxy.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.0.logs.members().is_empty() && self.0.proxies.members().is_empty()
    }

    /// How reading each goes.
    #[must_use]
    pub fn standing(&self) -> Vec<Standing> {
        let mut all = self.0.logs.standing();
        all.extend(self.0.proxies.standing());
        all
    }

    /// What was counted, and what proxies said last, as exposition text.
    pub async fn page(&self) -> String {
        let now = Instant::now();
        let now_ms = jiff::Timestamp::now().as_millisecond();
        let mut all = Vec::new();
        for member in self.0.logs.members() {
            let mut sheet = Sheet::new(&member.served.instance);
            // Before the first look, what an earlier process counted would
            // seem to be all.
            if member.served.latest().is_some()
                && let Some(tally) = self.0.tallies.get(&member.served.name)
            {
                encode::encode(&lock(&tally), now_ms, &mut sheet);
            }
            member.served.encode(&mut sheet, now);
            all.push(Arc::new(sheet.finish()));
        }
        all.extend(self.0.proxies.pieces(now, standing));
        pieces::page(&all)
    }
}

impl Shared {
    /// Follows one log, for ever.
    async fn follow(&self, member: &Member<Setup>) {
        let setup = &member.setup;
        let members = self.logs.members();
        let wanted = |name: &str| members.iter().any(|member| member.served.name == name);
        let (tally, read) = self.tallies.follow(&member.served.name, wanted);
        let position = read.then(|| lock(&tally).position.clone());
        let tail = Tail::new(&setup.source, position, self.since_ns, &self.containers);
        let take = |batch: &Batch, now_ms| lock(&tally).take(batch, &setup.reading, now_ms);
        tail.follow(&self.logs, member, take).await;
    }

    /// Asks one proxy, for ever.
    async fn ask(&self, member: &Member<Asked>) {
        let asked = &member.setup;
        // Only plain HTTP is asked, so nobody's certificates are read.
        let client = Client::builder()
            .timeout(asked.deadline)
            .redirect(Policy::none())
            .no_proxy()
            .tls_certs_only([])
            .build();
        let Ok(client) = client else {
            let trouble = Err("no client for it can be made".into());
            self.proxies.put(member, trouble, Instant::now());
            return;
        };
        // An interval of nothing is not allowed.
        let mut ticks = interval(asked.interval.max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let began = Instant::now();
            let page = status::fetch(&client, &asked.proxy).await;
            let read = page.and_then(|page| {
                let mut sheet = Sheet::new(&member.served.instance);
                status::encode(asked.server, &page, &mut sheet)?;
                Ok(vec![Arc::new(sheet.finish())])
            });
            self.proxies.put(member, read, began);
        }
    }
}

/// Reads the bytes as what proxies say, and logs of any kind, for those who throw any at it.
pub fn any(bytes: &[u8]) {
    status::any(bytes);
    tail::any(bytes);
}

/// Counts the bytes as lines of an access log, for those who throw any at it.
///
/// # Panics
/// If what is told of them is no page.
pub fn any_lines(bytes: &[u8]) {
    let config = Config {
        most_hosts: 2,
        paths: ["/a/*", "*x*", "/b"].map(str::to_owned).into(),
        ..Config::default()
    };
    let batch = Batch {
        text: bytes.to_vec(),
        ..Batch::default()
    };
    for format in [Format::Auto, Format::Json, Format::Combined] {
        let log = Log {
            format,
            ..Log::default()
        };
        let mut counted = Tally::default();
        counted.take(&batch, &tally::Reading::new(&log, &config), 0);
        let mut sheet = Sheet::new(&"any".into());
        encode::encode(&counted, 0, &mut sheet);
        pieces::check(&pieces::page(&[Arc::new(sheet.finish())]));
    }
}

/// The families that say how asking a proxy goes.
fn standing(member: &Member<Asked>, now: Instant) -> Pieces {
    let served = &member.served;
    let mut sheet = Sheet::new(&served.instance);
    if let (Server::Nginx, Some(latest)) = (member.setup.server, served.latest()) {
        let up = f64::from(u8::from(latest.trouble.is_none()));
        let help = "Whether nginx answered when it was asked last.";
        sheet.single("nginx_up", help, Kind::Gauge, up);
    }
    served.encode(&mut sheet, now);
    sheet.finish()
}
