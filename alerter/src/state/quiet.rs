//! Silences in the alerter's state: making, ending, forgetting them, and
//! whether an alert is muted at all.

use super::event::EventKind;
use super::{Alerter, GroupId};
use crate::episode::{Episode, StepKind};
use crate::held;
use crate::matcher::Matcher;
use crate::pairs::Pairs;
use crate::silence::{Change, Id, Silence, SilenceDraft, SilenceError, SilenceState};

/// Why an alert is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mute {
    /// A source of an inhibition rule fires.
    Inhibited,
    /// No active time interval of the route holds.
    Inactive,
    /// A mute time interval of the route holds.
    Window,
    /// A silence matches.
    Silenced,
}

impl Mute {
    /// Alertmanager's word for it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Inhibited => "inhibition",
            Self::Inactive => "active_time_interval",
            Self::Window => "mute_time_interval",
            Self::Silenced => "silence",
        }
    }
}

impl Alerter {
    /// Makes or changes a silence; its id. `fresh` names it if it is a new one.
    pub(crate) fn silence(
        &mut self,
        draft: SilenceDraft,
        fresh: Id,
        now_ms: i64,
    ) -> Result<Id, SilenceError> {
        let limits = self.plan.silences;
        let (id, changes) = self.silences.set(draft, fresh, limits, now_ms)?;
        for change in changes {
            self.note_silence(change, now_ms);
        }
        Ok(id)
    }

    /// Ends a silence now. One that has expired stays as it is.
    pub(crate) fn unsilence(&mut self, id: Id, now_ms: i64) -> Result<(), SilenceError> {
        if self.silences.get(id).is_none() {
            return Err(SilenceError::NotFound);
        }
        let keep_ms = self.plan.silences.keep_ms;
        if let Some(change) = self.silences.expire(id, keep_ms, now_ms) {
            self.note_silence(change, now_ms);
        }
        Ok(())
    }

    /// Notes the silences that have ended by themselves.
    pub(super) fn end_silences(&mut self, now_ms: i64) {
        for id in self.silences.ended(now_ms) {
            let ends_ms = self.silences.get(id).map_or(now_ms, |kept| kept.ends_ms);
            self.note_by_silence(id, EventKind::SilenceEnded, ends_ms);
        }
    }

    pub(super) fn forget_silences(&mut self, now_ms: i64) {
        let old = self.silences.forget(now_ms);
        self.dirty.silences.extend(old);
    }

    fn note_silence(&mut self, change: Change, now_ms: i64) {
        let (id, kind) = match change {
            Change::Made(id) => (id, EventKind::Silenced),
            Change::Updated(id) => (id, EventKind::SilenceChanged),
            Change::Ended(id) => (id, EventKind::SilenceEnded),
        };
        self.dirty.silences.insert(id);
        self.note_by_silence(id, kind, now_ms);
    }

    fn note_by_silence(&mut self, id: Id, kind: EventKind, at_ms: i64) {
        let Some(kept) = self.silences.get(id) else {
            return;
        };
        let what = crate::matcher::print(&kept.matchers);
        let detail = match (&*kept.created_by, &*kept.comment) {
            ("", comment) => format!("{id}: {what}: {comment}"),
            (by, comment) => format!("{id}: {what} by {by}: {comment}"),
        };
        self.note_more(at_ms, kind, None, detail);
    }

    /// What keeps an alert from being told at `now_ms`, if anything does. `closed`
    /// is what keeps its route from it.
    pub(super) fn mute(&self, labels: &Pairs, closed: Option<Mute>, now_ms: i64) -> Option<Mute> {
        if self.muted_by(labels, now_ms).is_some() {
            Some(Mute::Inhibited)
        } else if closed.is_some() {
            closed
        } else if self.silences.mutes(labels, now_ms) {
            Some(Mute::Silenced)
        } else {
            None
        }
    }

    /// Whether what an episode is about is muted still: what fires by a silence, by a cause
    /// or by the times of all of its routes, and what is over by a silence whose end tells it.
    pub(crate) fn is_muted(&self, episode: &Episode, now_ms: i64) -> bool {
        let alert = self.alerts.get(&episode.fingerprint);
        if let Some(alert) = alert.filter(|alert| !alert.ended) {
            let mut groups = alert.groups.iter();
            let open = |id: &GroupId| self.plan.closed(id.route, now_ms).is_none();
            return self.silences.mutes(&alert.labels, now_ms)
                || self.muted_by(&alert.labels, now_ms).is_some()
                || !groups.any(open);
        }
        // One that was made since would never tell of it.
        let mut steps = episode.steps.iter().rev();
        let last = steps.find(|step| step.kind == StepKind::Muted);
        last.is_some_and(|last| {
            let silences = self.silenced_by(&Pairs::from(&episode.labels), now_ms);
            let mut names = silences.iter().map(|id| held::name(&id.to_string()));
            names.any(|name| last.detail.contains(&name))
        })
    }

    /// The ids of the silences that mute `labels`, in order.
    pub(crate) fn silenced_by(&self, labels: &Pairs, now_ms: i64) -> Vec<Id> {
        self.silences.muting(labels, now_ms)
    }

    /// One silence.
    pub(crate) fn silence_of(&self, id: Id, now_ms: i64) -> Option<Silence> {
        Some(self.silences.get(id)?.view(id, now_ms))
    }

    /// Every silence, in the order of lists.
    pub(crate) fn silences(&self, now_ms: i64) -> Vec<Silence> {
        let ids = self.silences.order(now_ms, |_| true).into_iter();
        ids.filter_map(|id| self.silence_of(id, now_ms)).collect()
    }

    /// The silences of the wanted states that have all of `matchers`, in the order of
    /// lists.
    pub(crate) fn silence_order(
        &self,
        matchers: &[Matcher],
        wanted: impl Fn(SilenceState) -> bool,
        now_ms: i64,
    ) -> Vec<Id> {
        self.silences.order(now_ms, |kept| {
            wanted(kept.state(now_ms))
                && matchers
                    .iter()
                    .all(|matcher| kept.matchers.contains(matcher))
        })
    }

    /// Silences by state.
    pub(crate) fn count_silences(&self, now_ms: i64) -> [(SilenceState, usize); 3] {
        self.silences.count(now_ms)
    }
}
