//! Pages of hosts in trouble, shared by the tests and by the examples.

use std::collections::BTreeMap;

use dashboards::fact::{Ack, Event, Fault, Runbook, Severity, Unit};
use dashboards::page::*;

use crate::states::{DAY, HOUR, MINUTE, NOW, berlin, service, wave, well};

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
        only_look: false,
    }
}

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
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
        ack_url: "/ack/1f22d4349600ca25".into(),
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
        context: Some(crate::mails::context()),
        muted: String::new(),
        ..Card::default()
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
        ack: Some(Ack {
            by: "kim".into(),
            note: "moving the dumps away".into(),
            at_ms: NOW - DAY,
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
    looked_at(&mut now);
    now.changes.insert(
        0,
        Change {
            at_ms: NOW - 8 * MINUTE,
            what: "api: image a1b2 -> c3d4".into(),
        },
    );
    now
}

/// Probes, sites, heartbeats and peers, some of them down.
fn looked_at(now: &mut Now) {
    let tick = |at: i64, reason: &str| ProbeTick {
        at_ms: NOW - at * 15_000,
        reason: reason.into(),
    };
    let probe = |name: &str, up| Probe {
        name: name.into(),
        ours: true,
        target: format!("https://{name}.example/"),
        up: Some(up),
        since_ms: Some(NOW - 4 * MINUTE),
        turned: true,
        flapping: false,
        detail: if up { "" } else { "the status is 502" }.into(),
        ticks: (0..20)
            .rev()
            .map(|at| tick(at, if up || at > 16 { "" } else { "status" }))
            .collect(),
    };
    now.probes = vec![probe("docs", true), probe("shop", false)];
    let one = |name: &str, status, word: &str, since_ms, detail: &str| Watched {
        name: name.into(),
        status,
        word: word.into(),
        since_ms,
        detail: detail.into(),
    };
    now.sites = vec![
        one("docs", Status::Ok, "up", None, ""),
        one(
            "shop",
            Status::Down,
            "application",
            None,
            "the application itself does not answer well",
        ),
    ];
    now.heartbeats = vec![
        one("agent-web2", Status::Ok, "up", Some(NOW - DAY), ""),
        one("invoices", Status::Off, "paused", Some(NOW - DAY), ""),
        one(
            "mirror",
            Status::Degraded,
            "late",
            Some(NOW - 3 * MINUTE),
            "runs now",
        ),
        one(
            "nightly",
            Status::Down,
            "down",
            Some(NOW - 6 * MINUTE),
            "ended with 1, no space left on device",
        ),
    ];
    now.peers = vec![
        one(
            "vps2",
            Status::Degraded,
            "seen by others only",
            Some(NOW - MINUTE),
            "connect_timeout: 10.8.0.2 does not answer",
        ),
        one("vps3", Status::Ok, "answers", None, ""),
    ];
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
    for at in 0..200 {
        let one = Watched {
            name: format!("beat-{at}"),
            status: Status::Ok,
            word: "up".into(),
            ..Watched::default()
        };
        now.heartbeats.push(one.clone());
        now.sites.push(one.clone());
        now.peers.push(one);
        now.probes.push(Probe {
            name: format!("probe-{at}"),
            ours: true,
            up: Some(true),
            ..Probe::default()
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
            only_look: true,
        });
    }
    for service in &mut now.services {
        service.project = attack.into();
        service.name = format!("{}{attack}", service.name);
    }
    for watched in [&mut now.sites, &mut now.heartbeats, &mut now.peers] {
        for one in watched {
            one.name = format!("{}{attack}{long}", one.name);
            one.word = attack.into();
            one.detail = format!("{attack}{long}");
        }
    }
    for probe in &mut now.probes {
        probe.name = format!("{}{attack}{long}", probe.name);
        probe.target = attack.into();
        probe.detail = format!("{attack}{long}");
        probe.ticks[19].reason = attack.into();
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
