//! The state as people and programs see it.

use alert::Set;

use super::{Alerter, Escalation, Group, GroupId, PendingState};
use crate::dedup;
use crate::episode::{Ack, Step, StepKind};
use crate::health::{Class, MailHealth};
use crate::plan::Receiver;

/// Whether an alert is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertState {
    /// No group has looked at it yet.
    Unprocessed,
    /// It is told as its route says.
    Active,
    /// It is muted.
    Suppressed,
}

impl AlertState {
    /// Alertmanager's word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unprocessed => "unprocessed",
            Self::Active => "active",
            Self::Suppressed => "suppressed",
        }
    }
}

/// A firing alert. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertView {
    /// Its identity.
    pub fingerprint: u64,
    /// What identifies it.
    pub labels: Set,
    /// What is said about it.
    pub annotations: Set,
    /// Where its rule can be looked at; may be empty.
    pub generator_url: String,
    /// When it began.
    pub starts_ms: i64,
    /// When it ends if nothing is heard of it.
    pub ends_ms: i64,
    /// When it was last heard of.
    pub updated_ms: i64,
    /// Whether it is told.
    pub state: AlertState,
    /// The alert that mutes it.
    pub inhibited_by: Option<u64>,
    /// The ids of the silences that mute it.
    pub silenced_by: Vec<String>,
    /// Receivers of its routes.
    pub receivers: Vec<String>,
    /// When it was last told of.
    pub last_sent_ms: Option<i64>,
    /// Messages sent about its incident, the most of any receiver.
    pub sent: u32,
    /// Who has taken it on.
    pub ack: Option<Ack>,
    /// What comes next if nobody ends or answers it.
    pub escalation: Escalation,
    /// The last message about it, if that came back: whose, and why.
    pub returned: Option<Step>,
    /// When it is told of next, if nothing changes; none if it is muted or its
    /// receivers send nothing.
    pub next_ms: Option<i64>,
}

/// A group of alerts. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupView {
    /// Its key.
    pub key: String,
    /// Its receiver.
    pub receiver: String,
    /// What its alerts share.
    pub labels: Set,
    /// Its alerts' fingerprints, those among them that ended and are still to be
    /// told of.
    pub alerts: Vec<u64>,
    /// When it is next looked at.
    pub next_ms: i64,
    /// Messages that are due and not accepted yet.
    pub pending: Vec<PendingView>,
}

/// A message that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingView {
    /// Attempts so far.
    pub attempts: u32,
    /// Since when it is due, in milliseconds since 1970.
    pub since_ms: i64,
    /// When it is tried next; none while it is under way.
    pub next_ms: Option<i64>,
    /// Why it failed last.
    pub class: Option<Class>,
}

impl Alerter {
    /// Every alert that fires at `now_ms`, by fingerprint.
    #[must_use]
    pub(crate) fn alerts(&self, now_ms: i64) -> Vec<AlertView> {
        self.alerts
            .iter()
            .filter(|(_, alert)| !alert.ended_at(now_ms))
            .map(|(fingerprint, alert)| {
                let inhibited_by = self.muted_by(&alert.labels, now_ms);
                let silenced_by = self.silenced_by(&alert.labels, now_ms);
                let muted = inhibited_by.is_some() || !silenced_by.is_empty();
                let mut view = AlertView {
                    fingerprint: *fingerprint,
                    labels: alert.labels.to_set(),
                    annotations: alert.annotations.to_set(),
                    generator_url: alert.generator_url.to_string(),
                    starts_ms: alert.starts_ms,
                    ends_ms: alert.ends_ms,
                    updated_ms: alert.updated_ms,
                    state: match (muted, alert.looked_at) {
                        (true, _) => AlertState::Suppressed,
                        (false, true) => AlertState::Active,
                        (false, false) => AlertState::Unprocessed,
                    },
                    inhibited_by,
                    silenced_by: silenced_by.iter().map(ToString::to_string).collect(),
                    receivers: Vec::new(),
                    last_sent_ms: None,
                    sent: 0,
                    ack: self.ack_of(*fingerprint).cloned(),
                    escalation: self.escalation_of(*fingerprint, alert),
                    returned: self.returned(*fingerprint).cloned(),
                    next_ms: None,
                };
                for id in &alert.groups {
                    let name = &self.plan.receiver_of(id.route).name;
                    if !view.receivers.iter().any(|known| **known == **name) {
                        view.receivers.push(name.to_string());
                    }
                    if let Some(group) = self.groups.get(id) {
                        self.add_times(*id, group, &mut view, now_ms);
                    }
                }
                view
            })
            .collect()
    }

    /// What is known of the last message about an alert, if it came back.
    fn returned(&self, fingerprint: u64) -> Option<&Step> {
        let steps = &self.episodes.open.get(&fingerprint)?.past().steps;
        let since = steps
            .iter()
            .rev()
            .take_while(|it| it.kind != StepKind::Told);
        since.into_iter().find(|it| it.kind == StepKind::Bounced)
    }

    fn add_times(&self, id: GroupId, group: &Group, view: &mut AlertView, now_ms: i64) {
        let route = &self.plan.routes[id.route];
        let closed = self.plan.closed(id.route, now_ms).is_some();
        for integration in self.plan.receiver_of(id.route).integrations.keys().copied() {
            let entry = self.log.get(&self.log_key(id, group, integration));
            if Receiver::second_of(integration).is_some()
                && entry.is_none_or(|it| it.firing.is_empty())
            {
                continue;
            }
            let told = entry.filter(|entry| entry.firing.binary_search(&view.fingerprint).is_ok());
            let mut next_ms = Some(group.next_ms);
            if let Some(entry) = told {
                view.last_sent_ms = view.last_sent_ms.max(Some(entry.at_ms));
                view.sent = view.sent.max(entry.sent);
                let repeat_ms = dedup::next_repeat_ms(
                    group.next_ms,
                    route.group_interval_ms,
                    entry.at_ms,
                    route.repeat_interval_ms,
                    self.plan.letter,
                );
                let again_ms = self.again_at_ms(entry.first_ms, entry.at_ms, &[view.fingerprint]);
                let again_ms =
                    again_ms.map(|it| dedup::look_ms(group.next_ms, route.group_interval_ms, it));
                let repeat_ms = again_ms.map_or(repeat_ms, |again_ms| repeat_ms.min(again_ms));
                let quiet = view.ack.is_some() && self.taken_on(group);
                next_ms = (!quiet).then_some(repeat_ms);
            }
            if let Some(pending) = group.pending.get(&integration)
                && let PendingState::Waiting { until_ms } = pending.state
            {
                next_ms = Some(until_ms);
            }
            if view.state != AlertState::Suppressed && !closed {
                view.next_ms = view.next_ms.into_iter().chain(next_ms).min();
            }
        }
    }

    /// Every group, in the order of routes.
    #[must_use]
    pub(crate) fn groups(&self) -> Vec<GroupView> {
        self.groups
            .iter()
            .map(|(id, group)| GroupView {
                key: group.key.to_string(),
                receiver: self.plan.receiver_of(id.route).name.to_string(),
                labels: group.labels.to_set(),
                alerts: group.members.iter().copied().collect(),
                next_ms: group.next_ms,
                pending: group
                    .pending
                    .values()
                    .map(|pending| PendingView {
                        attempts: pending.attempts,
                        since_ms: pending.since_ms,
                        next_ms: match pending.state {
                            PendingState::Waiting { until_ms } => Some(until_ms),
                            PendingState::Ready | PendingState::Flying { .. } => None,
                        },
                        class: pending.class,
                    })
                    .collect(),
            })
            .collect()
    }

    /// What the state knows of mail: the queue and who refused.
    pub(crate) fn fill_health(&self, health: &mut MailHealth) {
        health.configured = self
            .plan
            .receivers
            .iter()
            .any(|receiver| receiver.emails().next().is_some());
        health.queue = self.queue();
        let mut refused: Vec<String> = self
            .log
            .values()
            .filter(|entry| !entry.firing.is_empty())
            .flat_map(|entry| entry.missed.iter().cloned())
            .collect();
        refused.sort();
        refused.dedup();
        health.refused_recipients = refused;
        health.last_bounce = self.last_bounce().cloned();
    }

    /// Firing alerts by state, for metrics.
    pub(crate) fn count_states(&self, now_ms: i64) -> [(AlertState, usize); 3] {
        let mut counts = [
            (AlertState::Active, 0),
            (AlertState::Suppressed, 0),
            (AlertState::Unprocessed, 0),
        ];
        for alert in self.alerts.values().filter(|alert| !alert.ended_at(now_ms)) {
            let place = match (self.mute(&alert.labels, None, now_ms), alert.looked_at) {
                (Some(_), _) => 1,
                (None, true) => 0,
                (None, false) => 2,
            };
            counts[place].1 += 1;
        }
        counts
    }

    /// Groups there are.
    pub(crate) fn group_count(&self) -> usize {
        self.groups.len()
    }
}
