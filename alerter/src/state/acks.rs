//! Who takes alerts on, and what of a group is taken on.

use std::collections::BTreeSet;

use super::event::EventKind;
use super::{Alerter, Group};
use crate::episode::{self, Ack, StepKind};
use crate::notification::highest_severity;

impl Alerter {
    /// Who has taken an alert on, while it fires.
    pub(crate) fn ack_of(&self, fingerprint: u64) -> Option<&Ack> {
        self.alerts.get(&fingerprint).filter(|it| !it.ended)?;
        self.episodes.open.get(&fingerprint)?.past().ack.as_ref()
    }

    /// Who has taken an alert on, also when it has ended since.
    pub(super) fn last_ack(&self, fingerprint: u64) -> Option<&Ack> {
        self.episodes.open.get(&fingerprint)?.past().ack.as_ref()
    }

    /// Whether all of them are acknowledged, or over for all that is known, so
    /// that saying it again is no help.
    pub(super) fn all_acknowledged(&self, firing: &[u64]) -> bool {
        let quiet = |it: &u64| self.ack_of(*it).is_some() || self.is_held(*it);
        !firing.is_empty() && firing.iter().all(quiet)
    }

    /// Whether somebody has taken on all that fires of a group.
    pub(super) fn taken_on(&self, group: &Group) -> bool {
        let fires = |it: &&u64| self.alerts.get(it).is_some_and(|alert| !alert.ended);
        let mut firing = group.members.iter().filter(fires);
        firing.all(|it| self.ack_of(*it).is_some())
    }

    /// Firing alerts that somebody has taken on.
    pub(crate) fn count_acknowledged(&self) -> usize {
        let acked = self
            .episodes
            .open
            .iter()
            .filter(|(_, it)| it.past().ack.is_some());
        acked.filter(|(it, _)| self.ack_of(**it).is_some()).count()
    }

    /// Acknowledges what fires of `wanted`, or takes that back; which those are.
    pub(crate) fn acknowledge(
        &mut self,
        wanted: &BTreeSet<u64>,
        ack: Option<&Ack>,
        now_ms: i64,
    ) -> Vec<u64> {
        let mut done = Vec::new();
        for fingerprint in wanted {
            let Some(alert) = self.alerts.get(fingerprint).filter(|it| !it.ended) else {
                continue;
            };
            let (labels, starts_ms) = (alert.labels.clone(), alert.starts_ms);
            let Some(open) = self.episodes.touch(*fingerprint) else {
                continue;
            };
            let first = open.past().ack.is_none();
            let (step, kind, words) = match ack {
                Some(ack) => (
                    StepKind::Acknowledged,
                    EventKind::Acknowledged,
                    said(&ack.by, &ack.note),
                ),
                None if first => continue,
                None => (
                    StepKind::Unacknowledged,
                    EventKind::Unacknowledged,
                    String::new(),
                ),
            };
            open.past_mut().ack = ack.cloned();
            open.step(now_ms, step, &episode::detail(&words));
            if first {
                let severity = highest_severity([&labels].into_iter());
                let counts = &mut self.episodes.counts.acknowledged;
                counts.entry(severity).or_default().add(now_ms - starts_ms);
            }
            self.note_more(now_ms, kind, Some(&labels), words);
            done.push(*fingerprint);
        }
        done
    }
}

/// `kim: on it`
fn said(by: &str, note: &str) -> String {
    match note {
        "" => format!("by {by}"),
        note => format!("by {by}: {note}"),
    }
}
