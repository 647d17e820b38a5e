//! Is the watch itself awake: targets, what was found, mail, dependencies.

use serde::Serialize;

use super::shown::Moment;
use super::{MailHealth, Now, Status, Target};
use crate::{amount, time, untrusted};

/// Rows of a table; what fails comes first, so only good rows are left out.
const ROWS: usize = 30;

/// What is scraped.
#[derive(Debug, Serialize)]
pub(super) struct Targets {
    title: String,
    open: bool,
    rows: Vec<TargetRow>,
    more: usize,
}

#[derive(Debug, Serialize)]
struct TargetRow {
    icon: &'static str,
    word: &'static str,
    job: String,
    instance: String,
    last: Option<Moment>,
    took: Option<String>,
    error: String,
}

pub(super) fn targets(now: &Now) -> Targets {
    let mut sorted: Vec<&Target> = now.targets.iter().collect();
    sorted.sort_by_key(|target| (target.up, &target.job, &target.instance));
    // Not scraped yet sorts before down; down is what matters.
    sorted.sort_by_key(|target| target.up != Some(false));
    let up = sorted
        .iter()
        .filter(|target| target.up == Some(true))
        .count();
    let down = sorted
        .iter()
        .filter(|target| target.up == Some(false))
        .count();
    let total = sorted.len();
    Targets {
        title: match (total, down) {
            (0, _) => "Targets: none".into(),
            (_, 0) => format!("Targets: {up} of {total} up"),
            _ => format!("Targets: {down} of {total} down"),
        },
        open: down > 0,
        more: total.saturating_sub(ROWS),
        rows: sorted
            .into_iter()
            .take(ROWS)
            .map(|target| row(target, now))
            .collect(),
    }
}

fn row(target: &Target, now: &Now) -> TargetRow {
    let (icon, word) = match target.up {
        Some(true) => ("fine", "up"),
        Some(false) => ("critical", "down"),
        None => ("unknown", "not read yet"),
    };
    TargetRow {
        icon,
        word,
        job: untrusted::line(&target.job, 60),
        instance: untrusted::line(&target.instance, 80),
        last: target.last_ms.map(|ms| Moment::new(ms, now)),
        took: target.duration_ms.map(time::latency),
        error: untrusted::line(&target.error, 200),
    }
}

/// What was found at start.
#[derive(Debug, Serialize)]
pub(super) struct Discovery {
    title: String,
    rows: Vec<FoundRow>,
}

#[derive(Debug, Serialize)]
struct FoundRow {
    icon: &'static str,
    word: &'static str,
    kind: String,
    detail: String,
    evidence: String,
}

pub(super) fn found(now: &Now) -> Discovery {
    let there: Vec<String> = now
        .found
        .iter()
        .filter(|found| found.present)
        .map(|found| untrusted::line(&found.kind, 24))
        .collect();
    let mut kinds = there;
    kinds.dedup();
    kinds.truncate(8);
    Discovery {
        title: match (now.found.is_empty(), kinds.is_empty()) {
            (true, _) => "Found at start: still looking".into(),
            (false, true) => "Found at start: nothing".into(),
            _ => format!("Found at start: {}", kinds.join(", ")),
        },
        rows: now
            .found
            .iter()
            .take(ROWS)
            .map(|found| FoundRow {
                icon: if found.present { "fine" } else { "off" },
                word: if found.present { "found" } else { "not found" },
                kind: untrusted::line(&found.kind, 40),
                detail: untrusted::line(&found.detail, 160),
                evidence: untrusted::line(&found.evidence, 200),
            })
            .collect(),
    }
}

/// Mail and the things that Belfry needs.
#[derive(Debug, Serialize)]
pub(super) struct Health {
    mail: Mail,
    title: String,
    open: bool,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Mail {
    icon: &'static str,
    title: &'static str,
    open: bool,
    configured: bool,
    server: String,
    to: String,
    accepted: Option<Moment>,
    reply: String,
    waiting: Option<String>,
    returned: String,
    returned_at: Option<Moment>,
    fault: String,
    fault_since: Option<Moment>,
}

#[derive(Debug, Serialize)]
struct Row {
    icon: &'static str,
    word: &'static str,
    name: String,
    latency: Option<String>,
    since: Option<Moment>,
    detail: String,
}

pub(super) fn health(now: &Now) -> Health {
    let bad = now.watch.iter().filter(|part| part.status.is_bad()).count();
    let total = now
        .watch
        .iter()
        .filter(|part| part.status != Status::Off)
        .count();
    let mut sorted: Vec<_> = now.watch.iter().collect();
    sorted.sort_by_key(|part| part.status.rank());
    Health {
        mail: mail(&now.mail, now),
        title: match (total, bad) {
            (0, _) => "The watch itself: not known yet".into(),
            (_, 0) => format!("The watch itself: {} ok", amount::count(total, "part")),
            _ => format!(
                "The watch itself: {bad} of {} not ok",
                amount::count(total, "part")
            ),
        },
        open: bad > 0,
        rows: sorted
            .into_iter()
            .take(ROWS)
            .map(|part| {
                let (icon, word) = status(part.status);
                Row {
                    icon,
                    word,
                    name: untrusted::line(&part.name, 60),
                    latency: part.latency_ms.map(time::latency),
                    since: part.since_ms.map(|ms| Moment::new(ms, now)),
                    detail: untrusted::line(&part.detail, 200),
                }
            })
            .collect(),
    }
}

fn mail(mail: &MailHealth, now: &Now) -> Mail {
    let (icon, title) = match mail_status(mail) {
        Status::Off => ("warning", "Mail: nobody is mailed"),
        Status::Down => ("critical", "Mail: sending fails"),
        Status::Unknown => ("unknown", "Mail: set up, nothing sent yet"),
        Status::Degraded => ("warning", "Mail: some wait"),
        Status::Ok => ("fine", "Mail: ok"),
    };
    let to: Vec<_> = mail
        .to
        .iter()
        .take(5)
        .map(|to| untrusted::line(to, 80))
        .collect();
    Mail {
        icon,
        title,
        open: mail.failing.is_some(),
        configured: mail.configured,
        server: untrusted::line(&mail.server, 80),
        to: to.join(", "),
        accepted: mail.accepted_ms.map(|ms| Moment::new(ms, now)),
        reply: untrusted::line(&mail.reply, 120),
        waiting: (mail.waiting > 0)
            .then(|| amount::count(mail.waiting.try_into().unwrap_or(usize::MAX), "mail")),
        returned: mail
            .returned
            .as_ref()
            .map_or(String::new(), |fault| untrusted::line(&fault.text, 300)),
        returned_at: mail
            .returned
            .as_ref()
            .map(|fault| Moment::new(fault.since_ms, now)),
        fault: mail
            .failing
            .as_ref()
            .map_or(String::new(), |fault| untrusted::line(&fault.text, 300)),
        fault_since: mail
            .failing
            .as_ref()
            .map(|fault| Moment::new(fault.since_ms, now)),
    }
}

/// How the way by mail is; `Off` when none is configured.
pub(super) fn mail_status(mail: &MailHealth) -> Status {
    match mail {
        _ if !mail.configured => Status::Off,
        _ if mail.failing.is_some() => Status::Down,
        _ if mail.waiting > 20 => Status::Degraded,
        _ if mail.accepted_ms.is_none() => Status::Unknown,
        _ => Status::Ok,
    }
}

/// The shape for it, and the word.
pub(super) fn status(status: Status) -> (&'static str, &'static str) {
    match status {
        Status::Ok => ("fine", "ok"),
        Status::Degraded => ("warning", "degraded"),
        Status::Down => ("critical", "down"),
        Status::Unknown => ("unknown", "not known yet"),
        Status::Off => ("off", "off"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::Fault;
    use crate::page::Dependency;

    #[test]
    fn what_is_down_comes_first_and_opens_the_table() {
        let target = |job: &str, up| Target {
            job: job.into(),
            up,
            ..Target::default()
        };
        let now = Now {
            targets: vec![
                target("a", Some(true)),
                target("b", None),
                target("c", Some(false)),
            ],
            ..Now::default()
        };
        let targets = targets(&now);
        assert_eq!(
            (targets.title.as_str(), targets.open),
            ("Targets: 1 of 3 down", true)
        );
        assert_eq!(targets.rows[0].job, "c");
    }

    #[test]
    fn mail_is_never_called_ok_before_a_server_took_one() {
        let mut mail = MailHealth::default();
        assert_eq!(mail_status(&mail), Status::Off);
        mail.configured = true;
        assert_eq!(mail_status(&mail), Status::Unknown);
        mail.accepted_ms = Some(1);
        assert_eq!(mail_status(&mail), Status::Ok);
        mail.failing = Some(Fault::default());
        assert_eq!(mail_status(&mail), Status::Down);
    }

    #[test]
    fn what_is_switched_off_is_no_fault() {
        let part = |status| Dependency {
            status,
            ..Dependency::default()
        };
        let now = Now {
            watch: vec![part(Status::Ok), part(Status::Off)],
            ..Now::default()
        };
        assert_eq!(health(&now).title, "The watch itself: 1 part ok");
        let now = Now {
            watch: vec![part(Status::Ok), part(Status::Down)],
            ..Now::default()
        };
        assert_eq!(health(&now).title, "The watch itself: 1 of 2 parts not ok");
    }
}
