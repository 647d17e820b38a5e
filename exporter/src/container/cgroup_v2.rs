//! Reads the control groups of version 2.

use std::path::Path;

use super::usage::{Cpu, Device, Limits, Memory, MemoryV2, Pressure, Throttled, Usage, field};
use crate::files::Files;
use crate::host::stalled;

const MICROS: f64 = 1e6;

pub(super) fn read(folder: &Path, files: &mut Files<'_>) -> Usage {
    let (cpu, throttled) = cpu(folder, files);
    Usage {
        cpu,
        throttled,
        memory: memory(folder, files),
        devices: files
            .text(&folder.join("io.stat"))
            .map(|text| devices(&text))
            .unwrap_or_default(),
        pressure: pressure(folder, files),
        ..Usage::default()
    }
}

fn cpu(folder: &Path, files: &mut Files<'_>) -> (Option<Cpu>, Option<Throttled>) {
    let text = files.text(&folder.join("cpu.stat")).unwrap_or_default();
    let get = |name| field(&text, name).unwrap_or_default();
    let cpu = field(&text, "usage_usec").map(|total| Cpu {
        total: total / MICROS,
        user: get("user_usec") / MICROS,
        system: get("system_usec") / MICROS,
    });
    let throttled = field(&text, "nr_periods").map(|periods| Throttled {
        periods,
        stopped: get("nr_throttled"),
        seconds: get("throttled_usec") / MICROS,
        bursts: get("nr_bursts"),
        burst_seconds: get("burst_usec") / MICROS,
    });
    (cpu, throttled)
}

fn memory(folder: &Path, files: &mut Files<'_>) -> Option<Memory> {
    let usage = files
        .number(&folder.join("memory.current"))
        .or_else(|| of_all(folder, files))?;
    let mut number = |file: &str| files.number(&folder.join(file)).unwrap_or_default();
    // Kernels before 5.19 do not keep the peak.
    let most = number("memory.peak");
    let swap = number("memory.swap.current");
    let events = files
        .text(&folder.join("memory.events"))
        .unwrap_or_default();
    let (events_high, events_max) = (field(&events, "high"), field(&events, "max"));
    let text = files.text(&folder.join("memory.stat")).unwrap_or_default();
    let get = |name| field(&text, name).unwrap_or_default();
    Some(Memory {
        usage,
        most,
        rss: get("anon"),
        cache: get("file"),
        mapped: get("file_mapped"),
        swap,
        kernel: 0.0,
        active_file: get("active_file"),
        inactive_file: get("inactive_file"),
        limit_hits: 0.0,
        faults: get("pgfault"),
        major_faults: get("pgmajfault"),
        v2: Some(MemoryV2 {
            dirty: get("file_dirty"),
            writeback: get("file_writeback"),
            scanned: get("pgscan"),
            reclaimed: get("pgsteal"),
            refaults_anon: get("workingset_refault_anon"),
            refaults_file: get("workingset_refault_file"),
            events_high: events_high.unwrap_or_default(),
            events_max: events_max.unwrap_or_default(),
        }),
    })
}

/// The root of the hierarchy has no sum of its own.
fn of_all(folder: &Path, files: &mut Files<'_>) -> Option<f64> {
    let text = files.text(&folder.join("memory.stat")).ok()?;
    Some(field(&text, "anon")? + field(&text, "file")?)
}

pub(super) fn limits(folder: &Path, files: &mut Files<'_>) -> Limits {
    // The word "max" is no limit.
    let mut bytes = |file: &str| {
        let word = files.word(&folder.join(file))?;
        Some(word.parse().unwrap_or_default())
    };
    let (memory, swap) = (bytes("memory.max"), bytes("memory.swap.max"));
    // What Docker is told to reserve is the second, which gives way to others' need.
    let reservation =
        bytes("memory.min").map(|min: f64| min.max(bytes("memory.low").unwrap_or_default()));
    let weight = files.number(&folder.join("cpu.weight"));
    let quota = files.word(&folder.join("cpu.max"));
    let (quota, period) = quota
        .as_deref()
        .and_then(|text| text.split_once(' '))
        .unzip();
    Limits {
        memory,
        reservation,
        swap,
        shares: weight.map(shares),
        quota: quota.and_then(|word| word.parse().ok()),
        period: period.and_then(|word| word.parse().ok()),
    }
}

/// The weight 1 to 10,000 as the shares 2 to 262,144 of version 1.
fn shares(weight: f64) -> f64 {
    (2.0 + (weight - 1.0) * 262_142.0 / 9_999.0).floor()
}

/// Lines such as `8:0 rbytes=1 wbytes=2 rios=3 wios=4`.
fn devices(text: &str) -> Vec<Device> {
    let device = |line: &str| {
        let (numbers, fields) = line.split_once(' ')?;
        let (major, minor) = numbers.split_once(':')?;
        // They become part of a path.
        (major.parse::<u32>().is_ok() && minor.parse::<u32>().is_ok()).then_some(())?;
        let get = |name: &str| {
            let mut fields = fields.split(' ').filter_map(|field| field.split_once('='));
            let value = fields
                .find(|(have, _)| *have == name)
                .and_then(|(_, value)| value.parse().ok());
            value.unwrap_or_default()
        };
        Some(Device {
            name: String::new(),
            major: major.to_owned(),
            minor: minor.to_owned(),
            reads: get("rios"),
            writes: get("wios"),
            read_bytes: get("rbytes"),
            written_bytes: get("wbytes"),
        })
    };
    text.lines().filter_map(device).collect()
}

fn pressure(folder: &Path, files: &mut Files<'_>) -> Option<Pressure> {
    let mut of = |file: &str| {
        files
            .text(&folder.join(file))
            .ok()
            .map(|text| stalled(&text))
    };
    Some(Pressure {
        cpu: of("cpu.pressure")?,
        memory: of("memory.pressure")?,
        io: of("io.pressure")?,
    })
}
