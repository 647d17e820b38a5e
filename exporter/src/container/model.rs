//! What is known of a container. Its environment is never taken over, because
//! secrets are in it.

use std::collections::BTreeMap;

/// The engine's states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Made, never started.
    Created,
    /// Runs.
    Running,
    /// Frozen.
    Paused,
    /// Has ended and is about to be started again.
    Restarting,
    /// Has ended.
    Exited,
    /// Could not be removed.
    Dead,
    /// Is being removed.
    Removing,
}

impl State {
    /// All states, in the order of their life.
    pub const ALL: [Self; 7] = [
        Self::Created,
        Self::Running,
        Self::Paused,
        Self::Restarting,
        Self::Exited,
        Self::Dead,
        Self::Removing,
    ];

    /// The engine's word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Exited => "exited",
            Self::Dead => "dead",
            Self::Removing => "removing",
        }
    }

    /// Reads the engine's word; one we do not know is `None`.
    #[must_use]
    pub fn read(word: &str) -> Option<Self> {
        match word {
            // What newer engines say while a container is told to end.
            "stopping" => Some(Self::Running),
            _ => Self::ALL.into_iter().find(|state| state.as_str() == word),
        }
    }

    /// Whether processes of the container exist.
    #[must_use]
    pub fn has_processes(self) -> bool {
        matches!(self, Self::Running | Self::Paused)
    }
}

/// What a container's own health check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Health {
    /// There is no check.
    #[default]
    None,
    /// Not yet known.
    Starting,
    /// The check passes.
    Healthy,
    /// The check fails.
    Unhealthy,
}

impl Health {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::None, Self::Starting, Self::Healthy, Self::Unhealthy];

    /// The engine's word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }

    /// Reads the engine's word; an unknown one means that there is no check.
    #[must_use]
    pub fn read(word: &str) -> Self {
        let known = Self::ALL.into_iter().find(|health| health.as_str() == word);
        known.unwrap_or_default()
    }
}

/// A port of a container.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Port {
    /// Inside the container.
    pub private: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
    /// The host's address and port, where it is published.
    pub published: Option<(String, u16)>,
}

/// A volume or folder that a container sees.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mount {
    /// `volume`, `bind`, `tmpfs` or what else the engine knows.
    pub kind: String,
    /// A volume's name; empty for others.
    pub volume: String,
    /// Where it lies on the host.
    pub source: String,
    /// Where the container sees it.
    pub destination: String,
    /// Whether the container can write.
    pub writable: bool,
}

/// One container, running or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// The 64 digits.
    pub id: String,
    /// Without the slash in front.
    pub name: String,
    /// As it was named when the container was made.
    pub image: String,
    /// The image itself, as `sha256:...`.
    pub image_id: String,
    /// The registry's digest of the image, `sha256:...`; empty for local ones.
    pub image_digest: String,
    /// What it runs, as the engine abridges it. May hold secrets: never shown whole.
    pub command: String,
    /// Compose project; empty without one.
    pub project: String,
    /// The folder of the project's compose file; empty without one.
    pub project_folder: String,
    /// The project's compose files, with commas between them; empty without one.
    pub project_files: String,
    /// Files with variables that the project was started with, with commas
    /// between them; empty for the usual one.
    pub project_variables: String,
    /// Compose service; empty without one.
    pub service: String,
    /// The labels whose names the config lists.
    pub labels: BTreeMap<String, String>,
    /// All its labels, for those who look for targets among containers.
    pub all_labels: BTreeMap<String, String>,
    /// What it does.
    pub state: State,
    /// What its health check says.
    pub health: Health,
    /// The last failing or passing check's output, its start only.
    pub health_output: String,
    /// What that check runs: `CMD` and its words, or `CMD-SHELL` and a line. May hold
    /// secrets: never shown.
    pub health_command: Vec<String>,
    /// How it ended last; `None` before the first end.
    pub exit_code: Option<i64>,
    /// Whether it ended last because memory ran out.
    pub oom_killed: bool,
    /// Times that memory ran out in it while we watched.
    pub oom_events: u64,
    /// Times the engine started it anew by its restart policy.
    pub restart_count: u64,
    /// Its first process as the host sees it; `None` while there is none.
    pub pid: Option<u32>,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
    /// When it was started last, in milliseconds since 1970.
    pub started_ms: Option<i64>,
    /// When it ended last, in milliseconds since 1970.
    pub finished_ms: Option<i64>,
    /// Bytes of memory it may use; 0 is no limit.
    pub memory_limit: u64,
    /// `no`, `always`, `unless-stopped` or `on-failure`.
    pub restart_policy: String,
    /// `bridge`, `host`, `container:<id>` or the name of a network.
    pub network_mode: String,
    /// The networks it has joined, by name.
    pub networks: Vec<String>,
    /// The id of each of them that the engine gives one, by the network's name.
    pub network_ids: BTreeMap<String, String>,
    /// Its address in each network that gives it one, by the network's name.
    pub addresses: BTreeMap<String, String>,
    /// Where its log lies on the host; empty where that is no file.
    pub log_path: String,
    /// The folder that its writes go to; empty where the engine does not tell.
    pub layer: String,
    /// Since when containers of its name are made from its image, as far as it
    /// was seen, in milliseconds since 1970.
    pub image_since_ms: Option<i64>,
    /// Its ports, published or not.
    pub ports: Vec<Port>,
    /// Its volumes and folders.
    pub mounts: Vec<Mount>,
}

impl Container {
    /// Whether `compose run` made it for one job, beside those of its service.
    #[must_use]
    pub fn is_one_off(&self) -> bool {
        let label = self.all_labels.get("com.docker.compose.oneoff");
        label.is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    pub(super) fn new(id: String) -> Self {
        Self {
            id,
            name: String::new(),
            image: String::new(),
            image_id: String::new(),
            image_digest: String::new(),
            command: String::new(),
            project: String::new(),
            project_folder: String::new(),
            project_files: String::new(),
            project_variables: String::new(),
            service: String::new(),
            labels: BTreeMap::new(),
            all_labels: BTreeMap::new(),
            state: State::Created,
            health: Health::None,
            health_output: String::new(),
            health_command: Vec::new(),
            exit_code: None,
            oom_killed: false,
            oom_events: 0,
            restart_count: 0,
            pid: None,
            created_ms: 0,
            started_ms: None,
            finished_ms: None,
            memory_limit: 0,
            restart_policy: String::new(),
            network_mode: String::new(),
            networks: Vec::new(),
            network_ids: BTreeMap::new(),
            addresses: BTreeMap::new(),
            log_path: String::new(),
            layer: String::new(),
            image_since_ms: None,
            ports: Vec::new(),
            mounts: Vec::new(),
        }
    }
}
