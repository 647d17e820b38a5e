//! What changed and is still to be stored.
//!
//! Only names are remembered; the rows are made when they are asked for, so
//! that a database that is away for an hour costs no memory but for history,
//! which is bounded. Alerts that begin are stored as they came, in one row for
//! all that came together; their own rows, and those of their groups and
//! episodes, follow from time to time in portions: a *fold*.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::bounced::{KEEP_MS, SentMail};
use super::event::{EventKind, Happened};
use super::fold::Fold;
use super::{Alerter, GroupId, LogKey};
use crate::dedup::Entry;
use crate::episode::Episode;
use crate::health::Class;
use crate::pairs::Pairs;
use crate::silence::{Id, Kept};

/// History entries that wait at most; the oldest give way.
const WAITING_EVENTS: usize = 10_000;

/// A group's route and key.
pub(super) type Names = (Arc<str>, Arc<str>);

#[derive(Debug, Default)]
pub(super) struct Dirty {
    pub alerts: BTreeSet<u64>,
    /// Alerts of which only what is refreshed each cycle changed.
    pub lazy: BTreeSet<u64>,
    /// By route and key, as an index means another group after a reload.
    pub groups: BTreeMap<Names, Option<GroupId>>,
    /// Groups that only firing alerts have joined: after a restart those find
    /// their way by themselves.
    pub joined: BTreeMap<Names, GroupId>,
    pub log: BTreeSet<LogKey>,
    pub silences: BTreeSet<Id>,
    pub history: VecDeque<Happened>,
    /// Alerts that began, and when: for the history, which has time.
    pub began: VecDeque<(i64, u64)>,
    pub trim: bool,
    /// Alerts as they came, for the next row of the intake.
    pub intake: String,
    /// The number of that row.
    pub intake_id: u64,
    /// Bytes of the rows that were written since the last fold began.
    pub intake_bytes: usize,
    /// Rows up to this one are of no use any more.
    pub intake_over: Option<u64>,
    /// What is being brought to the tables.
    pub fold: Fold,
    /// Whether what could wait is to be brought there with the next write.
    pub fold_soon: bool,
    /// Whether the last write failed.
    pub away: bool,
}

/// An alert as it is stored; `Active` says what the fields mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AlertRow {
    pub fingerprint: u64,
    pub labels: Pairs,
    pub annotations: Pairs,
    pub generator_url: Box<str>,
    pub starts_ms: i64,
    pub ends_ms: i64,
    pub updated_ms: i64,
    pub timeout: bool,
    pub ended: bool,
}

/// A group as it is stored; `Group` says what the fields mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupRow {
    pub route: String,
    pub key: String,
    pub next_ms: i64,
    pub members: Vec<u64>,
    pub pending: Vec<PendingRow>,
}

/// A message that is due, as it is stored; `Pending` says what the fields mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PendingRow {
    pub integration: usize,
    pub attempts: u32,
    pub since_ms: i64,
    pub until_ms: i64,
    pub class: Option<Class>,
    pub only_missed: bool,
}

/// An entry of the notification log as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogRow {
    pub group: String,
    pub receiver: String,
    pub integration: usize,
    /// What was said; none to forget it.
    pub entry: Option<Entry>,
}

/// A silence as it is stored; `Kept` says what the fields mean.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SilenceRow {
    pub id: Id,
    pub kept: Kept,
}

/// What is to be written in one transaction.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Alerts to write, or to delete.
    pub alerts: Vec<(u64, Option<AlertRow>)>,
    /// Groups by route and key, to write or to delete.
    pub groups: Vec<(Names, Option<GroupRow>)>,
    /// Entries of the notification log.
    pub log: Vec<LogRow>,
    /// Silences to write, or to delete.
    pub silences: Vec<(Id, Option<Kept>)>,
    /// Things that happened.
    pub history: Vec<Happened>,
    /// A row of the intake: its number, and alerts as they came.
    pub intake: Option<(u64, String)>,
    /// Rows of the intake up to this one go.
    pub intake_over: Option<u64>,
    /// Episodes as they are now.
    pub episodes: Vec<Episode>,
    /// Mails that were sent, or came back.
    pub mails: Vec<SentMail>,
    /// So many episodes are kept when history is deleted.
    pub most_episodes: usize,
    /// History older than this is deleted, in milliseconds since 1970.
    pub trim_before_ms: Option<i64>,
    /// Mails older than this are forgotten, in milliseconds since 1970.
    pub trim_mails_ms: Option<i64>,
}

impl Changes {
    /// Whether there is nothing to write.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.intake.is_none() && self.is_empty_but_for_intake()
    }

    /// The row of the intake, if there is nothing else to write.
    pub(crate) fn only_intake(&self) -> Option<&(u64, String)> {
        let intake = self.intake.as_ref();
        intake.filter(|_| self.is_empty_but_for_intake())
    }

    fn is_empty_but_for_intake(&self) -> bool {
        self.alerts.is_empty()
            && self.groups.is_empty()
            && self.log.is_empty()
            && self.silences.is_empty()
            && self.history.is_empty()
            && self.episodes.is_empty()
            && self.mails.is_empty()
            && self.intake_over.is_none()
            && self.trim_before_ms.is_none()
    }
}

impl Alerter {
    /// Whether only what can wait is to be stored.
    pub(crate) fn has_lazy_changes(&self) -> bool {
        let dirty = &self.dirty;
        !(dirty.lazy.is_empty() && dirty.joined.is_empty() && dirty.began.is_empty())
            || self.episodes.has_lazy()
    }

    /// Takes what is to be stored. With `all`, also what could wait, of which
    /// more may be left; see [`Alerter::folds`].
    pub(crate) fn changes(&mut self, all: bool, now_ms: i64) -> Changes {
        let intake = self.take_intake();
        let soon = all || self.dirty.fold_soon || self.dirty.intake_bytes > super::fold::INTAKE;
        if soon && self.has_lazy_changes() {
            self.begin_fold();
        }
        let part = self.take_part();
        let dirty = &mut self.dirty;
        let fold = std::mem::take(&mut dirty.fold);
        let (lazy, joined) = (
            std::mem::take(&mut dirty.lazy),
            std::mem::take(&mut dirty.joined),
        );
        let began = std::mem::take(&mut dirty.began);
        let kept = Dirty {
            fold,
            lazy,
            joined,
            began,
            intake_id: dirty.intake_id,
            intake_bytes: dirty.intake_bytes,
            fold_soon: dirty.fold_soon,
            away: dirty.away,
            ..Dirty::default()
        };
        let mut dirty = std::mem::replace(dirty, kept);
        dirty.alerts.extend(part.alerts);
        for (names, id) in part.groups {
            dirty.groups.entry(names).or_insert(Some(id));
        }
        for fingerprint in &dirty.alerts {
            self.dirty.lazy.remove(fingerprint);
        }
        for names in dirty.groups.keys() {
            self.dirty.joined.remove(names);
        }
        let began = part.began.into_iter().filter_map(|(at_ms, fingerprint)| {
            let labels = self.alerts.get(&fingerprint)?.labels.clone();
            let (kind, detail) = (EventKind::Started, String::new());
            Some(Happened {
                at_ms,
                kind,
                labels,
                detail,
            })
        });
        let history = began.chain(dirty.history).collect();
        let episodes = self.take_episodes(part.episodes);
        Changes {
            intake,
            intake_over: part.over.max(dirty.intake_over),
            alerts: dirty
                .alerts
                .into_iter()
                .map(|fingerprint| (fingerprint, self.alert_row(fingerprint)))
                .collect(),
            groups: dirty
                .groups
                .into_iter()
                .map(|(names, id)| {
                    let row = id.and_then(|id| self.group_row(id));
                    (names, row)
                })
                .collect(),
            log: dirty
                .log
                .into_iter()
                .map(|key| LogRow {
                    group: key.group.to_string(),
                    receiver: key.receiver.to_string(),
                    integration: key.integration,
                    entry: self.log.get(&key).cloned(),
                })
                .collect(),
            silences: dirty
                .silences
                .into_iter()
                .map(|id| (id, self.silences.get(id).cloned()))
                .collect(),
            history,
            episodes,
            most_episodes: self.plan.episodes,
            mails: std::mem::take(&mut self.mails.dirty)
                .into_values()
                .collect(),
            trim_before_ms: dirty.trim.then(|| now_ms - self.history_ms),
            trim_mails_ms: dirty.trim.then(|| now_ms - KEEP_MS),
        }
    }

    /// What was handed out is stored.
    pub(crate) fn stored(&mut self) {
        self.dirty.away = false;
    }

    /// Takes back what could not be stored.
    pub(crate) fn take_back(&mut self, changes: Changes) {
        let dirty = &mut self.dirty;
        dirty.away = true;
        dirty
            .alerts
            .extend(changes.alerts.iter().map(|(fingerprint, _)| *fingerprint));
        dirty.log.extend(changes.log.into_iter().map(|row| LogKey {
            group: row.group.into(),
            receiver: row.receiver.into(),
            integration: row.integration,
        }));
        dirty
            .silences
            .extend(changes.silences.iter().map(|(id, _)| *id));
        dirty.trim |= changes.trim_before_ms.is_some();
        dirty.intake_over = dirty.intake_over.max(changes.intake_over);
        for event in self.return_began(changes.history).into_iter().rev() {
            self.dirty.history.push_front(event);
        }
        self.bound_history();
        self.return_episodes(changes.episodes);
        self.mails.return_all(changes.mails);
        let by_name = self.group_names();
        for (names, _) in changes.groups {
            let id = by_name.get(&names).copied();
            self.dirty.groups.insert(names, id);
        }
        if changes.intake.is_some() {
            self.give_up_intake();
        }
    }

    pub(super) fn group_names(&self) -> BTreeMap<Names, GroupId> {
        self.groups
            .iter()
            .map(|(id, group)| {
                let route = &self.plan.routes[id.route];
                ((Arc::clone(&route.id), Arc::clone(&group.key)), *id)
            })
            .collect()
    }

    pub(super) fn mark_group(&mut self, id: GroupId) {
        if let Some(group) = self.groups.get(&id) {
            let route = &self.plan.routes[id.route];
            let names = (Arc::clone(&route.id), Arc::clone(&group.key));
            self.dirty.groups.insert(names, Some(id));
        }
    }

    pub(crate) fn mark_all(&mut self) {
        self.dirty.alerts.extend(self.alerts.keys());
        self.dirty.log.extend(self.log.keys().cloned());
        self.dirty.silences.extend(self.silences.ids());
        self.episodes.mark_all();
        let names = self.group_names();
        self.dirty
            .groups
            .extend(names.into_iter().map(|(names, id)| (names, Some(id))));
    }

    /// Adds to the history.
    pub(super) fn note(&mut self, at_ms: i64, kind: EventKind, labels: Option<&Pairs>) {
        self.note_more(at_ms, kind, labels, String::new());
    }

    pub(super) fn note_more(
        &mut self,
        at_ms: i64,
        kind: EventKind,
        labels: Option<&Pairs>,
        detail: String,
    ) {
        self.dirty.history.push_back(Happened {
            at_ms,
            kind,
            labels: labels.cloned().unwrap_or_default(),
            detail,
        });
        self.bound_history();
    }

    fn bound_history(&mut self) {
        while self.dirty.history.len() > WAITING_EVENTS {
            self.dirty.history.pop_front();
            self.counters.lost_history += 1;
        }
    }

    fn alert_row(&self, fingerprint: u64) -> Option<AlertRow> {
        let alert = self.alerts.get(&fingerprint)?;
        Some(AlertRow {
            fingerprint,
            labels: alert.labels.clone(),
            annotations: alert.annotations.clone(),
            generator_url: alert.generator_url.clone(),
            starts_ms: alert.starts_ms,
            ends_ms: alert.ends_ms,
            updated_ms: alert.updated_ms,
            timeout: alert.timeout,
            ended: alert.ended,
        })
    }

    fn group_row(&self, id: GroupId) -> Option<GroupRow> {
        let group = self.groups.get(&id)?;
        Some(GroupRow {
            route: self.plan.routes[id.route].id.to_string(),
            key: group.key.to_string(),
            next_ms: group.next_ms,
            members: group.members.iter().copied().collect(),
            pending: group
                .pending
                .iter()
                .map(|(integration, pending)| pending.row(*integration))
                .collect(),
        })
    }
}
