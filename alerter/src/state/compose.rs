//! Composing what is to be sent, at the moment when it can be.

use std::sync::Arc;
use std::time::Duration;

use alert::Set;
use lettre::message::Mailbox;

use super::bundle::Way;
use super::flush::Looked;
use super::{Alerter, GroupId, LogKey, Pending, PendingState};
use crate::dedup::{self, Decision, Reason};
use crate::health::Class;
use crate::notification::{Notification, Told, common, highest_severity, order};
use crate::pairs::Pairs;
use crate::plan::{Integration, Kind};
use crate::whom::Whom;
use crate::words::route_labels;

/// A message to be sent now.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    /// Names it in [`Alerter::sent`].
    pub id: u64,
    /// Through what.
    pub integration: Integration,
    /// How long an attempt may take that has no time-out of its own.
    pub deadline: Duration,
    /// To whom, for a mail: all recipients, or those that missed it.
    pub to: Vec<Mailbox>,
    /// All recipients of a mail, whom it is from, and what is wrong with them.
    pub whom: Whom,
    /// What it says.
    pub notification: Notification,
    /// What its Message-ID begins with; the same for the same news, so that a
    /// mail that is sent twice can be told.
    pub message_id: String,
}

/// What is remembered while a message is under way.
#[derive(Debug)]
pub(super) struct Flight {
    /// None once a reload has done away with the group.
    pub group: Option<GroupId>,
    pub kind: Kind,
    pub integration: usize,
    pub log: LogKey,
    pub looked: Looked,
    pub only_missed: bool,
    pub now_ms: i64,
    pub reason: Reason,
    pub incident: String,
    pub sent_before: u32,
    pub first_ms: Option<i64>,
    pub labels: Pairs,
    /// What its Message-ID begins with, if it is a mail.
    pub name: String,
    /// Other groups that the same mail tells of.
    pub more: Vec<Self>,
    /// Whether it tells of one host rather than of what had to wait.
    pub of_host: bool,
}

impl Alerter {
    /// What is to be sent now to a server that has room, if anything. It is
    /// composed at this moment, so that what waited is not stale.
    pub(crate) fn next_delivery(
        &mut self,
        now_ms: i64,
        has_room: impl Fn(&str) -> bool,
    ) -> Option<Delivery> {
        loop {
            let mut queues = self.ready.iter_mut();
            let (_, queue) =
                queues.find(|(address, queue)| !queue.is_empty() && has_room(address))?;
            let (id, integration) = queue.pop_front()?;
            // It went out with another group's mail meanwhile, or has nothing to say.
            if !self.is_ready(id, integration) {
                continue;
            }
            let (way, down) = self.way_of(id, integration, now_ms);
            match way {
                Way::Later { until_ms } => self.put_off(id, integration, until_ms),
                Way::Alone => {
                    if let Some(delivery) = self.compose_ready(id, integration, now_ms) {
                        return Some(match down {
                            Some(down) => self.tell_down(delivery, down, integration, now_ms),
                            None => delivery,
                        });
                    }
                }
                Way::Together => {
                    if let Some(delivery) = self.compose_ready(id, integration, now_ms) {
                        return Some(self.bundle(delivery, (id, integration), now_ms));
                    }
                }
            }
        }
    }

    fn is_ready(&self, id: GroupId, integration: usize) -> bool {
        let group = self.groups.get(&id);
        let pending = group.and_then(|group| group.pending.get(&integration));
        pending.is_some_and(|pending| pending.state == PendingState::Ready)
    }

    /// Composes what is ready, unless there is nothing to say any more.
    pub(super) fn compose_ready(
        &mut self,
        id: GroupId,
        integration: usize,
        now_ms: i64,
    ) -> Option<Delivery> {
        let pending = self.groups.get(&id)?.pending.get(&integration)?;
        if pending.state != PendingState::Ready {
            return None;
        }
        let pending = pending.clone();
        let delivery = self.compose(id, integration, &pending, now_ms);
        if let Some(group) = self.groups.get_mut(&id) {
            if delivery.is_none() {
                group.pending.remove(&integration);
            } else if let Some(pending) = group.pending.get_mut(&integration) {
                pending.state = PendingState::Flying { again: false };
            }
        }
        if delivery.is_none() {
            self.mark_group(id);
            self.settle(id);
        }
        delivery
    }

    /// Enters a message in its server's queue.
    pub(super) fn queue_up(&mut self, id: GroupId, integration: usize) {
        let address = Arc::clone(self.integration(id, integration).address());
        self.ready
            .entry(address)
            .or_default()
            .push_back((id, integration));
    }

    /// Tries what waits for a server now, because it works again; but for what it
    /// refused for good.
    pub(crate) fn hurry(&mut self, address: &str, now_ms: i64) {
        let ids: Vec<GroupId> = self.groups.keys().copied().collect();
        for id in ids {
            let integrations = &self.plan.receiver_of(id.route).integrations;
            let Some(group) = self.groups.get_mut(&id) else {
                continue;
            };
            for (integration, pending) in &mut group.pending {
                if let PendingState::Waiting { until_ms } = &mut pending.state
                    && !pending.only_missed
                    && !matches!(pending.class, Some(Class::Permanent | Class::Template))
                    && integrations
                        .get(integration)
                        .is_some_and(|it| **it.address() == *address)
                {
                    *until_ms = (*until_ms).min(now_ms);
                }
            }
            self.rewake(id);
        }
    }

    fn compose(
        &mut self,
        id: GroupId,
        integration: usize,
        pending: &Pending,
        now_ms: i64,
    ) -> Option<Delivery> {
        let (looked, decision) = self.decide(id, integration, now_ms);
        let group = self.groups.get(&id)?;
        let key = self.log_key(id, group, integration);
        let entry = self.log.get(&key);
        let through = self.integration(id, integration).clone();
        let exact = self.plan.letter && through.kind() != Kind::Email;
        let open = entry.filter(|entry| !entry.firing.is_empty());
        let mut only_missed = None;
        let reason = match decision {
            Decision::Send(reason) => reason,
            Decision::Nothing if pending.only_missed && !looked.firing.is_empty() => {
                only_missed = Some(open?.missed.clone());
                Reason::First
            }
            // It was due, the server was away, and it ended meanwhile: who would
            // have been told is told that it was.
            Decision::Nothing
                if !pending.only_missed
                    && !exact
                    && open.is_none()
                    && looked.firing.is_empty()
                    && !looked.resolved.is_empty()
                    && through.send_resolved() =>
            {
                Reason::AllResolved
            }
            Decision::Note => {
                self.note_silently(id, integration, looked, now_ms);
                return None;
            }
            Decision::Nothing => return None,
        };
        let told = self.told(&looked, through.send_resolved());
        let (incident, sent_before, first_ms) = match open {
            Some(entry) => (entry.incident.clone(), entry.sent, Some(entry.first_ms)),
            None => (incident(&key, &told), 0, None),
        };
        let message_id = match sent_before {
            0 => incident.clone(),
            _ => format!("{incident}.{sent_before}.{:08x}", looked.hash()),
        };
        let route = &self.plan.routes[id.route];
        let sets = || told.iter().map(|alert| &alert.labels);
        let loud: Vec<&Told> = told
            .iter()
            .filter(|alert| alert.ended_ms.is_none())
            .collect();
        let mut notification = Notification {
            receiver: key.receiver.to_string(),
            group_key: key.group.to_string(),
            reason,
            severity: match loud.is_empty() {
                true => highest_severity(sets()),
                false => highest_severity(loud.iter().map(|alert| &alert.labels)),
            },
            group_labels: group.labels.to_set(),
            common_labels: common(sets()),
            common_annotations: common(told.iter().map(|alert| &alert.annotations)),
            sent_before,
            first_sent_ms: first_ms,
            next_repeat_ms: (!loud.is_empty() && !self.all_acknowledged(&looked.firing)).then(
                || {
                    let repeat_ms = dedup::next_repeat_ms(
                        group.next_ms,
                        route.group_interval_ms,
                        now_ms,
                        route.repeat_interval_ms,
                        self.plan.letter,
                    );
                    let first_ms = first_ms.unwrap_or(now_ms);
                    let again_ms = self.again_at_ms(first_ms, now_ms, &looked.firing);
                    again_ms.map_or(repeat_ms, |again_ms| {
                        repeat_ms.min(dedup::look_ms(
                            group.next_ms,
                            route.group_interval_ms,
                            again_ms,
                        ))
                    })
                },
            ),
            raises_ms: self.next_of(&looked.firing, |it| it.raises_ms),
            second_ms: self.second_for(id, integration, &looked.firing, now_ms),
            route_labels: Set::new(),
            groups: 1,
            down_at: String::new(),
            flaps: self.flaps(&looked.firing, now_ms),
            inhibits: self.inhibited_by(&looked.firing, now_ms),
            external_url: self.external_url.clone(),
            ack_path: String::new(),
            incident: incident.clone(),
            now_ms,
            alerts: told,
        };
        if notification.firing()
            && let Some(link) = &self.ack_link
        {
            notification.ack_path = link(&notification.incident).unwrap_or_default();
        }
        if !route.labels.is_empty() {
            notification.route_labels = route_labels(&route.labels, &notification);
        }
        let whom = match &through {
            Integration::Email(email) => Whom::of(&email.to, &email.from, &notification),
            Integration::Channel(_) => Whom::default(),
        };
        let mut to = whom.to.clone();
        if let Some(missed) = &only_missed {
            to.retain(|to| missed.contains(&to.email.to_string()));
            if to.is_empty() {
                return None;
            }
        }
        let labels = group.labels.clone();
        self.next_id += 1;
        *self.counters.requests.entry(through.kind()).or_default() += 1;
        let deadline_ms = route.group_interval_ms.max(10_000).unsigned_abs();
        self.flying.insert(
            self.next_id,
            Flight {
                group: Some(id),
                kind: through.kind(),
                integration,
                log: key,
                looked,
                only_missed: only_missed.is_some(),
                now_ms,
                reason,
                incident,
                sent_before,
                first_ms,
                labels,
                name: message_id.clone(),
                more: Vec::new(),
                of_host: false,
            },
        );
        Some(Delivery {
            id: self.next_id,
            integration: through,
            deadline: Duration::from_millis(deadline_ms),
            to,
            whom,
            notification,
            message_id,
        })
    }

    fn told(&self, looked: &Looked, send_resolved: bool) -> Vec<Told> {
        let one = |fingerprint: &u64, ended: bool| {
            let alert = self.alerts.get(fingerprint)?;
            let labels = alert.told_labels();
            let told = Told {
                fingerprint: *fingerprint,
                labels: labels.to_set(),
                annotations: alert.annotations.to_set(),
                started_ms: alert.starts_ms,
                ended_ms: ended.then_some(alert.ends_ms),
                generator_url: alert.generator_url.to_string(),
                ack: self.last_ack(*fingerprint).cloned(),
                raised_ms: alert.raised_ms,
            };
            Some((labels, told))
        };
        let firing = looked.firing.iter().filter_map(|alert| one(alert, false));
        let resolved = looked.resolved.iter().filter_map(|alert| one(alert, true));
        let mut told: Vec<(_, Told)> = match send_resolved {
            true => firing.chain(resolved).collect(),
            false => firing.collect(),
        };
        told.sort_by(|(a, _), (b, _)| order(a, b));
        told.into_iter().map(|(_, told)| told).collect()
    }

    /// The labels of alerts that are muted because one of `sources` fires.
    fn inhibited_by(&self, sources: &[u64], now_ms: i64) -> Vec<Set> {
        if !sources
            .iter()
            .any(|source| self.inhibitor.is_source(*source) || self.may_be_cause(*source))
        {
            return Vec::new();
        }
        self.alerts
            .values()
            .filter(|alert| !alert.ended_at(now_ms))
            .filter(|alert| {
                self.muted_by(&alert.labels, now_ms)
                    .is_some_and(|source| sources.binary_search(&source).is_ok())
            })
            .map(|alert| alert.labels.to_set())
            .collect()
    }
}

impl Looked {
    fn hash(&self) -> u32 {
        let bytes = self.firing.iter().chain([&u64::MAX]).chain(&self.resolved);
        bytes.fold(0x811c_9dc5, |hash, word| {
            (hash ^ (word ^ (word >> 32)) as u32).wrapping_mul(0x0100_0193)
        })
    }
}

/// Names an incident by its group, receiver and beginning, so that a restart
/// or another try gives it the same name.
fn incident(key: &LogKey, told: &[Told]) -> String {
    let started_ms = told.iter().map(|alert| alert.started_ms).min().unwrap_or(0);
    let set = Set::from([
        ("group".into(), key.group.to_string()),
        ("receiver".into(), key.receiver.to_string()),
        ("integration".into(), key.integration.to_string()),
        ("started".into(), started_ms.to_string()),
    ]);
    format!("{:016x}", alert::fingerprint(&set))
}
