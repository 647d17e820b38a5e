//! The mail in words, for the text and the HTML part alike.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Hidden, Kind, Mail, MailAlert, subject};
use crate::fact::{CONTEXTS, Runbook, Severity, Then, Trend};
use crate::{amount, spark, time, untrusted};

/// Alerts told in full; of the rest the mail counts names.
const WHOLE: usize = 20;
/// Names that are counted.
const NAMES: usize = 30;
/// Of what is hidden, so many of a name are told apart.
const ABOUT: usize = 10;
const LABELS: usize = 16;
const STEPS: usize = 5;
/// Width of a line of blocks.
const BLOCKS: usize = 36;

/// What the mail templates print.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    subject: String,
    colour: &'static str,
    mark: &'static str,
    sentence: String,
    single: bool,
    test: bool,
    alerts: Vec<ShownAlert>,
    more: usize,
    rest: Vec<String>,
    hidden: String,
    changed: String,
    before: String,
    next: String,
    why: String,
    look: Look,
    version: String,
    written: String,
}

#[derive(Debug, Serialize)]
struct ShownAlert {
    number: usize,
    mark: &'static str,
    colour: &'static str,
    summary: String,
    since: String,
    impact: String,
    description: String,
    value: String,
    limit: String,
    labels: String,
    ack: String,
    trends: Vec<Line>,
    steps: Option<Steps>,
    runbook: String,
    context: Option<Then>,
}

#[derive(Debug, Serialize)]
struct Line {
    name: String,
    blocks: String,
    last: String,
    span: String,
}

#[derive(Debug, Serialize)]
struct Steps {
    title: String,
    list: Vec<Step>,
}

#[derive(Debug, Serialize)]
struct Step {
    number: usize,
    text: String,
}

#[derive(Debug, Default, Serialize)]
struct Look {
    url: String,
    ssh: String,
    local: String,
    ack: String,
}

pub(super) fn show(mail: &Mail) -> Shown {
    let mut sorted: Vec<&MailAlert> = mail.alerts.iter().collect();
    // What the reader does not know yet comes first, what is over last.
    sorted.sort_by_key(|alert| (alert.resolved, mail.kind == Kind::New && !alert.new));
    let (whole, rest) = sorted.split_at(sorted.len().min(WHOLE));
    let mut told = BTreeSet::new();
    let alerts = whole.iter().enumerate();
    Shown {
        subject: subject::subject(mail),
        colour: colour(
            subject::severity(mail),
            mail.kind == Kind::Resolved || mail.kind == Kind::Test,
        ),
        mark: match mail.kind {
            Kind::Resolved => "OK",
            Kind::Test => "TEST",
            _ => subject::severity(mail).mark(),
        },
        sentence: subject::sentence(mail),
        single: mail.alerts.len() == 1,
        test: mail.kind == Kind::Test,
        alerts: alerts
            .map(|(at, alert)| shown(at + 1, alert, mail, &mut told))
            .collect(),
        more: rest.len(),
        rest: counted(rest.iter().map(|alert| (alert.name.as_str(), 1))),
        hidden: hidden(mail),
        changed: untrusted::line(&mail.changed, 300),
        before: match mail.mails_before {
            0 => String::new(),
            sent => format!(
                "{} about this before this one",
                amount::count(sent as usize, "mail")
            ),
        },
        next: crate::fact::events(mail.next.iter().chain(&mail.then), mail.now_ms, &mail.zone)
            .unwrap_or_default(),
        why: why(mail),
        look: look(mail),
        version: untrusted::line(&mail.version, 40),
        written: time::full(mail.now_ms, &mail.zone),
    }
}

fn shown(number: usize, alert: &MailAlert, mail: &Mail, told: &mut BTreeSet<String>) -> ShownAlert {
    let summary = if alert.summary.trim().is_empty() {
        &alert.name
    } else {
        &alert.summary
    };
    // The steps of a runbook are told once, however many alerts name it.
    let first = alert
        .runbook
        .as_ref()
        .filter(|runbook| !alert.resolved && told.insert(runbook.name.clone()));
    ShownAlert {
        number,
        mark: if alert.resolved {
            "OK"
        } else {
            alert.severity.mark()
        },
        colour: colour(alert.severity, alert.resolved),
        summary: untrusted::line(summary, 240),
        since: since(alert, mail),
        impact: if alert.resolved {
            String::new()
        } else {
            untrusted::line(&alert.impact, 300)
        },
        description: untrusted::block(&alert.description, 1000),
        value: untrusted::line(&alert.value, 80),
        limit: untrusted::line(&alert.limit, 80),
        labels: labels(&alert.labels),
        ack: alert.ack.as_ref().map_or_else(String::new, |ack| {
            crate::fact::said(ack, &time::clock(ack.at_ms, mail.now_ms, &mail.zone))
        }),
        trends: lines(&alert.trends),
        steps: first.and_then(steps),
        runbook: alert
            .runbook
            .as_ref()
            .map_or(String::new(), |runbook| untrusted::link(&runbook.url)),
        context: (alert.context.as_ref())
            .filter(|_| !alert.resolved && number <= CONTEXTS)
            .map(|it| it.shown(time::clock(it.at_ms, mail.now_ms, &mail.zone))),
    }
}

fn since(alert: &MailAlert, mail: &Mail) -> String {
    let clock = |ms| time::clock(ms, mail.now_ms, &mail.zone);
    let began = clock(alert.started_ms);
    match (alert.resolved, alert.ended_ms) {
        (true, Some(ended)) => {
            let took = time::duration(ended - alert.started_ms);
            format!("From {began} to {} ({took})", clock(ended))
        }
        (true, None) => format!("Since {began}, now over"),
        (false, _) => {
            let age = time::duration(mail.now_ms - alert.started_ms);
            let new = if alert.new && mail.kind == Kind::New {
                ", new"
            } else {
                ""
            };
            format!("Since {began} ({age}{new})")
        }
    }
}

fn labels(labels: &BTreeMap<String, String>) -> String {
    let shown = labels.iter().filter(|(name, _)| *name != "severity");
    let mut out: Vec<String> = shown
        .take(LABELS)
        .map(|(name, value)| {
            format!(
                "{}={}",
                untrusted::line(name, 60),
                untrusted::line(value, 120)
            )
        })
        .collect();
    if labels.len() > LABELS + 1 {
        out.push(format!("and {} more", labels.len() - LABELS - 1));
    }
    out.join("  ")
}

fn lines(trends: &[Trend]) -> Vec<Line> {
    let mut lines: Vec<Line> = trends.iter().take(4).filter_map(line).collect();
    let widths = lines.iter().map(|line| line.name.chars().count());
    let widest = widths.max().unwrap_or(0).max(6);
    for line in &mut lines {
        line.name = format!("{:widest$}", line.name);
    }
    lines
}

fn line(trend: &Trend) -> Option<Line> {
    let blocks = spark::blocks(trend, BLOCKS);
    let last = trend.points.iter().rev().find(|value| value.is_finite())?;
    Some(Line {
        name: untrusted::line(&trend.name, 18),
        blocks,
        last: amount::value(*last, trend.unit),
        span: spark::span(trend),
    })
}

fn steps(runbook: &Runbook) -> Option<Steps> {
    let shown = runbook.steps.len().min(STEPS);
    let step = |(at, text): (usize, &String)| Step {
        number: at + 1,
        text: untrusted::line(&text.replace('`', ""), 300),
    };
    (shown > 0).then(|| Steps {
        title: format!(
            "runbook {}, {}",
            untrusted::line(&runbook.name, 60),
            runbook.extent(shown)
        ),
        list: runbook
            .steps
            .iter()
            .take(shown)
            .enumerate()
            .map(step)
            .collect(),
    })
}

/// `4 (3 x SiteDown: blog, docs, shop; 1 x ProbeSlow: shop)`
fn hidden(mail: &Mail) -> String {
    let total: usize = mail.hidden.iter().map(|hidden| hidden.count).sum();
    if total == 0 {
        return String::new();
    }
    let mut sorted: Vec<_> = mail.hidden.iter().collect();
    sorted.sort_by_key(|hidden| std::cmp::Reverse(hidden.count));
    let more = sorted.len().saturating_sub(NAMES);
    let mut out: Vec<String> = sorted.into_iter().take(NAMES).map(about).collect();
    if more > 0 {
        out.push(format!("and {}", amount::count(more, "other name")));
    }
    format!("{total} ({})", out.join("; "))
}

fn about(hidden: &Hidden) -> String {
    let name = untrusted::line(&hidden.name, 60);
    let mut about = hidden.about.iter();
    let mut out: Vec<String> = about
        .by_ref()
        .take(ABOUT)
        .map(|about| untrusted::line(about, 60))
        .collect();
    match about.len() {
        0 => {}
        more => out.push(format!("and {more} more")),
    }
    let parted = if out.is_empty() { "" } else { ": " };
    format!("{} x {name}{parted}{}", hidden.count, out.join(", "))
}

/// `480 x ApiDown`, the most frequent first.
fn counted<'a>(names: impl Iterator<Item = (&'a str, usize)>) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, count) in names {
        *counts.entry(name).or_default() += count;
    }
    let mut sorted: Vec<_> = counts.into_iter().collect();
    sorted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let more = sorted.len().saturating_sub(NAMES);
    let mut out: Vec<String> = sorted
        .into_iter()
        .take(NAMES)
        .map(|(name, count)| format!("{count} x {}", untrusted::line(name, 60)))
        .collect();
    if more > 0 {
        out.push(format!("and {}", amount::count(more, "other name")));
    }
    out
}

fn why(mail: &Mail) -> String {
    let why = &mail.why;
    let rule = untrusted::line(&why.rule, 80);
    let route = untrusted::line(&why.route, 120);
    let way = [
        if rule.is_empty() {
            rule
        } else {
            format!("rule {rule}")
        },
        if route.is_empty() {
            route
        } else {
            format!("route {route}")
        },
        untrusted::line(&why.receiver, 120),
    ];
    let way: Vec<_> = way.into_iter().filter(|part| !part.is_empty()).collect();
    way.join(" -> ")
}

/// Where the reader can take it on.
fn ack(base: &str, mail: &Mail) -> String {
    match &*mail.links.ack {
        _ if matches!(mail.kind, Kind::Resolved | Kind::Test) => String::new(),
        "" => String::new(),
        path => untrusted::link(&format!("{base}{path}")),
    }
}

fn look(mail: &Mail) -> Look {
    let url = untrusted::link(&mail.links.public_url);
    if !url.is_empty() {
        return Look {
            ack: ack(url.trim_end_matches('/'), mail),
            url,
            ..Look::default()
        };
    }
    let port = mail.links.local_port;
    if port == 0 {
        return Look::default();
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    let named =
        !mail.host.is_empty() && !mail.host.starts_with('-') && mail.host.chars().all(plain);
    // This line is made to be pasted into a shell.
    let host = if named { mail.host.as_str() } else { "HOST" };
    Look {
        url,
        ssh: format!("ssh -L {port}:127.0.0.1:{port} {host}"),
        local: format!("http://localhost:{port}/"),
        ack: ack(&format!("http://localhost:{port}"), mail),
    }
}

/// Dark enough for white letters on it.
fn colour(severity: Severity, over: bool) -> &'static str {
    match severity {
        _ if over => "#1d6034",
        Severity::Critical => "#b3161d",
        Severity::Warning => "#7d4a00",
        Severity::Info => "#1c4f8f",
    }
}
