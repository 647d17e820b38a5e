//! Much of one host is down at once: one mail tells of all of it, the host's own
//! trouble first.
//!
//! Each group is noted as told when that mail was taken, as if it had had its own.

use tmpl::strip_port;

use super::bundle::Way;
use super::compose::Delivery;
use super::symptoms::is_probe;
use super::{Active, Alerter, GroupId, PendingState};
use crate::dedup::{Decision, Reason};
use crate::health::Class;
use crate::notification::Told;
use crate::pairs::{Named, Pairs};
use crate::plan::{Collapse, Integration};

/// Groups that are looked at for one mail, at most.
const LOOKS: usize = 2_000;

/// Labels of what is on a host, and not the host itself.
const PARTS: [&str; 6] = ["name", "service", "container", "unit", "database", "probe"];

/// What is told in one mail.
pub(super) struct Down {
    host: String,
    groups: Vec<GroupId>,
}

impl Alerter {
    /// What else of the group's host is due, or about to be, if that is much.
    pub(super) fn down_with(&self, id: GroupId, integration: usize, now_ms: i64) -> Option<Down> {
        let policy = self.plan.collapse.as_ref()?;
        let Integration::Email(email) = self.integration(id, integration) else {
            return None;
        };
        if email.varies() {
            return None;
        }
        // Whatever is wrong with it would keep all the others waiting.
        if self.was_refused(id, integration) {
            return None;
        }
        let host = self.host_of(policy, id, now_ms)?.to_owned();
        let receiver = self.plan.routes[id.route].receiver;
        let until_ms = now_ms + policy.within_ms;
        let address = self.integration(id, integration).address();
        let ready = self.ready.get(address).into_iter().flatten();
        let ready = ready.filter(|(_, slot)| *slot == integration);
        let soon = self.wakes.range(..(until_ms, id)).map(|(_, other)| other);
        let mut groups = Vec::new();
        for other in ready.map(|(other, _)| other).chain(soon).take(LOOKS) {
            if *other != id
                && self.plan.routes[other.route].receiver == receiver
                && !groups.contains(other)
                && !self.was_refused(*other, integration)
                && self.host_of(policy, *other, now_ms) == Some(&host)
                && self.is_due_or_new(*other, integration, now_ms)
            {
                groups.push(*other);
            }
        }
        (groups.len() + 1 >= policy.from).then_some(Down { host, groups })
    }

    /// Whether the group's mail could never be sent when it was last tried: a server
    /// refused it for good, or its templates fail.
    fn was_refused(&self, id: GroupId, integration: usize) -> bool {
        let group = self.groups.get(&id);
        let pending = group.and_then(|group| group.pending.get(&integration));
        pending.is_some_and(|pending| {
            matches!(pending.class, Some(Class::Permanent | Class::Template))
        })
    }

    /// Tells all of it with one group's mail.
    pub(super) fn tell_down(
        &mut self,
        mut first: Delivery,
        down: Down,
        integration: usize,
        now_ms: i64,
    ) -> Delivery {
        if self.tells_only_missed(&first) {
            return first;
        }
        for other in down.groups {
            let group = self.groups.get_mut(&other);
            match group.and_then(|group| group.pending.get_mut(&integration)) {
                Some(pending) => pending.state = PendingState::Ready,
                None => self.look_now(other, now_ms),
            }
            self.add_to(&mut first, other, integration, now_ms);
            self.rewake(other);
        }
        let alerts = &mut first.notification.alerts;
        alerts.sort_by(|one, other| place(one).cmp(&place(other)));
        self.as_one(&mut first);
        if first.notification.groups > 1 {
            first.notification.down_at = down.host;
            if let Some(flight) = self.flying.get_mut(&first.id) {
                flight.of_host = true;
            }
        }
        first
    }

    /// The host that all of the group is about that fires, or that ended.
    fn host_of(&self, policy: &Collapse, id: GroupId, now_ms: i64) -> Option<&str> {
        let group = self.groups.get(&id)?;
        let members = group.members.iter().filter_map(|it| self.alerts.get(it));
        let fires = |alert: &Active| !alert.ended_at(now_ms);
        let any_fires = members.clone().any(|alert| fires(alert));
        let mut hosts = members
            .filter(|alert| !any_fires || fires(alert))
            .map(|alert| host(policy, &alert.labels));
        let first = hosts.next()??;
        hosts.all(|host| host == Some(first)).then_some(first)
    }

    /// Whether the group waits to be told, or would be told for the first time.
    fn is_due_or_new(&self, id: GroupId, integration: usize, now_ms: i64) -> bool {
        let Some(group) = self.groups.get(&id) else {
            return false;
        };
        match group.pending.get(&integration) {
            // Also what waits for its next try: each has its own time for that.
            Some(pending) => {
                !pending.only_missed && !matches!(pending.state, PendingState::Flying { .. })
            }
            None => {
                self.plan
                    .receiver_of(id.route)
                    .integrations
                    .contains_key(&integration)
                    && self.decide(id, integration, now_ms).1 == Decision::Send(Reason::First)
            }
        }
    }

    /// How a group's mail goes out, after what is down with it was looked for.
    pub(super) fn way_of(
        &mut self,
        id: GroupId,
        integration: usize,
        now_ms: i64,
    ) -> (Way, Option<Down>) {
        match self.way(id, integration, now_ms) {
            Way::Alone => (Way::Alone, self.down_with(id, integration, now_ms)),
            way => (way, None),
        }
    }
}

/// The host that labels name, without a port. What a probe looks at is none.
fn host<'a>(policy: &Collapse, labels: &'a Pairs) -> Option<&'a str> {
    let value = labels.get(&policy.by).filter(|it| !it.is_empty())?;
    (!is_probe(labels)).then(|| strip_port(value))
}

/// The host's own trouble first, then what is worst.
fn place(told: &Told) -> (bool, bool, u8, &str) {
    let labels = &told.labels;
    let part = PARTS
        .iter()
        .any(|name| labels.value(name).is_some_and(|it| !it.is_empty()));
    let severity = match labels.value("severity") {
        Some("critical") => 0,
        Some("warning") => 1,
        _ => 2,
    };
    let name = labels.value("alertname").unwrap_or("");
    (told.ended_ms.is_some(), part, severity, name)
}
