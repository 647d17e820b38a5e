//! What the wiring hands in.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use exposition::Labels;
use series::Store;

use crate::{Alertmanagers, Metadata, RuleGroup, Targets};

/// A view of something that lives elsewhere, taken anew for each request. Called
/// where blocking is allowed, so it may wait for a lock, but not for the world.
pub type View<T> = Arc<dyn Fn() -> T + Send + Sync>;

/// Everything the API answers from.
#[derive(Clone)]
pub struct Source {
    /// Where samples are.
    pub store: Arc<Store>,
    /// What questions may cost.
    pub limits: Limits,
    /// The time, in milliseconds since 1970.
    pub now_ms: View<i64>,
    /// The step of a subquery that names none: the interval of evaluations.
    pub subquery_step: View<Duration>,
    /// Rule groups in the order of their evaluation.
    pub rules: View<Vec<RuleGroup>>,
    /// What is scraped, and what discovery found and relabelling dropped.
    pub targets: View<Targets>,
    /// Type, help and unit of each family of each target.
    pub metadata: View<Vec<Metadata>>,
    /// Where alerts are sent.
    pub alertmanagers: View<Alertmanagers>,
    /// The configuration as YAML, secrets replaced.
    pub config: View<String>,
    /// Labels that `/federate` adds where a series lacks them.
    pub external_labels: View<Labels>,
    /// How the program is doing.
    pub runtime: View<Runtime>,
    /// Command-line flags by name, without dashes.
    pub flags: BTreeMap<String, String>,
    /// What program this is.
    pub build: Build,
    /// Whether `/api/v1/write` takes samples.
    pub receives: bool,
}

impl Source {
    /// A source with a store and a clock, and nothing else to tell.
    #[must_use]
    pub fn new(store: Arc<Store>, now_ms: View<i64>) -> Self {
        fn nothing<T: Default + 'static>() -> View<T> {
            Arc::new(T::default)
        }
        Self {
            store,
            limits: Limits::default(),
            now_ms,
            subquery_step: Arc::new(|| Duration::from_secs(60)),
            rules: nothing(),
            targets: nothing(),
            metadata: nothing(),
            alertmanagers: nothing(),
            config: nothing(),
            external_labels: nothing(),
            runtime: nothing(),
            flags: BTreeMap::new(),
            build: Build::default(),
            receives: false,
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Source")
            .field("limits", &self.limits)
            .field("build", &self.build)
            .field("receives", &self.receives)
            .finish_non_exhaustive()
    }
}

/// What questions may cost. Prometheus' defaults, and bounds where it has none.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// The most values a query holds at once.
    pub samples: usize,
    /// How long a question may take, waiting included, and how long its answer
    /// may take to be read.
    pub timeout: Duration,
    /// How old the newest sample of a series may be for an instant selector.
    pub lookback: Duration,
    /// Questions worked on at once.
    pub concurrency: usize,
    /// Questions that wait for their turn; further ones are refused.
    pub waiting: usize,
    /// Bytes of a form.
    pub form_bytes: usize,
    /// Bytes of a remote_write request, before and after it is unpacked.
    pub write_bytes: usize,
    /// remote_write requests worked on at once; the others wait.
    pub writes: usize,
    /// How far ahead of the clock a received sample may be.
    pub write_ahead: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            samples: 50_000_000,
            timeout: Duration::from_secs(120),
            lookback: Duration::from_secs(300),
            concurrency: 20,
            waiting: 200,
            form_bytes: 1 << 20,
            write_bytes: 32 << 20,
            writes: 2,
            write_ahead: Duration::from_secs(600),
        }
    }
}

/// What `status/buildinfo` tells. Clients choose what they ask by `version`, so
/// it is the version of Prometheus whose API this is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Build {
    /// A release of Prometheus.
    pub version: String,
    /// The commit.
    pub revision: String,
    /// The branch.
    pub branch: String,
    /// Who built it.
    pub build_user: String,
    /// When it was built.
    pub build_date: String,
    /// What built it.
    pub go_version: String,
}

impl Default for Build {
    fn default() -> Self {
        Self {
            version: "3.5.0".into(),
            revision: String::new(),
            branch: String::new(),
            build_user: String::new(),
            build_date: String::new(),
            go_version: String::new(),
        }
    }
}

/// What `status/runtimeinfo` tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Runtime {
    /// When the program started, in milliseconds since 1970.
    pub start_ms: i64,
    /// The working directory.
    pub working_directory: String,
    /// The host's name.
    pub hostname: String,
    /// Whether the last reload of the configuration succeeded.
    pub reloaded: bool,
    /// When the configuration in force was read, in milliseconds since 1970.
    pub config_ms: i64,
    /// Faults found in stored data.
    pub corruptions: u64,
    /// How long samples are kept, as text: `1d or 128MiB`.
    pub retention: String,
}
