//! What one container uses, whichever version its control groups have.

use std::path::Path;

use super::cgroup::{Folders, Groups};
use super::model::Container;
use super::sizes::Filesystem;
use super::{cgroup_v1, cgroup_v2};
use crate::files::Files;
use crate::host::Stalled;

/// Everything that is absent could not be read, or does not exist here.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Usage {
    /// The path of the control group.
    pub(super) path: String,
    pub(super) cpu: Option<Cpu>,
    pub(super) throttled: Option<Throttled>,
    pub(super) memory: Option<Memory>,
    pub(super) limits: Limits,
    pub(super) devices: Vec<Device>,
    pub(super) network: Vec<Interface>,
    /// Processes and threads, and how many there may be (0: any number).
    pub(super) threads: Option<(f64, f64)>,
    pub(super) pressure: Option<Pressure>,
    /// What it wrote to the disk, as it was added up last.
    pub(super) files: Option<Filesystem>,
}

/// Seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Cpu {
    pub(super) total: f64,
    pub(super) user: f64,
    pub(super) system: f64,
}

/// How often a quota on processor time stopped it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Throttled {
    pub(super) periods: f64,
    pub(super) stopped: f64,
    pub(super) seconds: f64,
    pub(super) bursts: f64,
    pub(super) burst_seconds: f64,
}

/// Bytes, but for the counts at the end.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Memory {
    pub(super) usage: f64,
    pub(super) most: f64,
    pub(super) rss: f64,
    pub(super) cache: f64,
    pub(super) mapped: f64,
    pub(super) swap: f64,
    pub(super) kernel: f64,
    pub(super) active_file: f64,
    pub(super) inactive_file: f64,
    pub(super) limit_hits: f64,
    pub(super) faults: f64,
    pub(super) major_faults: f64,
    /// Only version 2 counts these.
    pub(super) v2: Option<MemoryV2>,
}

/// What only version 2 tells of memory.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct MemoryV2 {
    pub(super) dirty: f64,
    pub(super) writeback: f64,
    pub(super) scanned: f64,
    pub(super) reclaimed: f64,
    pub(super) refaults_anon: f64,
    pub(super) refaults_file: f64,
    pub(super) events_high: f64,
    pub(super) events_max: f64,
}

impl Memory {
    /// What cannot be given back easily, in bytes.
    pub(super) fn working_set(&self) -> f64 {
        (self.usage - self.inactive_file).max(0.0)
    }
}

/// What it may use; 0 is no limit, and absent no such setting.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Limits {
    pub(super) memory: Option<f64>,
    pub(super) reservation: Option<f64>,
    pub(super) swap: Option<f64>,
    pub(super) shares: Option<f64>,
    /// Microseconds in each period; absent without a quota.
    pub(super) quota: Option<f64>,
    pub(super) period: Option<f64>,
}

/// What it read from and wrote to one block device.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Device {
    pub(super) name: String,
    pub(super) major: String,
    pub(super) minor: String,
    pub(super) reads: f64,
    pub(super) writes: f64,
    pub(super) read_bytes: f64,
    pub(super) written_bytes: f64,
}

/// The counters of one network interface, as `/proc/net/dev` orders them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Interface {
    pub(super) name: String,
    pub(super) columns: [f64; 16],
}

/// How long it was held up.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Pressure {
    pub(super) cpu: Stalled,
    pub(super) memory: Stalled,
    pub(super) io: Stalled,
}

/// What changes only when somebody changes it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Settings {
    limits: Limits,
    /// Processes and threads there may be; 0 is no limit.
    threads: f64,
}

/// Reads the limits.
pub(super) fn settings(groups: &Groups, files: &mut Files<'_>) -> Settings {
    let (limits, pids) = match &groups.folders {
        Folders::V1 {
            cpu, memory, pids, ..
        } => (cgroup_v1::limits(cpu, memory, files), pids),
        Folders::V2(folder) => (cgroup_v2::limits(folder, files), folder),
    };
    // The limit may be the word "max".
    let threads = files.number(&pids.join("pids.max")).unwrap_or_default();
    Settings { limits, threads }
}

/// Reads the rest; `None` when the container is gone.
pub(super) fn read(
    groups: &Groups,
    settings: Settings,
    pid: u32,
    container: &Container,
    files: &mut Files<'_>,
) -> Option<Usage> {
    let (mut usage, pids) = match &groups.folders {
        Folders::V1 {
            cpu,
            cpuacct,
            memory,
            blkio,
            pids,
        } => {
            // Without a quota there is nothing to count.
            let quota = settings.limits.quota;
            let usage = Usage {
                cpu: cgroup_v1::cpu(cpuacct, files),
                throttled: quota.and_then(|_| cgroup_v1::throttled(cpu, files)),
                memory: cgroup_v1::memory(memory, files),
                devices: cgroup_v1::devices(blkio, files),
                ..Usage::default()
            };
            (usage, pids)
        }
        Folders::V2(folder) => (cgroup_v2::read(folder, files), folder),
    };
    if usage.cpu.is_none() && usage.memory.is_none() {
        return None;
    }
    usage.path.clone_from(&groups.path);
    usage.limits = settings.limits;
    let threads = files.number(&pids.join("pids.current"));
    usage.threads = threads.map(|now| (now, settings.threads));
    for device in &mut usage.devices {
        device.name = device_name(&device.major, &device.minor, files);
    }
    // With another container's network, that one tells of it.
    if !container.network_mode.starts_with("container:") {
        usage.network = network(pid, files);
    }
    Some(usage)
}

/// What the whole machine uses, as the root of its control groups tells.
pub(super) fn of_machine(files: &mut Files<'_>) -> Option<Usage> {
    let groups = super::cgroup::root(files);
    read(
        &groups,
        Settings::default(),
        1,
        &Container::new(String::new()),
        files,
    )
}

fn network(pid: u32, files: &mut Files<'_>) -> Vec<Interface> {
    let Ok(text) = files.proc(&format!("{pid}/net/dev")) else {
        return Vec::new();
    };
    let left_out = ["lo", "veth", "docker", "nerdctl"];
    let interfaces = crate::host::network_devices(&text).into_iter();
    interfaces
        .filter(|device| !left_out.iter().any(|start| device.name.starts_with(start)))
        .map(|device| Interface {
            name: device.name.to_owned(),
            columns: device.columns,
        })
        .collect()
}

/// The path under /dev, as long as the kernel knows the device.
pub(super) fn device_name(major: &str, minor: &str, files: &Files<'_>) -> String {
    let link = files.roots.sys.join(format!("dev/block/{major}:{minor}"));
    let device = std::fs::read_link(link).ok();
    let name = device.as_deref().and_then(Path::file_name);
    name.map_or_else(String::new, |name| {
        format!("/dev/{}", name.to_string_lossy())
    })
}

/// A field of a file of `name value` lines.
pub(super) fn field(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| {
        let (have, value) = line.split_once(' ')?;
        if have == name {
            value.trim().parse().ok()
        } else {
            None
        }
    })
}
