//! The host's own figures as the page shows them.

use serde::Serialize;

use crate::fact::Trend;

/// The host's own figures; what is unknown is none.
#[derive(Debug, Clone, Default, Serialize)]
pub struct HostFacts {
    /// Busy share of all processors.
    pub cpu: Option<Cpu>,
    /// Memory in use, without what can be given back.
    pub memory: Option<Usage>,
    /// Swap in use; none without swap.
    pub swap: Option<Usage>,
    /// File systems.
    pub disks: Vec<Disk>,
    /// Load averages.
    pub load: Option<Load>,
    /// Pressure stall information: CPU, memory, I/O.
    pub pressure: Vec<Pressure>,
    /// When the host was started.
    pub boot_ms: Option<i64>,
}

/// Processors.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Cpu {
    /// Busy share of all of them, 0 to 1.
    pub busy: f64,
    /// How many there are.
    pub cores: u32,
    /// The share over the last hours.
    pub trend: Option<Trend>,
}

/// A part of a whole, in bytes.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Usage {
    /// In use.
    pub used_bytes: u64,
    /// In all.
    pub total_bytes: u64,
    /// The share over the last hours.
    pub trend: Option<Trend>,
}

/// A file system.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Disk {
    /// Where it is mounted.
    pub mount: String,
    /// How full it is.
    pub usage: Usage,
    /// Mounted read-only.
    pub read_only: bool,
    /// When it will be full at the present pace.
    pub full_at_ms: Option<i64>,
}

/// Load averages: tasks that run or wait.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Load {
    /// Over 1 minute.
    pub one: f64,
    /// Over 5 minutes.
    pub five: f64,
    /// Over 15 minutes.
    pub fifteen: f64,
    /// The first of them over the last hours.
    pub trend: Option<Trend>,
}

/// The share of time in which something waited for a resource.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Pressure {
    /// `cpu`, `memory` or `io`.
    pub resource: String,
    /// The share of the last minute, 0 to 1.
    pub waiting: f64,
    /// The share over the last hours.
    pub trend: Option<Trend>,
}
