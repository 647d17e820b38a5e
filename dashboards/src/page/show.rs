//! The whole page in words.

use serde::Serialize;

use super::cards::{self, Cards, Waiting};
use super::host::{self, Meter};
use super::probes::{self, Probes};
use super::sentence::{self, Verdict};
use super::services::{self, Group};
use super::shown::Moment;
use super::watch::{self, Discovery, Health, Targets};
use super::watched::{self, List};
use super::{Fault, Now};
use crate::fact::Severity;
use crate::{assets, time, untrusted};

/// Lines of "what changed lately".
const CHANGES: usize = 12;

/// What `page.hbs` prints.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    style: &'static str,
    script: &'static str,
    icon: &'static str,
    title: String,
    host: String,
    version: String,
    now_ms: i64,
    clock: Stamp,
    verdict: &'static str,
    lead: String,
    rest: String,
    stale: bool,
    data: Option<Moment>,
    started: Moment,
    notices: Vec<Notice>,
    cards: Cards,
    pending: Vec<Waiting>,
    services: Vec<Group>,
    services_note: String,
    sites: Option<List>,
    probes: Option<Probes>,
    heartbeats: Option<List>,
    peers: Option<List>,
    meters: Vec<Meter>,
    boot: Option<Moment>,
    targets: Targets,
    found: Discovery,
    health: Health,
    changes: Vec<Happened>,
}

#[derive(Debug, Serialize)]
struct Stamp {
    machine: String,
    full: String,
}

/// Something about the page itself that must be known before the rest is read.
#[derive(Debug, Serialize)]
struct Notice {
    key: &'static str,
    icon: &'static str,
    text: &'static str,
    since: Option<Moment>,
    reason: String,
}

#[derive(Debug, Serialize)]
struct Happened {
    at: Moment,
    what: String,
}

pub(super) fn show(now: &Now) -> Shown {
    let verdict = sentence::verdict(now);
    let host = untrusted::line(&now.host, 80);
    let (lead, rest) = sentence::sentence(now);
    Shown {
        style: assets::url("belfry.css"),
        script: assets::url("belfry.js"),
        icon: assets::url("belfry.svg"),
        title: format!("{} · {host}", title(now, verdict)),
        host,
        version: untrusted::line(&now.version, 40),
        now_ms: now.now_ms,
        clock: Stamp {
            machine: time::machine(now.now_ms),
            full: time::full(now.now_ms, &now.zone),
        },
        verdict: verdict.class(),
        lead,
        rest,
        stale: sentence::stale_ms(now).is_some(),
        data: now.data_ms.map(|ms| Moment::new(ms, now)),
        started: Moment::new(now.started_ms, now),
        notices: notices(now),
        cards: cards::cards(now),
        pending: cards::pending(now),
        services: services::groups(now),
        services_note: services_note(now),
        sites: watched::sites(now),
        probes: probes::probes(now),
        heartbeats: watched::heartbeats(now),
        peers: watched::peers(now),
        meters: host::meters(now),
        boot: now.facts.boot_ms.map(|ms| Moment::new(ms, now)),
        targets: watch::targets(now),
        found: watch::found(now),
        health: watch::health(now),
        changes: changes(now),
    }
}

/// For the tab: what is worst, in two words.
fn title(now: &Now, verdict: Verdict) -> String {
    let critical = sentence::firing(now, Severity::Critical);
    match verdict {
        Verdict::Critical => format!("{critical} critical"),
        Verdict::Warning => "Warning".into(),
        Verdict::Fine => "All is well".into(),
        Verdict::Unknown if now.data_ms.is_some() => "Old data".into(),
        Verdict::Unknown => "Starting".into(),
    }
}

fn notices(now: &Now) -> Vec<Notice> {
    let notice = |key, icon, text, fault: &Fault| Notice {
        key,
        icon,
        text,
        since: Some(Moment::new(fault.since_ms, now)),
        reason: untrusted::line(&fault.text, 400),
    };
    let stale = sentence::stale_ms(now).map(|_| Notice {
        key: "stale",
        icon: "unknown",
        text: "This page is old. Nothing below is newer than",
        since: now.data_ms.map(|ms| Moment::new(ms, now)),
        reason: "No reading has come in since. The last state is shown in grey.".into(),
    });
    let mail = now.mail.failing.as_ref();
    let mail = mail.map(|fault| notice("mail", "critical", "Mail cannot be sent since", fault));
    let reload = now.reload_error.as_ref();
    let reload = reload.map(|fault| {
        notice(
            "reload",
            "warning",
            "The new configuration was refused, the old one still runs. Tried at",
            fault,
        )
    });
    stale.into_iter().chain(mail).chain(reload).collect()
}

/// Why there are no services.
fn services_note(now: &Now) -> String {
    match (now.services_note.is_empty(), now.data_ms) {
        (false, _) => untrusted::line(&now.services_note, 240),
        (true, None) => "Not known yet: the engine has not been read for the first time.".into(),
        (true, Some(_)) => "The engine has no containers, and no compose file declares any.".into(),
    }
}

fn changes(now: &Now) -> Vec<Happened> {
    let mut sorted: Vec<_> = now.changes.iter().collect();
    sorted.sort_by_key(|change| std::cmp::Reverse(change.at_ms));
    let happened = |change: &super::Change| Happened {
        at: Moment::new(change.at_ms, now),
        what: untrusted::line(&change.what, 200),
    };
    sorted.into_iter().take(CHANGES).map(happened).collect()
}
