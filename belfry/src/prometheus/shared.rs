//! What the parts share, and how a configuration comes into force.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use exporter::container::Containers;
use rules::{Job, Kept, PrometheusFile, RuleFiles, RuleSet, Site};
use series::Store;
use settings::Fault;
use tokio::sync::{Notify, watch};
use tokio::{task, time};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Flags;
use crate::app::former::{self, Away};
use crate::clock::Clock;
use crate::config;
use crate::scraping::Scraping;
use crate::sending::Outbox;
use crate::silence;
use crate::state::State;

/// Files that take longer to read than this lie on a disk that hangs.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long samples are kept as they are.
pub(super) const RETENTION: Duration = Duration::from_secs(24 * 3600);
/// How long roll-ups of five minutes are kept.
pub(super) const ROLLUPS: Duration = Duration::from_secs(30 * 24 * 3600);
/// Where the Docker engine is usually reached.
const ENGINE: &str = "/var/run/docker.sock";

/// A configuration with the rules that it names.
pub(crate) struct Setup {
    pub(crate) file: PrometheusFile,
    pub(crate) rules: RuleSet,
    /// What it asks for that changes nothing here.
    pub(crate) remarks: Vec<String>,
    /// Rule files that are left out, because their disk does not answer.
    pub(crate) silent: Vec<PathBuf>,
}

impl Setup {
    /// Reads the configuration and the rules; the faults are complete. `port` is
    /// the one that is served.
    pub(crate) fn load(flags: &Flags, port: u16) -> Result<Self, Vec<Fault>> {
        let file = config::read_prometheus(&flags.config_file)?;
        let mut remarks: Vec<_> = file.idle.iter().map(Fault::to_string).collect();
        let found = RuleFiles::read(&file.rule_files);
        let mut faults = found.unreadable;
        // As Prometheus has it: a pattern that fits no file names none.
        let nowhere = found.missing.iter().chain(&found.empty);
        remarks.extend(nowhere.map(|path| format!("no rule file is at {}", path.display())));
        let site = Site {
            interval_ms: millis(file.evaluation_interval),
            external_labels: file.external_labels.clone(),
            external_url: external_url(flags, port),
            resend_ms: millis(flags.resend),
            tell_value: false,
            ..Site::default()
        };
        match RuleSet::load(&found.sources, site) {
            Ok(mut rules) if faults.is_empty() => {
                if !found.silent.is_empty() {
                    rules.leave_out();
                }
                Ok(Self {
                    file,
                    rules,
                    remarks,
                    silent: found.silent,
                })
            }
            loaded => {
                faults.extend(loaded.err().unwrap_or_default());
                Err(faults)
            }
        }
    }
}

/// Where people reach this.
pub(super) fn external_url(flags: &Flags, port: u16) -> String {
    if !flags.external_url.is_empty() {
        return flags.external_url.clone();
    }
    format!(
        "{}://{}:{port}{}",
        flags.scheme,
        host_name(),
        flags.prefix()
    )
}

/// The name of this host.
pub(super) fn host_name() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().into_owned()
}

/// How the last reload went.
#[derive(Debug, Clone)]
pub(super) struct Reloaded {
    pub(super) refused: bool,
    /// When the configuration in force was read, in milliseconds since 1970.
    pub(super) at_ms: i64,
}

/// The engine that is asked for containers, until this goes.
struct Engine {
    path: String,
    containers: Containers,
    _end: DropGuard,
}

impl Engine {
    fn ask(path: &str, stop: &CancellationToken) -> Self {
        let containers = Containers::new(exporter::container::Config::default(), Path::new(path));
        let (watching, end) = (containers.clone(), stop.child_token());
        let until = end.clone();
        tokio::spawn(async move { watching.run(until).await });
        Self {
            path: path.to_owned(),
            containers,
            _end: end.drop_guard(),
        }
    }
}

/// The parts.
pub(crate) struct Shared {
    pub(super) flags: Flags,
    pub(super) address: SocketAddr,
    pub(super) clock: Arc<Clock>,
    pub(super) store: Arc<Store>,
    pub(super) state: State,
    pub(super) scraping: Arc<Scraping>,
    pub(super) outbox: Arc<Outbox>,
    /// What the rules know, to be written.
    pub(super) kept: watch::Sender<Option<Arc<Kept>>>,
    /// Another configuration is in force; one for each who follows it.
    pub(super) reloaded: [Notify; 2],
    pub(super) stop: CancellationToken,
    pub(super) started_ms: i64,
    file: RwLock<Arc<PrometheusFile>>,
    rules: Mutex<RuleSet>,
    engine: Mutex<Option<Engine>>,
    reload: Mutex<Reloaded>,
    reloading: tokio::sync::Mutex<()>,
}

impl Shared {
    pub(super) async fn new(
        flags: Flags,
        setup: Setup,
        state: State,
        address: SocketAddr,
        stop: CancellationToken,
    ) -> Self {
        let clock = Arc::new(Clock::start());
        let now_ms = clock.now_ms();
        let (store, newest_ms) = former::open_series(&state, flags.series(), now_ms);
        let store = Arc::new(store);
        let jobs = setup.file.jobs.iter().map(|job| job.name().to_owned());
        let away = Away {
            newest_ms,
            now_ms,
            outage: flags.outage(),
        };
        let rules = former::restored(setup.rules, &state, jobs.collect(), away).await;
        Self {
            scraping: Arc::new(Scraping::new(Arc::clone(&clock), Arc::clone(&store))),
            outbox: Arc::new(Outbox::new(flags.queue)),
            kept: watch::Sender::new(None),
            reloaded: Default::default(),
            file: RwLock::new(Arc::new(setup.file)),
            rules: Mutex::new(rules),
            engine: Mutex::default(),
            reload: Mutex::new(Reloaded {
                refused: !setup.silent.is_empty(),
                at_ms: now_ms,
            }),
            reloading: tokio::sync::Mutex::default(),
            started_ms: now_ms,
            flags,
            address,
            clock,
            store,
            state,
            stop,
        }
    }

    /// The configuration in force.
    pub(super) fn file(&self) -> Arc<PrometheusFile> {
        Arc::clone(&self.file.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What rules ask with, as flags and configuration have it.
    pub(super) fn engine(&self) -> promql::Engine {
        promql::Engine::new(promql::Limits {
            samples: self.flags.query_samples,
            timeout: self.flags.query_timeout,
            lookback: self.flags.lookback,
            subquery_step: self.file().evaluation_interval,
            ..promql::Limits::default()
        })
    }

    /// The rules with all that they remember.
    pub(super) fn rules(&self) -> MutexGuard<'_, RuleSet> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the last reload went.
    pub(super) fn reload_state(&self) -> Reloaded {
        let reload = self.reload.lock();
        reload.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The containers, if a job looks for them. From the first time on, and while the
    /// configuration names no other, the engine is asked.
    pub(super) fn containers(&self, jobs: &[Job]) -> Vec<rules::Container> {
        if jobs.iter().all(|job| job.docker_sd_configs.is_empty()) {
            return Vec::new();
        }
        let file = self.file();
        let path = file.engine().strip_prefix("unix://").unwrap_or(ENGINE);
        let mut engine = self.engine.lock().unwrap_or_else(PoisonError::into_inner);
        if engine.as_ref().is_none_or(|engine| engine.path != path) {
            *engine = Some(Engine::ask(path, &self.stop));
        }
        let known = engine.as_ref().map(|engine| engine.containers.clone());
        drop(engine);
        known.map_or_else(Vec::new, |known| crate::scraping::containers(&known))
    }

    /// Reads the configuration again and applies it whole; on any fault the
    /// running one stays.
    pub(crate) async fn reload(&self) -> Result<(), String> {
        // One at a time: two reloads at once would each keep half of the other.
        let _one = self.reloading.lock().await;
        let (flags, port) = (self.flags.clone(), self.address.port());
        let read = task::spawn_blocking(move || Setup::load(&flags, port));
        let result = match time::timeout(PATIENCE, read).await {
            Ok(Ok(Ok(setup))) => match silence::told(&setup.silent) {
                None => Ok(setup),
                Some(lack) => Err(lack),
            },
            Ok(Ok(Err(faults))) => Err(lines(&faults)),
            Ok(Err(_)) | Err(_) => Err("its files could not be read in time".to_owned()),
        };
        let now_ms = self.clock.now_ms();
        let applied = result.map(|setup| {
            for remark in &setup.remarks {
                tracing::warn!("{remark}");
            }
            {
                let mut running = self.rules();
                let before = std::mem::take(&mut *running);
                *running = setup.rules.replacing(before, now_ms);
            }
            let file = Arc::new(setup.file);
            *self.file.write().unwrap_or_else(PoisonError::into_inner) = file;
            for follower in &self.reloaded {
                follower.notify_one();
            }
            self.outbox.look_again();
        });
        let mut reload = self.reload.lock().unwrap_or_else(PoisonError::into_inner);
        reload.refused = applied.is_err();
        match &applied {
            Ok(()) => {
                reload.at_ms = now_ms;
                tracing::info!("configuration reloaded");
            }
            Err(reason) => {
                tracing::error!("the configuration was refused, the old one stays: {reason}");
            }
        }
        applied
    }
}

/// Faults, one in a line.
pub(crate) fn lines(faults: &[Fault]) -> String {
    let lines: Vec<_> = faults.iter().map(Fault::to_string).collect();
    lines.join("\n")
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
