//! What the page `/` shows: facts, with times in milliseconds since 1970.
//!
//! Filled by the wiring on each request. Order does not matter: the page sorts
//! what must be seen first.

mod host;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::fact::{Ack, Context, Event, Fault, Runbook, Severity, Trend};
use crate::time::Zone;

pub use host::*;

/// The host as it is now.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Now {
    /// The host's name.
    pub host: String,
    /// Belfry's version.
    pub version: String,
    /// The time of the request.
    pub now_ms: i64,
    /// The zone in which times are shown.
    pub zone: Zone,
    /// When this process began to watch.
    pub started_ms: i64,
    /// When the newest reading came in; none before the first.
    pub data_ms: Option<i64>,
    /// Age in milliseconds above which the data counts as old: two scrapes.
    pub stale_after_ms: i64,
    /// The reload that was refused, while the old configuration still runs.
    pub reload_error: Option<Fault>,
    /// What fires, and notes such as "nobody watches this host" as `Info`.
    pub cards: Vec<Card>,
    /// Alerts whose `for:` is still running.
    pub pending: Vec<Pending>,
    /// Declared services and plain containers.
    pub services: Vec<Service>,
    /// Why `services` is empty, if it is known: "no Docker engine answers at ...".
    pub services_note: String,
    /// What is looked at from outside.
    pub probes: Vec<Probe>,
    /// Sites that are looked at from inside and outside, with one verdict on both.
    pub sites: Vec<Watched>,
    /// Jobs that should be heard of.
    pub heartbeats: Vec<Watched>,
    /// The other Belfrys that watch this one.
    pub peers: Vec<Watched>,
    /// The host itself.
    pub facts: HostFacts,
    /// What is scraped.
    pub targets: Vec<Target>,
    /// What was found at start, with the evidence.
    pub found: Vec<Found>,
    /// The way by which people are told.
    pub mail: MailHealth,
    /// What Belfry itself depends on (`/health/ready`).
    pub watch: Vec<Dependency>,
    /// What changed lately: deploys, reboots, alerts that ended.
    pub changes: Vec<Change>,
}

/// One alert, or one cause that hides others.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Card {
    /// Stable over refreshes, for example the fingerprint in hex.
    pub id: String,
    /// The rule's name.
    pub name: String,
    /// How bad it is.
    pub severity: Severity,
    /// One line in plain words.
    pub summary: String,
    /// More words; may be empty and may have several lines.
    pub description: String,
    /// What users notice; may be empty.
    pub impact: String,
    /// When it began; none for a note that has no beginning.
    pub since_ms: Option<i64>,
    /// The present value in words, with unit: `0 of 2 healthy`; may be empty.
    pub value: String,
    /// The limit in words: `at least 1`; may be empty.
    pub limit: String,
    /// The value over the last hours.
    pub trend: Option<Trend>,
    /// How many other alerts it hides.
    pub hides: usize,
    /// Why nobody is told, if nobody is ("silenced by kim until 05:00"); may be empty.
    pub muted: String,
    /// Whose mail about it came back, and why; may be empty.
    pub returned: String,
    /// Who is told: `ops@example.org`; may be empty.
    pub owner: String,
    /// Who has taken it on, if anybody has.
    pub ack: Option<Ack>,
    /// Where it can be taken on; empty where it cannot, or somebody has it.
    pub ack_url: String,
    /// What happens next.
    pub next: Option<Event>,
    /// What else will happen if nobody does anything: `becomes critical`.
    pub then: Vec<Event>,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// What to do.
    pub runbook: Option<Runbook>,
    /// How it was when it began, if that was gathered.
    pub context: Option<Context>,
}

/// An alert that has not fired yet.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Pending {
    /// The rule's name.
    pub name: String,
    /// One line in plain words.
    pub summary: String,
    /// How bad it will be.
    pub severity: Severity,
    /// Since when the condition holds.
    pub since_ms: i64,
    /// When it fires if nothing changes.
    pub fires_at_ms: i64,
}

/// What the engine says about a container, or that it says nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It runs.
    #[default]
    Running,
    /// It was made and never started.
    Created,
    /// It ended.
    Exited,
    /// The engine starts it again and again.
    Restarting,
    /// It is frozen.
    Paused,
    /// The engine could not remove it.
    Dead,
    /// It is declared and does not exist.
    Missing,
}

/// What the container's own health check says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// There is no health check.
    #[default]
    None,
    /// The first checks are still out.
    Starting,
    /// It is well.
    Healthy,
    /// It is not.
    Unhealthy,
}

/// A declared service or a plain container.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Service {
    /// The compose project; empty for a plain container.
    pub project: String,
    /// The service, or the container's name.
    pub name: String,
    /// What the engine says.
    pub state: State,
    /// What its health check says.
    pub health: Health,
    /// How often the engine has restarted it.
    pub restarts: u64,
    /// With what code it ended, if it ended.
    pub exit_code: Option<i64>,
    /// Whether the kernel ended it for want of memory.
    pub oom_killed: bool,
    /// Whether it is meant to end (a migration): then exit 0 is fine.
    pub one_shot: bool,
    /// Since when it is in this state.
    pub since_ms: Option<i64>,
}

/// Something that is looked at from outside.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Probe {
    /// Its name; a peer's site has the peer's name before it.
    pub name: String,
    /// Whether it is ours: nobody here is told of a peer's site, as the peer tells
    /// its own people.
    pub ours: bool,
    /// What is looked at.
    pub target: String,
    /// Whether it is up; none before the first look.
    pub up: Option<bool>,
    /// Since when; none before the first look.
    pub since_ms: Option<i64>,
    /// Whether it went up or down then; else that was the first look, and it may have
    /// been so for longer.
    pub turned: bool,
    /// Whether it is up now and down then.
    pub flapping: bool,
    /// What went wrong last, in words; empty if nothing did.
    pub detail: String,
    /// The last looks, oldest first.
    pub ticks: Vec<ProbeTick>,
}

/// One look.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ProbeTick {
    /// When.
    pub at_ms: i64,
    /// Why it failed, in one word; empty if it did not.
    pub reason: String,
}

/// A site, a heartbeat or a peer.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Watched {
    /// Its name.
    pub name: String,
    /// How it is.
    pub status: Status,
    /// The same in one or two words: `late`, `certificate`.
    pub word: String,
    /// Since when, or when it was last heard of; none if that is not known.
    pub since_ms: Option<i64>,
    /// More words; may be empty.
    pub detail: String,
}

/// Something that is scraped.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Target {
    /// The job's name.
    pub job: String,
    /// The instance's name.
    pub instance: String,
    /// Whether the last scrape was good; none before the first.
    pub up: Option<bool>,
    /// When it was last scraped.
    pub last_ms: Option<i64>,
    /// How long that took, in milliseconds.
    pub duration_ms: Option<f64>,
    /// Why the last scrape failed; empty if it did not.
    pub error: String,
}

/// Something looked for at start.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Found {
    /// What was looked for: `docker`, `compose`, `postgres`.
    pub kind: String,
    /// Whether it is there.
    pub present: bool,
    /// What it is: `29.1, arm64, 2 cores, 3.8 GB`.
    pub detail: String,
    /// How we know, or where we looked.
    pub evidence: String,
}

/// Whether people can be told.
#[derive(Debug, Clone, Default, Serialize)]
pub struct MailHealth {
    /// Whether a mail server and somebody to write to are configured.
    pub configured: bool,
    /// The server, `host:port`, without user and password.
    pub server: String,
    /// To whom mail goes.
    pub to: Vec<String>,
    /// When the server last took a mail.
    pub accepted_ms: Option<i64>,
    /// What it said: `250 2.0.0 queued as 4F21`.
    pub reply: String,
    /// The last mail that came back after a server had taken it.
    pub returned: Option<Fault>,
    /// Mails that wait to be sent.
    pub waiting: u64,
    /// Why sending fails, while it fails.
    pub failing: Option<Fault>,
}

/// How something that Belfry depends on is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Not known yet.
    #[default]
    Unknown,
    /// It works.
    Ok,
    /// It works in part, or slowly.
    Degraded,
    /// It does not work.
    Down,
    /// It is switched off or not there, and need not be.
    Off,
}

impl Status {
    /// Whether somebody should look at it.
    pub(super) fn is_bad(self) -> bool {
        matches!(self, Self::Down | Self::Degraded)
    }

    /// Its place in a list: what is worst comes first.
    pub(super) fn rank(self) -> u8 {
        match self {
            Self::Down => 0,
            Self::Degraded => 1,
            Self::Unknown => 2,
            Self::Ok => 3,
            Self::Off => 4,
        }
    }
}

/// Something that Belfry depends on.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Dependency {
    /// Its name.
    pub name: String,
    /// How it is.
    pub status: Status,
    /// How long its last answer took, in milliseconds.
    pub latency_ms: Option<f64>,
    /// Since when it is so.
    pub since_ms: Option<i64>,
    /// Why, in words; may be empty.
    pub detail: String,
}

/// Something that happened.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Change {
    /// When.
    pub at_ms: i64,
    /// What, in one line.
    pub what: String,
}
