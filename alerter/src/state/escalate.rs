//! Escalation in the alerter's state: raising what is old, and what comes next
//! for an alert that nobody ends or answers.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::event::EventKind;
use super::{Active, Alerter, Group, GroupId};
use crate::dedup::Entry;
use crate::episode::StepKind;
use crate::escalation::{self, HIGH};
use crate::pairs::Pairs;
use crate::plan::Receiver;

/// When warnings may become critical, by alert.
pub(super) type Ladder = BTreeSet<(i64, u64)>;

/// What comes next for an alert that goes on. Times are milliseconds since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Escalation {
    /// Since when it is critical by its age.
    pub raised_ms: Option<i64>,
    /// When it becomes critical.
    pub raises_ms: Option<i64>,
    /// When the second contact is told, unless somebody acknowledges it.
    pub second_ms: Option<i64>,
    /// When its end is believed, if it was told to have ended.
    pub over_ms: Option<i64>,
}

impl Active {
    /// The labels by which it is told: with the severity that it has by now.
    pub(super) fn told_labels(&self) -> Cow<'_, Pairs> {
        match self.raised_ms {
            Some(_) => Cow::Owned(escalation::raised(&self.labels)),
            None => Cow::Borrowed(&self.labels),
        }
    }

    pub(super) fn is_critical(&self) -> bool {
        self.raised_ms.is_some() || self.labels.get("severity").is_some_and(|it| it == HIGH)
    }
}

impl Alerter {
    /// Enters when a firing alert becomes critical, if it does. An entry that
    /// holds no more is found out when its time comes.
    pub(super) fn enter_raise(&mut self, fingerprint: u64) {
        let Some(alert) = self.alerts.get(&fingerprint) else {
            return;
        };
        if !alert.ended && alert.raised_ms.is_none() {
            let due = self.raise_at_ms(alert);
            self.ladder.extend(due.map(|due_ms| (due_ms, fingerprint)));
        }
    }

    fn raise_at_ms(&self, alert: &Active) -> Option<i64> {
        escalation::raise_at_ms(&self.plan.escalation, &alert.labels, alert.starts_ms)
    }

    /// Makes critical what is old enough by now.
    pub(super) fn escalate(&mut self, now_ms: i64) {
        while let Some((due_ms, fingerprint)) = self.ladder.first().copied() {
            if due_ms > now_ms {
                break;
            }
            self.ladder.pop_first();
            let alert = self.alerts.get(&fingerprint);
            let holds = |alert: &Active| {
                !alert.ended_at(now_ms)
                    && alert.raised_ms.is_none()
                    && self.raise_at_ms(alert) == Some(due_ms)
            };
            if alert.is_some_and(|alert| holds(alert)) {
                self.raise(fingerprint, due_ms, now_ms);
            }
        }
    }

    /// The alert is critical from now on: it goes where critical ones go, and is
    /// news there.
    fn raise(&mut self, fingerprint: u64, at_ms: i64, now_ms: i64) {
        let Some(alert) = self.alerts.get_mut(&fingerprint) else {
            return;
        };
        alert.raised_ms = Some(at_ms);
        let labels = alert.labels.clone();
        self.regroup_one(fingerprint, now_ms);
        self.note_step(fingerprint, StepKind::Raised, now_ms);
        self.note(now_ms, EventKind::Raised, Some(&labels));
    }

    /// The alert begins anew, so its age is no reason any more.
    pub(super) fn lower(&mut self, fingerprint: u64, now_ms: i64) {
        if let Some(alert) = self.alerts.get_mut(&fingerprint)
            && alert.raised_ms.take().is_some()
        {
            self.regroup_one(fingerprint, now_ms);
        }
    }

    /// Puts an alert into the groups that its labels lead to by now.
    pub(super) fn regroup_one(&mut self, fingerprint: u64, now_ms: i64) {
        let Some(alert) = self.alerts.get(&fingerprint) else {
            return;
        };
        let before = alert.groups.clone();
        let after = self.groups_of(alert);
        if let Some(alert) = self.alerts.get_mut(&fingerprint) {
            alert.groups.clone_from(&after);
        }
        for id in before.iter().filter(|id| !after.contains(id)) {
            self.leave(*id, fingerprint);
        }
        for id in after {
            if before.contains(&id) {
                self.make_news(id, fingerprint);
            }
            self.join(id, fingerprint, now_ms);
        }
    }

    /// Takes an alert out of a group. An empty one disbands at its next look.
    fn leave(&mut self, id: GroupId, fingerprint: u64) {
        if let Some(group) = self.groups.get_mut(&id)
            && group.members.remove(&fingerprint)
        {
            self.mark_group(id);
        }
    }

    /// Forgets that a group's receiver was told of an alert.
    fn make_news(&mut self, id: GroupId, fingerprint: u64) {
        let Some(group) = self.groups.get(&id) else {
            return;
        };
        let plan = self.plan();
        let slots = plan.receiver_of(id.route).integrations.keys();
        for key in slots
            .map(|slot| self.log_key(id, group, *slot))
            .collect::<Vec<_>>()
        {
            if let Some(entry) = self.log.get_mut(&key)
                && let Ok(at) = entry.firing.binary_search(&fingerprint)
            {
                entry.firing.remove(at);
                self.dirty.log.insert(key);
            }
        }
    }

    /// Whether an alert is critical by its age, after a restart or a reload.
    pub(super) fn restore_raise(&mut self, fingerprint: u64, now_ms: i64) {
        let Some(alert) = self.alerts.get(&fingerprint) else {
            return;
        };
        let until_ms = now_ms.min(alert.ends_ms);
        let raised_ms = self.raise_at_ms(alert).filter(|at_ms| *at_ms <= until_ms);
        if let Some(alert) = self.alerts.get_mut(&fingerprint) {
            alert.raised_ms = raised_ms;
        }
        self.enter_raise(fingerprint);
    }

    /// Whether a message is due because nobody has answered the last ones.
    pub(super) fn is_unanswered(&self, entry: Option<&Entry>, firing: &[u64], now_ms: i64) -> bool {
        let Some(entry) = entry.filter(|entry| !entry.firing.is_empty()) else {
            return false;
        };
        self.open_policies(firing).any(|(_, policy)| {
            escalation::is_unanswered(policy.again_ms, entry.first_ms, entry.at_ms, now_ms)
        })
    }

    /// The policies of critical alerts among these that nobody has taken on.
    fn open_policies<'a>(
        &'a self,
        firing: &'a [u64],
    ) -> impl Iterator<Item = (usize, &'a escalation::Policy)> {
        firing.iter().filter_map(|fingerprint| {
            let alert = self.alerts.get(fingerprint)?;
            let open = alert.is_critical() && self.ack_of(*fingerprint).is_none();
            open.then(|| escalation::policy_of(&self.plan.escalation, &alert.labels))?
        })
    }

    /// When the second contact that an integration reaches is due: the first
    /// contact was told so long ago, and nobody has answered.
    pub(super) fn second_due_ms(
        &self,
        id: GroupId,
        group: &Group,
        slot: usize,
        firing: &[u64],
    ) -> Option<i64> {
        let receiver = self.plan.receiver_of(id.route);
        let policy = Receiver::second_of(slot)?;
        let first = receiver
            .integrations
            .keys()
            .filter(|it| Receiver::second_of(**it).is_none());
        let told = first.filter_map(|slot| {
            let entry = self.log.get(&self.log_key(id, group, *slot))?;
            (!entry.firing.is_empty()).then_some(entry)
        });
        let told: Vec<&Entry> = told.collect();
        let by_failure = match told.iter().any(|entry| entry.bounced_ms.is_none()) {
            true => None,
            false => self.fallback_due_ms(group, &told, policy, firing),
        };
        let first_ms = told.iter().map(|entry| entry.first_ms).min();
        let waits = self
            .open_policies(firing)
            .filter(|(at, policy_of)| *at == policy && policy_of.second_ms > 0);
        let by_silence = waits.filter_map(|(_, it)| Some(first_ms?.saturating_add(it.second_ms)));
        by_silence.chain(by_failure).min()
    }

    /// When the second contact is due because nothing reaches the first: messages to it
    /// fail, or came back.
    fn fallback_due_ms(
        &self,
        group: &Group,
        told: &[&Entry],
        policy: usize,
        firing: &[u64],
    ) -> Option<i64> {
        let first = group.pending.iter().filter(|(slot, pending)| {
            Receiver::second_of(**slot).is_none() && pending.class.is_some()
        });
        let failing = first.map(|(_, pending)| pending.since_ms);
        let returned = told.iter().filter_map(|entry| entry.bounced_ms);
        let since_ms = failing.chain(returned).min()?;
        let open = firing.iter().filter(|it| self.ack_of(**it).is_none());
        let waits = open.filter_map(|fingerprint| {
            let alert = self.alerts.get(fingerprint)?;
            let (at, found) = escalation::policy_of(&self.plan.escalation, &alert.labels)?;
            let falls_back = at == policy && found.fallback_ms > 0;
            falls_back.then(|| since_ms.saturating_add(found.fallback_ms))
        });
        waits.min()
    }

    /// After a message failed: tells the second contact if it is time, else says
    /// when it will be.
    pub(super) fn fall_back(&mut self, id: GroupId, now_ms: i64) -> Option<i64> {
        let plan = self.plan();
        let slots = plan.receiver_of(id.route).integrations.keys();
        let mut next_ms = None;
        for slot in slots.filter(|slot| Receiver::second_of(**slot).is_some()) {
            let group = self.groups.get(&id)?;
            let firing: Vec<u64> = group.members.iter().copied().collect();
            match self.second_due_ms(id, group, *slot, &firing) {
                Some(due_ms) if due_ms <= now_ms => self.look(id, *slot, now_ms),
                Some(due_ms) => next_ms = next_ms.into_iter().chain([due_ms]).min(),
                None => {}
            }
        }
        next_ms
    }

    /// Tells the second contact if it is time, and else when it is.
    pub(super) fn fall_back_when_due(&mut self, id: GroupId, now_ms: i64) {
        let next_ms = self.fall_back(id, now_ms);
        if let Some(group) = self.groups.get_mut(&id) {
            group.fallback_ms = next_ms;
            self.rewake(id);
        }
    }

    /// When the second contact is due because a mail came back, after a restart or a
    /// reload: the log knows the bounce, the group has forgotten what follows from it.
    pub(super) fn restore_fallback(&mut self, id: GroupId) {
        let Some(group) = self.groups.get(&id) else {
            return;
        };
        let slots = self.plan.receiver_of(id.route).integrations.keys();
        let (seconds, first): (Vec<usize>, Vec<usize>) =
            slots.partition(|slot| Receiver::second_of(**slot).is_some());
        let entry = |slot: usize| self.log.get(&self.log_key(id, group, slot));
        let returned = |slot: &usize| entry(*slot).is_some_and(|it| it.bounced_ms.is_some());
        if seconds.is_empty() || !first.iter().any(returned) {
            return;
        }
        let firing: Vec<u64> = group.members.iter().copied().collect();
        let told = |slot: &usize| entry(*slot).is_some_and(|it| !it.firing.is_empty());
        let open = seconds.into_iter().filter(|slot| !told(slot));
        let due = open.filter_map(|slot| self.second_due_ms(id, group, slot, &firing));
        let due_ms = due.min();
        if let Some(group) = self.groups.get_mut(&id) {
            group.fallback_ms = due_ms;
        }
    }

    /// What comes next for an alert.
    pub(super) fn escalation_of(&self, fingerprint: u64, alert: &Active) -> Escalation {
        let groups = alert
            .groups
            .iter()
            .filter_map(|id| Some((*id, self.groups.get(id)?)));
        let second = groups.flat_map(|(id, group)| {
            let slots = self.plan.receiver_of(id.route).integrations.keys();
            slots.filter_map(move |slot| {
                let entry = self.log.get(&self.log_key(id, group, *slot));
                let told = entry.is_some_and(|entry| !entry.firing.is_empty());
                self.second_due_ms(id, group, *slot, &[fingerprint])
                    .filter(|_| !told)
            })
        });
        Escalation {
            raised_ms: alert.raised_ms,
            raises_ms: match alert.raised_ms {
                None => self.raise_at_ms(alert),
                Some(_) => None,
            },
            second_ms: second.min(),
            over_ms: alert.held_end_ms.map(|_| alert.ends_ms),
        }
    }

    /// When a group is told again because nobody has answered, if it is.
    pub(super) fn again_at_ms(&self, first_ms: i64, at_ms: i64, firing: &[u64]) -> Option<i64> {
        let waits = self
            .open_policies(firing)
            .map(|(_, policy)| policy.again_ms);
        let due = waits
            .filter(|wait_ms| *wait_ms > 0)
            .map(|it| first_ms.saturating_add(it));
        due.filter(|due_ms| at_ms < *due_ms).min()
    }

    /// The earliest of something that comes next for any of these.
    pub(super) fn next_of(
        &self,
        firing: &[u64],
        what: impl Fn(&Escalation) -> Option<i64>,
    ) -> Option<i64> {
        let all = firing.iter().filter_map(|fingerprint| {
            let alert = self.alerts.get(fingerprint)?;
            what(&self.escalation_of(*fingerprint, alert))
        });
        all.min()
    }

    /// When the second contact is told of what a message tells now, if it is not
    /// the one who gets the message.
    pub(super) fn second_for(
        &self,
        id: GroupId,
        integration: usize,
        firing: &[u64],
        now_ms: i64,
    ) -> Option<i64> {
        let receiver = self.plan.receiver_of(id.route);
        if Receiver::second_of(integration).is_some() {
            return None;
        }
        let group = self.groups.get(&id)?;
        let entry = self.log.get(&self.log_key(id, group, integration));
        let open = entry.filter(|entry| !entry.firing.is_empty());
        let first_ms = open.map_or(now_ms, |entry| entry.first_ms);
        let seconds: Vec<usize> = receiver
            .integrations
            .keys()
            .filter(|slot| {
                let told = self.log.get(&self.log_key(id, group, **slot));
                told.is_none_or(|entry| entry.firing.is_empty())
            })
            .filter_map(|slot| Receiver::second_of(*slot))
            .collect();
        let waits = self
            .open_policies(firing)
            .filter(|(at, policy)| seconds.contains(at) && policy.second_ms > 0);
        waits
            .map(|(_, it)| first_ms.saturating_add(it.second_ms))
            .min()
    }
}
