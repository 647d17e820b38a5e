//! The host's own figures for the page, asked from the series store.

use dashboards::fact::{Trend, Unit};
use dashboards::page::{Cpu, Disk, HostFacts, Load, Pressure, Usage};
use exposition::Labels;

use super::Watch;

/// Trends reach back this far.
const BACK_MS: i64 = 3 * 3_600_000;
/// The distance of their points.
const STEP_MS: i64 = 180_000;
/// File systems whose fill nobody needs to know.
const NO_DISK: &str = "tmpfs|ramfs|devtmpfs|squashfs|overlay|fuse.*";

/// What the store knows of the host at `now_ms`; what it does not know is none.
pub(super) fn host(watch: &Watch, now_ms: i64) -> HostFacts {
    let ask = Ask { watch, now_ms };
    let busy = r#"1 - sum(rate(node_cpu_seconds_total{mode=~"idle|iowait"}[2m])) / count(node_cpu_seconds_total{mode="idle"})"#;
    let memory = "1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes";
    let swap = "1 - node_memory_SwapFree_bytes / (node_memory_SwapTotal_bytes > 0)";
    HostFacts {
        cpu: ask.one(busy).map(|share| Cpu {
            busy: share.clamp(0.0, 1.0),
            cores: ask
                .one(r#"count(node_cpu_seconds_total{mode="idle"})"#)
                .map_or(0, whole),
            trend: ask.trend("cpu", Unit::Ratio, busy),
        }),
        memory: ask.usage("node_memory_MemTotal_bytes", memory, "memory"),
        swap: ask.usage("node_memory_SwapTotal_bytes > 0", swap, "swap"),
        disks: disks(&ask),
        load: ask.one("node_load1").map(|one| Load {
            one,
            five: ask.one("node_load5").unwrap_or(f64::NAN),
            fifteen: ask.one("node_load15").unwrap_or(f64::NAN),
            trend: ask.trend("load", Unit::None, "node_load1"),
        }),
        pressure: ["cpu", "memory", "io"]
            .iter()
            .filter_map(|resource| pressure(&ask, resource))
            .collect(),
        boot_ms: ask.one("node_boot_time_seconds").map(millis),
    }
}

/// The databases that somebody uses, with the server that its series name.
pub(super) fn databases(watch: &Watch) -> Vec<(String, String)> {
    let now_ms = watch.clock.now_ms();
    let ask = Ask { watch, now_ms };
    // Every server has one called postgres, and most never use it.
    let query = r#"max by (instance, datname) (last_over_time(pg_database_size_bytes{datname!~"template[01]"}[15m]))
        unless on (instance, datname) (max by (instance, datname) (last_over_time(pg_database_size_bytes{datname="postgres"}[15m]))
        unless on (instance, datname) count by (instance, datname) (pg_stat_user_tables_n_live_tup))"#;
    let found = ask.all(query).into_iter();
    let of = |(labels, _): (Labels, f64)| {
        let text = |name: &str| labels.get(name).to_owned();
        (text("instance"), text("datname"))
    };
    found.map(of).collect()
}

fn disks(ask: &Ask<'_>) -> Vec<Disk> {
    let of = |name: &str| format!(r#"{name}{{fstype!~"{NO_DISK}"}}"#);
    let sizes = ask.all(&of("node_filesystem_size_bytes"));
    let free = ask.all(&of("node_filesystem_avail_bytes"));
    let read_only = ask.all(&of("node_filesystem_readonly"));
    let filling = ask.all(&format!(
        "{avail} / -(deriv({avail}[1h]) < 0)",
        avail = of("node_filesystem_avail_bytes")
    ));
    let beside = |labels: &Labels, others: &[(Labels, f64)]| {
        let same = |other: &&(Labels, f64)| {
            ["device", "mountpoint"]
                .iter()
                .all(|name| other.0.get(name) == labels.get(name))
        };
        others.iter().find(same).map(|(_, value)| *value)
    };
    let mut seen = std::collections::BTreeSet::new();
    let mut disks = Vec::new();
    for (labels, size) in &sizes {
        // One disk mounted in several places (bind mounts) is one disk.
        if *size <= 0.0 || !seen.insert(labels.get("device").to_owned()) {
            continue;
        }
        let avail = beside(labels, &free).unwrap_or(*size);
        let seconds = beside(labels, &filling).filter(|seconds| *seconds < 90.0 * 86_400.0);
        disks.push(Disk {
            mount: labels.get("mountpoint").to_owned(),
            usage: Usage {
                used_bytes: bytes(size - avail),
                total_bytes: bytes(*size),
                trend: None,
            },
            read_only: beside(labels, &read_only).is_some_and(|value| value > 0.0),
            full_at_ms: seconds.map(|seconds| ask.now_ms + millis(seconds)),
        });
    }
    disks
}

fn pressure(ask: &Ask<'_>, resource: &str) -> Option<Pressure> {
    let query = format!("rate(node_pressure_{resource}_waiting_seconds_total[1m])");
    ask.one(&query).map(|waiting| Pressure {
        resource: resource.to_owned(),
        waiting,
        trend: ask.trend(resource, Unit::Ratio, &query),
    })
}

/// Questions to the store; one that fails has no answer, and the log says why.
pub(super) struct Ask<'a> {
    pub watch: &'a Watch,
    pub now_ms: i64,
}

impl Ask<'_> {
    pub(super) fn all(&self, query: &str) -> Vec<(Labels, f64)> {
        let answer = promql::parse(query)
            .map_err(|err| promql::Error::BadData(err.to_string()))
            .and_then(|expr| {
                self.watch
                    .engine()
                    .instant(&self.watch.store, &expr, self.now_ms)
            });
        match answer.map(|answer| answer.value) {
            Ok(promql::Value::Vector(samples)) => samples,
            Ok(_) => Vec::new(),
            Err(err) => {
                tracing::debug!(query, "a question of the page failed: {err}");
                Vec::new()
            }
        }
    }

    fn one(&self, query: &str) -> Option<f64> {
        self.all(query).first().map(|(_, value)| *value)
    }

    fn usage(&self, total: &str, share: &str, name: &str) -> Option<Usage> {
        let (total, used) = (self.one(total)?, self.one(share)?);
        Some(Usage {
            used_bytes: bytes(total * used),
            total_bytes: bytes(total),
            trend: self.trend(name, Unit::Ratio, share),
        })
    }

    fn trend(&self, name: &str, unit: Unit, query: &str) -> Option<Trend> {
        let end_ms = self.now_ms - self.now_ms.rem_euclid(STEP_MS);
        let expr = promql::parse(query).ok()?;
        let answer = self
            .watch
            .engine()
            .range(&self.watch.store, &expr, end_ms - BACK_MS, end_ms, STEP_MS)
            .ok()?;
        let promql::Value::Matrix(series) = answer.value else {
            return None;
        };
        let (_, samples) = series.into_iter().next()?;
        // A young store has few points: gaps before them would only squeeze the line.
        let first_ms = samples.first()?.0;
        let points = (0..=(end_ms - first_ms) / STEP_MS).map(|step| {
            let time_ms = first_ms + step * STEP_MS;
            samples
                .binary_search_by_key(&time_ms, |(time, _)| *time)
                .map_or(f64::NAN, |at| samples[at].1)
        });
        Some(Trend {
            name: name.to_owned(),
            unit,
            points: points.collect(),
            end_ms,
            step_ms: STEP_MS,
            limit: None,
        })
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "seconds since 1970 fit, and others saturate"
)]
fn millis(seconds: f64) -> i64 {
    (seconds * 1e3) as i64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "negative sizes are none"
)]
fn bytes(value: f64) -> u64 {
    value.max(0.0) as u64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count of processors"
)]
fn whole(value: f64) -> u32 {
    value as u32
}
