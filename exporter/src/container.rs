//! The containers of a Docker engine: cAdvisor's names for what they use, and
//! our own for what they are.
//!
//! [`Containers::run`] listens to the engine; [`Containers::page`] reads
//! control groups and writes what is known, and never waits for the engine.

mod answers;
mod cadvisor;
mod cadvisor_families;
mod cgroup;
mod cgroup_v1;
mod cgroup_v2;
mod config;
mod declared;
mod declared_page;
mod discovered;
mod disk_usage;
mod disks;
mod engine;
mod inventory;
mod machine;
mod model;
mod networks;
mod own;
mod own_more;
mod raw;
mod readings;
mod resources;
mod sizes;
mod translate;
mod usage;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::errors::Error as EngineError;
use exposition::{Kind, Writer};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::crew::{Crew, Outcome};
use crate::files::Roots;
use crate::served::Trouble;
use crate::tallies::lock;
pub use answers::{any, any_files};
pub use config::{Compose, Config, Project};
pub use declared_page::DeclaredService;
pub use discovered::Discovered;
use inventory::Inventory;
pub use model::{Container, Health, Mount, Port, State};
pub use networks::Network;
use readings::{MACHINE, Measured};

/// How long the control groups of one container may take.
const PATIENCE: Duration = Duration::from_millis(750);
/// How long a client of the engine waits at most, in seconds; our own deadlines are
/// shorter.
const TIME_OUT: u64 = 60;
/// The most container labels that become labels of series.
const MOST_LABELS: usize = 16;

/// What is known of the engine.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EngineState {
    /// Whether it answers.
    pub up: bool,
    /// Its own version; the last known one while it is down.
    pub version: String,
    /// The version of its interface that we speak.
    pub api_version: String,
    /// How long it took for its last answer to a ping.
    pub latency: Duration,
    /// Since when it has been up or down, in milliseconds since 1970; `None`
    /// before the first attempt.
    pub since_ms: Option<i64>,
    /// When the containers were listed last, in milliseconds since 1970.
    pub listed_ms: Option<i64>,
    /// Why it is down; the last reason when it is up.
    pub last_error: Option<String>,
    /// Events heard.
    pub events: u64,
    /// Connections made after the first.
    pub reconnects: u64,
}

/// Watches containers. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Containers(Arc<Shared>);

struct Shared {
    socket: PathBuf,
    roots: Roots,
    deadline: Duration,
    patience: Duration,
    relist: Duration,
    ping: Duration,
    disk: Duration,
    sizes_every: Duration,
    compose: Compose,
    declared: declared::Declared,
    resources: resources::Resources,
    found: Mutex<discovered::Found>,
    sizes: sizes::Sizes,
    inventory: Mutex<Inventory>,
    engine: Mutex<EngineState>,
    changes: watch::Sender<u64>,
    crew: Crew,
    machine: Mutex<machine::Identity>,
    readings: readings::Readings,
    /// Held while a page is made.
    page: tokio::sync::Mutex<()>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// Makes clients for the engine behind a Unix socket.
pub fn at_socket(
    socket: &Path,
) -> impl Fn() -> Result<Docker, EngineError> + Send + Sync + 'static {
    let socket = socket.display().to_string();
    move || Docker::connect_with_unix(&socket, TIME_OUT, bollard::API_DEFAULT_VERSION)
}

impl Containers {
    /// Makes a watcher of the engine behind a Unix socket.
    #[must_use]
    pub fn new(config: Config, socket: &Path) -> Self {
        let mut labels = config.labels;
        labels.truncate(MOST_LABELS);
        Self(Arc::new(Shared {
            socket: socket.to_owned(),
            roots: Roots {
                proc: config.procfs,
                sys: config.sysfs,
                root: config.rootfs,
            },
            deadline: config.deadline,
            patience: PATIENCE,
            // An interval of nothing is not allowed.
            relist: config.relist.max(Duration::from_millis(1)),
            ping: config.ping.max(Duration::from_millis(1)),
            disk: config.disk,
            sizes_every: config.sizes,
            compose: config.compose,
            declared: declared::Declared::default(),
            resources: resources::Resources::default(),
            found: Mutex::default(),
            sizes: sizes::Sizes::default(),
            inventory: Mutex::new(Inventory::new(labels)),
            engine: Mutex::default(),
            changes: watch::Sender::new(0),
            crew: Crew::default(),
            machine: Mutex::default(),
            readings: readings::Readings::default(),
            page: tokio::sync::Mutex::default(),
        }))
    }

    /// Listens to the engine until `stop`, however often it goes away. Returns
    /// only then.
    pub async fn run(&self, stop: CancellationToken) {
        tokio::join!(
            engine::run(&self.0, &stop),
            declared::run(&self.0, &stop),
            resources::run(&self.0, &stop),
            sizes::run(&self.0, &stop),
        );
    }

    /// The services that compose files declare, whether they have containers or
    /// not; those that may be missing want none.
    #[must_use]
    pub fn declared(&self) -> Vec<DeclaredService> {
        declared_page::services(&self.0.declared.known(), &self.0.compose.except)
    }

    /// All containers as last heard of, ordered by name.
    #[must_use]
    pub fn inventory(&self) -> Vec<Arc<Container>> {
        self.0.inventory().containers()
    }

    /// The containers that run and whose networks are known, ordered by name.
    #[must_use]
    pub fn discovered(&self) -> Discovered {
        let running = self.0.running();
        lock(&self.0.found).among(running, &self.0.resources.state())
    }

    /// What is known of the engine.
    #[must_use]
    pub fn engine(&self) -> EngineState {
        let mut state = lock(&self.0.engine).clone();
        state.events = self.0.inventory().events();
        state
    }

    /// Tells when anything about a container changed, one came or went, or the
    /// engine did. The value counts the changes.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// What a container's environment says of these variables. Ask only where
    /// the configuration allows it: secrets are in it. Nothing of it is kept.
    ///
    /// # Errors
    /// Says why the engine did not tell.
    pub async fn environment(
        &self,
        id: &str,
        names: &[&str],
    ) -> Result<BTreeMap<String, settings::Secret>, String> {
        engine::environment(&self.0, id, names)
            .await
            .map_err(|trouble| trouble.to_string())
    }

    /// A client of its own for a call that lasts, such as a stream.
    pub(crate) fn connected(&self) -> Result<Docker, Trouble> {
        engine::client(&self.0).map_err(|trouble| Trouble {
            text: trouble.to_string(),
            wants_password: false,
        })
    }

    /// Reads the control groups now and returns everything as exposition text.
    pub async fn page(&self) -> String {
        let shared = self.0.clone();
        // On a task of its own: a caller that goes away must not leave half a
        // round behind.
        let engine = self.engine();
        tokio::spawn(async move { shared.page(engine).await })
            .await
            .unwrap_or_default()
    }
}

impl Shared {
    async fn page(self: Arc<Self>, engine: EngineState) -> String {
        let _one_at_a_time = self.page.lock().await;
        let containers = self.inventory().containers();
        let running = running(&containers);
        let mut names: Vec<String> = running
            .iter()
            .map(|container| container.id.clone())
            .collect();
        names.push(MACHINE.into());
        self.readings.keep(&running, &names);
        let (here, asked) = (self.clone(), running.clone());
        let work = move |at: usize| here.measure(asked.get(at));
        let outcomes = self.crew.run(names, self.patience, work).await;
        let mut measured = Vec::with_capacity(running.len());
        let (mut machine, mut late) = (String::new(), 0);
        for (at, outcome) in outcomes.into_iter().enumerate() {
            let of = running.get(at);
            let told = match outcome {
                Outcome::Done(told, _) => told,
                Outcome::Late => {
                    late += 1;
                    let name = of.map_or(MACHINE, |container| &container.id);
                    self.readings.last(name, Instant::now())
                }
                Outcome::Panicked => Measured::default(),
            };
            machine.push_str(&told.text);
            let nobody = || Arc::new(Container::new(String::new()));
            let whose = of.cloned().unwrap_or_else(nobody);
            measured.extend(told.usage.map(|usage| (whose, usage)));
        }
        let mut page = Writer::new();
        let now_ms = now_ms();
        cadvisor::encode(&measured, &engine, now_ms, &mut page);
        let all = own::spell(&containers);
        own::encode(&all, &engine, now_ms, &mut page);
        let resources = self.resources.state();
        own_more::encode(&all, &resources.names, &|one| self.size(one), &mut page);
        let known = self.declared.known();
        let (except, names) = (&self.compose.except, &resources.names);
        declared_page::encode(&known, except, &containers, names, &mut page);
        resources::encode(names, &mut page);
        disk_usage::encode(&resources.disk, &mut page);
        page.single(
            "belfry_containers_late",
            "Control groups that were not read in time, and have what was read of them before.",
            Kind::Gauge,
            f64::from(late),
        );
        page.finish() + &machine
    }

    fn size(&self, container: &Container) -> Option<sizes::Size> {
        self.sizes.of(&container.id, self.sizes_every)
    }

    fn inventory(&self) -> MutexGuard<'_, Inventory> {
        lock(&self.inventory)
    }

    fn running(&self) -> Vec<Arc<Container>> {
        running(&self.inventory().containers())
    }

    fn told(&self, changed: bool) {
        if changed {
            self.changes.send_modify(|count| *count += 1);
        }
    }

    fn reached(&self, version: String, api_version: String, latency: Duration, now_ms: i64) {
        let mut engine = lock(&self.engine);
        if !engine.version.is_empty() {
            engine.reconnects += 1;
        }
        if !engine.up {
            tracing::info!(version, api_version, "the container engine answers");
            engine.since_ms = Some(now_ms);
        }
        let changed = !engine.up;
        engine.up = true;
        engine.version = version;
        engine.api_version = api_version;
        engine.latency = latency;
        drop(engine);
        self.told(changed);
    }

    fn lost(&self, trouble: &engine::Trouble, now_ms: i64) {
        let mut engine = lock(&self.engine);
        let missing = matches!(trouble, engine::Trouble::Missing(_));
        if engine.up {
            tracing::warn!("lost the container engine, will try again: {trouble}");
        } else if engine.since_ms.is_none() && missing {
            // A host without an engine is nothing to worry about.
            tracing::info!("no container engine: {trouble}");
        } else if engine.since_ms.is_none() {
            tracing::warn!("the container engine does not answer, will try again: {trouble}");
        }
        let changed = engine.up || engine.since_ms.is_none();
        if changed {
            engine.since_ms = Some(now_ms);
        }
        engine.up = false;
        engine.last_error = Some(trouble.to_string());
        drop(engine);
        self.told(changed);
    }

    fn answered(&self, latency: Duration) {
        lock(&self.engine).latency = latency;
    }

    fn listed(&self, now_ms: i64) {
        let before = lock(&self.engine).listed_ms.replace(now_ms);
        // An engine without containers is news as well.
        self.told(before.is_none());
    }
}

fn running(containers: &[Arc<Container>]) -> Vec<Arc<Container>> {
    let running = containers.iter().filter(|one| one.state.has_processes());
    running.cloned().collect()
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

#[cfg(test)]
mod tests;
