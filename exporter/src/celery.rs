//! Celery applications under celery-exporter's names, by what their brokers
//! tell.
//!
//! [`Celery::run`] listens to each broker's events, measures its queues and
//! asks its workers, over two connections; [`Celery::page`] writes what is
//! known and never waits. Nothing is written to a broker but questions to the
//! workers, and the binding by which their answers find us.

mod beat;
mod broker;
mod config;
mod control;
mod event;
mod histogram;
mod names;
mod poll;
mod queues;
mod rabbit;
mod scene;
mod tally;
mod tasks;
mod workers;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use exposition::Kind;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

pub use beat::Calendar;
pub use config::{Beat, Broker, Config};

use crate::amqp;
use crate::fleet::{Fleet, Member, Standing, Wanted};
use crate::pieces::{self, Pieces, Sheet};
use crate::redis::address::Address;
use crate::redis::client::Route;
use crate::tallies::lock;
use crate::tls::Renewable;
use broker::Access;
use names::Names;
use poll::{Line, Poll};
use scene::Scene;
use tally::Kept;

/// Watches Celery applications. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Celery(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    sources: Mutex<Sources>,
    fleet: Fleet<Setup>,
    scenes: Mutex<Scenes>,
    calendar: Calendar,
}

/// Where the brokers come from.
#[derive(Debug, Default)]
struct Sources {
    config: Config,
    found: Vec<Broker>,
}

/// What the task of one broker needs to know.
#[derive(Debug, PartialEq)]
struct Setup {
    broker: Broker,
    /// Without the brokers.
    config: Config,
    /// Whether it must first be found out in which database it is, if any.
    found: bool,
}

impl Setup {
    fn tls(&self) -> Renewable {
        Renewable::new(self.broker.papers(), self.config.deadline)
    }
}

#[derive(Debug, Default)]
struct Scenes {
    /// By name. A broker that is set up otherwise goes on with its counts.
    known: BTreeMap<String, Arc<Scene>>,
    kept: BTreeMap<String, Kept>,
}

impl Celery {
    /// Makes a watcher; nothing is read yet. Of tasks that beat sends by a cron line it
    /// cannot tell whether they are late.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self::with_calendar(config, |_, _, _| None)
    }

    /// Makes a watcher that knows when cron lines are due.
    #[must_use]
    pub fn with_calendar(config: Config, calendar: Calendar) -> Self {
        let celery = Self(Arc::new(Shared {
            sources: Mutex::default(),
            fleet: Fleet::new("celery"),
            scenes: Mutex::default(),
            calendar,
        }));
        celery.configure(config);
        celery
    }

    /// Goes on with the counts of an earlier process, as [`Celery::snapshot`]
    /// wrote them; before [`Celery::run`].
    ///
    /// # Errors
    /// Says why they cannot be read.
    pub fn restore(&self, snapshot: &str) -> Result<(), String> {
        let kept = serde_json::from_str(snapshot).map_err(|err| err.to_string())?;
        lock(&self.0.scenes).kept = kept;
        Ok(())
    }

    /// The counts, so that a restart does not lose them; nothing without a
    /// broker.
    #[must_use]
    pub fn snapshot(&self) -> Option<String> {
        let scenes = lock(&self.0.scenes);
        let brokers = scenes.known.iter().filter(|(_, scene)| scene.is_broker());
        let mut all: BTreeMap<&str, Kept> = brokers
            .map(|(name, scene)| (name.as_str(), scene.state().tally.keep()))
            .collect();
        if all.is_empty() {
            return None;
        }
        // Those whose broker has not been found again yet stay as they are.
        for (name, kept) in &scenes.kept {
            all.entry(name).or_insert_with(|| kept.clone());
        }
        serde_json::to_string(&all).ok()
    }

    /// Puts another configuration in force.
    pub fn configure(&self, config: Config) {
        self.renew(|sources| sources.config = config);
    }

    /// Looks for brokers in these Redis servers. Each must have a name; one
    /// whose name or address the configuration has is left out.
    pub fn found(&self, brokers: Vec<Broker>) {
        self.renew(|sources| sources.found = brokers);
    }

    fn renew(&self, change: impl FnOnce(&mut Sources)) {
        let mut sources = lock(&self.0.sources);
        change(&mut sources);
        self.0.fleet.set(sources.wanted());
    }

    /// Watches every broker until `stop`. Returns only then.
    pub async fn run(&self, stop: CancellationToken) {
        let shared = &self.0;
        let follow = |member: Arc<Member<Setup>>| {
            let shared = Arc::clone(shared);
            async move {
                let scene = shared.scene(&member);
                shared.follow(&member, &scene).await;
            }
        };
        shared.fleet.run(stop, follow).await;
    }

    /// Tells when a reading of any broker has ended. The value counts them.
    #[must_use]
    pub fn readings(&self) -> watch::Receiver<u64> {
        self.0.fleet.readings()
    }

    /// Whether there is no broker.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.0.brokers().is_empty()
    }

    /// How reading each broker goes.
    #[must_use]
    pub fn standing(&self) -> Vec<Standing> {
        let brokers = self.0.brokers();
        let is_broker = |one: &Standing| {
            let mut brokers = brokers.iter();
            brokers.any(|member| member.served.name == one.name)
        };
        let all = self.0.fleet.standing().into_iter();
        all.filter(is_broker).collect()
    }

    /// What is known, as exposition text. Never waits for a broker.
    pub async fn page(&self) -> String {
        let now = Instant::now();
        let mut all = Vec::new();
        for member in self.0.brokers() {
            let mut sheet = Sheet::new(&member.served.instance);
            if let Some(latest) = member.served.latest() {
                let up = f64::from(u8::from(latest.trouble.is_none()));
                let help = "Whether the broker answered when it was asked last.";
                sheet.single("belfry_celery_broker_up", help, Kind::Gauge, up);
                member.served.encode(&mut sheet, now);
            }
            all.push(Arc::new(sheet.finish()));
            all.extend(member.served.good(now));
        }
        pieces::page(&all)
    }
}

impl Sources {
    fn wanted(&self) -> Vec<Wanted<Setup>> {
        let config = Config {
            brokers: Vec::new(),
            ..self.config.clone()
        };
        let brokers = &self.config.brokers;
        let alone = brokers.len() == 1;
        let known = |broker: &&Broker| {
            let mut brokers = brokers.iter();
            !brokers.any(|one| one.label() == broker.label() || one.place() == broker.place())
        };
        let found = self.found.iter().filter(known).map(|broker| (broker, true));
        brokers
            .iter()
            .map(|broker| (broker, false))
            .chain(found)
            .map(|(broker, found)| {
                let label = broker.label();
                let instance = match alone && !found {
                    true => broker.name.as_str(),
                    false => label.as_str(),
                };
                Wanted {
                    instance: instance.into(),
                    name: label,
                    // A reading is kept over two that fail.
                    keep: config.interval * 3 + config.deadline,
                    found,
                    setup: Setup {
                        broker: broker.clone(),
                        config: config.clone(),
                        found,
                    },
                }
            })
            .collect()
    }
}

impl Shared {
    /// The members that are known to be brokers.
    fn brokers(&self) -> Vec<Arc<Member<Setup>>> {
        let scenes = lock(&self.scenes);
        let mut members = self.fleet.members();
        members.retain(|member| {
            let scene = scenes.known.get(&member.served.name);
            !member.setup.found || scene.is_some_and(|scene| scene.is_broker())
        });
        members
    }

    fn scene(&self, member: &Member<Setup>) -> Arc<Scene> {
        let mut scenes = lock(&self.scenes);
        let names: Vec<String> = self
            .fleet
            .members()
            .iter()
            .map(|member| member.served.name.clone())
            .collect();
        scenes.known.retain(|name, _| names.contains(name));
        let name = &member.served.name;
        let kept = scenes.kept.remove(name);
        let new = || Arc::new(Scene::new(kept));
        Arc::clone(scenes.known.entry(name.clone()).or_insert_with(new))
    }

    async fn follow(&self, member: &Member<Setup>, scene: &Scene) {
        let setup = &member.setup;
        let (name, interval) = (&member.served.name, setup.config.interval);
        if let Some(place) = setup.broker.rabbit() {
            let tls = match place.tls {
                true => Some(setup.tls()),
                false => None,
            };
            let access = rabbit::Access { place, tls, setup };
            if setup.found {
                access.locate().await;
            }
            scene.located(0);
            let line = Line::Rabbit(rabbit::Line::new(&access, scene));
            tokio::join!(
                poll::listen(name, interval, scene, || rabbit::hear(&access, scene)),
                self.measure(Poll::new(line, scene), member, scene)
            );
            return;
        }
        let Some(address) = Address::parse(&setup.broker.address) else {
            let trouble = Err("its address is malformed".into());
            self.fleet.put(member, trouble, Instant::now());
            return;
        };
        let tls = match address {
            Address::Tls(..) => Some(setup.tls()),
            _ => None,
        };
        let access = Access {
            route: Route { address, tls },
            setup,
            database: setup.broker.database,
        };
        let database = match setup.found {
            true => access.locate().await,
            false => setup.broker.database,
        };
        let access = Access { database, ..access };
        scene.located(database);
        let asker = RandomState::new().hash_one(&setup.broker.address);
        let names = Names::new(database, &setup.broker.key_prefix, asker);
        let line = Line::Redis(broker::Line::new(&access, &names, scene));
        tokio::join!(
            poll::listen(name, interval, scene, || broker::hear(
                &access, &names, scene
            )),
            self.measure(Poll::new(line, scene), member, scene)
        );
    }

    /// Measures queues and asks workers, for ever.
    async fn measure(&self, mut poll: Poll<'_>, member: &Member<Setup>, scene: &Scene) {
        let config = &member.setup.config;
        // An interval of nothing is not allowed.
        let mut ticks = interval(config.interval.max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let began = Instant::now();
            let read = poll.once().await.map(|()| {
                let sheet = Sheet::new(&member.served.instance);
                let set = (config, self.calendar);
                let pieces: Pieces = scene.state().encode(set, now(), sheet);
                vec![Arc::new(pieces)]
            });
            self.fleet.put(member, read, began);
            if let Err(err) = poll.inspect(config).await {
                let err = err.text;
                tracing::debug!(broker = member.served.name, "cannot ask workers: {err}");
            }
        }
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    jiff::Timestamp::now().as_microsecond() as f64 / 1e6
}

/// Reads the bytes as what a broker of Celery sends, for those who throw any at it.
///
/// # Panics
/// If what is told of it is no page.
pub fn any(bytes: &[u8]) {
    scene::any(bytes);
    amqp::any(bytes);
}
