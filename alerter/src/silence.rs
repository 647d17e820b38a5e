//! Silences: matchers that mute whatever they match, for a while.
//!
//! Pure values and decisions, by Alertmanager's rules: what a valid silence is,
//! which change keeps its id, and in which state it is at a time. Their times
//! are the wall clock's, as people mean them: they do not move when it is set.

mod book;
mod id;

use alert::Set;
use serde::{Deserialize, Serialize};

pub(crate) use book::{Book, Change, Limits};
pub(crate) use id::Id;

use crate::matcher::{self, Matcher, Op};

/// A condition of a silence, as people write and read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SilenceMatcher {
    /// The label's name.
    pub name: String,
    /// What its value is compared with.
    pub value: String,
    /// Whether `value` is a regular expression.
    pub is_regex: bool,
    /// Whether the value has to match, or must not.
    pub is_equal: bool,
}

/// What a silence is to be. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SilenceDraft {
    /// The silence that it changes; none for a new one.
    pub id: Option<String>,
    /// What it mutes: whatever all of them match.
    pub matchers: Vec<SilenceMatcher>,
    /// From when on; what is past counts as now.
    pub starts_ms: i64,
    /// Until when.
    pub ends_ms: i64,
    /// Who wants it.
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// More about it.
    pub annotations: Set,
}

/// A silence. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// Its name, a UUID.
    pub id: String,
    /// What it mutes: whatever all of them match.
    pub matchers: Vec<SilenceMatcher>,
    /// From when on.
    pub starts_ms: i64,
    /// Until when.
    pub ends_ms: i64,
    /// When it was last changed.
    pub updated_ms: i64,
    /// Who wanted it.
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// More about it.
    pub annotations: Set,
    /// Whether it mutes at the time of the question.
    pub state: SilenceState,
}

impl std::fmt::Display for SilenceMatcher {
    /// As tools write it: `name=~"value"`.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let op = match (self.is_equal, self.is_regex) {
            (true, false) => "=",
            (false, false) => "!=",
            (true, true) => "=~",
            (false, true) => "!~",
        };
        write!(out, "{}{op}{:?}", self.name, self.value)
    }
}

/// Whether a silence mutes. Their order is that of lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SilenceState {
    /// It does.
    Active,
    /// Not yet.
    Pending,
    /// No more.
    Expired,
}

impl SilenceState {
    /// Alertmanager's word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Pending => "pending",
            Self::Expired => "expired",
        }
    }

    pub(crate) fn at(starts_ms: i64, ends_ms: i64, now_ms: i64) -> Self {
        if now_ms < starts_ms {
            Self::Pending
        } else if now_ms > ends_ms {
            Self::Expired
        } else {
            Self::Active
        }
    }
}

/// Why a silence was not made, changed or ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SilenceError {
    /// There is none of that id.
    #[error("silence not found")]
    NotFound,
    /// It says what cannot be, or would be one too many; in Alertmanager's words.
    #[error("{0}")]
    Refused(String),
    /// It holds, but the database could not be written: a restart may lose it.
    #[error("the silence holds, but the database cannot be written: a restart may lose it")]
    NotStored,
    /// There is nobody to keep it.
    #[error("the alerter has stopped")]
    Stopped,
}

/// A silence as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kept {
    pub matchers: Vec<Matcher>,
    pub starts_ms: i64,
    pub ends_ms: i64,
    pub updated_ms: i64,
    pub created_by: String,
    pub comment: String,
    pub annotations: Set,
    /// When it is thrown away.
    pub forget_ms: i64,
}

impl Kept {
    pub(crate) fn state(&self, now_ms: i64) -> SilenceState {
        SilenceState::at(self.starts_ms, self.ends_ms, now_ms)
    }

    /// What it says, for people.
    pub(crate) fn view(&self, id: Id, now_ms: i64) -> Silence {
        Silence {
            id: id.to_string(),
            matchers: self.matchers.iter().map(SilenceMatcher::of).collect(),
            starts_ms: self.starts_ms,
            ends_ms: self.ends_ms,
            updated_ms: self.updated_ms,
            created_by: self.created_by.clone(),
            comment: self.comment.clone(),
            annotations: self.annotations.clone(),
            state: self.state(now_ms),
        }
    }

    /// Whether the draft changes it without making it another.
    fn can_become(&self, matchers: &[Matcher], draft: &SilenceDraft, now_ms: i64) -> bool {
        let same_second = |a: i64, b: i64| a.div_euclid(1_000) == b.div_euclid(1_000);
        let times = match self.state(now_ms) {
            SilenceState::Active => {
                same_second(self.starts_ms, draft.starts_ms) && draft.ends_ms >= now_ms
            }
            SilenceState::Pending => draft.starts_ms >= now_ms,
            SilenceState::Expired => false,
        };
        times && self.matchers == matchers
    }

    /// It is over, and nobody asks any more what it mutes.
    fn let_go(&mut self) {
        self.matchers.iter_mut().for_each(Matcher::let_go);
    }

    /// Bytes of its regular expressions' programs, without caches, roughly and at most.
    fn weight(&self) -> usize {
        self.matchers.iter().map(Matcher::weight).sum()
    }

    /// Roughly the bytes that it takes: its texts and what surrounds them.
    fn size(&self) -> usize {
        let matchers = self.matchers.iter();
        let matchers: usize = matchers.map(|it| it.name.len() + it.value.len() + 8).sum();
        let notes = self.annotations.iter();
        let notes: usize = notes
            .map(|(name, value)| name.len() + value.len() + 6)
            .sum();
        80 + matchers + notes + self.created_by.len() + self.comment.len()
    }
}

impl SilenceMatcher {
    pub(crate) fn of(matcher: &Matcher) -> Self {
        Self {
            name: matcher.name.clone(),
            value: matcher.value.clone(),
            is_regex: matches!(matcher.op, Op::Regex | Op::NotRegex),
            is_equal: matches!(matcher.op, Op::Equal | Op::Regex),
        }
    }

    /// Makes it usable, or says what is wrong with it.
    pub(crate) fn compile(&self) -> Result<Matcher, String> {
        if self.name.is_empty() {
            return Err(format!("invalid label name {:?}", self.name));
        }
        let op = match (self.is_regex, self.is_equal) {
            (false, true) => Op::Equal,
            (false, false) => Op::NotEqual,
            (true, true) => Op::Regex,
            (true, false) => Op::NotRegex,
        };
        let invalid = |err: &str| format!("invalid regular expression {:?}: {err}", self.value);
        if self.is_regex {
            // By itself, as anchors around it could hide a parenthesis too many.
            matcher::check_regex(&self.value).map_err(|err| invalid(&err))?;
        }
        Matcher::new(&*self.name, op, &*self.value).map_err(|err| invalid(&err))
    }
}

/// Compiles the matchers, or says what is wrong with them.
pub(crate) fn compile(matchers: &[SilenceMatcher]) -> Result<Vec<Matcher>, String> {
    if matchers.is_empty() {
        return Err("matcher set 0 is empty".into());
    }
    let mut compiled = Vec::with_capacity(matchers.len());
    for (at, matcher) in matchers.iter().enumerate() {
        let matcher = matcher
            .compile()
            .map_err(|err| format!("invalid label matcher {at} in set 0: {err}"))?;
        compiled.push(matcher);
    }
    // It would mute everything, which nobody means.
    let matches_nothing = |matcher: &Matcher| {
        matches!(matcher.op, Op::Equal | Op::Regex) && matcher.matches(&Set::new())
    };
    if compiled.iter().all(matches_nothing) {
        return Err("matcher set 0: at least one matcher must not match the empty string".into());
    }
    Ok(compiled)
}

#[cfg(test)]
mod many;
#[cfg(test)]
mod tests;
