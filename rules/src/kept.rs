//! What a restart must not lose: the alerts as they are, with all their times.
//!
//! Whoever runs the rules stores a [`Kept`] after each evaluation that changed
//! something, and hands it back at the start. No guess from old series is
//! needed then, so a `for` clock goes on to the millisecond.

use std::collections::BTreeMap;

use exposition::Labels;
use serde::{Deserialize, Serialize};

use crate::alerting::send::Sending;
use crate::set::Awaited;
use crate::template::set;
use crate::{Active, Rule, RuleKind, RuleSet, State};

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
    /// When they were last looked at, if that was before the program went down: the file
    /// was left out at that start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_ms: Option<i64>,
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

/// What is known of rules whose files are left out.
#[derive(Debug, Default)]
pub(crate) struct Absent {
    /// Whether files are left out at all.
    any: bool,
    pub(crate) rules: Vec<KeptRule>,
    outage: Outage,
}

impl RuleSet {
    /// Files of it are left out, because they could not be read yet: what a former run knew
    /// of rules in files that are not here is kept for the set that takes this one's place.
    pub fn leave_out(&mut self) {
        self.absent.any = true;
    }

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
                    seen_ms: None,
                });
            }
        }
        rules.extend(self.absent.rules.iter().cloned());
        Kept { rules }
    }

    /// The present state, if it differs from when this was last asked.
    pub fn snapshot_if_changed(&mut self) -> Option<Kept> {
        std::mem::take(&mut self.changed).then(|| self.snapshot())
    }

    /// Takes up the state of a former run. Until [`RuleSet::answered`] is called
    /// for each of the `awaited` sources (their `job` labels), an alert of it
    /// whose series is absent stays as it was: a start never reads as a
    /// recovery. Rules that are no more are dropped.
    pub fn restore(&mut self, kept: Kept, awaited: impl IntoIterator<Item = String>) {
        self.awaited = Awaited(awaited.into_iter().collect());
        for rule in kept.rules {
            if let Err(rule) = self.take_up(rule)
                && self.absent.any
                && self.groups.iter().all(|group| *group.file != *rule.file)
            {
                self.absent.rules.push(*rule);
            }
        }
    }

    /// Gives the alerts to their rule; gives them back if there is none.
    fn take_up(&mut self, kept: KeptRule) -> Result<&mut Rule, Box<KeptRule>> {
        let found = self
            .groups
            .iter_mut()
            .filter(|group| *group.file == *kept.file && group.name == kept.group)
            .flat_map(|group| &mut group.rules)
            .find(|have| have.spec.name == kept.name && have.spec.labels == kept.labels);
        let Some(found) = found else {
            return Err(Box::new(kept));
        };
        found.alerts.0 = kept.alerts.into_iter().map(take_up).collect();
        found.seen_ms = kept.seen_ms;
        Ok(found)
    }

    /// Takes up what was kept of rules that were left out of the set before this one, now
    /// that their files can be read. Nobody has looked at their alerts until `now_ms`.
    pub(crate) fn take_up_absent(&mut self, absent: Absent, now_ms: i64) {
        for kept in absent.rules {
            if let Ok(rule) = self.take_up(kept) {
                match rule.seen_ms.take() {
                    Some(seen_ms) => rule.resume(seen_ms, now_ms, absent.outage),
                    // For how long the condition held nobody knows.
                    None => rule
                        .alerts
                        .0
                        .retain(|_, alert| alert.state != State::Pending),
                }
            }
        }
    }

    /// The alerts that fire by rules that are left out and are to be told again now: that a
    /// file cannot be read is no recovery.
    pub(crate) fn absent_due(&mut self, now_ms: i64) -> Vec<alert::Alert> {
        let (site, mut told) = (&self.site, Vec::new());
        for rule in &mut self.absent.rules {
            // What the rule asks is in its file.
            let query = format!("ALERTS{{alertname={:?}}}", rule.name);
            let how = Sending {
                resend_ms: site.resend_ms,
                valid_ms: 4 * site.interval_ms.max(site.resend_ms),
                external_labels: &site.external_labels,
                query: &query,
                external_url: &site.external_url,
                tell_value: site.tell_value,
            };
            for alert in &mut rule.alerts {
                if alert.state.state == State::Firing {
                    let labels = Labels::from_pairs(alert.labels.clone());
                    told.extend(alert.state.due(&labels, now_ms, how));
                }
            }
        }
        self.changed |= !told.is_empty();
        told
    }

    /// Takes the time of an outage out of the `for` of the alerts that are pending: while
    /// nobody looked, nobody knows that the condition held. To be called after
    /// [`RuleSet::restore`] with the times at which the program went down and came back.
    pub fn resume(&mut self, down_ms: i64, now_ms: i64, outage: Outage) {
        for rule in self.groups.iter_mut().flat_map(|group| &mut group.rules) {
            let seen_ms = rule.seen_ms.take().unwrap_or(down_ms);
            rule.resume(seen_ms, now_ms, outage);
        }
        self.absent.outage = outage;
        for rule in &mut self.absent.rules {
            rule.seen_ms.get_or_insert(down_ms);
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

impl Rule {
    /// Nobody looked at its alerts from `down_ms` until `now_ms`.
    fn resume(&mut self, down_ms: i64, now_ms: i64, outage: Outage) {
        let Outage {
            tolerance_ms,
            grace_ms,
        } = outage;
        let RuleKind::Alert { for_ms, .. } = self.spec.kind else {
            return;
        };
        let away_ms = now_ms.saturating_sub(down_ms).max(0);
        self.alerts.0.retain(|_, alert| {
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
