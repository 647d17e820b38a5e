//! What the running parts share.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use alerter::{Alerter, Parts};
use anyhow::Context as _;
use exporter::container::{Containers, EngineState};
use exporter::host::Host;
use healthchecks::discover::Found;
use healthchecks::liveness::Liveness;
use healthchecks::readiness::{Readiness, Report};
use rules::{Intake, RuleSet};
use series::Store;
use tokio::sync::{Notify, watch};

use super::backups::Backups;
use super::counts::Kept;
use super::families::Families;
use super::former::{self, Away};
use super::health::Health;
use super::jobs::Jobs;
use super::keeper::{self, Keeper};
use super::pages::Pages;
use super::readers::Readers;
use super::ticket::Tickets;
use super::{Job, context, engine, health, letter, own};
use crate::cli::Place;
use crate::clock::Clock;
use crate::config::{Config, Elsewhere, Loaded};
use crate::runbooks::Shelf;
use crate::scraping::Scraping;
use crate::sending::Outbox;
use crate::state::State;

/// So many alerts may wait for an Alertmanager elsewhere.
const OUTBOX: usize = 10_000;

/// The parts, and what they must know of each other.
pub(crate) struct Watch {
    pub clock: Arc<Clock>,
    /// How the configuration was found, so that a reload finds it again.
    pub place: Place,
    pub address: SocketAddr,
    pub state: State,
    pub store: Arc<Store>,
    /// What is scraped elsewhere.
    pub scraping: Arc<Scraping>,
    /// Where the Docker engine is reached.
    pub socket: PathBuf,
    pub containers: Containers,
    pub readers: Arc<Readers>,
    pub backups: Backups,
    /// What is known of our own backup jobs.
    pub jobs: Jobs,
    /// Heartbeats.
    pub health: Health,
    /// What was last read by each job, and what is being read.
    pub pages: Pages,
    pub alerter: alerter::Handle,
    /// The runbooks; a reload puts others in their place.
    pub shelf: Arc<Shelf>,
    /// What links in mails carry.
    pub tickets: Arc<Tickets>,
    /// The words of mails; a reload puts another in its place.
    pub letters: Arc<letter::Letters>,
    /// How it was when alerts began.
    pub contexts: Arc<context::Contexts>,
    pub liveness: Liveness,
    pub readiness: Readiness,
    pub own: own::Own,
    pub keeper: Keeper,
    /// A collection is in: the rules have something new to look at.
    pub evaluate_now: Notify,
    /// Alerts on their way to Alertmanagers elsewhere.
    pub outbox: Arc<Outbox>,
    /// Another configuration is in force.
    pub reloaded: Notify,
    /// The same, for those who follow it.
    pub(super) reloads: watch::Sender<Arc<Config>>,
    pub(super) host: RwLock<Host>,
    pub(super) config: RwLock<Arc<Config>>,
    elsewhere: RwLock<Arc<Elsewhere>>,
    rules: Mutex<RuleSet>,
    intakes: Mutex<Vec<Intake>>,
    found: Mutex<Vec<Found>>,
    /// What our own pages say of their families.
    pub(super) families: Families,
}

/// The names under which `/health/ready` shows what Belfry depends on.
pub(crate) mod dependency {
    pub(crate) const COLLECT: &str = "collect";
    pub(crate) const ENGINE: &str = "engine";
    pub(crate) const MAIL: &str = "mail";
    pub(crate) const RULES: &str = "rules";
    pub(crate) const SERIES: &str = "series";
    pub(crate) const STATE: &str = "state";
}

impl Watch {
    /// Makes all parts. Nothing runs yet but the alerter, which has mails to
    /// send from before.
    pub(super) async fn new(
        loaded: Loaded,
        place: Place,
        state: State,
        address: SocketAddr,
    ) -> anyhow::Result<Self> {
        let Loaded {
            config,
            rules,
            runbooks,
            elsewhere,
            ..
        } = loaded;
        let clock = Arc::new(Clock::start());
        let now_ms = clock.now_ms();

        let settings = series::Settings {
            retention: config.series.retention,
            max_bytes: config.series.memory.bytes(),
            archive_bytes: config.series.disk.bytes(),
            rollup_keep: config.series.rollups.keep,
            rollup_bytes: config.series.rollups.disk.bytes(),
            ..series::Settings::default()
        };
        let (store, newest_ms) = former::open_series(&state, settings, now_ms);
        let store = Arc::new(store);
        let foreign = config.rules.scrape.iter().map(|job| job.name().to_owned());
        let own = Job::ALL.iter().map(|job| job.as_str().to_owned());
        let away = Away {
            newest_ms,
            now_ms,
            outage: rules::Outage::default(),
        };
        let rules = former::restored(rules, &state, own.chain(foreign).collect(), away).await;

        let socket = engine::socket(&config);
        let containers = Containers::new(config.exporter.container.clone(), &socket);
        let shelf = Arc::new(Shelf::new(runbooks, containers.clone()));
        let key = state
            .key()
            .context("cannot make a key for links in mails")?;
        let tickets = Arc::new(Tickets::new(&key));
        let contexts = Arc::new(context::Contexts::default());
        let letters = Arc::new(letter::Letters::new(
            &config,
            address,
            Arc::clone(&shelf),
            Arc::clone(&contexts),
        ));
        let words = Arc::clone(&letters);
        let ticking = Arc::clone(&clock);
        let external_url = config.external_url.trim_end_matches('/').to_owned();
        let alerter = Alerter::start(Parts {
            config: config.alerting(),
            mail: config.mail.clone(),
            ack_link: Some(tickets.links()),
            external_url,
            pool: state.pool.clone(),
            render: Arc::new(move |notification| words.write(notification)),
            clock: Arc::new(move || ticking.now_ms()),
        })
        .await
        .context("cannot start the alerter")?;

        let readiness = Readiness::default();
        for (name, required) in [
            (dependency::COLLECT, true),
            (dependency::ENGINE, false),
            (dependency::MAIL, true),
            (dependency::RULES, true),
            (dependency::SERIES, false),
            (dependency::STATE, true),
        ] {
            readiness.expect(name, required, now_ms);
        }
        let scraping = Scraping::new(Arc::clone(&clock), Arc::clone(&store));
        let watch = Self {
            health: Health::new(&config, &state, now_ms).await,
            host: RwLock::new(Host::new(config.exporter.host.clone())),
            readers: Arc::new(Readers::new(&config.exporter, &containers)),
            containers,
            shelf,
            socket,
            backups: Backups::default(),
            jobs: Jobs::default(),
            pages: Pages::default(),
            liveness: Liveness::new(Instant::now()),
            own: own::Own::new(now_ms),
            keeper: Keeper::default(),
            evaluate_now: Notify::new(),
            outbox: Arc::new(Outbox::new(OUTBOX)),
            elsewhere: RwLock::new(Arc::new(elsewhere)),
            reloaded: Notify::new(),
            reloads: watch::Sender::new(Arc::new(config.clone())),
            intakes: Mutex::new(Vec::new()),
            config: RwLock::new(Arc::new(config)),
            rules: Mutex::new(rules),
            found: Mutex::new(Vec::new()),
            families: Families::default(),
            clock,
            place,
            address,
            state,
            store,
            scraping: Arc::new(scraping),
            alerter,
            letters,
            contexts,
            tickets,
            readiness,
        };
        if let Some(reason) = &watch.state.in_memory {
            watch.own.state_writable(false);
            watch
                .readiness
                .report(dependency::STATE, Report::failing(reason), now_ms);
        }
        Ok(watch)
    }

    /// Who else is told of alerts.
    pub(super) fn elsewhere(&self) -> Arc<Elsewhere> {
        let elsewhere = self.elsewhere.read();
        Arc::clone(&elsewhere.unwrap_or_else(PoisonError::into_inner))
    }

    /// Others are told of alerts from now on.
    pub(super) fn set_elsewhere(&self, elsewhere: Elsewhere) {
        let mut had = self
            .elsewhere
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *had = Arc::new(elsewhere);
        drop(had);
        self.outbox.look_again();
    }

    /// The configuration in force.
    pub(crate) fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What asks the store, as the configuration has it.
    pub(crate) fn engine(&self) -> promql::Engine {
        promql::Engine::new(promql::Limits {
            subquery_step: self.config().evaluation_interval(),
            ..promql::Limits::default()
        })
    }

    /// The reader of the host.
    pub(super) fn host(&self) -> Host {
        self.host
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The rules with all that they remember.
    pub(crate) fn rules(&self) -> MutexGuard<'_, RuleSet> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Our own pages, and how reading them went.
    pub(crate) fn intakes(&self) -> MutexGuard<'_, Vec<Intake>> {
        self.intakes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was found on this host.
    pub(crate) fn found(&self) -> MutexGuard<'_, Vec<Found>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows the wall clock; when it was stepped, everybody who keeps times
    /// is moved with it. The alerter notices by itself: it reads this clock.
    pub(super) fn follow_clock(&self) {
        if !self.clock.is_stepped() {
            return;
        }
        // Who writes or judges samples waits, so that nobody sees half of it.
        let (mut rules, mut intakes) = (self.rules(), self.intakes());
        let mut step = None;
        self.scraping.shift_with(|| {
            step = self.clock.follow();
            if let Some(delta_ms) = step {
                self.store.shift(delta_ms);
            }
            step
        });
        let Some(delta_ms) = step else {
            return;
        };
        tracing::warn!(
            delta_ms,
            "the wall clock was stepped; all kept times move with it"
        );
        rules.shift(delta_ms);
        for intake in intakes.iter_mut() {
            intake.shift(delta_ms);
        }
        self.own.clock_stepped(delta_ms);
        self.readiness.shift(delta_ms);
        self.health.shift(delta_ms);
    }

    /// Whether the engine has listed its containers once, or there is none.
    pub(super) fn knows_containers(&self) -> bool {
        let engine = self.containers.engine();
        engine.listed_ms.is_some() || self.no_engine(&engine)
    }

    /// Whether this host has no engine at all.
    fn no_engine(&self, engine: &EngineState) -> bool {
        engine.since_ms.is_some() && engine.version.is_empty() && !self.socket.exists()
    }

    /// A full collection is in.
    pub(super) fn collected(&self, took: Duration) {
        let now_ms = self.clock.now_ms();
        self.own.collected(now_ms, took);
        self.readiness
            .report(dependency::COLLECT, Report::ok(Some(took)), now_ms);
        let engine = self.containers.engine();
        let report = if engine.up {
            Report::ok(Some(engine.latency))
        } else if engine.since_ms.is_none() {
            return;
        } else if self.no_engine(&engine) {
            Report::absent(format!("no Docker engine at {}", self.socket.display()))
        } else {
            Report::failing(engine.last_error.unwrap_or_default())
        };
        self.readiness.report(dependency::ENGINE, report, now_ms);
    }

    /// Something was written to the database.
    pub(super) fn state_written(&self) {
        if self.state.in_memory.is_none() {
            if self.own.state_writable(true) {
                tracing::info!("the state can be written again");
            }
            self.readiness
                .report(dependency::STATE, Report::ok(None), self.clock.now_ms());
        }
    }

    /// Something could not be written to the database.
    pub(super) fn state_failed(&self, what: &str, err: &dyn std::fmt::Display) {
        if self.own.state_writable(false) {
            tracing::error!(
                what,
                "the state cannot be written, the watch goes on in memory: {err}"
            );
        }
        let report = Report::failing(err.to_string());
        self.readiness
            .report(dependency::STATE, report, self.clock.now_ms());
    }

    /// Writes what is in memory, when all tasks have ended; within `rest`.
    pub(super) async fn close(self: &Arc<Self>, rest: Duration) {
        if let Some(folder) = &self.state.folder {
            folder.remove_address();
        }
        let closing = async {
            self.alerter.stop(rest.mul_f64(0.8)).await;
            let kept = self.rules().snapshot();
            keeper::write(self, &kept).await;
            health::write_heartbeats(self).await;
            self.keep_counts(Kept::default()).await;
            let on = Arc::clone(self);
            // Not on a worker: a disk that hangs must not hold up the signals.
            let _ = tokio::task::spawn_blocking(move || on.flush_series()).await;
            self.state.pool.close().await;
        };
        if tokio::time::timeout(rest, closing).await.is_err() {
            tracing::error!(
                "stopped before everything was written: the disk or the mail server does not answer"
            );
        }
    }
}
