//! Alerts as they came, and bringing what follows from them to the tables.
//!
//! One row for all alerts that came together costs a fraction of a row each for
//! alert, group, episode and history. Whoever starts after a crash reads the
//! tables and then these rows over them, see [`super::kept`]. Nothing here
//! decides what is told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use tracing::warn;

use super::changes::{Dirty, Names};
use super::event::{EventKind, Happened};
use super::{Active, Alerter, GroupId};
use crate::pairs::Pairs;

/// Bytes of the intake after which a fold begins by itself.
pub(super) const INTAKE: usize = 64 << 20;

/// Bytes of it that wait for a write to end; beyond, names alone wait.
const WAITING: usize = 32 << 20;

/// Names of each kind that are brought to the tables at a time.
const PORTION: usize = 256;

/// Alerts that began, for the history, which wait at most.
const BEGAN: usize = 100_000;

/// What had changed when the fold began, as far as it is still to be stored.
#[derive(Debug, Default)]
pub(super) struct Fold {
    pub alerts: BTreeSet<u64>,
    pub groups: BTreeMap<Names, GroupId>,
    pub episodes: BTreeSet<u64>,
    pub began: VecDeque<(i64, u64)>,
    /// Rows of the intake up to this one say nothing else.
    pub over: Option<u64>,
}

impl Fold {
    fn is_over(&self) -> bool {
        self.alerts.is_empty()
            && self.groups.is_empty()
            && self.episodes.is_empty()
            && self.began.is_empty()
    }
}

/// An alert as it came.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Came {
    pub at_ms: i64,
    pub labels: Pairs,
    pub annotations: Pairs,
    pub generator_url: Box<str>,
    pub starts_ms: i64,
    /// None for "until the resolve time-out".
    pub ends_ms: Option<i64>,
    /// When it began, if it had not fired before: what the history is to be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began_ms: Option<i64>,
}

impl Came {
    /// The alerts of a row; those that cannot be read are left out.
    pub(crate) fn read(row: &str) -> impl Iterator<Item = Self> {
        row.lines()
            .filter_map(|line| match serde_json::from_str(line) {
                Ok(came) => Some(came),
                Err(err) => {
                    warn!("left out an alert of the intake: {err}");
                    None
                }
            })
    }

    pub(super) fn of(alert: &Active, at_ms: i64) -> Self {
        Self {
            at_ms,
            labels: alert.labels.clone(),
            annotations: alert.annotations.clone(),
            generator_url: alert.generator_url.clone(),
            starts_ms: alert.starts_ms,
            ends_ms: (!alert.timeout).then_some(alert.ends_ms),
            began_ms: None,
        }
    }
}

impl Alerter {
    /// Notes an alert as it came.
    pub(super) fn note_intake(&mut self, came: &Came) {
        if self.dirty.intake.len() > WAITING || self.dirty.away {
            self.give_up_intake();
            let fingerprint = came.labels.fingerprint();
            self.dirty.alerts.insert(fingerprint);
            return;
        }
        // Texts and numbers can always be written as JSON.
        self.dirty.intake += &serde_json::to_string(came).unwrap_or_default();
        self.dirty.intake.push('\n');
    }

    /// Notes for the history that an alert began.
    pub(super) fn note_began(&mut self, at_ms: i64, fingerprint: u64) {
        self.dirty.began.push_back((at_ms, fingerprint));
        self.bound_began();
    }

    /// Alerts that the history is still to be told of, for which it needs their
    /// labels.
    pub(super) fn untold(&self) -> BTreeSet<u64> {
        let waiting = self.dirty.began.iter().chain(&self.dirty.fold.began);
        waiting.map(|(_, fingerprint)| *fingerprint).collect()
    }

    fn bound_began(&mut self) {
        while self.dirty.began.len() > BEGAN {
            self.dirty.began.pop_front();
            self.counters.lost_history += 1;
        }
    }

    /// Takes back what began and could not be told to the history, to where it
    /// waited, as more of it may wait than of other history. Gives the rest.
    pub(super) fn return_began(&mut self, history: Vec<Happened>) -> Vec<Happened> {
        let (mut began, mut rest) = (VecDeque::new(), Vec::new());
        for event in history {
            let fingerprint = event.labels.fingerprint();
            match event.kind {
                // Of an alert that is forgotten the name alone says nothing.
                EventKind::Started if self.alerts.contains_key(&fingerprint) => {
                    began.push_back((event.at_ms, fingerprint));
                }
                _ => rest.push(event),
            }
        }
        let dirty = &mut self.dirty;
        let waiting = match dirty.fold.over {
            // Its last portion deletes what else knows of them.
            Some(_) => &mut dirty.fold.began,
            None => &mut dirty.began,
        };
        began.append(waiting);
        *waiting = began;
        self.bound_began();
        rest
    }

    /// Without a database to take them as they come, alerts have rows of their
    /// own to be written when it is back.
    pub(super) fn give_up_intake(&mut self) {
        let dirty = &mut self.dirty;
        dirty.intake = String::new();
        // What began is told to the history with it, and not in a minute.
        dirty.fold_soon = true;
        // All that it said is written with the next change, or before.
        dirty.intake_over = Some(dirty.intake_id);
        let fold = std::mem::take(&mut dirty.fold);
        dirty.alerts.extend(fold.alerts);
        dirty.alerts.append(&mut dirty.lazy);
        dirty.began.extend(fold.began);
        for (names, id) in fold
            .groups
            .into_iter()
            .chain(std::mem::take(&mut dirty.joined))
        {
            dirty.groups.entry(names).or_insert(Some(id));
        }
        self.episodes.hurry(fold.episodes);
    }

    pub(super) fn take_intake(&mut self) -> Option<(u64, String)> {
        let dirty = &mut self.dirty;
        let text = std::mem::take(&mut dirty.intake);
        if text.is_empty() {
            return None;
        }
        dirty.intake_bytes += text.len();
        dirty.intake_id += 1;
        Some((dirty.intake_id, text))
    }

    /// Whether a portion is to be stored.
    pub(crate) fn folds(&self) -> bool {
        !self.dirty.fold.is_over()
    }

    /// Begins to bring to the tables what could wait, unless that is under way.
    pub(super) fn begin_fold(&mut self) {
        if self.folds() {
            return;
        }
        let dirty = &mut self.dirty;
        dirty.intake_bytes = 0;
        dirty.fold_soon = false;
        dirty.fold = Fold {
            alerts: std::mem::take(&mut dirty.lazy),
            groups: std::mem::take(&mut dirty.joined),
            episodes: self.episodes.take_lazy(),
            began: std::mem::take(&mut dirty.began),
            over: Some(dirty.intake_id),
        };
    }

    /// The next portion.
    pub(super) fn take_part(&mut self) -> Fold {
        let Dirty {
            fold,
            began,
            intake_over,
            ..
        } = &mut self.dirty;
        let mut portion = PORTION.min(fold.began.len());
        if intake_over.is_some() {
            // The rows that go with this write are all that knows of what began.
            fold.began.append(began);
            portion = fold.began.len();
        }
        let part = Fold {
            alerts: first(&mut fold.alerts),
            episodes: first(&mut fold.episodes),
            groups: std::iter::from_fn(|| fold.groups.pop_first())
                .take(PORTION)
                .collect(),
            began: fold.began.drain(..portion).collect(),
            over: None,
        };
        let over = match fold.is_over() {
            true => fold.over.take(),
            false => None,
        };
        Fold { over, ..part }
    }
}

fn first(names: &mut BTreeSet<u64>) -> BTreeSet<u64> {
    std::iter::from_fn(|| names.pop_first())
        .take(PORTION)
        .collect()
}
