//! The exporters alone, for those who have a Prometheus: no store, no rules, no
//! mails, no data folder.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use exporter::container::Containers;
use exporter::host::Host;
use exposition::{Kind, Writer};
use healthchecks::probe::{Loaded, Module};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{self, JoinSet};
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::pages::{Pages, Panicked, Text};
use super::readers::Readers;
use super::servers::{self, Ground};
use super::through::Through;
use super::{Job, engine, own, supervise};
use crate::cli::Place;
use crate::config::{self, Config};
use crate::http;
use crate::web::Door;

/// Files that take longer to read than this lie on a disk that hangs.
const PATIENCE: Duration = Duration::from_secs(10);

/// The exporters at work.
pub(crate) struct Exporters {
    /// The collectors that run, and the page of our own figures.
    jobs: Vec<Job>,
    place: Place,
    started_ms: i64,
    host: RwLock<Host>,
    containers: Containers,
    readers: Arc<Readers>,
    /// Applications whose pages are passed on.
    through: Through,
    /// What /probe may look at, and how.
    probes: RwLock<Arc<Loaded>>,
    pages: Pages,
    fared: Mutex<BTreeMap<&'static str, Fared>>,
    config: watch::Sender<Arc<Config>>,
    /// Whether the last reload was applied, and when one last was.
    reloaded: Mutex<(bool, i64)>,
}

/// Modules and targets of probes. The configuration was checked, file of
/// modules included; one that has gone since leaves nothing to look at.
fn probes(config: &Config) -> Loaded {
    config.probe.load().unwrap_or_else(|faults| {
        tracing::error!("the modules of probes cannot be read: {faults:?}");
        Loaded::default()
    })
}

/// How a collector fared the last time.
struct Fared {
    sound: bool,
    took: Duration,
    at: Instant,
}

impl Exporters {
    /// The collectors that can run.
    pub(crate) const JOBS: [Job; 7] = [
        Job::Host,
        Job::Container,
        Job::Api,
        Job::Log,
        Job::Postgres,
        Job::Redis,
        Job::Celery,
    ];

    /// Serves the pages of these collectors until `stop`; tells where before.
    pub(crate) async fn run(
        loaded: config::Loaded,
        place: Place,
        (collectors, door): (Vec<Job>, Option<Arc<Door>>),
        stop: CancellationToken,
        told: impl FnOnce(SocketAddr, Arc<Self>),
    ) -> anyhow::Result<()> {
        let config = loaded.config;
        let listener = TcpListener::bind(config.listen)
            .await
            .with_context(|| format!("cannot listen on {}", config.listen))?;
        let address = listener.local_addr()?;
        let socket = engine::socket(&config);
        let containers = Containers::new(config.exporter.container.clone(), &socket);
        let started_ms = jiff::Timestamp::now().as_millisecond();
        let here = Arc::new(Self {
            jobs: collectors.iter().copied().chain([Job::Belfry]).collect(),
            place,
            started_ms,
            host: RwLock::new(Host::new(config.exporter.host.clone())),
            readers: Arc::new(Readers::new(&config.exporter, &containers)),
            containers,
            through: Through::default(),
            probes: RwLock::new(Arc::new(probes(&config))),
            pages: Pages::default(),
            fared: Mutex::default(),
            config: watch::Sender::new(Arc::new(config)),
            reloaded: Mutex::new((true, started_ms)),
        });
        let mut tasks = JoinSet::new();
        let servers = Readers::JOBS.into_iter();
        for job in servers.filter(|job| collectors.contains(job)) {
            let (readers, stop) = (Arc::clone(&here.readers), stop.clone());
            tasks.spawn(async move {
                readers.run(job, stop).await;
                Ok(job.as_str())
            });
        }
        // Servers are found in containers, also where their page is not wanted.
        if collectors.iter().any(|job| *job != Job::Host) {
            let (containers, events_stop) = (here.containers.clone(), stop.clone());
            tasks.spawn(async move {
                containers.run(events_stop).await;
                Ok("engine events")
            });
            let ground = Ground {
                containers: here.containers.clone(),
                readers: Arc::clone(&here.readers),
                shelf: None,
                socket,
                config: here.config.subscribe(),
            };
            tasks.spawn(servers::run(ground, stop.clone()));
        }
        if collectors.contains(&Job::Api) {
            let (here, stop) = (Arc::clone(&here), stop.clone());
            tasks.spawn(async move {
                let every = || here.config.borrow().interval;
                here.through.run(&here.containers, every, stop).await;
                Ok("applications")
            });
        }
        let router = http::exporters(Arc::clone(&here), address);
        tasks.spawn(http::serve(listener, router, door, stop.clone()));
        told(address, Arc::clone(&here));
        let grace = || here.config.borrow().shutdown_grace;
        supervise::supervise(tasks, stop, grace).await.0
    }

    /// The pages that there are.
    pub(crate) fn jobs(&self) -> &[Job] {
        &self.jobs
    }

    /// The page as it was a moment ago.
    pub(crate) async fn page(self: Arc<Self>, job: Job) -> Result<Text, Panicked> {
        let here = Arc::clone(&self);
        let page = self
            .pages
            .of(job)
            .recent(async move { here.make(job).await });
        page.await
            .inspect_err(|_| self.note(job, false, Duration::ZERO))
    }

    /// Reads the configuration again. One that is at fault changes nothing.
    ///
    /// # Errors
    /// Says what is wrong.
    pub(crate) async fn reload(&self) -> Result<(), String> {
        let applied = self.apply().await;
        let mut reloaded = self.reloaded.lock().unwrap_or_else(PoisonError::into_inner);
        reloaded.0 = applied.is_ok();
        if reloaded.0 {
            reloaded.1 = jiff::Timestamp::now().as_millisecond();
        }
        applied
    }

    async fn apply(&self) -> Result<(), String> {
        let loaded = config::load_within(&self.place, PATIENCE).await;
        let config = loaded.map_err(|err| err.to_string())?.config;
        let probe = config.probe.clone();
        let read = task::spawn_blocking(move || probe.load());
        let read = time::timeout(PATIENCE, read).await;
        let probes = read
            .map_err(|_| "the modules of probes are not read in time".to_owned())?
            .map_err(|err| err.to_string())?
            .map_err(|faults| format!("the modules of probes cannot be read: {faults:?}"))?;
        let host = Host::new(config.exporter.host.clone());
        *self.host.write().unwrap_or_else(PoisonError::into_inner) = host;
        self.readers.configure(&config.exporter);
        let loaded = Arc::new(probes);
        *self.probes.write().unwrap_or_else(PoisonError::into_inner) = loaded;
        self.config.send_replace(Arc::new(config));
        Ok(())
    }

    async fn make(self: Arc<Self>, job: Job) -> String {
        if self.config.borrow().exporter.leaves_out(job) {
            return String::new();
        }
        let began = Instant::now();
        let page = match job {
            Job::Host => {
                let host = self.host();
                host.page().await
            }
            Job::Container => self.containers.page().await,
            Job::Api => self.readers.page(job).await + &self.through.page(),
            Job::Log | Job::Postgres | Job::Redis | Job::Celery => self.readers.page(job).await,
            _ => return self.own(),
        };
        self.note(job, true, began.elapsed());
        page
    }

    /// What /probe may look at, and how.
    pub(crate) fn probes(&self) -> Arc<Loaded> {
        let probes = self.probes.read();
        Arc::clone(&probes.unwrap_or_else(PoisonError::into_inner))
    }

    /// Has a look compare what is served with a certificate on the disk.
    pub(crate) fn compare(&self, module: &mut Module, certificate: &str) {
        let root = self.config.borrow().exporter.host.rootfs.clone();
        super::compare_certificate(&self.containers, &root, module, certificate);
    }

    fn host(&self) -> Host {
        let host = self.host.read().unwrap_or_else(PoisonError::into_inner);
        host.clone()
    }

    fn note(&self, job: Job, sound: bool, took: Duration) {
        let at = Instant::now();
        self.fared().insert(job.as_str(), Fared { sound, took, at });
    }

    /// The page of our own figures.
    fn own(&self) -> String {
        let mut page = Writer::new();
        own::process(&mut page, self.started_ms);
        let (applied, when) = *self.reloaded.lock().unwrap_or_else(PoisonError::into_inner);
        own::write_reloads(&mut page, applied, when);
        let fared = self.fared();
        type Value = fn(&Fared) -> f64;
        let families: [(&str, &str, Value); 3] = [
            (
                "belfry_exporter_collector_success",
                "Whether the collector made its page the last time.",
                |of| f64::from(u8::from(of.sound)),
            ),
            (
                "belfry_exporter_collector_duration_seconds",
                "How long making the page took.",
                |of| of.took.as_secs_f64(),
            ),
            (
                "belfry_exporter_collector_age_seconds",
                "How long ago that was.",
                |of| of.at.elapsed().as_secs_f64(),
            ),
        ];
        for (name, help, value) in families {
            page.family(name, help, Kind::Gauge);
            for (collector, fared) in fared.iter() {
                page.sample(&[("collector", collector)], value(fared));
            }
        }
        page.finish()
    }

    fn fared(&self) -> MutexGuard<'_, BTreeMap<&'static str, Fared>> {
        self.fared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
