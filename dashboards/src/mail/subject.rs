//! The subject, and the same fact as the first line of the body.
//!
//! It is read on a lock screen: severity, what, where, in 60 characters where
//! that can be done. A summary such as `api is down: 0 of 2 healthy` is taken
//! apart at `is`, so that "still" and "was down" read as a person would write
//! them.

use super::{Kind, Mail, MailAlert};
use crate::amount::count;
use crate::fact::Severity;
use crate::{time, untrusted};

/// What a lock screen shows.
const WIDTH: usize = 60;
/// No subject is longer, whatever the summary.
const MOST: usize = 120;

/// The subject: one line without control characters.
pub(super) fn subject(mail: &Mail) -> String {
    let (head, tail) = fact(mail);
    let room = WIDTH.saturating_sub(mark(mail).chars().count() + 1);
    let whole = format!("{head}{tail}");
    let text = if whole.chars().count() <= room {
        whole
    } else {
        shorter(&head, &mail.host, room)
    };
    untrusted::line(&format!("{} {text}", mark(mail)), MOST)
}

/// Cut before the host rather than after it: where is part of the fact.
fn shorter(head: &str, host: &str, room: usize) -> String {
    let place = format!(" on {}", untrusted::line(host, 40));
    match head.strip_suffix(&place) {
        Some(what) if head.chars().count() > room => {
            let left = room.saturating_sub(place.chars().count()).max(WIDTH / 3);
            let cut = untrusted::line(what, left);
            let words = cut.rfind(' ').filter(|_| cut.ends_with('…'));
            let words = words.map_or(cut.clone(), |end| format!("{}…", &cut[..end]));
            format!("{words}{place}")
        }
        _ => head.into(),
    }
}

/// The fact in one sentence, for the first line of the body.
pub(super) fn sentence(mail: &Mail) -> String {
    let (head, tail) = fact(mail);
    let capital = head
        .strip_prefix("mail ")
        .filter(|_| mail.kind == Kind::Test);
    match capital {
        Some(rest) => format!("Mail {rest}{tail}."),
        None => format!("{head}{tail}."),
    }
}

/// How bad what is told is: of alerts that join a group, their own severity.
pub(super) fn severity(mail: &Mail) -> Severity {
    let news = firing(mail).filter(|alert| alert.new);
    match mail.kind {
        Kind::New => news
            .map(|alert| alert.severity)
            .min()
            .unwrap_or(mail.severity),
        _ => mail.severity,
    }
}

fn mark(mail: &Mail) -> String {
    let severity = severity(mail).mark();
    match mail.kind {
        Kind::Test => "[TEST]".into(),
        Kind::Resolved => "[OK]".into(),
        Kind::Raised => format!("[{} -> {severity}]", Severity::Warning.mark()),
        Kind::First | Kind::New => format!("[{severity}]"),
        Kind::Repeat => {
            let began = firing(mail).map(|alert| alert.started_ms).min();
            let age = time::duration(mail.now_ms - began.unwrap_or(mail.now_ms));
            let age = age.strip_suffix(" 00").unwrap_or(&age);
            format!("[{severity} · {age}]")
        }
    }
}

/// What must be said, and what may be left out for want of room.
fn fact(mail: &Mail) -> (String, String) {
    let host = untrusted::line(&mail.host, 40);
    if mail.kind == Kind::Test {
        return (
            format!("mail from Belfry on {host} arrives"),
            ", nothing is wrong".into(),
        );
    }
    let told: Vec<&MailAlert> = match mail.kind {
        Kind::Resolved => mail.alerts.iter().collect(),
        Kind::New if mail.alerts.iter().any(|alert| alert.new && !alert.resolved) => {
            firing(mail).filter(|alert| alert.new).collect()
        }
        _ => firing(mail).collect(),
    };
    match (told.as_slice(), mail.kind) {
        ([], _) => (format!("all alerts on {host} have ended"), String::new()),
        ([alert], Kind::Resolved) => over(alert, &host, mail.now_ms),
        ([alert], Kind::Raised) => {
            let (head, tail) = one(alert, Kind::First, &host);
            let age = time::duration(mail.now_ms - alert.started_ms);
            (format!("{head} ({age})"), tail)
        }
        ([alert], kind) => one(alert, kind, &host),
        (all, Kind::Resolved) => {
            let began = all.iter().map(|alert| alert.started_ms).min();
            let ended = all.iter().filter_map(|alert| alert.ended_ms).max();
            let took = ended.unwrap_or(mail.now_ms) - began.unwrap_or(mail.now_ms);
            let ended = format!("ended, took {}", time::duration(took));
            several(
                all,
                &format!("{} on {host} {ended}", count(all.len(), "alert")),
            )
        }
        (all, Kind::New) => several(all, &format!("{} new on {host}", all.len())),
        (all, Kind::Repeat) => several(
            all,
            &format!("{} still on {host}", count(all.len(), "alert")),
        ),
        (all, _) => several(all, &format!("{} on {host}", count(all.len(), "alert"))),
    }
}

fn firing(mail: &Mail) -> impl Iterator<Item = &MailAlert> {
    mail.alerts.iter().filter(|alert| !alert.resolved)
}

/// `3 alerts on vps1: api is down`, ` and 2 more`
fn several(all: &[&MailAlert], how_many: &str) -> (String, String) {
    let summary = all.first().map(|alert| summary(alert)).unwrap_or_default();
    let (first, _) = split(&summary);
    (
        format!("{how_many}: {first}"),
        format!(" and {} more", all.len() - 1),
    )
}

/// `api is still down on vps1`, `: 0 of 2 healthy`
fn one(alert: &MailAlert, kind: Kind, host: &str) -> (String, String) {
    let summary = summary(alert);
    let (head, tail) = split(&summary);
    let head = match (kind, clause(head)) {
        (Kind::Repeat, Some((who, verb, state))) => format!("{who} {verb} still {state}"),
        (Kind::Repeat, None) => format!("still: {head}"),
        _ => head.into(),
    };
    (placed(&head, &summary, host), tail.into())
}

/// `api on vps1, was down 14 min`
fn over(alert: &MailAlert, host: &str, now_ms: i64) -> (String, String) {
    let summary = summary(alert);
    let (head, _) = split(&summary);
    let took = time::duration(alert.ended_ms.unwrap_or(now_ms) - alert.started_ms);
    match clause(head) {
        Some((who, verb, state)) => {
            let was = if verb == "are" { "were" } else { "was" };
            (
                format!("{}, {was} {state} {took}", placed(who, &summary, host)),
                String::new(),
            )
        }
        None => (format!("over on {host} after {took}"), format!(": {head}")),
    }
}

fn summary(alert: &MailAlert) -> String {
    let text = if alert.summary.trim().is_empty() {
        &alert.name
    } else {
        &alert.summary
    };
    untrusted::line(text, 200).trim_end_matches('.').into()
}

/// The summary before and from its first `: `.
fn split(summary: &str) -> (&str, &str) {
    let at = summary.find(": ").unwrap_or(summary.len());
    summary.split_at(at)
}

/// `api is down` as who, verb, state.
fn clause(head: &str) -> Option<(&str, &str, &str)> {
    ["is", "are"].into_iter().find_map(|verb| {
        let (who, state) = head.split_once(&format!(" {verb} "))?;
        Some((who, verb, state))
    })
}

fn placed(text: &str, summary: &str, host: &str) -> String {
    if host.is_empty() || summary.contains(host) {
        text.into()
    } else {
        format!("{text} on {host}")
    }
}

#[cfg(test)]
mod tests;
