//! More mails than people can read: beyond so many in an hour, what is due for a
//! receiver waits a few minutes and is told together, in one mail.
//!
//! Nothing is dropped: each group is noted as told when that mail was taken.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::compose::Delivery;
use super::{Alerter, GroupId, PendingState};
use crate::dedup::Reason;
use crate::notification::{common, highest_severity};
use crate::plan::Integration;

/// In which mails are counted, in milliseconds.
const WINDOW_MS: i64 = 3_600_000;

/// Between mails that tell of several groups, in milliseconds.
const EVERY_MS: i64 = 5 * 60_000;

/// Groups that one mail tells of, at most.
const GROUPS: usize = 1_000;

/// How often a receiver was mailed, by the place of the mail in it.
pub(super) type Paces = BTreeMap<(Arc<str>, usize), Pace>;

/// When somebody was mailed lately.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Mails of the last hour that told of one group.
    alone: VecDeque<i64>,
    /// The last mail of any kind.
    last_ms: i64,
}

/// How a mail goes out.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Way {
    Alone,
    Together,
    Later { until_ms: i64 },
}

impl Pace {
    fn way(&mut self, most: usize, now_ms: i64) -> Way {
        while self
            .alone
            .front()
            .is_some_and(|at_ms| at_ms + WINDOW_MS <= now_ms)
        {
            self.alone.pop_front();
        }
        let until_ms = self.last_ms + EVERY_MS;
        match (most == 0 || self.alone.len() < most, until_ms <= now_ms) {
            (true, _) => Way::Alone,
            (false, true) => Way::Together,
            (false, false) => Way::Later { until_ms },
        }
    }

    /// Notes that a mail was taken.
    pub(super) fn note(&mut self, groups: usize, now_ms: i64) {
        self.last_ms = now_ms;
        if groups == 1 {
            self.alone.push_back(now_ms);
        }
    }

    pub(super) fn shift(&mut self, delta_ms: i64) {
        self.last_ms += delta_ms;
        for at_ms in &mut self.alone {
            *at_ms += delta_ms;
        }
    }
}

impl Alerter {
    /// How the mail of a group goes out; at once if it is none.
    pub(super) fn way(&mut self, id: GroupId, integration: usize, now_ms: i64) -> Way {
        let Integration::Email(email) = self.integration(id, integration) else {
            return Way::Alone;
        };
        // What is for or from other people is another mail.
        if email.varies() {
            return Way::Alone;
        }
        let (most, key) = (email.hourly, self.pace_key(id, integration));
        match self.paces.get_mut(&key) {
            Some(pace) => pace.way(most, now_ms),
            None => Way::Alone,
        }
    }

    pub(super) fn pace_key(&self, id: GroupId, integration: usize) -> (Arc<str>, usize) {
        let receiver = self.plan.receiver_of(id.route);
        (Arc::clone(&receiver.name), integration)
    }

    /// Lets a mail that is due wait for the others.
    pub(super) fn put_off(&mut self, id: GroupId, integration: usize, until_ms: i64) {
        if let Some(group) = self.groups.get_mut(&id)
            && let Some(pending) = group.pending.get_mut(&integration)
        {
            pending.state = PendingState::Waiting { until_ms };
            self.rewake(id);
        }
    }

    /// Tells with one group's mail what else is due for its receiver.
    pub(super) fn bundle(
        &mut self,
        mut first: Delivery,
        (id, integration): (GroupId, usize),
        now_ms: i64,
    ) -> Delivery {
        if self.tells_only_missed(&first) {
            return first;
        }
        let receiver = self.plan.routes[id.route].receiver;
        let address = Arc::clone(first.integration.address());
        let queue = self.ready.remove(&address).unwrap_or_default();
        let (mut others, mut rest) = (Vec::new(), VecDeque::new());
        for (other, slot) in queue {
            let same = slot == integration && self.plan.routes[other.route].receiver == receiver;
            match same && others.len() + 1 < GROUPS {
                true => others.push(other),
                false => rest.push_back((other, slot)),
            }
        }
        self.ready.insert(address, rest);
        for other in others {
            self.add_to(&mut first, other, integration, now_ms);
        }
        self.as_one(&mut first);
        first
    }

    /// Those who have it already do not get this mail: it tells of nothing else.
    pub(super) fn tells_only_missed(&self, delivery: &Delivery) -> bool {
        let flight = self.flying.get(&delivery.id);
        flight.is_some_and(|one| one.only_missed)
    }

    /// Lets a mail tell of another group too, if that has something to say.
    pub(super) fn add_to(
        &mut self,
        first: &mut Delivery,
        other: GroupId,
        integration: usize,
        now_ms: i64,
    ) {
        let Some(delivery) = self.compose_ready(other, integration, now_ms) else {
            return;
        };
        if let Some(more) = self.flying.remove(&delivery.id)
            && let Some(flight) = self.flying.get_mut(&first.id)
        {
            flight.more.push(more);
            let (told, more) = (&mut first.notification, delivery.notification);
            told.route_labels
                .retain(|name, value| more.route_labels.get(name) == Some(value));
            told.alerts.extend(more.alerts);
            told.groups += 1;
        }
    }

    /// What is true of all that a mail of several groups tells.
    pub(super) fn as_one(&mut self, first: &mut Delivery) {
        let told = &mut first.notification;
        if told.groups > 1 {
            let sets = || told.alerts.iter().map(|alert| &alert.labels);
            let notes = told.alerts.iter().map(|alert| &alert.annotations);
            let firing = told.alerts.iter().filter(|it| it.ended_ms.is_none());
            let severity = match told.firing() {
                true => highest_severity(firing.map(|it| &it.labels)),
                false => highest_severity(sets()),
            };
            let (labels, annotations) = (common(sets()), common(notes));
            told.reason = Reason::Together;
            told.severity = severity;
            told.group_labels
                .retain(|name, _| labels.contains_key(name));
            told.common_labels = labels;
            told.common_annotations = annotations;
            told.sent_before = 0;
            // A link answers for one incident.
            told.ack_path.clear();
            first.message_id = format!("{}.{}.together", first.message_id, told.groups);
            if let Some(flight) = self.flying.get_mut(&first.id) {
                flight.name.clone_from(&first.message_id);
            }
        }
    }
}
