//! What a Redis server answered, as families.

use std::collections::{BTreeMap, BTreeSet};

use exposition::Kind;

use super::client::Answers;
use super::families::PLAIN;
use super::info::{Fields, Info};
use crate::pieces::Sheet;

/// The most databases of which empty ones are named too.
const MOST_EMPTY: u32 = 64;
const MOST_SPIKES: usize = 64;

/// Writes everything. False when the text is not Redis' INFO at all.
pub(super) fn encode(answers: &Answers, started: Option<f64>, sheet: &mut Sheet) -> bool {
    let info = Info::parse(&answers.info);
    if info.text("redis_version").is_none() {
        return false;
    }
    for plain in PLAIN {
        if let Some(value) = info.number(plain.key) {
            let name = format!("redis_{}", plain.name);
            sheet.single(&name, plain.help, plain.kind, value * plain.scale);
        }
    }
    if let Some(started) = started {
        let help = "When the server started.";
        sheet.single("redis_start_time_seconds", help, Kind::Gauge, started);
    }
    instance(&info, sheet);
    databases(&info, &answers.config, sheet);
    commands(&info, sheet);
    latencies(&info, sheet);
    replication(&info, sheet);
    for (name, fields) in &info.errors {
        if let Some(count) = fields.number("count") {
            let help = "Errors answered, by their code.";
            sheet
                .family("redis_errors_total", help, Kind::Counter)
                .sample(&[("err", name)], count);
        }
    }
    beside(answers, sheet);
    true
}

/// When the server started, in seconds since 1970; told from its own clock, so
/// that ours need not agree, and steady although both ends are cut to seconds.
pub(super) fn started(info: &str, before: Option<f64>) -> Option<f64> {
    let info = Info::parse(info);
    let now = info.number("server_time_usec")? / 1e6;
    let started = (now - info.number("uptime_in_seconds")?).floor();
    match before {
        Some(before) if (before - started).abs() <= 2.0 => Some(before),
        _ => Some(started),
    }
}

fn instance(info: &Info<'_>, sheet: &mut Sheet) {
    let keys = [
        "maxmemory_policy",
        "os",
        "process_id",
        "redis_build_id",
        "redis_mode",
        "redis_version",
        "role",
        "run_id",
        "tcp_port",
    ];
    let labels = keys.map(|key| (key, info.text(key).unwrap_or_default()));
    sheet
        .family("redis_instance_info", "What the server is.", Kind::Gauge)
        .sample(&labels, 1.0);
}

fn databases(info: &Info<'_>, config: &[(String, String)], sheet: &mut Sheet) {
    let asked = |key: &str| {
        let found = config.iter().find(|(name, _)| name == key);
        found.and_then(|(_, value)| value.parse::<f64>().ok())
    };
    for (key, name, help) in [
        (
            "maxclients",
            "redis_config_maxclients",
            "The configured limit of connections.",
        ),
        (
            "maxmemory",
            "redis_config_maxmemory",
            "The configured limit on memory in bytes; 0 is none.",
        ),
        (
            "io-threads",
            "redis_config_io_threads",
            "The configured threads for input and output.",
        ),
    ] {
        if let Some(value) = asked(key).filter(|value| value.is_finite()) {
            sheet.single(name, help, Kind::Gauge, value);
        }
    }
    let mut all: BTreeMap<u32, Option<Fields<'_>>> = BTreeMap::new();
    let configured = asked("databases").unwrap_or(0.0) as u32;
    all.extend((0..configured.min(MOST_EMPTY)).map(|number| (number, None)));
    all.extend(
        info.databases
            .iter()
            .map(|(at, fields)| (*at, Some(*fields))),
    );
    for (number, fields) in all {
        let name = format!("db{number}");
        let field = |key| match fields {
            Some(fields) => fields.number(key),
            None => Some(0.0),
        };
        let mut put = |family, help, value| {
            if let Some(value) = value {
                sheet
                    .family(family, help, Kind::Gauge)
                    .sample(&[("db", &name)], value);
            }
        };
        put("redis_db_keys", "Keys in the database.", field("keys"));
        put(
            "redis_db_keys_expiring",
            "Keys in the database that will expire.",
            field("expires"),
        );
        // An empty database has no average.
        let ttl = fields.and_then(|fields| fields.number("avg_ttl"));
        put(
            "redis_db_avg_ttl_seconds",
            "Mean time until keys of the database expire, reckoned; 0 when unknown.",
            ttl.map(|millis| millis / 1e3),
        );
    }
}

fn commands(info: &Info<'_>, sheet: &mut Sheet) {
    for (name, help, field, scale) in [
        (
            "redis_commands_total",
            "Calls of the command.",
            "calls",
            1.0,
        ),
        (
            "redis_commands_duration_seconds_total",
            "Time spent in the command.",
            "usec",
            1e6,
        ),
        (
            "redis_commands_failed_calls_total",
            "Calls of the command that failed while they were executed.",
            "failed_calls",
            1.0,
        ),
        (
            "redis_commands_rejected_calls_total",
            "Calls of the command that were turned away before.",
            "rejected_calls",
            1.0,
        ),
    ] {
        for (command, fields) in &info.commands {
            if let Some(value) = fields.number(field) {
                sheet
                    .family(name, help, Kind::Counter)
                    .sample(&[("cmd", command)], value / scale);
            }
        }
    }
}

fn latencies(info: &Info<'_>, sheet: &mut Sheet) {
    for (command, fields) in &info.latencies {
        let help = "Microseconds that calls of the command took.";
        let mut family = sheet.family("redis_latency_percentiles_usec", help, Kind::Summary);
        for (quantile, field) in [("50", "p50"), ("99", "p99"), ("99.9", "p99.9")] {
            if let Some(value) = fields.number(field) {
                family.sample(&[("cmd", command), ("quantile", quantile)], value);
            }
        }
        if let Some(stats) = info.commands.get(command)
            && let (Some(sum), Some(count)) = (stats.number("usec"), stats.number("calls"))
        {
            family.suffixed("_sum", &[("cmd", command)], sum);
            family.suffixed("_count", &[("cmd", command)], count);
        }
    }
}

fn replication(info: &Info<'_>, sheet: &mut Sheet) {
    let mut seen = BTreeSet::new();
    for fields in info.replicas.values().rev() {
        let text = |key| fields.text(key).unwrap_or_default();
        let labels = [
            ("slave_ip", text("ip")),
            ("slave_port", text("port")),
            ("slave_state", text("state")),
        ];
        // One that has come back stands there twice until its old connection is given up;
        // the new one comes last.
        if !seen.insert(labels) {
            continue;
        }
        for (field, name, help) in [
            (
                "offset",
                "redis_connected_slave_offset_bytes",
                "How far the replica has come in the stream of changes.",
            ),
            (
                "lag",
                "redis_connected_slave_lag_seconds",
                "Time since the replica last told how far it is.",
            ),
        ] {
            if let Some(value) = fields.number(field) {
                sheet.family(name, help, Kind::Gauge).sample(&labels, value);
            }
        }
    }
    let Some(host) = info.text("master_host") else {
        return;
    };
    let port = info.text("master_port").unwrap_or_default();
    let master = [("master_host", host), ("master_port", port)];
    for (key, name, help) in [
        (
            "master_link_status",
            "redis_master_link_up",
            "Whether this replica is connected to its master.",
        ),
        (
            "master_last_io_seconds_ago",
            "redis_master_last_io_seconds_ago",
            "Seconds since the master was last heard of; -1 while not connected.",
        ),
        (
            "master_sync_in_progress",
            "redis_master_sync_in_progress",
            "Whether this replica is being copied from its master.",
        ),
        (
            "slave_repl_offset",
            "redis_slave_repl_offset",
            "How far this replica has come in the stream of changes.",
        ),
    ] {
        if let Some(value) = info.number(key) {
            sheet.family(name, help, Kind::Gauge).sample(&master, value);
        }
    }
    let read_only = info.text("slave_read_only").unwrap_or_default();
    let labels = [master[0], master[1], ("read_only", read_only)];
    sheet
        .family("redis_slave_info", "Whose replica this is.", Kind::Gauge)
        .sample(&labels, 1.0);
}

/// What is not in INFO.
fn beside(answers: &Answers, sheet: &mut Sheet) {
    if let Some(slow) = &answers.slow {
        for (name, help, value) in [
            (
                "redis_slowlog_length",
                "Entries in the log of slow commands.",
                slow.length as f64,
            ),
            (
                "redis_slowlog_last_id",
                "Number of the latest slow command.",
                slow.last_id as f64,
            ),
            (
                "redis_last_slow_execution_duration_seconds",
                "How long the latest slow command took.",
                slow.last_micros as f64 / 1e6,
            ),
        ] {
            sheet.single(name, help, Kind::Gauge, value);
        }
    }
    let mut seen = BTreeSet::new();
    for spike in answers.spikes.iter().take(MOST_SPIKES) {
        if !seen.insert(&spike.event) {
            continue;
        }
        let event = [("event_name", spike.event.as_str())];
        sheet
            .family(
                "redis_latency_spike_last",
                "When the latest latency spike was.",
                Kind::Gauge,
            )
            .sample(&event, spike.at as f64);
        sheet
            .family(
                "redis_latency_spike_duration_seconds",
                "How long the latest latency spike was.",
                Kind::Gauge,
            )
            .sample(&event, spike.millis as f64 / 1e3);
    }
}
