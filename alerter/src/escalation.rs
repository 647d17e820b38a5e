//! What becomes of alerts that nobody ends and nobody answers: by their age
//! warnings become critical, and critical ones that nobody has taken on are
//! told sooner again, and then to the second contact.
//!
//! Pure: everything follows from when an alert began, when its incident was
//! first told, and the time.

use crate::matcher::{Matcher, all_match};
use crate::pairs::Pairs;

/// What becomes critical by its age.
const LOW: &str = "warning";

/// What it becomes, and what is to be answered.
pub(crate) const HIGH: &str = "critical";

/// What happens to the alerts that match, when; in milliseconds, 0 for never.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    /// All of them must hold.
    pub matchers: Vec<Matcher>,
    /// From the beginning of a warning until it becomes critical.
    pub raise_ms: i64,
    /// From the first message until it is told again, unless somebody has
    /// acknowledged it.
    pub again_ms: i64,
    /// The same until the second contact is told.
    pub second_ms: i64,
    /// How long messages to the first contact may fail until the second is told,
    /// of whatever severity.
    pub fallback_ms: i64,
}

/// The place of the policy that an alert falls under, the first that matches.
#[must_use]
pub(crate) fn policy_of<'a>(policies: &'a [Policy], labels: &Pairs) -> Option<(usize, &'a Policy)> {
    let mut all = policies.iter().enumerate();
    all.find(|(_, policy)| all_match(&policy.matchers, labels))
}

/// When an alert that began at `starts_ms` becomes critical, if it ever does.
#[must_use]
pub(crate) fn raise_at_ms(policies: &[Policy], labels: &Pairs, starts_ms: i64) -> Option<i64> {
    let (_, policy) = policy_of(policies, labels)?;
    let low = labels.get("severity").is_some_and(|it| it == LOW);
    (low && policy.raise_ms > 0).then(|| starts_ms.saturating_add(policy.raise_ms))
}

/// Whether an incident that was first told at `first_ms`, and last at `at_ms`,
/// is to be told again because nobody has answered.
#[must_use]
pub(crate) fn is_unanswered(wait_ms: i64, first_ms: i64, at_ms: i64, now_ms: i64) -> bool {
    let due_ms = first_ms.saturating_add(wait_ms);
    wait_ms > 0 && at_ms < due_ms && due_ms <= now_ms
}

/// The labels with the severity that the alert has by now.
#[must_use]
pub(crate) fn raised(labels: &Pairs) -> Pairs {
    labels.with("severity", HIGH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(matchers: Vec<Matcher>, raise_ms: i64) -> Policy {
        Policy {
            matchers,
            raise_ms,
            again_ms: 900,
            second_ms: 1_800,
            fallback_ms: 300,
        }
    }

    fn labels(severity: &str, team: &str) -> Pairs {
        [("severity", severity), ("team", team)]
            .into_iter()
            .collect()
    }

    #[test]
    fn a_warning_becomes_critical_by_its_age_and_by_the_first_policy_that_matches() {
        let policies = [
            policy(vec![Matcher::exact("team", "db")], 100),
            policy(vec![Matcher::exact("team", "lab")], 0),
            policy(vec![], 7_200),
        ];
        for (severity, team, wanted) in [
            ("warning", "db", Some(110)),
            ("warning", "lab", None),
            ("warning", "web", Some(7_210)),
            ("critical", "db", None),
            ("info", "db", None),
            ("", "db", None),
        ] {
            let found = raise_at_ms(&policies, &labels(severity, team), 10);
            assert_eq!(found, wanted, "{severity} {team}");
        }
        assert_eq!(raise_at_ms(&[], &labels("warning", "db"), 10), None);
        assert_eq!(raised(&labels("warning", "db")), labels("critical", "db"));
    }

    #[test]
    fn an_incident_is_unanswered_once_when_the_wait_is_over() {
        // (wait, first, last, now)
        for (wait_ms, first_ms, at_ms, now_ms, wanted) in [
            (900, 100, 100, 999, false),
            (900, 100, 100, 1_000, true),
            (900, 100, 100, 9_999, true),
            // Told meanwhile, for whatever reason.
            (900, 100, 1_000, 1_000, false),
            (900, 100, 999, 1_000, true),
            (0, 100, 100, 9_999, false),
            (i64::MAX, 100, 100, 9_999, false),
        ] {
            assert_eq!(
                is_unanswered(wait_ms, first_ms, at_ms, now_ms),
                wanted,
                "{wait_ms} {first_ms} {at_ms} {now_ms}"
            );
        }
    }
}
