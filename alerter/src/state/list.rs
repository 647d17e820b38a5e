//! Alerts and groups one after another, for whoever writes long lists.
//!
//! A list is read in pieces, each at a time of its own: what changes between
//! two pieces shows in the later one. Nothing is copied but fingerprints.

use std::sync::Arc;

use super::{Active, Alerter, GroupId};
use crate::notification::{order, set_order};
use crate::pairs::Pairs;
use crate::plan::{Plan, Receiver};
use crate::silence::Id;

/// An alert that fires, as it is kept. Times are milliseconds since 1970.
pub(crate) struct Seen<'a> {
    pub fingerprint: u64,
    pub labels: &'a Pairs,
    pub annotations: &'a Pairs,
    pub generator_url: &'a str,
    pub starts_ms: i64,
    pub ends_ms: i64,
    pub updated_ms: i64,
    pub inhibited_by: Option<u64>,
    pub silenced_by: Vec<Id>,
    alert: &'a Active,
    plan: &'a Plan,
}

impl<'a> Seen<'a> {
    /// The receivers of its routes, in order.
    pub(crate) fn receivers(&self) -> impl Iterator<Item = &'a Receiver> {
        let plan = self.plan;
        let groups = self.alert.groups.iter();
        groups.map(|id| plan.receiver_of(id.route))
    }
}

/// Whether a receiver is wanted.
pub(crate) type OfReceiver = Box<dyn Fn(&Receiver) -> bool + Send>;

/// What a list is to show.
pub(crate) struct Wanted {
    /// Of the labels.
    pub labels: Box<dyn Fn(&Pairs) -> bool + Send>,
    /// Of the receivers; none for any.
    pub receiver: Option<OfReceiver>,
    /// Alerts that nothing mutes.
    pub active: bool,
    /// Silenced ones.
    pub silenced: bool,
    /// Inhibited ones.
    pub inhibited: bool,
}

impl Alerter {
    /// Looks at up to `most` alerts behind `after`, and shows those that are
    /// wanted. The last one that was looked at; none at the end of the list.
    pub(crate) fn list(
        &self,
        after: Option<u64>,
        most: usize,
        wanted: &Wanted,
        now_ms: i64,
        mut show: impl FnMut(&Seen<'_>) -> bool,
    ) -> Option<u64> {
        let from = match after {
            None => 0,
            Some(last) => last.checked_add(1)?,
        };
        for (place, (fingerprint, alert)) in self.alerts.range(from..).enumerate() {
            let goes_on = self
                .seen(*fingerprint, alert, wanted, now_ms)
                .is_none_or(|seen| show(&seen));
            if !goes_on || place + 1 == most {
                return Some(*fingerprint);
            }
        }
        None
    }

    /// One alert, if it is wanted.
    pub(crate) fn look_at(
        &self,
        fingerprint: u64,
        wanted: &Wanted,
        now_ms: i64,
    ) -> Option<Seen<'_>> {
        let alert = self.alerts.get(&fingerprint)?;
        self.seen(fingerprint, alert, wanted, now_ms)
    }

    fn seen<'a>(
        &'a self,
        fingerprint: u64,
        alert: &'a Active,
        wanted: &Wanted,
        now_ms: i64,
    ) -> Option<Seen<'a>> {
        if alert.ended_at(now_ms) || !(wanted.labels)(&alert.labels) {
            return None;
        }
        if let Some(receiver) = &wanted.receiver {
            let mut receivers = alert
                .groups
                .iter()
                .map(|id| self.plan.receiver_of(id.route));
            if !receivers.any(receiver) {
                return None;
            }
        }
        let inhibited_by = self.muted_by(&alert.labels, now_ms);
        let silenced_by = self.silenced_by(&alert.labels, now_ms);
        let (inhibited, silenced) = (inhibited_by.is_some(), !silenced_by.is_empty());
        let unwanted = inhibited && !wanted.inhibited
            || silenced && !wanted.silenced
            || !inhibited && !silenced && !wanted.active;
        (!unwanted).then_some(Seen {
            fingerprint,
            labels: &alert.labels,
            annotations: &alert.annotations,
            generator_url: &alert.generator_url,
            starts_ms: alert.starts_ms,
            ends_ms: alert.ends_ms,
            updated_ms: alert.updated_ms,
            inhibited_by,
            silenced_by,
            alert,
            plan: &self.plan,
        })
    }

    /// The groups whose receiver is wanted, by their labels and then by receiver;
    /// and the plan by which they are named.
    pub(crate) fn group_order(&self, wanted: &Wanted) -> (Vec<GroupId>, Arc<Plan>) {
        let receiver_of = |id: &GroupId| self.plan.receiver_of(id.route);
        let mut groups: Vec<_> = self
            .groups
            .iter()
            .filter(|(id, _)| {
                wanted
                    .receiver
                    .as_ref()
                    .is_none_or(|it| it(receiver_of(id)))
            })
            .collect();
        groups.sort_by(|(a_id, a), (b_id, b)| {
            let by_receiver = || receiver_of(a_id).name.cmp(&receiver_of(b_id).name);
            set_order(&a.labels, &b.labels).then_with(by_receiver)
        });
        let ids = groups.into_iter().map(|(id, _)| *id).collect();
        (ids, Arc::clone(&self.plan))
    }

    /// Whether `plan` still holds: groups are named by it.
    pub(crate) fn goes_by(&self, plan: &Arc<Plan>) -> bool {
        Arc::ptr_eq(plan, &self.plan)
    }

    /// The labels that a group's alerts share, while there is such a group.
    pub(crate) fn group_head(&self, id: GroupId) -> Option<&Pairs> {
        Some(&self.groups.get(&id)?.labels)
    }

    /// A group's alerts in the order of messages, while there is such a group.
    pub(crate) fn members(&self, id: GroupId) -> Option<Vec<u64>> {
        let members = self.groups.get(&id)?.members.iter();
        let mut alerts: Vec<(u64, &Pairs)> = members
            .filter_map(|fingerprint| Some((*fingerprint, &self.alerts.get(fingerprint)?.labels)))
            .collect();
        alerts.sort_by(|(_, a), (_, b)| order(a, b));
        Some(
            alerts
                .into_iter()
                .map(|(fingerprint, _)| fingerprint)
                .collect(),
        )
    }

    /// The names of the time intervals that mute a group now.
    pub(crate) fn group_muted_by(&self, id: GroupId, now_ms: i64) -> Vec<Arc<str>> {
        self.plan
            .closed(id.route, now_ms)
            .map_or_else(Vec::new, |(_, names)| names)
    }
}
