//! All silences, and quickly which of them mute a set of labels.
//!
//! A silence that wants one label to have one of a few values, or to begin with one
//! of a few texts, is found by these; only the others are tried one after another.

use std::collections::{BTreeMap, BTreeSet};

use super::{Id, Kept, SilenceDraft, SilenceError, SilenceState, compile};
use crate::matcher::{Matcher, all_match};
use crate::pairs::Pairs;

/// How many silences there may be and for how long they stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Silences at a time, expired ones included; 0 for any number.
    pub count: usize,
    /// Bytes of one; 0 for any size.
    pub bytes: usize,
    /// How long an expired one stays, in milliseconds.
    pub keep_ms: i64,
}

/// What was done to a silence, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is new.
    Made(Id),
    /// It says something else now.
    Updated(Id),
    /// It was ended.
    Ended(Id),
}

/// Silences by a label's name and a text about its value.
type Index = BTreeMap<String, BTreeMap<String, BTreeSet<Id>>>;

/// The silences.
#[derive(Debug, Default)]
pub(crate) struct Book {
    all: BTreeMap<Id, Kept>,
    /// Silences that have not expired, by each pair that they would be content with.
    by_pair: Index,
    /// The same by what the label's value has to begin with.
    by_begin: Index,
    /// Those that have not expired and want none of a few pairs.
    others: BTreeSet<Id>,
    /// Those that have not expired, by their end.
    ends: BTreeSet<(i64, Id)>,
    /// Bytes of their expressions' programs, without caches.
    weight: usize,
}

/// Bytes that the programs of all silences' expressions may take, about.
const EXPRESSIONS: usize = 32 << 20;

impl Book {
    /// Takes up a silence that was stored.
    pub(crate) fn load(&mut self, id: Id, mut kept: Kept, now_ms: i64) {
        let live = kept.ends_ms >= now_ms;
        if !live {
            kept.let_go();
        }
        self.all.insert(id, kept);
        if live {
            self.index(id);
        }
    }

    pub(crate) fn get(&self, id: Id) -> Option<&Kept> {
        self.all.get(&id)
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = Id> {
        self.all.keys().copied()
    }

    /// The wanted silences, in the order of lists: active ones by their end, pending
    /// ones by their beginning, expired ones by their end, the last first.
    pub(crate) fn order(&self, now_ms: i64, wanted: impl Fn(&Kept) -> bool) -> Vec<Id> {
        let mut found: Vec<(SilenceState, i64, Id)> = self
            .all
            .iter()
            .filter(|(_, kept)| wanted(kept))
            .map(|(id, kept)| {
                let state = kept.state(now_ms);
                let place = match state {
                    SilenceState::Active => kept.ends_ms,
                    SilenceState::Pending => kept.starts_ms,
                    SilenceState::Expired => kept.ends_ms.saturating_neg(),
                };
                (state, place, *id)
            })
            .collect();
        found.sort_unstable();
        // Not in the same memory, as a list that is sent slowly keeps the ids alone.
        found.iter().map(|(_, _, id)| *id).collect()
    }

    /// Silences by state.
    pub(crate) fn count(&self, now_ms: i64) -> [(SilenceState, usize); 3] {
        use SilenceState::{Active, Expired, Pending};
        let mut live = [0, 0];
        for (_, id) in &self.ends {
            match self.get(*id).map(|kept| kept.state(now_ms)) {
                Some(Active) => live[0] += 1,
                Some(Pending) => live[1] += 1,
                _ => {}
            }
        }
        let expired = self.all.len() - live[0] - live[1];
        [(Active, live[0]), (Pending, live[1]), (Expired, expired)]
    }

    /// The silences that mute `labels`, in the order of their ids.
    pub(crate) fn muting(&self, labels: &Pairs, now_ms: i64) -> Vec<Id> {
        if self.ends.is_empty() {
            return Vec::new();
        }
        let mut found: Vec<Id> = self.candidates(labels, now_ms).collect();
        found.sort();
        // Of two beginnings one may be that of the other.
        found.dedup();
        found
    }

    /// Whether any silence mutes `labels`.
    pub(crate) fn mutes(&self, labels: &Pairs, now_ms: i64) -> bool {
        !self.ends.is_empty() && self.candidates(labels, now_ms).next().is_some()
    }

    fn candidates(&self, labels: &Pairs, now_ms: i64) -> impl Iterator<Item = Id> {
        let by_pair = labels
            .iter()
            .filter(|_| !self.by_pair.is_empty())
            .filter_map(|(name, value)| self.by_pair.get(name)?.get(value))
            .flatten();
        let by_begin = labels
            .iter()
            .filter_map(|(name, value)| Some((self.by_begin.get(name)?, value)))
            .flat_map(|(begins, value)| {
                let ends = value
                    .char_indices()
                    .map(|(at, letter)| at + letter.len_utf8());
                ends.filter_map(|end| begins.get(&value[..end]))
            })
            .flatten();
        by_pair
            .chain(by_begin)
            .chain(&self.others)
            .copied()
            .filter(move |id| {
                self.get(*id).is_some_and(|kept| {
                    kept.state(now_ms) == SilenceState::Active && all_match(&kept.matchers, labels)
                })
            })
    }

    /// Makes or changes a silence. `fresh` names it if it becomes a new one.
    pub(crate) fn set(
        &mut self,
        draft: SilenceDraft,
        fresh: Id,
        limits: Limits,
        now_ms: i64,
    ) -> Result<(Id, Vec<Change>), SilenceError> {
        let invalid = |err: String| SilenceError::Refused(format!("invalid silence: {err}"));
        let matchers = compile(&draft.matchers).map_err(invalid)?;
        if draft.ends_ms < draft.starts_ms {
            return Err(invalid("end time must not be before start time".into()));
        }
        let old = match draft.id.as_deref().filter(|id| !id.is_empty()) {
            None => None,
            Some(text) => {
                let id = Id::parse(text).filter(|id| self.all.contains_key(id));
                Some(id.ok_or(SilenceError::NotFound)?)
            }
        };
        let previous = old.and_then(|id| Some((id, self.all.get(&id)?)));
        let in_place = previous
            .filter(|(_, kept)| kept.can_become(&matchers, &draft, now_ms))
            .map(|(id, _)| id);
        if in_place.is_none() && limits.count > 0 && self.all.len() >= limits.count {
            let (count, limit) = (self.all.len(), limits.count);
            return Err(SilenceError::Refused(format!(
                "exceeded maximum number of silences: {count} (limit: {limit})"
            )));
        }
        let kept = Kept {
            matchers,
            starts_ms: match in_place {
                Some(_) => draft.starts_ms,
                None => draft.starts_ms.max(now_ms),
            },
            ends_ms: draft.ends_ms,
            updated_ms: now_ms,
            created_by: draft.created_by,
            comment: draft.comment,
            annotations: draft.annotations,
            forget_ms: draft.ends_ms.saturating_add(limits.keep_ms),
        };
        let size = kept.size();
        if limits.bytes > 0 && size > limits.bytes {
            return Err(SilenceError::Refused(format!(
                "silence exceeded maximum size: {size} bytes (limit: {} bytes)",
                limits.bytes
            )));
        }
        // One that is changed in place keeps its matchers.
        let weight = if in_place.is_none() { kept.weight() } else { 0 };
        if weight > 0 && self.weight + weight > EXPRESSIONS {
            return Err(SilenceError::Refused(format!(
                "the regular expressions of all silences take too much memory (limit: {EXPRESSIONS} bytes)"
            )));
        }
        let mut changes = Vec::new();
        let id = match in_place {
            Some(id) => {
                changes.push(Change::Updated(id));
                id
            }
            None => {
                // What it was stays, as the history of what is now.
                changes.extend(old.and_then(|id| self.expire(id, limits.keep_ms, now_ms)));
                changes.push(Change::Made(fresh));
                fresh
            }
        };
        self.unindex(id);
        self.all.insert(id, kept);
        self.index(id);
        Ok((id, changes))
    }

    /// Ends a silence now; nothing if it has expired or is none.
    pub(crate) fn expire(&mut self, id: Id, keep_ms: i64, now_ms: i64) -> Option<Change> {
        let state = self.get(id)?.state(now_ms);
        if state == SilenceState::Expired {
            return None;
        }
        self.unindex(id);
        let kept = self.all.get_mut(&id)?;
        if state == SilenceState::Pending {
            kept.starts_ms = now_ms;
        }
        // At its last moment it would still mute.
        kept.ends_ms = now_ms - 1;
        kept.starts_ms = kept.starts_ms.min(kept.ends_ms);
        kept.updated_ms = now_ms;
        kept.forget_ms = now_ms.saturating_add(keep_ms);
        Some(Change::Ended(id))
    }

    /// When the next silence ends by itself.
    pub(crate) fn next_end_ms(&self) -> Option<i64> {
        self.ends.first().map(|(ends_ms, _)| ends_ms + 1)
    }

    /// Silences that have ended by themselves since the last look.
    pub(crate) fn ended(&mut self, now_ms: i64) -> Vec<Id> {
        let mut ended = Vec::new();
        while let Some((_, id)) = self.ends.first().filter(|(ends_ms, _)| *ends_ms < now_ms) {
            let id = *id;
            self.unindex(id);
            ended.push(id);
        }
        ended
    }

    /// Throws away those whose time to be remembered is over.
    pub(crate) fn forget(&mut self, now_ms: i64) -> Vec<Id> {
        let old = |kept: &Kept| kept.forget_ms <= now_ms && kept.ends_ms < now_ms;
        let found = self.all.iter().filter(|(_, kept)| old(kept));
        let ids: Vec<Id> = found.map(|(id, _)| *id).collect();
        for id in &ids {
            self.unindex(*id);
            self.all.remove(id);
        }
        ids
    }

    fn index(&mut self, id: Id) {
        let Some(kept) = self.all.get(&id) else {
            return;
        };
        let (pairs, begins) = (pairs(kept), begins(kept));
        if pairs.is_empty() && begins.is_empty() {
            self.others.insert(id);
        }
        for (index, texts) in [(&mut self.by_pair, pairs), (&mut self.by_begin, begins)] {
            for (name, text) in texts {
                let values = index.entry(name.to_owned()).or_default();
                values.entry(text.to_owned()).or_default().insert(id);
            }
        }
        self.ends.insert((kept.ends_ms, id));
        self.weight += kept.weight();
    }

    fn unindex(&mut self, id: Id) {
        let Some(kept) = self.all.get(&id) else {
            return;
        };
        if !self.ends.remove(&(kept.ends_ms, id)) {
            return;
        }
        self.weight = self.weight.saturating_sub(kept.weight());
        self.others.remove(&id);
        let both = [
            (&mut self.by_pair, pairs(kept)),
            (&mut self.by_begin, begins(kept)),
        ];
        for (index, texts) in both {
            for (name, text) in texts {
                unlist(index, name, text, id);
            }
        }
        if let Some(kept) = self.all.get_mut(&id) {
            kept.let_go();
        }
    }
}

fn unlist(index: &mut Index, name: &str, text: &str, id: Id) {
    let Some(values) = index.get_mut(name) else {
        return;
    };
    if let Some(ids) = values.get_mut(text) {
        ids.remove(&id);
        if ids.is_empty() {
            values.remove(text);
        }
    }
    if values.is_empty() {
        index.remove(name);
    }
}

/// Texts by which a silence is found; of more it is tried as it stands.
const TEXTS: usize = 64;

/// Pairs of a label and a value, of which whatever is muted has one.
fn pairs(kept: &Kept) -> Vec<(&str, &str)> {
    few(kept, Matcher::wants)
}

/// Pairs of a label and what its value begins with, of which whatever is muted has
/// one; none if it is found by whole values.
fn begins(kept: &Kept) -> Vec<(&str, &str)> {
    match pairs(kept).is_empty() {
        true => few(kept, Matcher::wants_begun),
        false => Vec::new(),
    }
}

fn few(kept: &Kept, texts: impl Fn(&Matcher) -> Vec<&str>) -> Vec<(&str, &str)> {
    let found = kept.matchers.iter().find_map(|matcher| {
        let texts = texts(matcher);
        // An absent label is an empty one.
        let sound = (1..=TEXTS).contains(&texts.len()) && !texts.contains(&"");
        sound.then_some((&*matcher.name, texts))
    });
    let found = found.into_iter();
    found
        .flat_map(|(name, texts)| texts.into_iter().map(move |text| (name, text)))
        .collect()
}
