//! What a message says, before it is put into words.

use alert::Set;

use crate::dedup::Reason;
use crate::episode::Ack;
use crate::pairs::{Named, Pairs};

/// A message to one receiver about one group.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    /// Whom it goes to.
    pub receiver: String,
    /// Which group it is about: `{}/{severity="critical"}:{alertname="Down"}`.
    pub group_key: String,
    /// Why it is sent.
    pub reason: Reason,
    /// The highest severity of what fires, or of what ended where nothing
    /// fires: the `severity` label as it is, empty if there is none.
    pub severity: String,
    /// The labels by which alerts are grouped.
    pub group_labels: Set,
    /// Labels that all alerts share.
    pub common_labels: Set,
    /// Annotations that all alerts share.
    pub common_annotations: Set,
    /// What the route's labels say.
    pub route_labels: Set,
    /// The alerts, ordered as Alertmanager orders them. Ended ones are left out
    /// for a receiver that is not told of ends.
    pub alerts: Vec<Told>,
    /// Messages already sent about this incident.
    pub sent_before: u32,
    /// When the incident's first message went out, in milliseconds since 1970;
    /// none for the first.
    pub first_sent_ms: Option<i64>,
    /// When it is said again if nothing changes, in milliseconds since 1970;
    /// none if nothing fires, or somebody has taken all of it on.
    pub next_repeat_ms: Option<i64>,
    /// When the first of the warnings among them becomes critical by its age, in
    /// milliseconds since 1970.
    pub raises_ms: Option<i64>,
    /// When the second contact is told, unless somebody acknowledges it, in
    /// milliseconds since 1970.
    pub second_ms: Option<i64>,
    /// How many groups it tells of: more than one when there were too many mails.
    pub groups: usize,
    /// The host of which so much is down at once that one mail tells of it; empty if
    /// the mail tells of something else.
    pub down_at: String,
    /// How often the one that comes and goes most has ended lately; 0 if none
    /// does.
    pub flaps: usize,
    /// Alerts that are muted because of these.
    pub inhibits: Vec<Set>,
    /// Where people reach this program; may be empty.
    pub external_url: String,
    /// Where what fires of it can be taken on without a login, below the address of this
    /// program; empty where that cannot be.
    pub ack_path: String,
    /// Names the incident: the same in all its messages.
    pub incident: String,
    /// When it was composed, in milliseconds since 1970.
    pub now_ms: i64,
}

impl Notification {
    /// Whether anything fires.
    #[must_use]
    pub fn firing(&self) -> bool {
        self.alerts.iter().any(|alert| alert.ended_ms.is_none())
    }

    /// Where what fires of it can be taken on, as a URL; empty where nobody knows how
    /// people reach this program.
    #[must_use]
    pub fn ack_url(&self) -> String {
        match self.external_url.is_empty() || self.ack_path.is_empty() {
            true => String::new(),
            false => format!(
                "{}{}",
                self.external_url.trim_end_matches('/'),
                self.ack_path
            ),
        }
    }
}

/// One alert of a message.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// Its identity.
    pub fingerprint: u64,
    /// What identifies it.
    pub labels: Set,
    /// What is said about it; the measured value is in `value`.
    pub annotations: Set,
    /// When it began, in milliseconds since 1970.
    pub started_ms: i64,
    /// When it ended, in milliseconds since 1970; none while it fires.
    pub ended_ms: Option<i64>,
    /// Where its rule can be looked at; may be empty.
    pub generator_url: String,
    /// Who has taken it on.
    pub ack: Option<Ack>,
    /// Since when it is critical by its age, in milliseconds since 1970; its
    /// labels say so too.
    pub raised_ms: Option<i64>,
}

impl Told {
    /// The measured value, from the annotation of that name.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        self.annotations.get("value").map(String::as_str)
    }
}

/// A message in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The subject; line ends in it become spaces.
    pub subject: String,
    /// The plain text, complete by itself.
    pub text: String,
    /// The same in HTML; empty for a mail of text only.
    pub html: String,
}

/// The labels, or annotations, that all of `sets` have with the same value.
pub(crate) fn common<'a>(mut sets: impl Iterator<Item = &'a Set>) -> Set {
    let Some(first) = sets.next() else {
        return Set::new();
    };
    let mut shared = first.clone();
    for set in sets {
        shared.retain(|name, value| set.get(name) == Some(value));
    }
    shared
}

/// The order of alerts in a message: by `job`, then `instance` (those that have
/// the label first), then fewer labels first, then by names and values.
pub(crate) fn order(a: &Pairs, b: &Pairs) -> std::cmp::Ordering {
    use std::cmp::Ordering::{Equal, Greater, Less};
    for name in ["job", "instance"] {
        let by_name = match (a.get(name), b.get(name)) {
            (Some(a), Some(b)) => a.cmp(b),
            (Some(_), None) => Less,
            (None, Some(_)) => Greater,
            (None, None) => Equal,
        };
        if by_name != Equal {
            return by_name;
        }
    }
    set_order(a, b)
}

/// The order of label sets: fewer labels first, then by names and values.
pub(crate) fn set_order(a: &Pairs, b: &Pairs) -> std::cmp::Ordering {
    use std::cmp::Ordering::{Equal, Greater};
    a.len().cmp(&b.len()).then_with(|| {
        let mut theirs = b.iter();
        for (name, value) in a.iter() {
            let Some((their_name, their_value)) = theirs.next() else {
                return Greater;
            };
            // The set that lacks the smaller name comes first.
            let by_name = their_name.cmp(name).then_with(|| value.cmp(their_value));
            if by_name != Equal {
                return by_name;
            }
        }
        Equal
    })
}

const RANKS: [&str; 4] = ["info", "warning", "error", "critical"];

/// The highest of the severities; words we do not know are below those we do.
pub(crate) fn highest_severity<'a, L: Named + 'a>(labels: impl Iterator<Item = &'a L>) -> String {
    labels
        .filter_map(|labels| labels.value("severity"))
        .max_by_key(|word| (RANKS.iter().position(|rank| rank == word), *word))
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(pairs: &[(&str, &str)]) -> Set {
        pairs
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect()
    }

    #[test]
    fn alerts_stand_by_job_and_instance_then_by_their_labels() {
        let sorted = [
            set(&[("job", "a"), ("instance", "1")]),
            set(&[("job", "a"), ("instance", "2")]),
            set(&[("job", "a")]),
            set(&[("job", "b"), ("instance", "1")]),
            set(&[("z", "1")]),
            set(&[("b", "1"), ("c", "1")]),
            set(&[("a", "1"), ("c", "1")]),
            set(&[("a", "1"), ("c", "2")]),
        ];
        let mut shuffled: Vec<Pairs> = sorted.iter().rev().map(Pairs::from).collect();
        shuffled.sort_by(order);
        let shuffled: Vec<Set> = shuffled.iter().map(Pairs::to_set).collect();
        assert_eq!(shuffled, sorted);
    }

    #[test]
    fn what_all_share_is_common() {
        let sets = [
            set(&[("a", "1"), ("b", "1"), ("c", "1")]),
            set(&[("a", "1"), ("b", "2")]),
        ];
        assert_eq!(common(sets.iter()), set(&[("a", "1")]));
        assert_eq!(common(std::iter::empty()), Set::new());
    }

    #[test]
    fn the_highest_severity_names_the_message() {
        let labels = ["info", "critical", "odd"].map(|severity| set(&[("severity", severity)]));
        assert_eq!(highest_severity(labels.iter()), "critical");
        assert_eq!(highest_severity(labels[2..].iter()), "odd");
        assert_eq!(highest_severity([Set::new()].iter()), "");
    }
}
