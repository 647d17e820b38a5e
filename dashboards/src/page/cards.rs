//! What fires, worst first, and what is about to.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::shown::{Moment, Spark};
use super::{Card, Now, Pending};
use crate::fact::{CONTEXTS, Runbook, Severity, Then};
use crate::{amount, time, untrusted};

/// Cards shown whole; of the rest the page counts names.
const WHOLE: usize = 14;
/// Lines of pending alerts.
const PENDING: usize = 20;
const LABELS: usize = 24;

/// What fires.
#[derive(Debug, Serialize)]
pub(super) struct Cards {
    whole: Vec<Shown>,
    more: usize,
    rest: Vec<Count>,
}

#[derive(Debug, Serialize)]
struct Count {
    name: String,
    count: usize,
}

#[derive(Debug, Serialize)]
struct Shown {
    id: String,
    severity: &'static str,
    word: &'static str,
    name: String,
    summary: String,
    description: String,
    impact: String,
    since: Option<Moment>,
    value: String,
    limit: String,
    spark: Option<Spark>,
    hides: Option<String>,
    muted: String,
    returned: String,
    ack: String,
    ack_url: String,
    next: Option<String>,
    owner: String,
    labels: Vec<(String, String)>,
    labels_cut: usize,
    steps: Option<Steps>,
    runbook: Option<Link>,
    context: Option<Then>,
}

#[derive(Debug, Serialize)]
struct Steps {
    title: String,
    open: bool,
    list: Vec<Vec<Word>>,
}

/// A piece of a step; a command can be copied.
#[derive(Debug, Serialize)]
struct Word {
    text: String,
    command: bool,
}

#[derive(Debug, Serialize)]
struct Link {
    name: String,
    url: String,
}

/// An alert that has not fired yet.
#[derive(Debug, Serialize)]
pub(super) struct Waiting {
    severity: &'static str,
    word: &'static str,
    summary: String,
    since: Moment,
    fires: String,
}

pub(super) fn cards(now: &Now) -> Cards {
    let mut sorted: Vec<&Card> = now.cards.iter().collect();
    sorted.sort_by_key(|card| {
        (
            !card.muted.is_empty(),
            card.severity,
            card.since_ms,
            &card.name,
        )
    });
    let (whole, rest) = sorted.split_at(sorted.len().min(WHOLE));
    let mut told = BTreeSet::new();
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    for card in rest {
        *names.entry(&card.name).or_default() += 1;
    }
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    names.truncate(WHOLE);
    let count = |(name, count): (&str, usize)| Count {
        name: untrusted::line(name, 80),
        count,
    };
    Cards {
        whole: whole
            .iter()
            .enumerate()
            .map(|(at, card)| Shown {
                context: (at < CONTEXTS).then(|| then(card, now)).flatten(),
                ..shown(card, now, &mut told)
            })
            .collect(),
        more: rest.len(),
        rest: names.into_iter().map(count).collect(),
    }
}

pub(super) fn pending(now: &Now) -> Vec<Waiting> {
    let mut sorted: Vec<&Pending> = now.pending.iter().collect();
    sorted.sort_by_key(|pending| (pending.severity, pending.fires_at_ms));
    sorted.truncate(PENDING);
    let waiting = |pending: &Pending| Waiting {
        severity: pending.severity.word(),
        word: word(pending.severity),
        summary: title(&pending.summary, &pending.name),
        since: Moment::new(pending.since_ms, now),
        fires: time::hour(pending.fires_at_ms, now.now_ms, &now.zone),
    };
    sorted.into_iter().map(waiting).collect()
}

fn shown<'a>(card: &'a Card, now: &Now, told: &mut BTreeSet<&'a str>) -> Shown {
    // The steps of a runbook are shown once, however many cards name it.
    let first = card
        .runbook
        .as_ref()
        .filter(|runbook| told.insert(&runbook.name));
    let labels = card.labels.iter().filter(|(name, _)| *name != "alertname");
    Shown {
        id: untrusted::line(&card.id, 64),
        severity: card.severity.word(),
        word: word(card.severity),
        name: untrusted::line(&card.name, 80),
        summary: title(&card.summary, &card.name),
        description: untrusted::block(&card.description, 800),
        impact: untrusted::line(&card.impact, 300),
        since: card.since_ms.map(|ms| Moment::new(ms, now)),
        value: untrusted::line(&card.value, 80),
        limit: untrusted::line(&card.limit, 80),
        spark: Spark::new(card.trend.as_ref(), now),
        hides: (card.hides > 0).then(|| amount::count(card.hides, "symptom")),
        muted: untrusted::line(&card.muted, 120),
        returned: untrusted::line(&card.returned, 240),
        ack: card.ack.as_ref().map_or_else(String::new, |ack| {
            let at = time::hour(ack.at_ms, now.now_ms, &now.zone);
            crate::fact::said(ack, &at)
        }),
        // A path of our own page, never an address elsewhere.
        ack_url: match card.ack_url.starts_with("/ack/") {
            true => untrusted::line(&card.ack_url, 120),
            false => String::new(),
        },
        next: crate::fact::events(card.next.iter().chain(&card.then), now.now_ms, &now.zone),
        owner: untrusted::line(&card.owner, 80),
        labels: labels
            .take(LABELS)
            .map(|(name, value)| (untrusted::line(name, 60), untrusted::line(value, 160)))
            .collect(),
        labels_cut: card.labels.len().saturating_sub(LABELS + 1),
        steps: first.and_then(|runbook| steps(runbook, card.severity)),
        runbook: card.runbook.as_ref().and_then(link),
        context: None,
    }
}

fn then(card: &Card, now: &Now) -> Option<Then> {
    let context = card.context.as_ref()?;
    Some(context.shown(time::hour(context.at_ms, now.now_ms, &now.zone)))
}

/// The summary, or the rule's name if it has none.
fn title(summary: &str, name: &str) -> String {
    let text = if summary.trim().is_empty() {
        name
    } else {
        summary
    };
    untrusted::line(text, 240)
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "Critical",
        Severity::Warning => "Warning",
        Severity::Info => "Note",
    }
}

fn link(runbook: &Runbook) -> Option<Link> {
    let url = untrusted::link(&runbook.url);
    (!url.is_empty()).then(|| Link {
        name: untrusted::line(&runbook.name, 60),
        url,
    })
}

fn steps(runbook: &Runbook, severity: Severity) -> Option<Steps> {
    let shown = runbook.steps.len().min(5);
    if shown == 0 {
        return None;
    }
    Some(Steps {
        title: format!(
            "{}, {}",
            untrusted::line(&runbook.name, 60),
            runbook.extent(shown)
        ),
        open: severity == Severity::Critical,
        list: runbook
            .steps
            .iter()
            .take(shown)
            .map(|step| words(step))
            .collect(),
    })
}

fn words(step: &str) -> Vec<Word> {
    let step = untrusted::line(step, 300);
    step.split('`')
        .enumerate()
        .filter(|(_, text)| !text.is_empty())
        .map(|(at, text)| Word {
            text: text.into(),
            command: at % 2 == 1,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(name: &str, severity: Severity, muted: &str) -> Card {
        Card {
            name: name.into(),
            severity,
            muted: muted.into(),
            ..Card::default()
        }
    }

    #[test]
    fn the_worst_comes_first_and_the_muted_last() {
        let now = Now {
            cards: vec![
                card("Note", Severity::Info, ""),
                card("Quiet", Severity::Critical, "silenced by kim"),
                card("Down", Severity::Critical, ""),
                card("Full", Severity::Warning, ""),
            ],
            ..Now::default()
        };
        let order: Vec<_> = cards(&now)
            .whole
            .into_iter()
            .map(|card| card.name)
            .collect();
        assert_eq!(order, ["Down", "Full", "Note", "Quiet"]);
    }

    #[test]
    fn what_is_too_much_is_counted_by_name() {
        let now = Now {
            cards: (0..500)
                .map(|_| card("Down", Severity::Critical, ""))
                .collect(),
            ..Now::default()
        };
        let cards = cards(&now);
        assert_eq!(
            (cards.whole.len(), cards.more, cards.rest[0].count),
            (14, 486, 486)
        );
    }

    #[test]
    fn backticks_mark_what_can_be_copied() {
        let words = words("run `docker ps` and look");
        let commands: Vec<_> = words
            .iter()
            .map(|word| (word.text.as_str(), word.command))
            .collect();
        assert_eq!(
            commands,
            [("run ", false), ("docker ps", true), (" and look", false)]
        );
    }
}
