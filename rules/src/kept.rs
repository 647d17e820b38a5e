//! What a restart must not lose: the alerts as they are, with all their times.
//!
//! Whoever runs the rules stores a [`Kept`] after each evaluation that changed
//! something, and hands it back at the start. No guess from old series is
//! needed then, so a `for` clock goes on to the millisecond.

use std::collections::BTreeMap;

use exposition::Labels;
use serde::{Deserialize, Serialize};

use crate::set::Awaited;
use crate::template::set;
use crate::{Active, RuleKind, RuleSet, State};

/// What becomes of alerts that were pending when the program went down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// After a longer one they begin anew, in milliseconds.
    pub tolerance_ms: i64,
    /// None fires sooner than this after the start, in milliseconds; those whose `for` is
    /// shorter begin anew.
    pub grace_ms: i64,
}

impl Default for Outage {
    /// As current Prometheus bounds it, but without the grace, which would delay a page.
    fn default() -> Self {
        Self {
            tolerance_ms: 3_600_000,
            grace_ms: 0,
        }
    }
}

/// The state of all rules that have alerts, ready for any serde format.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// One entry for each rule that has alerts.
    pub rules: Vec<KeptRule>,
}

/// The alerts of one rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptRule {
    /// The rule's file.
    pub file: String,
    /// Its group.
    pub group: String,
    /// Its name.
    pub name: String,
    /// Its labels as the file states them, which tell it from others of that name.
    pub labels: BTreeMap<String, String>,
    /// Its alerts.
    pub alerts: Vec<KeptAlert>,
}

/// One alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptAlert {
    /// What it is known by.
    pub labels: alert::Set,
    /// Where it is in its life.
    #[serde(flatten)]
    pub state: Active,
}

impl RuleSet {
    /// The present state.
    #[must_use]
    pub fn snapshot(&self) -> Kept {
        let mut rules = Vec::new();
        for group in &self.groups {
            for rule in group.rules.iter().filter(|rule| !rule.alerts.0.is_empty()) {
                rules.push(KeptRule {
                    file: group.file.to_string(),
                    group: group.name.clone(),
                    name: rule.spec.name.clone(),
                    labels: rule.spec.labels.clone(),
                    alerts: rule.alerts.0.iter().map(keep).collect(),
                });
            }
        }
        Kept { rules }
    }

    /// The present state, if it differs from when this was last asked.
    pub fn snapshot_if_changed(&mut self) -> Option<Kept> {
        std::mem::take(&mut self.changed).then(|| self.snapshot())
    }

    /// Takes up the state of a former run. Until [`RuleSet::answered`] is called
    /// for each of the `awaited` sources (their `job` labels), an alert of it
    /// whose series is absent stays as it was: a start never reads as a
    /// recovery. Rules that are no more are left out.
    pub fn restore(&mut self, kept: Kept, awaited: impl IntoIterator<Item = String>) {
        self.awaited = Awaited(awaited.into_iter().collect());
        for rule in kept.rules {
            let found = self
                .groups
                .iter_mut()
                .filter(|group| *group.file == *rule.file && group.name == rule.group)
                .flat_map(|group| &mut group.rules)
                .find(|have| have.spec.name == rule.name && have.spec.labels == rule.labels);
            if let Some(found) = found {
                found.alerts.0 = rule.alerts.into_iter().map(take_up).collect();
            }
        }
    }

    /// Takes the time of an outage out of the `for` of the alerts that are pending: while
    /// nobody looked, nobody knows that the condition held. To be called after
    /// [`RuleSet::restore`] with the times at which the program went down and came back.
    pub fn resume(&mut self, down_ms: i64, now_ms: i64, outage: Outage) {
        let Outage {
            tolerance_ms,
            grace_ms,
        } = outage;
        let away_ms = now_ms.saturating_sub(down_ms).max(0);
        for rule in self.groups.iter_mut().flat_map(|group| &mut group.rules) {
            let RuleKind::Alert { for_ms, .. } = rule.spec.kind else {
                continue;
            };
            rule.alerts.0.retain(|_, alert| {
                if alert.state != State::Pending {
                    return true;
                }
                let held_ms = down_ms.saturating_sub(alert.active_at_ms);
                let rest_ms = for_ms.saturating_sub(held_ms);
                // With no time left it fires as soon as its condition is seen.
                if rest_ms > 0 && rest_ms < grace_ms {
                    alert.active_at_ms = now_ms.saturating_add(grace_ms).saturating_sub(for_ms);
                } else if rest_ms > 0 {
                    alert.active_at_ms = alert.active_at_ms.saturating_add(away_ms);
                }
                away_ms <= tolerance_ms && for_ms >= grace_ms
            });
        }
        self.changed = true;
    }

    /// How many alerts are in `state`.
    #[must_use]
    pub fn count(&self, state: State) -> usize {
        self.groups
            .iter()
            .flat_map(|group| &group.rules)
            .flat_map(|rule| rule.alerts.0.values())
            .filter(|alert| alert.state == state)
            .count()
    }
}

fn keep((labels, state): (&Labels, &Active)) -> KeptAlert {
    KeptAlert {
        labels: set(labels),
        state: state.clone(),
    }
}

fn take_up(kept: KeptAlert) -> (Labels, Active) {
    (Labels::from_pairs(kept.labels), kept.state)
}

#[cfg(test)]
mod tests;
