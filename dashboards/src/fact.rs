//! Facts that the page and the mail show alike.
//!
//! They are values with units, not words: what is said about them is decided
//! where they are shown.

use serde::Serialize;

use crate::untrusted;

/// Kinds of context that are shown, and lines of each.
const CONTEXT_PARTS: usize = 4;
const CONTEXT_LINES: usize = 12;
/// Alerts that show how it was when they began.
pub(crate) const CONTEXTS: usize = 3;

/// How bad an alert is, worst first in order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Someone must act now: SEV-1.
    Critical,
    /// Someone must act today: SEV-2.
    Warning,
    /// Good to know: SEV-3.
    #[default]
    Info,
}

impl Severity {
    /// The severity that the label `severity` of a rule names. `critical` and
    /// `page` are critical; `warning` is a warning; all else is information,
    /// but an absent label is a warning, since someone wrote the rule.
    #[must_use]
    pub fn from_label(label: Option<&str>) -> Self {
        let Some(label) = label else {
            return Self::Warning;
        };
        match label.to_ascii_lowercase().as_str() {
            "critical" | "page" | "sev1" | "sev-1" => Self::Critical,
            "warning" | "warn" | "sev2" | "sev-2" | "" => Self::Warning,
            _ => Self::Info,
        }
    }

    /// The word for people: `critical`, `warning`, `info`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }

    /// The mark that stands first in a subject: `SEV-1`, `SEV-2`, `SEV-3`.
    #[must_use]
    pub fn mark(self) -> &'static str {
        match self {
            Self::Critical => "SEV-1",
            Self::Warning => "SEV-2",
            Self::Info => "SEV-3",
        }
    }
}

/// What to do, written before it was needed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Runbook {
    /// Its name, for example `api-down`.
    pub name: String,
    /// Where it can be read; empty if nowhere on the net.
    pub url: String,
    /// Its first steps, a line each. What stands between backticks is a command
    /// that can be copied.
    pub steps: Vec<String>,
    /// How many steps it has in all.
    pub steps_total: usize,
    /// Whether it says of these steps that they change nothing.
    pub only_look: bool,
}

impl Runbook {
    /// `3 of 9 steps`, and whether they only look.
    pub(crate) fn extent(&self, shown: usize) -> String {
        let total = self.steps_total.max(self.steps.len());
        let looks = if self.only_look {
            ", which only look"
        } else {
            ""
        };
        format!("{shown} of {total} steps{looks}")
    }
}

/// How it was when an alert began, gathered once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Context {
    /// When it was gathered, in milliseconds since 1970.
    pub at_ms: i64,
    /// What was found, each of its kind: without secrets.
    pub parts: Vec<ContextPart>,
}

/// One kind of what was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ContextPart {
    /// What it is: `last lines of api`.
    pub title: String,
    /// The lines, the oldest first.
    pub lines: Vec<String>,
}

/// A context as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct Then {
    at: String,
    parts: Vec<ContextPart>,
}

impl Context {
    /// As it is shown, with its time in words: of bounded size, and harmless.
    pub(crate) fn shown(&self, at: String) -> Then {
        let part = |part: &ContextPart| ContextPart {
            title: untrusted::line(&part.title, 120),
            lines: part
                .lines
                .iter()
                .take(CONTEXT_LINES)
                .map(|line| untrusted::line(line, 160))
                .collect(),
        };
        Then {
            at,
            parts: self.parts.iter().take(CONTEXT_PARTS).map(part).collect(),
        }
    }
}

/// Who has taken an alert on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Ack {
    /// The name that was given.
    pub by: String,
    /// What was said with it; may be empty.
    pub note: String,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
}

/// `kim at 03:10: on it`
pub(crate) fn said(ack: &Ack, at: &str) -> String {
    let by = untrusted::line(&ack.by, 60);
    match untrusted::line(&ack.note, 300) {
        note if note.is_empty() => format!("{by} at {at}"),
        note => format!("{by} at {at}: {note}"),
    }
}

/// What will happen, in its order: `mail again 04:02 CEST, becomes critical
/// 05:10 CEST`; none if nothing will.
pub(crate) fn events<'a>(
    events: impl Iterator<Item = &'a Event>,
    now_ms: i64,
    zone: &crate::time::Zone,
) -> Option<String> {
    let mut sorted: Vec<&Event> = events.collect();
    sorted.sort_by_key(|event| event.at_ms);
    let words = sorted.iter().map(|event| {
        let at = crate::time::hour(event.at_ms, now_ms, zone);
        format!("{} {at}", untrusted::line(&event.what, 80))
    });
    (!sorted.is_empty()).then(|| words.collect::<Vec<_>>().join(", "))
}

/// A line through time, evenly spaced.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Trend {
    /// What it shows, for example `memory`.
    pub name: String,
    /// The unit of the values.
    pub unit: Unit,
    /// Oldest first; NaN is a gap.
    pub points: Vec<f64>,
    /// The time of the newest point, milliseconds since 1970.
    pub end_ms: i64,
    /// Milliseconds between two points.
    pub step_ms: i64,
    /// Where a line is drawn that should not be crossed.
    pub limit: Option<f64>,
}

/// What a number counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// A bare number.
    #[default]
    None,
    /// A share between 0 and 1, shown as per cent.
    Ratio,
    /// Bytes, shown in KiB, MiB, GiB.
    Bytes,
    /// Seconds, shown as ms, s, min, h, d.
    Seconds,
}

/// Something that went wrong, in the words of what went wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The message, without secrets.
    pub text: String,
    /// Since when, milliseconds since 1970.
    pub since_ms: i64,
}

/// What happens next without anybody doing anything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Event {
    /// In words, for example `mail again`.
    pub what: String,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_steps_that_only_look_it_is_said() {
        let mut runbook = Runbook {
            steps_total: 9,
            only_look: true,
            ..Runbook::default()
        };
        assert_eq!(runbook.extent(3), "3 of 9 steps, which only look");
        runbook.only_look = false;
        assert_eq!(runbook.extent(3), "3 of 9 steps");
    }
}
