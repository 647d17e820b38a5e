//! The families of cAdvisor that have one series for each container.

use exposition::Kind;

use super::model::{Container, Health};
use super::usage::{MemoryV2, Pressure, Throttled, Usage};

/// A family with one series for each container: name, help, kind, value.
pub(super) type Family = (
    &'static str,
    &'static str,
    Kind,
    fn(&Container, &Usage) -> Option<f64>,
);

pub(super) const FAMILIES: [Family; 44] = [
    (
        "container_cpu_user_seconds_total",
        "Seconds of processor time in user mode.",
        Kind::Counter,
        |_, u| Some(u.cpu?.user),
    ),
    (
        "container_cpu_system_seconds_total",
        "Seconds of processor time in the kernel.",
        Kind::Counter,
        |_, u| Some(u.cpu?.system),
    ),
    (
        "container_cpu_cfs_periods_total",
        "Periods of the processor quota.",
        Kind::Counter,
        |_, u| quota(u, |t| t.periods),
    ),
    (
        "container_cpu_cfs_throttled_periods_total",
        "Periods in which the quota was used up.",
        Kind::Counter,
        |_, u| quota(u, |t| t.stopped),
    ),
    (
        "container_cpu_cfs_throttled_seconds_total",
        "Seconds stopped by the quota.",
        Kind::Counter,
        |_, u| quota(u, |t| t.seconds),
    ),
    (
        "container_cpu_cfs_burst_periods_total",
        "Periods with more than the quota.",
        Kind::Counter,
        |_, u| quota(u, |t| t.bursts),
    ),
    (
        "container_cpu_cfs_burst_seconds_total",
        "Seconds beyond the quota.",
        Kind::Counter,
        |_, u| quota(u, |t| t.burst_seconds),
    ),
    (
        "container_memory_usage_bytes",
        "Bytes of memory in use, page cache included.",
        Kind::Gauge,
        |_, u| Some(u.memory?.usage),
    ),
    (
        "container_memory_working_set_bytes",
        "Bytes of memory that cannot easily be given back.",
        Kind::Gauge,
        |_, u| Some(u.memory?.working_set()),
    ),
    (
        "container_memory_max_usage_bytes",
        "The most bytes of memory ever in use.",
        Kind::Gauge,
        |_, u| Some(u.memory?.most),
    ),
    (
        "container_memory_rss",
        "Bytes of memory that no file is behind.",
        Kind::Gauge,
        |_, u| Some(u.memory?.rss),
    ),
    (
        "container_memory_cache",
        "Bytes of page cache.",
        Kind::Gauge,
        |_, u| Some(u.memory?.cache),
    ),
    (
        "container_memory_mapped_file",
        "Bytes of mapped files.",
        Kind::Gauge,
        |_, u| Some(u.memory?.mapped),
    ),
    (
        "container_memory_swap",
        "Bytes of swap in use.",
        Kind::Gauge,
        |_, u| Some(u.memory?.swap),
    ),
    (
        "container_memory_kernel_usage",
        "Bytes of kernel memory; version 1 of control groups only.",
        Kind::Gauge,
        |_, u| Some(u.memory?.kernel),
    ),
    (
        "container_memory_failcnt",
        "Times the memory limit was hit; version 1 of control groups only.",
        Kind::Counter,
        |_, u| Some(u.memory?.limit_hits),
    ),
    (
        "container_memory_total_active_file_bytes",
        "Bytes of page cache used lately.",
        Kind::Gauge,
        |_, u| Some(u.memory?.active_file),
    ),
    (
        "container_memory_total_inactive_file_bytes",
        "Bytes of page cache not used lately.",
        Kind::Gauge,
        |_, u| Some(u.memory?.inactive_file),
    ),
    (
        "container_memory_file_dirty_bytes",
        "Bytes of page cache to be written.",
        Kind::Gauge,
        |_, u| v2(u, |m| m.dirty),
    ),
    (
        "container_memory_file_writeback_bytes",
        "Bytes of page cache being written.",
        Kind::Gauge,
        |_, u| v2(u, |m| m.writeback),
    ),
    (
        "container_memory_pgscan_total",
        "Pages looked at to free memory.",
        Kind::Counter,
        |_, u| v2(u, |m| m.scanned),
    ),
    (
        "container_memory_pgsteal_total",
        "Pages freed.",
        Kind::Counter,
        |_, u| v2(u, |m| m.reclaimed),
    ),
    (
        "container_memory_workingset_refault_anon_total",
        "Pages without a file read back soon after they were freed.",
        Kind::Counter,
        |_, u| v2(u, |m| m.refaults_anon),
    ),
    (
        "container_memory_workingset_refault_file_total",
        "Pages of files read back soon after they were freed.",
        Kind::Counter,
        |_, u| v2(u, |m| m.refaults_file),
    ),
    (
        "container_memory_events_high_total",
        "Times the soft bound of memory slowed it.",
        Kind::Counter,
        |_, u| v2(u, |m| m.events_high),
    ),
    (
        "container_memory_events_max_total",
        "Times the memory limit was about to be passed.",
        Kind::Counter,
        |_, u| v2(u, |m| m.events_max),
    ),
    (
        "container_pressure_cpu_waiting_seconds_total",
        "Seconds in which a task waited for a processor.",
        Kind::Counter,
        |_, u| pressure(u, |p| p.cpu.some),
    ),
    (
        "container_pressure_cpu_stalled_seconds_total",
        "Seconds in which every task waited for a processor.",
        Kind::Counter,
        |_, u| pressure(u, |p| p.cpu.full),
    ),
    (
        "container_pressure_memory_waiting_seconds_total",
        "Seconds in which a task waited for memory.",
        Kind::Counter,
        |_, u| pressure(u, |p| p.memory.some),
    ),
    (
        "container_pressure_memory_stalled_seconds_total",
        "Seconds in which every task waited for memory.",
        Kind::Counter,
        |_, u| pressure(u, |p| p.memory.full),
    ),
    (
        "container_pressure_io_waiting_seconds_total",
        "Seconds in which a task waited for I/O.",
        Kind::Counter,
        |_, u| pressure(u, |p| p.io.some),
    ),
    (
        "container_pressure_io_stalled_seconds_total",
        "Seconds in which every task waited for I/O.",
        Kind::Counter,
        |_, u| pressure(u, |p| p.io.full),
    ),
    (
        "container_threads",
        "Processes and threads.",
        Kind::Gauge,
        |_, u| Some(u.threads?.0),
    ),
    (
        "container_threads_max",
        "Processes and threads there may be; 0 is no limit.",
        Kind::Gauge,
        |_, u| Some(u.threads?.1),
    ),
    (
        "container_spec_memory_limit_bytes",
        "Bytes of memory there may be; 0 is no limit.",
        Kind::Gauge,
        |_, u| u.limits.memory,
    ),
    (
        "container_spec_memory_reservation_limit_bytes",
        "Bytes of memory kept for it.",
        Kind::Gauge,
        |_, u| u.limits.reservation,
    ),
    (
        "container_spec_memory_swap_limit_bytes",
        "Bytes of swap there may be, with memory in version 1 of control groups; 0 is no limit.",
        Kind::Gauge,
        |_, u| u.limits.swap,
    ),
    (
        "container_spec_cpu_shares",
        "Its share of the processors.",
        Kind::Gauge,
        |_, u| u.limits.shares,
    ),
    (
        "container_spec_cpu_quota",
        "Microseconds of processor time in a period.",
        Kind::Gauge,
        |_, u| u.limits.quota,
    ),
    (
        "container_spec_cpu_period",
        "The period of the quota in microseconds.",
        Kind::Gauge,
        |_, u| u.limits.period,
    ),
    (
        "container_oom_events_total",
        "Times memory ran out while we watched.",
        Kind::Counter,
        |c, _| told(c).map(|c| c.oom_events as f64),
    ),
    (
        "container_start_time_seconds",
        "When it was started last, in seconds since 1970.",
        Kind::Gauge,
        |c, _| told(c).map(|c| c.started_ms.unwrap_or(c.created_ms) as f64 / 1e3),
    ),
    (
        "container_creation_time_seconds",
        "When it was made, in seconds since 1970.",
        Kind::Gauge,
        |c, _| told(c).map(|c| c.created_ms as f64 / 1e3),
    ),
    (
        "container_health_state",
        "1 healthy, 0 not, -1 without a check.",
        Kind::Gauge,
        |c, _| told(c).map(health),
    ),
];

/// A container that the engine told of; the machine as a whole is none.
fn told(container: &Container) -> Option<&Container> {
    (!container.id.is_empty()).then_some(container)
}

fn quota(usage: &Usage, value: fn(&Throttled) -> f64) -> Option<f64> {
    usage.limits.quota.and(usage.throttled.as_ref()).map(value)
}

fn v2(usage: &Usage, value: fn(&MemoryV2) -> f64) -> Option<f64> {
    usage.memory?.v2.as_ref().map(value)
}

fn pressure(usage: &Usage, value: fn(&Pressure) -> Option<f64>) -> Option<f64> {
    usage.pressure.as_ref().and_then(value)
}

fn health(container: &Container) -> f64 {
    match container.health {
        Health::None => -1.0,
        Health::Healthy => 1.0,
        Health::Starting | Health::Unhealthy => 0.0,
    }
}
