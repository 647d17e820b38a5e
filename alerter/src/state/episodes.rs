//! Episodes in the alerter's state: when they begin and end, and what is noted in
//! them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::bounced::Late;
use super::flush::Looked;
use super::{Active, Alerter, GroupId, Mute};
use crate::HistoryFilter;
use crate::episode::{self, Episode, Open, StepKind};
use crate::held;
use crate::notification::highest_severity;
use crate::silence::Id;
use crate::windows::{MUTED_BY, OUTSIDE_OF};

/// Episodes that wait for the database at most after their alert began anew;
/// the oldest give way.
const WAITING: usize = 10_000;

/// Episodes by alert, and what of them is to be stored.
#[derive(Debug, Default)]
pub(super) struct Book {
    pub open: BTreeMap<u64, Open>,
    next: u64,
    /// Alerts whose episode is to be stored now.
    dirty: BTreeSet<u64>,
    /// Alerts whose episode may wait: it says nothing that the alert does not, or only
    /// when that ended lately.
    lazy: BTreeSet<u64>,
    /// Those whose alert has another one by now.
    past: BTreeMap<u64, Episode>,
    pub counts: Counts,
}

/// How long people and alerts took, by severity, since the start.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    pub resolved: BTreeMap<String, Took>,
    pub acknowledged: BTreeMap<String, Took>,
}

/// How often, and how long in all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Took {
    pub count: u64,
    pub sum_ms: i64,
}

impl Took {
    pub(super) fn add(&mut self, took_ms: i64) {
        self.count += 1;
        self.sum_ms += took_ms.max(0);
    }
}

impl Book {
    pub(super) fn has_lazy(&self) -> bool {
        !self.lazy.is_empty()
    }

    /// Takes those that could wait.
    pub(super) fn take_lazy(&mut self) -> BTreeSet<u64> {
        std::mem::take(&mut self.lazy)
    }

    /// These are to be stored now.
    pub(super) fn hurry(&mut self, mut fingerprints: BTreeSet<u64>) {
        self.dirty.append(&mut fingerprints);
        self.dirty.append(&mut self.lazy);
    }

    pub(super) fn mark_all(&mut self) {
        self.dirty.extend(self.open.keys());
    }

    pub(super) fn shift(&mut self, delta_ms: i64) {
        for open in self.open.values_mut() {
            open.shift(delta_ms);
        }
    }

    /// Adds a step to an episode that is over.
    pub(super) fn amend(&mut self, row: Episode, now_ms: i64, late: &Late) {
        // Without an end it was read before the end was known: that must not be lost.
        let id = row.id;
        if row.ended_ms.is_some() {
            self.past.entry(id).or_insert(row);
        }
        if let Some(row) = self.past.get_mut(&id) {
            episode::add_step(&mut row.steps, now_ms, late.kind, &late.detail);
        }
    }

    /// The alert's episode is to be stored, and that may wait.
    pub(super) fn touch_lazily(&mut self, fingerprint: u64) {
        self.lazy.insert(fingerprint);
    }

    pub(super) fn touch(&mut self, fingerprint: u64) -> Option<&mut Open> {
        let open = self.open.get_mut(&fingerprint)?;
        self.dirty.insert(fingerprint);
        Some(open)
    }
}

impl Alerter {
    /// The alert began to fire: what was known of it before is past.
    pub(super) fn begin_episode(&mut self, fingerprint: u64, before: Option<&Active>) {
        if let Some(before) = before
            && let Some(row) = self.row_of(fingerprint, before)
        {
            self.episodes.past.insert(row.id, row);
            while self.episodes.past.len() > WAITING {
                self.episodes.past.pop_first();
                self.counters.lost_history += 1;
            }
        }
        let id = self.episodes.next.max(1);
        self.episodes.next = id + 1;
        let mut open = Open::new(id);
        if let Some(mut before) = self.episodes.open.remove(&fingerprint)
            && !before.past().ends.is_empty()
        {
            open.past_mut().ends = std::mem::take(&mut before.past_mut().ends);
        }
        self.episodes.open.insert(fingerprint, open);
        self.episodes.dirty.remove(&fingerprint);
        self.episodes.lazy.insert(fingerprint);
    }

    /// The alert ended, and with it the acknowledgement's effect.
    pub(super) fn end_episode(&mut self, fingerprint: u64) {
        self.episodes.dirty.insert(fingerprint);
        if let Some(alert) = self.alerts.get(&fingerprint) {
            let severity = highest_severity([&alert.labels].into_iter());
            let took_ms = alert.ends_ms - alert.starts_ms;
            let counts = &mut self.episodes.counts.resolved;
            counts.entry(severity).or_default().add(took_ms);
        }
    }

    /// The alert is known no more; its episode is on the disk, or lost.
    pub(super) fn forget_episode(&mut self, fingerprint: u64, alert: &Active) {
        if self.episodes.dirty.contains(&fingerprint)
            && let Some(row) = self.row_of(fingerprint, alert)
        {
            self.episodes.past.insert(row.id, row);
        }
        self.episodes.open.remove(&fingerprint);
        self.episodes.dirty.remove(&fingerprint);
        self.episodes.lazy.remove(&fingerprint);
    }

    /// A message about these was accepted, or failed.
    pub(super) fn note_message(&mut self, looked: &Looked, told: bool, text: &str, now_ms: i64) {
        let detail = episode::detail(text);
        let kind = match told {
            true => StepKind::Told,
            false => StepKind::Failed,
        };
        for fingerprint in looked.firing.iter().chain(&looked.resolved) {
            if let Some(open) = self.episodes.touch(*fingerprint) {
                open.step(now_ms, kind, &detail);
            }
        }
        for fingerprint in looked.firing.iter().filter(|_| told) {
            if let Some(open) = self.episodes.touch(*fingerprint) {
                open.pages += 1;
                open.past_mut().told_ms.get_or_insert(now_ms);
            }
        }
    }

    /// Notes that something happened to an alert.
    pub(super) fn note_step(&mut self, fingerprint: u64, kind: StepKind, now_ms: i64) {
        if let Some(open) = self.episodes.touch(fingerprint) {
            open.step(now_ms, kind, &"".into());
        }
    }

    /// Notes which alerts of a look are muted by now, and which no more.
    pub(super) fn note_mutes(&mut self, id: GroupId, looked: &Looked, now_ms: i64) {
        for (fingerprint, why) in &looked.held {
            let Some(known) = self.episodes.open.get(fingerprint) else {
                continue;
            };
            let other = known.muted != Some(*why);
            // Of silences it is told which: what each held back is told when it ends.
            if other || *why == Mute::Silenced {
                let detail = episode::detail(&self.mute_words(id, *fingerprint, *why, now_ms));
                if !other && known.muted_as() == Some(&*detail) {
                    continue;
                }
                if let Some(open) = self.episodes.touch(*fingerprint) {
                    open.muted = Some(*why);
                    open.step(now_ms, StepKind::Muted, &detail);
                }
            }
        }
        for fingerprint in &looked.firing {
            let known = self.episodes.open.get(fingerprint);
            if known.is_some_and(|open| open.muted.is_some())
                && let Some(open) = self.episodes.touch(*fingerprint)
            {
                open.muted = None;
                open.step(now_ms, StepKind::Unmuted, &"".into());
            }
        }
    }

    /// By what an alert is muted, in words.
    fn mute_words(&self, id: GroupId, fingerprint: u64, why: Mute, now_ms: i64) -> String {
        let Some(alert) = self.alerts.get(&fingerprint) else {
            return String::new();
        };
        match why {
            Mute::Inhibited => {
                let source = self.muted_by(&alert.labels, now_ms);
                let name =
                    source.and_then(|source| self.alerts.get(&source)?.labels.get("alertname"));
                format!("hidden by {}", name.unwrap_or("another alert"))
            }
            Mute::Silenced => {
                let mut silences = self.silenced_by(&alert.labels, now_ms);
                let ends_ms = |id: &Id| self.silences.get(*id).map(|kept| kept.ends_ms);
                silences.sort_by_key(|id| Reverse(ends_ms(id)));
                let room = held::room(silences.len());
                let more = silences.len().saturating_sub(held::NAMED);
                let words = silences.iter().take(held::NAMED).filter_map(|id| {
                    let silence = self.silence_of(*id, now_ms)?;
                    let by = match &*silence.created_by {
                        "" => String::new(),
                        by => format!(" by {by}"),
                    };
                    let words = format!("{by}: {}", silence.comment);
                    let words: String = words.chars().take(room).collect();
                    Some(format!("{}{words}", held::name(&id.to_string())))
                });
                let more = (more > 0).then(|| format!("and {more} more"));
                words.chain(more).collect::<Vec<_>>().join("; ")
            }
            Mute::Inactive | Mute::Window => {
                let names = self.group_muted_by(id, now_ms);
                let word = match why {
                    Mute::Window => MUTED_BY,
                    _ => OUTSIDE_OF,
                };
                format!("{word}{}", names.join(", "))
            }
        }
    }

    /// The episode of a known alert as it is now.
    pub(crate) fn episode(&self, fingerprint: u64) -> Option<Episode> {
        self.row_of(fingerprint, self.alerts.get(&fingerprint)?)
    }

    /// The episodes of known alerts that are wanted.
    pub(crate) fn known_episodes(&self, wanted: &HistoryFilter) -> Vec<Episode> {
        let alerts = self.alerts.iter().filter(|(fingerprint, alert)| {
            let named = |name: &String| alert.labels.get("alertname") == Some(&**name);
            wanted.fingerprint.is_none_or(|it| it == **fingerprint)
                && wanted.name.as_ref().is_none_or(named)
                && (!alert.ended || alert.ends_ms >= wanted.since_ms)
        });
        let mut newest: Vec<_> = alerts.collect();
        newest.sort_by_key(|(_, alert)| Reverse(alert.starts_ms));
        newest.truncate(wanted.limit as usize);
        let rows = newest.into_iter();
        rows.filter_map(|(fingerprint, alert)| self.row_of(*fingerprint, alert))
            .collect()
    }

    fn row_of(&self, fingerprint: u64, alert: &Active) -> Option<Episode> {
        let open = self.episodes.open.get(&fingerprint)?;
        let past = open.past();
        Some(Episode {
            id: open.id,
            fingerprint,
            labels: episode::bounded(&alert.labels),
            summary: episode::summary(&alert.annotations),
            started_ms: alert.starts_ms,
            ended_ms: alert.ended.then_some(alert.ends_ms),
            pages: open.pages,
            told_ms: past.told_ms,
            ack: past.ack.clone(),
            steps: past.steps.clone(),
            ends: past.ends.clone(),
        })
    }

    /// Takes what is to be stored, `more` among it.
    pub(super) fn take_episodes(&mut self, mut more: BTreeSet<u64>) -> Vec<Episode> {
        let mut fingerprints = std::mem::take(&mut self.episodes.dirty);
        fingerprints.append(&mut more);
        for fingerprint in &fingerprints {
            self.episodes.lazy.remove(fingerprint);
        }
        let past = std::mem::take(&mut self.episodes.past).into_values();
        let now = fingerprints.iter().filter_map(|it| self.episode(*it));
        past.chain(now).collect()
    }

    /// Takes back what could not be stored.
    pub(super) fn return_episodes(&mut self, rows: Vec<Episode>) {
        for row in rows {
            let open = self.episodes.open.get(&row.fingerprint);
            if open.is_some_and(|open| open.id == row.id) {
                self.episodes.dirty.insert(row.fingerprint);
            } else {
                self.episodes.past.entry(row.id).or_insert(row);
            }
        }
    }

    /// Takes up the episodes of before a restart; call when the alerts are in.
    pub(super) fn load_episodes(&mut self, rows: Vec<Episode>, next: u64, now_ms: i64) {
        self.episodes.next = next;
        let mut last: BTreeMap<u64, Episode> = BTreeMap::new();
        for mut row in rows {
            // Those of a clock that was ahead would count for too long.
            row.ends.retain(|end_ms| *end_ms <= now_ms);
            let started_ms = row.started_ms;
            let earlier = last.insert(row.fingerprint, row);
            self.close(earlier, started_ms);
        }
        for (fingerprint, row) in last {
            match self.alerts.get(&fingerprint) {
                Some(alert) if alert.ended || row.ended_ms.is_none() => {
                    if alert.ended && row.ended_ms.is_none() {
                        self.episodes.dirty.insert(fingerprint);
                    }
                    self.episodes.open.insert(fingerprint, Open::from_row(row));
                }
                // The alert is lost, so nobody will ever tell its end.
                None => self.close(Some(row), now_ms),
                Some(_) => {}
            }
        }
        let firing = self.alerts.iter().filter(|(_, alert)| !alert.ended);
        let without = firing.filter(|(it, _)| !self.episodes.open.contains_key(it));
        for fingerprint in without.map(|(it, _)| *it).collect::<Vec<_>>() {
            self.begin_episode(fingerprint, None);
        }
    }

    /// Ends an episode that has no end, though its alert goes on no more.
    fn close(&mut self, row: Option<Episode>, ended_ms: i64) {
        if let Some(mut row) = row.filter(|row| row.ended_ms.is_none()) {
            row.ended_ms = Some(ended_ms);
            self.episodes.past.insert(row.id, row);
        }
    }

    /// What the episodes say of how long things took.
    pub(crate) fn took(&self) -> &Counts {
        &self.episodes.counts
    }
}
