//! Pages as they occur, shared by the tests and by `examples/preview.rs`.

use dashboards::fact::{Event, Fault, Runbook, Severity, Trend, Unit};
use dashboards::page::*;
use dashboards::time::Zone;

/// 2026-08-23 03:06:14 in Berlin.
pub(crate) const NOW: i64 = 1_787_447_174_000;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
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

fn service(name: &str, health: Health) -> Service {
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

/// What a reader is told to do.
pub(crate) fn runbook() -> Runbook {
    Runbook {
        name: "api-down".into(),
        url: "https://example.org/runbooks/api-down".into(),
        steps: vec![
            "`cd ~/apps/shop && docker compose ps api`".into(),
            "`docker compose logs --tail=50 api`".into(),
            "last good image: `IMAGE_TAG=a1b2 docker compose up -d api`".into(),
        ],
        steps_total: 9,
    }
}

fn labels(pairs: &[(&str, &str)]) -> std::collections::BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).into(), (*value).into()))
        .collect()
}

fn api_down() -> Card {
    let mut trend = wave("healthy containers", Unit::None, 2.0, 0.0);
    trend
        .points
        .iter_mut()
        .rev()
        .take(5)
        .for_each(|point| *point = 0.0);
    trend.limit = Some(1.0);
    Card {
        id: "1f22d4349600ca25".into(),
        name: "ApiDown".into(),
        severity: Severity::Critical,
        summary: "api is down: 0 of 2 containers healthy".into(),
        description: "shop-api-1 and shop-api-2 exited with code 1, three times each since 02:59."
            .into(),
        impact: "Every site answers 502.".into(),
        since_ms: Some(NOW - 4 * MINUTE - 4_000),
        value: "0 of 2 healthy".into(),
        limit: "at least 1".into(),
        trend: Some(trend),
        hides: 4,
        owner: "ops@example.org".into(),
        next: Some(Event {
            what: "mail again".into(),
            at_ms: NOW + 56 * MINUTE,
        }),
        labels: labels(&[
            ("alertname", "ApiDown"),
            ("severity", "critical"),
            ("project", "shop"),
            ("service", "api"),
        ]),
        runbook: Some(runbook()),
        muted: String::new(),
    }
}

fn disk_filling() -> Card {
    Card {
        id: "2".into(),
        name: "DiskFilling".into(),
        severity: Severity::Warning,
        summary: "disk / is 71 % full and fills up in about 19 days".into(),
        since_ms: Some(NOW - 2 * DAY),
        value: "71 %, 53 of 75 GiB".into(),
        limit: "70 %".into(),
        owner: "ops@example.org".into(),
        next: Some(Event {
            what: "mail again".into(),
            at_ms: NOW + 3 * HOUR,
        }),
        labels: labels(&[
            ("alertname", "DiskFilling"),
            ("severity", "warning"),
            ("mountpoint", "/"),
        ]),
        ..Card::default()
    }
}

fn nobody_watches() -> Card {
    Card {
        id: "outside".into(),
        name: "NobodyWatches".into(),
        severity: Severity::Info,
        summary: "Nobody watches this host from outside".into(),
        description: "If it dies, nobody is told. Give a dead-man URL in belfry.yml.".into(),
        ..Card::default()
    }
}

/// One critical alert, services down, everything a card can say.
pub(crate) fn sev1() -> Now {
    let mut now = well();
    now.cards = vec![nobody_watches(), disk_filling(), api_down()];
    now.services[0] = Service {
        state: State::Exited,
        exit_code: Some(1),
        restarts: 3,
        since_ms: Some(NOW - 4 * MINUTE),
        ..service("api", Health::None)
    };
    now.services[8] = Service {
        state: State::Missing,
        since_ms: None,
        ..service("worker", Health::None)
    };
    now.services[7].health = Health::Starting;
    now.pending = vec![Pending {
        name: "CeleryQueueStuck".into(),
        summary: "celery queue has not moved for 6 min".into(),
        severity: Severity::Critical,
        since_ms: NOW - 6 * MINUTE,
        fires_at_ms: NOW + 9 * MINUTE,
    }];
    now.targets.push(Target {
        job: "api".into(),
        instance: "http://shop-api-1:8000/metrics".into(),
        up: Some(false),
        last_ms: Some(NOW - 6_000),
        duration_ms: Some(10_000.0),
        error: "no connection: connection refused (os error 111)".into(),
    });
    now.changes.insert(
        0,
        Change {
            at_ms: NOW - 8 * MINUTE,
            what: "api: image a1b2 -> c3d4".into(),
        },
    );
    now
}

/// 30 containers and 10 alerts.
pub(crate) fn typical() -> Now {
    let mut now = sev1();
    for at in 0..7 {
        let mut card = disk_filling();
        card.id = format!("disk{at}");
        card.trend = Some(wave("disk in use", Unit::Ratio, 0.7, 0.02));
        card.description = "At the pace of the last six hours it is full in 19 days.".into();
        now.cards.push(card);
    }
    for at in 0..21 {
        now.services.push(Service {
            project: String::new(),
            ..service(&format!("tool-{at}"), Health::Healthy)
        });
    }
    now
}

/// Far too much of everything.
pub(crate) fn many() -> Now {
    let mut now = sev1();
    for at in 0..500 {
        let mut card = if at % 5 == 0 {
            api_down()
        } else {
            disk_filling()
        };
        card.id = format!("many{at}");
        card.summary = format!("{} (number {at})", card.summary);
        now.cards.push(card);
    }
    for at in 0..200 {
        let state = if at % 4 == 0 {
            State::Restarting
        } else {
            State::Running
        };
        now.services.push(Service {
            state,
            restarts: at,
            ..service(&format!("replica-{at}"), Health::None)
        });
    }
    for at in 0..200 {
        now.targets.push(Target {
            job: "many".into(),
            instance: format!("10.0.0.{at}:9100"),
            up: Some(true),
            ..Target::default()
        });
    }
    now.mail.failing = Some(Fault {
        text: "535 5.7.8 authentication failed".into(),
        since_ms: NOW - 20 * MINUTE,
    });
    now.mail.waiting = 3;
    now.reload_error = Some(Fault {
        text: "belfry.yml:61:5: unknown key `smpt`, did you mean `smtp`?".into(),
        since_ms: NOW - 2 * HOUR,
    });
    now
}

/// Six seconds after the first start.
pub(crate) fn first_minute() -> Now {
    Now {
        host: "vps1".into(),
        version: "0.1.0".into(),
        now_ms: NOW,
        zone: berlin(),
        started_ms: NOW - 6_000,
        stale_after_ms: 30_000,
        ..Now::default()
    }
}

/// Readings stopped coming in four minutes ago.
pub(crate) fn stale() -> Now {
    let mut now = sev1();
    now.cards.retain(|card| card.severity != Severity::Critical);
    now.data_ms = Some(NOW - 4 * MINUTE);
    now.watch[0].status = Status::Down;
    now.watch[0].detail = "no answer within 5 s".into();
    now
}

/// Everything that others write is an attack.
pub(crate) fn hostile() -> Now {
    let attack = "\"><script>alert(1)</script><img src=x onerror=alert(2)>' style='color:red\r\nSet-Cookie: a=b \u{202e}txet desrever\u{202c} {{host}} \u{0}\u{1b}[31m";
    let long = "x".repeat(10_240);
    let mut now = sev1();
    now.host = format!("vps1{attack}");
    for card in &mut now.cards {
        card.id = attack.into();
        card.summary = format!("{attack} {long}");
        card.description = format!("{attack}\n\n{long}");
        card.impact = attack.into();
        card.value = attack.into();
        card.limit = long.clone();
        card.owner = attack.into();
        card.labels = labels(&[
            ("alertname", attack),
            ("long", &long),
            ("<b>name</b>", "value"),
            ("rtl", "\u{202e}gnp.exe"),
        ]);
        card.runbook = Some(Runbook {
            name: attack.into(),
            url: "javascript:alert(1)".into(),
            steps: vec![format!("`{attack}`"), long.clone()],
            steps_total: 2,
        });
    }
    for service in &mut now.services {
        service.project = attack.into();
        service.name = format!("{}{attack}", service.name);
    }
    now.targets[3].error = format!("{attack}{long}");
    now.found[0].detail = attack.into();
    now.mail.reply = attack.into();
    now.changes[0].what = attack.into();
    now.pending[0].summary = attack.into();
    now.facts.disks[0].mount = attack.into();
    now.reload_error = Some(Fault {
        text: attack.into(),
        since_ms: NOW,
    });
    now
}
