//! Reads the control groups of version 1.

use std::collections::BTreeMap;
use std::path::Path;

use super::usage::{Cpu, Device, Limits, Memory, Throttled, field};
use crate::files::Files;

const NANOS: f64 = 1e9;
/// Limits above this mean none: the kernel writes the largest number of pages.
const NO_LIMIT: f64 = (1u64 << 62) as f64;

pub(super) fn cpu(folder: &Path, files: &mut Files<'_>) -> Option<Cpu> {
    let total = files.number(&folder.join("cpuacct.usage"))? / NANOS;
    let text = files.text(&folder.join("cpuacct.stat")).unwrap_or_default();
    let per_second = rustix::param::clock_ticks_per_second() as f64;
    let seconds = |name| field(&text, name).unwrap_or_default() / per_second;
    Some(Cpu {
        total,
        user: seconds("user"),
        system: seconds("system"),
    })
}

pub(super) fn throttled(folder: &Path, files: &mut Files<'_>) -> Option<Throttled> {
    let text = files.text(&folder.join("cpu.stat")).ok()?;
    let get = |name| field(&text, name).unwrap_or_default();
    Some(Throttled {
        periods: field(&text, "nr_periods")?,
        stopped: get("nr_throttled"),
        seconds: get("throttled_time") / NANOS,
        bursts: get("nr_bursts"),
        burst_seconds: get("burst_time") / NANOS,
    })
}

pub(super) fn memory(folder: &Path, files: &mut Files<'_>) -> Option<Memory> {
    let usage = files.number(&folder.join("memory.usage_in_bytes"))?;
    let mut number = |file: &str| files.number(&folder.join(file)).unwrap_or_default();
    let most = number("memory.max_usage_in_bytes");
    let kernel = number("memory.kmem.usage_in_bytes");
    let limit_hits = number("memory.failcnt");
    let text = files.text(&folder.join("memory.stat")).unwrap_or_default();
    let get = |name| field(&text, name).unwrap_or_default();
    Some(Memory {
        usage,
        most,
        rss: get("total_rss"),
        cache: get("total_cache"),
        mapped: get("total_mapped_file"),
        swap: get("total_swap"),
        kernel,
        active_file: get("total_active_file"),
        inactive_file: get("total_inactive_file"),
        limit_hits,
        faults: get("total_pgfault"),
        major_faults: get("total_pgmajfault"),
        v2: None,
    })
}

pub(super) fn limits(cpu: &Path, memory: &Path, files: &mut Files<'_>) -> Limits {
    let mut bytes = |file: &str| {
        let value = files.number(&memory.join(file))?;
        Some(if value > NO_LIMIT { 0.0 } else { value })
    };
    Limits {
        memory: bytes("memory.limit_in_bytes"),
        reservation: bytes("memory.soft_limit_in_bytes"),
        swap: bytes("memory.memsw.limit_in_bytes"),
        shares: files.number(&cpu.join("cpu.shares")),
        quota: files
            .number(&cpu.join("cpu.cfs_quota_us"))
            .filter(|quota| *quota > 0.0),
        period: files.number(&cpu.join("cpu.cfs_period_us")),
    }
}

pub(super) fn devices(folder: &Path, files: &mut Files<'_>) -> Vec<Device> {
    let mut devices = BTreeMap::new();
    // The one that counts depends on the I/O scheduler.
    for counter in ["throttle", "bfq"] {
        let mut read = |what: &str, bytes| {
            let file = folder.join(format!("blkio.{counter}.{what}_recursive"));
            let text = files.text(&file).unwrap_or_default();
            take(&text, bytes, &mut devices)
        };
        if read("io_service_bytes", true) {
            read("io_serviced", false);
            break;
        }
    }
    devices.into_values().collect()
}

/// Takes over lines such as `8:0 Read 4096`; false when there were none.
fn take(text: &str, bytes: bool, devices: &mut BTreeMap<(String, String), Device>) -> bool {
    let mut any = false;
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let (Some(numbers), Some(operation), Some(value)) =
            (words.next(), words.next(), words.next())
        else {
            continue;
        };
        let (Some((major, minor)), Ok(value)) = (numbers.split_once(':'), value.parse::<f64>())
        else {
            continue;
        };
        // They become part of a path.
        let digits = |word: &str| word.parse::<u32>().is_ok();
        if !digits(major) || !digits(minor) {
            continue;
        }
        any = true;
        let device = devices
            .entry((major.to_owned(), minor.to_owned()))
            .or_insert_with(|| Device {
                major: major.to_owned(),
                minor: minor.to_owned(),
                ..Device::default()
            });
        match (operation, bytes) {
            ("Read", true) => device.read_bytes = value,
            ("Write", true) => device.written_bytes = value,
            ("Read", false) => device.reads = value,
            ("Write", false) => device.writes = value,
            _ => {}
        }
    }
    any
}

/// Reads a folder in all ways.
pub(super) fn any(folder: &Path, files: &mut Files<'_>) {
    let _ = (cpu(folder, files), throttled(folder, files));
    let _ = (memory(folder, files), limits(folder, folder, files));
    let _ = devices(folder, files);
}
