//! Looking at groups when they are due, and letting go of what is over.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::event::EventKind;
use super::fold::Came;
use super::{Alerter, FORGET_MS, GroupId, LOG_MS, Mute, Pending, PendingState};
use crate::dedup::{self, Decision, Entry};
use crate::plan::{Integration, Kind, Receiver};

/// What a look found: fingerprints in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Looked {
    pub firing: Vec<u64>,
    pub resolved: Vec<u64>,
    pub muted: BTreeMap<Mute, u64>,
    /// Those that are muted, and why.
    pub held: Vec<(u64, Mute)>,
}

impl Alerter {
    /// Does what is due at `now_ms`. What is to be sent is then ready in
    /// [`Alerter::next_delivery`].
    pub(crate) fn tick(&mut self, now_ms: i64) {
        self.end_silences(now_ms);
        self.escalate(now_ms);
        while let Some((ends_ms, fingerprint)) = self.ends.first().copied() {
            if ends_ms > now_ms {
                break;
            }
            self.ends.pop_first();
            self.end(fingerprint, now_ms);
        }
        while let Some((due_ms, id)) = self.wakes.first().copied() {
            if due_ms > now_ms {
                break;
            }
            self.wake(id, now_ms);
        }
        if self.forget_ms <= now_ms {
            self.forget(now_ms);
        }
    }

    /// Messages that wait or are under way.
    #[must_use]
    pub(crate) fn queue(&self) -> usize {
        self.groups.values().map(|group| group.pending.len()).sum()
    }

    fn end(&mut self, fingerprint: u64, now_ms: i64) {
        let Some(alert) = self.alerts.get_mut(&fingerprint) else {
            return;
        };
        alert.ended = true;
        if let Some(held_ms) = alert.held_end_ms.take() {
            alert.ends_ms = held_ms;
        }
        self.step += 1;
        alert.changed = self.step;
        let (ends_ms, labels) = (alert.ends_ms, alert.labels.clone());
        let mut came = Came::of(alert, now_ms);
        came.ends_ms = Some(ends_ms);
        self.note_intake(&came);
        self.dirty.alerts.insert(fingerprint);
        self.note(ends_ms, EventKind::Ended, Some(&labels));
        self.end_episode(fingerprint);
        self.mark_groups_of(fingerprint);
    }

    fn wake(&mut self, id: GroupId, now_ms: i64) {
        let Some(group) = self.groups.get_mut(&id) else {
            return;
        };
        let mut due = Vec::new();
        for (integration, pending) in &mut group.pending {
            if matches!(pending.state, PendingState::Waiting { until_ms } if until_ms <= now_ms) {
                pending.state = PendingState::Ready;
                due.push(*integration);
            }
        }
        let falls_back = group.fallback_ms.is_some_and(|it| it <= now_ms);
        if group.next_ms <= now_ms {
            self.look_now(id, now_ms);
            self.settle(id);
        }
        for integration in due {
            self.queue_up(id, integration);
        }
        if falls_back {
            self.fall_back_when_due(id, now_ms);
        }
        self.rewake(id);
    }

    /// Looks at a group for all of its receiver, and again after the interval.
    pub(super) fn look_now(&mut self, id: GroupId, now_ms: i64) {
        let Some(group) = self.groups.get_mut(&id) else {
            return;
        };
        // From the look, not from the end of sending.
        group.next_ms = now_ms + self.plan.routes[id.route].group_interval_ms.max(1);
        group.looked = Some(self.step);
        for fingerprint in &group.members {
            if let Some(alert) = self.alerts.get_mut(fingerprint) {
                alert.looked_at = true;
            }
        }
        self.mark_looked(id);
        let plan = self.plan();
        for integration in plan.receiver_of(id.route).integrations.keys().copied() {
            self.look(id, integration, now_ms);
        }
    }

    /// Decides for one integration, and enters what is to be sent.
    pub(super) fn look(&mut self, id: GroupId, integration: usize, now_ms: i64) {
        let kind = self.integration(id, integration).kind();
        let Some(group) = self.groups.get_mut(&id) else {
            return;
        };
        if let Some(class) = group.pending.get(&integration).and_then(|it| it.class) {
            *self.counters.failed.entry((kind, class)).or_default() += 1;
        }
        match group.pending.get_mut(&integration) {
            Some(Pending {
                state: PendingState::Flying { again },
                ..
            }) => {
                *again = true;
                return;
            }
            // Each look begins anew, without the waits of the last one.
            Some(pending)
                if kind != Kind::Email && matches!(pending.state, PendingState::Waiting { .. }) =>
            {
                pending.state = PendingState::Ready;
                pending.attempts = 0;
                self.queue_up(id, integration);
                return;
            }
            // It will be composed anew when its time comes.
            Some(pending) if !pending.only_missed => return,
            _ => {}
        }
        let (looked, decision) = self.decide(id, integration, now_ms);
        for (why, count) in &looked.muted {
            *self.counters.suppressed.entry(*why).or_default() += count;
        }
        self.note_mutes(id, &looked, now_ms);
        match decision {
            Decision::Send(_) => {
                *self.counters.notifications.entry(kind).or_default() += 1;
                let pending = Pending {
                    state: PendingState::Ready,
                    attempts: 0,
                    since_ms: now_ms,
                    class: None,
                    only_missed: false,
                };
                if let Some(group) = self.groups.get_mut(&id) {
                    group.pending.insert(integration, pending);
                }
                self.queue_up(id, integration);
                self.mark_looked(id);
            }
            Decision::Note => {
                *self.counters.notifications.entry(kind).or_default() += 1;
                self.note_silently(id, integration, looked, now_ms);
            }
            Decision::Nothing => {}
        }
    }

    /// Remembers that nothing fires, for a receiver that is not told of ends.
    pub(super) fn note_silently(
        &mut self,
        id: GroupId,
        integration: usize,
        looked: Looked,
        now_ms: i64,
    ) {
        let Some(group) = self.groups.get(&id) else {
            return;
        };
        let key = self.log_key(id, group, integration);
        let entry = self.log.entry(key.clone()).or_default();
        entry.firing = looked.firing;
        entry.resolved = looked.resolved;
        entry.at_ms = now_ms;
        self.dirty.log.insert(key);
    }

    pub(super) fn decide(
        &self,
        id: GroupId,
        integration: usize,
        now_ms: i64,
    ) -> (Looked, Decision) {
        let mut looked = Looked {
            firing: Vec::new(),
            resolved: Vec::new(),
            muted: BTreeMap::new(),
            held: Vec::new(),
        };
        let Some(group) = self.groups.get(&id) else {
            return (looked, Decision::Nothing);
        };
        let entry = self.log.get(&self.log_key(id, group, integration));
        let closed = self.plan.closed(id.route, now_ms).map(|(why, _)| why);
        for fingerprint in &group.members {
            let Some(alert) = self.alerts.get(fingerprint) else {
                continue;
            };
            let ended = alert.ended_at(now_ms);
            let told = |entry: &Entry| entry.firing.binary_search(fingerprint).is_ok();
            // It was over before anybody was to be told. A message that is due
            // already, and waits for its server, goes out all the same.
            let due = group.pending.contains_key(&integration);
            if alert.held_end_ms.is_some() && !due && !entry.is_some_and(told) {
                continue;
            }
            let owed = !self.plan.letter && ended && entry.is_some_and(told);
            if !owed && let Some(why) = self.mute(&alert.labels, closed, now_ms) {
                *looked.muted.entry(why).or_default() += 1;
                looked.held.push((*fingerprint, why));
            } else if ended {
                looked.resolved.push(*fingerprint);
            } else {
                looked.firing.push(*fingerprint);
            }
        }
        // All muted is not all ended.
        if looked.firing.is_empty() && looked.resolved.is_empty() {
            return (looked, Decision::Nothing);
        }
        let begun = entry.is_some_and(|entry| !entry.firing.is_empty());
        if Receiver::second_of(integration).is_some() && !begun {
            let due_ms = self.second_due_ms(id, group, integration, &looked.firing);
            if due_ms.is_none_or(|due_ms| due_ms > now_ms) {
                return (looked, Decision::Nothing);
            }
        }
        let route = &self.plan.routes[id.route];
        let now = dedup::Now {
            firing: &looked.firing,
            resolved: &looked.resolved,
            send_resolved: self.integration(id, integration).send_resolved(),
            repeat_ms: route.repeat_interval_ms,
            acknowledged: self.all_acknowledged(&looked.firing),
            unanswered: self.is_unanswered(entry, &looked.firing, now_ms),
            letter: self.plan.letter,
            now_ms,
        };
        let decision = dedup::decide(entry, now);
        (looked, decision)
    }

    pub(super) fn integration(&self, id: GroupId, integration: usize) -> &Integration {
        &self.plan.receiver_of(id.route).integrations[&integration]
    }

    /// Lets ended alerts go once everyone who had to be told was.
    pub(super) fn settle(&mut self, id: GroupId) {
        let Some(group) = self.groups.get_mut(&id) else {
            return;
        };
        if group.pending.values().any(|pending| !pending.only_missed) {
            return;
        }
        let Some(looked) = group.looked.take() else {
            return;
        };
        let alerts = &self.alerts;
        group.members.retain(|fingerprint| {
            alerts
                .get(fingerprint)
                .is_some_and(|alert| !(alert.ended && alert.changed <= looked))
        });
        if group.members.is_empty() {
            self.disband(id);
        }
    }

    fn disband(&mut self, id: GroupId) {
        self.mark_group(id);
        let Some(group) = self.groups.remove(&id) else {
            return;
        };
        if let Some(wake_ms) = group.wake_ms {
            self.wakes.remove(&(wake_ms, id));
        }
        if self.plan.letter {
            return;
        }
        // What ended unseen must not keep its next beginning silent.
        let plan = self.plan();
        for integration in plan.receiver_of(id.route).integrations.keys().copied() {
            let key = self.log_key(id, &group, integration);
            if let Some(entry) = self
                .log
                .get_mut(&key)
                .filter(|entry| !entry.firing.is_empty())
            {
                entry.firing.clear();
                self.dirty.log.insert(key);
            }
        }
    }

    /// Throws away what is old.
    fn forget(&mut self, now_ms: i64) {
        self.forget_ms = now_ms + FORGET_MS;
        self.dirty.trim = true;
        self.forget_silences(now_ms);
        let groups = &self.groups;
        let untold = self.untold();
        let old: Vec<u64> = self
            .alerts
            .iter()
            .filter(|(fingerprint, alert)| {
                let held = |id: &GroupId| {
                    groups
                        .get(id)
                        .is_some_and(|group| group.members.contains(fingerprint))
                };
                alert.ended
                    && alert.ends_ms + FORGET_MS <= now_ms
                    && !untold.contains(fingerprint)
                    && !self.ended_lately(**fingerprint, now_ms)
                    && !alert.groups.iter().any(held)
            })
            .map(|(fingerprint, _)| *fingerprint)
            .collect();
        for fingerprint in old {
            if let Some(alert) = self.alerts.remove(&fingerprint) {
                self.forget_episode(fingerprint, &alert);
                self.inhibitor
                    .remove(&self.plan, fingerprint, &alert.labels);
                self.symptoms.remove(fingerprint, &alert.labels);
                self.dirty.lazy.insert(fingerprint);
            }
        }
        let longest_ms = self
            .plan
            .routes
            .iter()
            .map(|route| route.repeat_interval_ms)
            .max();
        let keep_ms = LOG_MS.max(longest_ms.unwrap_or(0).saturating_mul(2));
        let live: std::collections::BTreeSet<&Arc<str>> =
            self.groups.values().map(|group| &group.key).collect();
        let dirty = &mut self.dirty.log;
        self.log.retain(|key, entry| {
            let keep = entry.at_ms + keep_ms > now_ms || live.contains(&key.group);
            if !keep {
                dirty.insert(key.clone());
            }
            keep
        });
    }
}
