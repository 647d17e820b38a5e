//! The alerter's state and every decision about it.
//!
//! Alerts come in by [`Alerter::put`]; [`Alerter::next_due_ms`] says when to
//! call [`Alerter::tick`]; [`Alerter::next_delivery`] gives what is to be sent
//! now, and [`Alerter::sent`] takes how it went. Nothing here reads the clock
//! or does I/O. What changed since the last look is handed out by
//! [`Alerter::changes`], and taken back if it could not be stored.

mod acks;
mod bounced;
mod bundle;
mod changes;
mod collapse;
mod compose;
mod episodes;
mod escalate;
mod event;
mod find;
mod flush;
mod fold;
mod kept;
mod list;
mod put;
mod quiet;
mod recover;
mod sent;
mod symptoms;
mod view;
mod why;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use smallvec::SmallVec;

pub use bounced::Laid;
pub(crate) use bounced::{Late, SentMail};
pub(crate) use changes::{AlertRow, Changes, GroupRow, LogRow, PendingRow, SilenceRow};
pub(crate) use compose::Delivery;
pub(crate) use episodes::Took;
pub use escalate::Escalation;
pub(crate) use event::Happened;
pub use event::{Event, EventKind};
pub use find::FindError;
pub(crate) use fold::Came;
pub(crate) use kept::Stored;
pub(crate) use list::{OfReceiver, Seen, Wanted};
pub(crate) use put::Incoming;
pub use put::Refusal;
pub(crate) use quiet::Mute;
pub use sent::Outcome;
pub use view::{AlertState, AlertView, GroupView, PendingView};
pub use why::{Why, WhyIntegration, WhyRoute};

use crate::bounce::Fate;
use crate::dedup::Entry;
use crate::health::Class;
use crate::inhibit::Inhibitor;
use crate::pairs::Pairs;
use crate::plan::{Kind, Plan};
use crate::silence::Book;

/// How long ended alerts are remembered, so that an end that is told twice is
/// not news, and how often what is old is thrown away: in milliseconds.
const FORGET_MS: i64 = 30 * 60_000;

/// How long the log keeps an entry whose group is gone, at least: milliseconds.
const LOG_MS: i64 = 5 * 86_400_000;

/// An alert as it is kept.
#[derive(Debug, Clone, PartialEq)]
struct Active {
    labels: Pairs,
    annotations: Pairs,
    generator_url: Box<str>,
    starts_ms: i64,
    ends_ms: i64,
    /// When it was last heard of.
    updated_ms: i64,
    /// The alerter's step at which it last began or ended.
    changed: u64,
    /// Whether `ends_ms` only says how long silence is borne.
    timeout: bool,
    /// Whether its end has been noticed.
    ended: bool,
    /// Whether a group has looked at it yet.
    looked_at: bool,
    /// When it was told to have ended, while that is not believed yet.
    held_end_ms: Option<i64>,
    /// Since when it is critical by its age.
    raised_ms: Option<i64>,
    groups: GroupIds,
}

/// The groups of an alert: nearly always one, which needs no memory of its own.
type GroupIds = SmallVec<[GroupId; 1]>;

impl Active {
    fn ended_at(&self, now_ms: i64) -> bool {
        self.ends_ms <= now_ms
    }
}

/// A route, by index, and the fingerprint of the labels that its group shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GroupId {
    route: usize,
    labels: u64,
}

impl GroupId {
    /// The route, by index.
    pub(crate) fn route(self) -> usize {
        self.route
    }
}

#[derive(Debug, Clone)]
struct Group {
    key: Arc<str>,
    labels: Pairs,
    members: BTreeSet<u64>,
    /// The next look.
    next_ms: i64,
    /// What it is entered with among the wakes.
    wake_ms: Option<i64>,
    /// The alerter's step at the last look, while alerts that had ended by then
    /// are still to be let go.
    looked: Option<u64>,
    /// When the second contact is due, because the first one's mail came back.
    fallback_ms: Option<i64>,
    /// Messages that are due, by the integration's place in the receiver.
    pending: BTreeMap<usize, Pending>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pending {
    state: PendingState,
    attempts: u32,
    since_ms: i64,
    /// Why it failed last.
    class: Option<Class>,
    /// Only for recipients that missed a message which others took.
    only_missed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PendingState {
    /// In the queue for a free place.
    Ready,
    /// Being sent. `again` if the group came due meanwhile.
    Flying { again: bool },
    /// To be tried again at this time.
    Waiting { until_ms: i64 },
}

/// Names an entry of the notification log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct LogKey {
    group: Arc<str>,
    receiver: Arc<str>,
    integration: usize,
}

/// What has happened since the start, for metrics.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counters {
    pub received_firing: u64,
    pub received_resolved: u64,
    pub invalid: u64,
    pub notifications: BTreeMap<Kind, u64>,
    pub suppressed: BTreeMap<Mute, u64>,
    pub requests: BTreeMap<Kind, u64>,
    pub requests_failed: BTreeMap<(Kind, Class), u64>,
    /// Messages that had not been accepted when their group was looked at again.
    pub failed: BTreeMap<(Kind, Class), u64>,
    pub mails: u64,
    pub by_spare: u64,
    pub bundled: u64,
    pub recipients_refused: u64,
    /// Mails that came back, each recipient once.
    pub bounces: BTreeMap<Fate, u64>,
    /// Bounces that are of no mail of ours.
    pub strays: u64,
    pub lost_history: u64,
}

/// Where an incident of that name can be taken on, as a path below our address.
pub type AckLink = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// The state. See the module for how it is driven.
pub struct Alerter {
    plan: Arc<Plan>,
    external_url: String,
    /// Where an incident can be taken on.
    ack_link: Option<AckLink>,
    /// In boxes, as a third of a tree of large values stays empty.
    alerts: BTreeMap<u64, Box<Active>>,
    /// Firing alerts by the end they have now.
    ends: BTreeSet<(i64, u64)>,
    inhibitor: Inhibitor,
    silences: Book,
    groups: BTreeMap<GroupId, Group>,
    /// When each group is next to be looked at for anything.
    wakes: BTreeSet<(i64, GroupId)>,
    log: BTreeMap<LogKey, Entry>,
    /// What is to be sent, by the server's address, so that one that hangs does
    /// not keep mail from the others.
    ready: BTreeMap<Arc<str>, VecDeque<(GroupId, usize)>>,
    flying: BTreeMap<u64, compose::Flight>,
    /// How often receivers were mailed lately.
    paces: bundle::Paces,
    next_id: u64,
    /// Counts what happens to alerts, so that "before" and "after" do not hang
    /// on a clock.
    step: u64,
    forget_ms: i64,
    /// How long history is kept.
    history_ms: i64,
    pub(crate) counters: Counters,
    dirty: changes::Dirty,
    episodes: episodes::Book,
    mails: bounced::Mails,
    ladder: escalate::Ladder,
    symptoms: symptoms::Symptoms,
}

impl Alerter {
    /// An alerter that knows of no alert. `history_ms` is how long history is
    /// kept, in milliseconds.
    #[must_use]
    pub(crate) fn new(plan: Arc<Plan>, external_url: String, history_ms: i64, now_ms: i64) -> Self {
        Self {
            plan,
            external_url,
            ack_link: None,
            alerts: BTreeMap::new(),
            ends: BTreeSet::new(),
            inhibitor: Inhibitor::default(),
            silences: Book::default(),
            groups: BTreeMap::new(),
            wakes: BTreeSet::new(),
            log: BTreeMap::new(),
            ready: BTreeMap::new(),
            flying: BTreeMap::new(),
            paces: BTreeMap::new(),
            next_id: 0,
            step: 0,
            forget_ms: now_ms + FORGET_MS,
            history_ms,
            counters: Counters::default(),
            dirty: changes::Dirty::default(),
            episodes: episodes::Book::default(),
            mails: bounced::Mails::default(),
            ladder: escalate::Ladder::new(),
            symptoms: symptoms::Symptoms::default(),
        }
    }

    /// Messages carry links from now on.
    pub(crate) fn link_by(&mut self, link: Option<AckLink>) {
        self.ack_link = link;
    }

    pub(crate) fn plan(&self) -> Arc<Plan> {
        Arc::clone(&self.plan)
    }

    /// When [`Alerter::tick`] is next to be called, in milliseconds since 1970.
    #[must_use]
    pub(crate) fn next_due_ms(&self) -> i64 {
        let wake = self.wakes.first().map(|(due_ms, _)| *due_ms);
        let end = self.ends.first().map(|(ends_ms, _)| *ends_ms);
        let silence = self.silences.next_end_ms();
        let raise = self.ladder.first().map(|(due_ms, _)| *due_ms);
        [wake, end, silence, raise, Some(self.forget_ms)]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(i64::MAX)
    }

    /// Moves every kept time by `delta_ms`, because the wall clock was set by
    /// that much: what was due in a minute stays due in a minute. Silences stay,
    /// as people mean the wall clock's time by them.
    pub(crate) fn shift(&mut self, delta_ms: i64) {
        for alert in self.alerts.values_mut() {
            for time in [
                &mut alert.starts_ms,
                &mut alert.ends_ms,
                &mut alert.updated_ms,
            ] {
                *time += delta_ms;
            }
            alert.held_end_ms = alert.held_end_ms.map(|time_ms| time_ms + delta_ms);
            alert.raised_ms = alert.raised_ms.map(|time_ms| time_ms + delta_ms);
        }
        self.ladder = std::mem::take(&mut self.ladder)
            .into_iter()
            .map(|(due_ms, fingerprint)| (due_ms + delta_ms, fingerprint))
            .collect();
        self.ends = std::mem::take(&mut self.ends)
            .into_iter()
            .map(|(ends_ms, fingerprint)| (ends_ms + delta_ms, fingerprint))
            .collect();
        for group in self.groups.values_mut() {
            group.next_ms += delta_ms;
            group.wake_ms = group.wake_ms.map(|wake_ms| wake_ms + delta_ms);
            group.fallback_ms = group.fallback_ms.map(|time_ms| time_ms + delta_ms);
            for pending in group.pending.values_mut() {
                pending.since_ms += delta_ms;
                if let PendingState::Waiting { until_ms } = &mut pending.state {
                    *until_ms += delta_ms;
                }
            }
        }
        self.wakes = std::mem::take(&mut self.wakes)
            .into_iter()
            .map(|(due_ms, id)| (due_ms + delta_ms, id))
            .collect();
        for entry in self.log.values_mut() {
            entry.at_ms += delta_ms;
            entry.first_ms += delta_ms;
            entry.bounced_ms = entry.bounced_ms.map(|time_ms| time_ms + delta_ms);
        }
        for flight in self.flying.values_mut() {
            flight.now_ms += delta_ms;
            for flight in &mut flight.more {
                flight.now_ms += delta_ms;
            }
        }
        for pace in self.paces.values_mut() {
            pace.shift(delta_ms);
        }
        self.forget_ms += delta_ms;
        self.episodes.shift(delta_ms);
        self.mark_all();
    }

    /// Whether the alert fires at `now_ms`, and its labels if so.
    fn fires(&self, fingerprint: u64, now_ms: i64) -> Option<&Pairs> {
        let alert = self.alerts.get(&fingerprint)?;
        (!alert.ended_at(now_ms)).then_some(&alert.labels)
    }

    fn muted_by(&self, labels: &Pairs, now_ms: i64) -> Option<u64> {
        self.inhibitor
            .muted_by(&self.plan, labels, |source| self.fires(source, now_ms))
            .or_else(|| self.caused_by(labels, now_ms))
    }

    fn log_key(&self, id: GroupId, group: &Group, integration: usize) -> LogKey {
        LogKey {
            group: Arc::clone(&group.key),
            receiver: Arc::clone(&self.plan.receiver_of(id.route).name),
            integration,
        }
    }

    /// Enters when the group is next to be looked at, after anything about it
    /// changed.
    fn rewake(&mut self, id: GroupId) {
        let Some(group) = self.groups.get_mut(&id) else {
            return;
        };
        let due_ms = group.due_ms();
        if let Some(was_ms) = group.wake_ms.replace(due_ms) {
            self.wakes.remove(&(was_ms, id));
        }
        self.wakes.insert((due_ms, id));
    }
}

impl Group {
    fn due_ms(&self) -> i64 {
        self.pending
            .values()
            .filter_map(|pending| match pending.state {
                PendingState::Waiting { until_ms } => Some(until_ms),
                PendingState::Ready | PendingState::Flying { .. } => None,
            })
            .chain(self.fallback_ms)
            .fold(self.next_ms, i64::min)
    }
}

#[cfg(test)]
mod tests;
