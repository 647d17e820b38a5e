//! The compiled configuration: what the decisions are made by.
//!
//! A plan is immutable and valid: every route's receiver exists, every
//! expression is compiled. It is made by [`crate::config`] and nowhere else.

mod collapse;
mod integration;

use std::collections::BTreeMap;
use std::sync::Arc;

use alert::Set;

use crate::escalation::Policy;
use crate::interval::Interval;
use crate::matcher::Matcher;
use crate::pairs::Pairs;
use crate::recovery::Recovery;
use crate::silence::Limits;
use crate::state::Mute;
use crate::words::RouteLabels;
pub(crate) use collapse::Collapse;
pub(crate) use integration::{Channel, Email, Integration, Kind, Thread};

/// Which labels a group shares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum GroupBy {
    /// Every label: one group per alert (`...`).
    All,
    /// These, in order; none means one group per route.
    Labels(Vec<String>),
}

/// A node of the route tree with everything it inherited.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    /// Tells the node from all others; survives a reload that leaves it alone.
    pub id: Arc<str>,
    /// The first half of its groups' keys: the matcher sets from the root on.
    pub key: Arc<str>,
    /// Index into [`Plan::receivers`].
    pub receiver: usize,
    /// What its groups share.
    pub group_by: GroupBy,
    /// From a group's first alert to its first message, in milliseconds.
    pub group_wait_ms: i64,
    /// Between looks at a group after that.
    pub group_interval_ms: i64,
    /// How long a message that said everything stays said.
    pub repeat_interval_ms: i64,
    /// All of them must hold.
    pub matchers: Vec<Matcher>,
    /// Time intervals in which nothing is told: indexes into [`Plan::intervals`].
    pub mute: Vec<usize>,
    /// Those outside of which nothing is told; none for always.
    pub active: Vec<usize>,
    /// What templates may ask of it.
    pub labels: RouteLabels,
    /// Whether the siblings behind it are tried too.
    pub continues: bool,
    /// Indexes into [`Plan::routes`], in order.
    pub children: Vec<usize>,
}

/// Mutes targets while a source fires.
#[derive(Debug, Clone)]
pub(crate) struct InhibitRule {
    /// What a source looks like.
    pub source: Vec<Matcher>,
    /// What a target looks like.
    pub target: Vec<Matcher>,
    /// Labels whose values source and target share.
    pub equal: Vec<String>,
}

/// Where a route's messages go: all integrations at once, or none.
#[derive(Debug, Clone)]
pub(crate) struct Receiver {
    /// Its name, unique.
    pub name: Arc<str>,
    /// Its name and what else clients may look for.
    pub labels: Set,
    /// What it sends through, by slots that survive a change of the others.
    pub integrations: BTreeMap<usize, Integration>,
}

impl Receiver {
    /// Those of its integrations that are mails.
    pub(crate) fn emails(&self) -> impl Iterator<Item = &Arc<Email>> {
        self.integrations.values().filter_map(|it| match it {
            Integration::Email(email) => Some(email),
            Integration::Channel(_) => None,
        })
    }
}

/// Slots of second contacts begin here, those of each policy with another.
const SECOND: usize = 10_000_000;

impl Receiver {
    /// The slot under which a receiver has an integration of another, its second
    /// contact by a policy.
    pub(crate) fn second_slot(policy: usize, slot: usize) -> usize {
        SECOND * (policy + 1) + slot
    }

    /// The policy by which an integration is a second contact, if it is one.
    pub(crate) fn second_of(slot: usize) -> Option<usize> {
        (slot / SECOND).checked_sub(1)
    }
}

/// Everything the decisions need to know.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// The tree; the root is the first.
    pub routes: Vec<Route>,
    /// Muting rules.
    pub inhibit: Vec<InhibitRule>,
    /// Receivers, those that no route names among them.
    pub receivers: Vec<Receiver>,
    /// Times that routes name.
    pub intervals: Vec<Interval>,
    /// How long an alert without an end fires after it was last heard of, in
    /// milliseconds.
    pub resolve_timeout_ms: i64,
    /// What becomes of alerts that nobody ends or answers.
    pub escalation: Vec<Policy>,
    /// How ends are believed.
    pub recovery: Recovery,
    /// When much of one host is told in one mail.
    pub collapse: Option<Collapse>,
    /// Episodes of alerts that are kept at most.
    pub episodes: usize,
    /// How many silences there may be, and how long they stay.
    pub silences: Limits,
    /// The configuration as clients are shown it.
    pub original: String,
    /// Whether the arithmetic is Alertmanager's to the letter. Our own tree
    /// repeats on the minute, tells the end of what was told even if it is
    /// muted by then, and forgets what ended unseen.
    pub letter: bool,
}

impl Plan {
    /// The receiver that a route's messages go to.
    #[must_use]
    pub(crate) fn receiver_of(&self, route: usize) -> &Receiver {
        &self.receivers[self.routes[route].receiver]
    }

    /// The routes that `labels` take, by index: depth first, the first match
    /// without `continue` ends the walk among its siblings.
    #[must_use]
    pub(crate) fn routes_of(&self, labels: &Pairs) -> Vec<usize> {
        let mut found = Vec::new();
        self.walk(0, labels, &mut found);
        found
    }

    /// What keeps a route from telling anything at `now_ms`, if anything does,
    /// and the names of the time intervals that do.
    #[must_use]
    pub(crate) fn closed(&self, route: usize, now_ms: i64) -> Option<(Mute, Vec<Arc<str>>)> {
        let route = &self.routes[route];
        let named = |at: &usize| Arc::clone(&self.intervals[*at].name);
        let holds = |at: &&usize| self.intervals[**at].holds(now_ms);
        if !route.active.is_empty() && !route.active.iter().any(|at| holds(&at)) {
            return Some((Mute::Inactive, route.active.iter().map(named).collect()));
        }
        let muting: Vec<_> = route.mute.iter().filter(holds).map(named).collect();
        (!muting.is_empty()).then_some((Mute::Window, muting))
    }

    fn walk(&self, at: usize, labels: &Pairs, found: &mut Vec<usize>) -> bool {
        let route = &self.routes[at];
        if !crate::matcher::all_match(&route.matchers, labels) {
            return false;
        }
        let before = found.len();
        for child in &route.children {
            if self.walk(*child, labels, found) && !self.routes[*child].continues {
                break;
            }
        }
        // A node speaks only where none of its children did.
        if found.len() == before {
            found.push(at);
        }
        true
    }
}

impl Route {
    /// The part of `labels` that the route's groups share.
    #[must_use]
    pub(crate) fn group_labels(&self, labels: &Pairs) -> Pairs {
        match &self.group_by {
            GroupBy::All => labels.clone(),
            GroupBy::Labels(names) => labels
                .iter()
                .filter(|(name, _)| names.iter().any(|wanted| wanted == name))
                .collect(),
        }
    }

    /// Names the group of an alert with these labels among the route's.
    #[must_use]
    pub(crate) fn group_fingerprint(&self, labels: &Pairs) -> u64 {
        match &self.group_by {
            GroupBy::All => labels.fingerprint(),
            GroupBy::Labels(names) => {
                labels.fingerprint_of(|name| names.iter().any(|wanted| wanted == name))
            }
        }
    }

    /// A group's key: `{}/{team="db"}:{alertname="x", job="j"}`.
    #[must_use]
    pub(crate) fn group_key(&self, labels: &Pairs) -> String {
        let items: Vec<String> = labels
            .iter()
            .map(|(name, value)| format!("{name}={}", crate::matcher::go_quoted(value)))
            .collect();
        format!("{}:{{{}}}", self.key, items.join(", "))
    }
}

#[cfg(test)]
mod tests;
