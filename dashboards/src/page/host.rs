//! The host's figures: each with its absolute amount and its last hours.

use serde::Serialize;

use super::shown::Spark;
use super::{Disk, Now, Usage};
use crate::fact::Trend;
use crate::{amount, time, untrusted};

/// File systems that are shown; a host with more has them in `/metrics`.
const DISKS: usize = 12;

/// One figure.
#[derive(Debug, Serialize)]
pub(super) struct Meter {
    name: String,
    value: String,
    detail: String,
    /// Width of a bar in per cent, where there is no line to draw.
    bar: Option<u32>,
    spark: Option<Spark>,
}

pub(super) fn meters(now: &Now) -> Vec<Meter> {
    let facts = &now.facts;
    let cpu = facts.cpu.iter().map(|cpu| {
        let detail = format!("of {}", amount::count(cpu.cores as usize, "core"));
        meter("CPU", cpu.busy, detail, cpu.trend.as_ref(), now)
    });
    let memory = facts
        .memory
        .iter()
        .map(|memory| share("Memory", memory, now));
    let load = facts.load.iter().map(|load| Meter {
        name: "Load".into(),
        value: amount::number(load.one),
        detail: format!(
            "{} in 5, {} in 15 min",
            amount::number(load.five),
            amount::number(load.fifteen)
        ),
        bar: None,
        spark: Spark::new(load.trend.as_ref(), now),
    });
    let disks = facts
        .disks
        .iter()
        .take(DISKS)
        .map(|disk| filesystem(disk, now));
    let swap = facts.swap.iter().map(|swap| share("Swap", swap, now));
    let pressure = facts.pressure.iter().map(|pressure| {
        let name = match pressure.resource.as_str() {
            "cpu" => "CPU pressure".into(),
            "memory" => "Memory pressure".into(),
            "io" => "Disk pressure".into(),
            other => format!("{} pressure", untrusted::line(other, 20)),
        };
        let detail = "of last minute waiting".into();
        meter(
            &name,
            pressure.waiting,
            detail,
            pressure.trend.as_ref(),
            now,
        )
    });
    cpu.chain(memory)
        .chain(load)
        .chain(disks)
        .chain(swap)
        .chain(pressure)
        .collect()
}

fn filesystem(disk: &Disk, now: &Now) -> Meter {
    let mut meter = share(
        &format!("Disk {}", untrusted::line(&disk.mount, 60)),
        &disk.usage,
        now,
    );
    if disk.read_only {
        meter.detail.push_str(", read-only");
    }
    if let Some(full_ms) = disk.full_at_ms {
        meter.detail.push_str(&format!(
            ", full in about {}",
            time::duration(full_ms - now.now_ms)
        ));
    }
    meter
}

fn share(name: &str, usage: &Usage, now: &Now) -> Meter {
    let ratio = amount::ratio(usage.used_bytes, usage.total_bytes);
    let detail = amount::part(usage.used_bytes, usage.total_bytes);
    meter(name, ratio, detail, usage.trend.as_ref(), now)
}

fn meter(name: &str, ratio: f64, detail: String, trend: Option<&Trend>, now: &Now) -> Meter {
    let spark = Spark::new(trend, now);
    Meter {
        name: name.into(),
        value: amount::percent(ratio),
        detail,
        bar: spark
            .is_none()
            .then(|| (ratio.clamp(0.0, 1.0) * 100.0).round() as u32),
        spark,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::HostFacts;

    #[test]
    fn a_share_comes_with_its_amounts() {
        let usage = Usage {
            used_bytes: 3 << 30,
            total_bytes: 4 << 30,
            trend: None,
        };
        let disk = Disk {
            mount: "/srv".into(),
            usage: usage.clone(),
            read_only: true,
            full_at_ms: Some(3 * 86_400_000),
        };
        let facts = HostFacts {
            memory: Some(usage),
            disks: vec![disk],
            ..HostFacts::default()
        };
        let meters = meters(&Now {
            facts,
            ..Now::default()
        });
        assert_eq!(meters[0].value, "75 %");
        assert_eq!(meters[0].detail, "3.0 of 4.0 GiB");
        assert_eq!(meters[0].bar, Some(75));
        assert_eq!(meters[1].name, "Disk /srv");
        assert_eq!(
            meters[1].detail,
            "3.0 of 4.0 GiB, read-only, full in about 3 d"
        );
    }

    #[test]
    fn an_unknown_host_has_no_figures() {
        assert!(meters(&Now::default()).is_empty());
    }
}
