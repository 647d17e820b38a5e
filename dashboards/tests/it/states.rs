//! Pages as they occur, shared by the tests and by `examples/preview.rs`.

use dashboards::fact::{Trend, Unit};
use dashboards::page::*;
use dashboards::time::Zone;

use crate::trouble::{first_minute, hostile, many, sev1, stale, typical};

/// 2026-08-23 03:06:14 in Berlin.
pub(crate) const NOW: i64 = 1_787_447_174_000;
pub(crate) const MINUTE: i64 = 60_000;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;
const GIB: u64 = 1 << 30;

/// The zone of the examples, independent of the machine.
pub(crate) fn berlin() -> Zone {
    let rules = jiff::tz::TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3");
    rules.map_or_else(|_| Zone::default(), Zone)
}

/// Every state by name.
pub(crate) fn all() -> Vec<(&'static str, Now)> {
    vec![
        ("well", well()),
        ("sev1", sev1()),
        ("typical", typical()),
        ("many", many()),
        ("first-minute", first_minute()),
        ("stale", stale()),
        ("hostile", hostile()),
    ]
}

/// A wave without chance, so that golden files do not change.
pub(crate) fn wave(name: &str, unit: Unit, middle: f64, swing: f64) -> Trend {
    let points = (0..180).map(|at| {
        let at = f64::from(at);
        middle + swing * ((at / 11.0).sin() * 0.6 + (at / 3.7).sin() * 0.4)
    });
    Trend {
        name: name.into(),
        unit,
        points: points.collect(),
        end_ms: NOW,
        step_ms: MINUTE,
        limit: None,
    }
}

pub(crate) fn service(name: &str, health: Health) -> Service {
    Service {
        project: "shop".into(),
        name: name.into(),
        health,
        since_ms: Some(NOW - 12 * DAY),
        ..Service::default()
    }
}

fn usage(used_bytes: u64, total_bytes: u64, trend: Option<Trend>) -> Usage {
    Usage {
        used_bytes,
        total_bytes,
        trend,
    }
}

/// Nothing needs anybody.
pub(crate) fn well() -> Now {
    let services = [
        ("api", Health::Healthy),
        ("beat", Health::None),
        ("caddy", Health::None),
        ("db", Health::Healthy),
        ("flower", Health::None),
        ("mailer", Health::Healthy),
        ("redis", Health::Healthy),
        ("web", Health::Healthy),
        ("worker", Health::None),
    ];
    let part = |name: &str, latency_ms| Dependency {
        name: name.into(),
        status: Status::Ok,
        latency_ms: Some(latency_ms),
        since_ms: Some(NOW - 12 * DAY),
        detail: String::new(),
    };
    let target = |job: &str, instance: &str, duration_ms| Target {
        job: job.into(),
        instance: instance.into(),
        up: Some(true),
        last_ms: Some(NOW - 4_000),
        duration_ms: Some(duration_ms),
        error: String::new(),
    };
    let found = |kind: &str, present, detail: &str, evidence: &str| Found {
        kind: kind.into(),
        present,
        detail: detail.into(),
        evidence: evidence.into(),
    };
    Now {
        host: "vps1".into(),
        version: "0.1.0".into(),
        now_ms: NOW,
        zone: berlin(),
        started_ms: NOW - 12 * DAY,
        data_ms: Some(NOW - 4_000),
        stale_after_ms: 30_000,
        services: services.map(|(name, health)| service(name, health)).into(),
        facts: HostFacts {
            cpu: Some(Cpu {
                busy: 0.12,
                cores: 2,
                trend: Some(wave("CPU busy", Unit::Ratio, 0.14, 0.1)),
            }),
            memory: Some(usage(
                26 * GIB / 10,
                38 * GIB / 10,
                Some(wave("memory in use", Unit::Ratio, 0.66, 0.04)),
            )),
            swap: None,
            disks: vec![Disk {
                mount: "/".into(),
                usage: usage(53 * GIB, 75 * GIB, None),
                full_at_ms: Some(NOW + 19 * DAY),
                ..Disk::default()
            }],
            load: Some(Load {
                one: 0.42,
                five: 0.5,
                fifteen: 0.48,
                trend: Some(wave("load", Unit::None, 0.6, 0.4)),
            }),
            pressure: ["cpu", "memory", "io"]
                .map(|resource| Pressure {
                    resource: resource.into(),
                    waiting: 0.004,
                    trend: Some(wave(
                        &format!("{resource} pressure"),
                        Unit::Ratio,
                        0.02,
                        0.02,
                    )),
                })
                .into(),
            boot_ms: Some(NOW - 12 * DAY - 4 * MINUTE),
        },
        targets: vec![
            target("host", "vps1", 3.1),
            target("container", "vps1", 41.7),
            target("belfry", "127.0.0.1:9911", 0.8),
        ],
        found: vec![
            found(
                "host",
                true,
                "Debian 12, arm64, 2 cores, 3.8 GiB",
                "/etc/os-release, /proc/meminfo",
            ),
            found(
                "docker",
                true,
                "29.1, 9 containers",
                "answers at /var/run/docker.sock",
            ),
            found(
                "compose",
                true,
                "shop: 9 services",
                "label com.docker.compose.project on 9 containers",
            ),
            found(
                "postgres",
                true,
                "16.4 in shop-db-1",
                "image postgres:16, port 5432",
            ),
            found(
                "redis",
                true,
                "7.4 in shop-redis-1",
                "image redis:7, port 6379",
            ),
            found(
                "celery",
                true,
                "worker, beat",
                "command line `celery -A shop worker`",
            ),
            found(
                "proxy",
                false,
                "",
                "no caddy, nginx, traefik or haproxy among processes and images",
            ),
        ],
        mail: MailHealth {
            configured: true,
            server: "smtp.example.org:587".into(),
            to: vec!["ops@example.org".into()],
            accepted_ms: Some(NOW - 2 * DAY),
            reply: "250 2.0.0 queued as 4F21".into(),
            ..MailHealth::default()
        },
        watch: vec![
            part("docker", 6.2),
            part("store", 0.1),
            part("state", 0.4),
            part("rules", 1.9),
        ],
        changes: vec![Change {
            at_ms: NOW - 2 * DAY,
            what: "DiskFilling ended after 3 h 20".into(),
        }],
        ..Now::default()
    }
}
