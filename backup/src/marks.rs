//! Marks: what is known of a copy, said by empty-handed files beside it, so that
//! it survives this host and one listing tells all of it.
//!
//! A mark's name is its whole meaning: `<id>.verified-<time>`. It is written once
//! and never changed; the newest of a kind counts. What stands in it, a report or why
//! a copy is pinned, is for people; a pin of a restore alone is told by it.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use crate::id::{self, Id, Shelf};
use crate::target::{Error, Target};

/// What was found out about a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It was fetched, opened and read to its end.
    Verified,
    /// It was restored, and what came out was right.
    Drilled,
    /// It could not be opened or restored.
    Unsound,
    /// It stays until the mark's time, whatever retention says.
    Pinned,
    /// What it holds was still all that there was; nothing new was stored.
    Unchanged,
    /// What a drill with it came to, whatever that was.
    Report,
}

/// A mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// What was found out.
    pub kind: Kind,
    /// When, in milliseconds since 1970, to the second.
    pub at_ms: i64,
}

const KINDS: [Kind; 6] = [
    Kind::Verified,
    Kind::Drilled,
    Kind::Unsound,
    Kind::Pinned,
    Kind::Unchanged,
    Kind::Report,
];

impl Kind {
    /// Whether it tells if the copy can be opened.
    #[must_use]
    pub fn is_proof(self) -> bool {
        matches!(self, Self::Verified | Self::Drilled | Self::Unsound)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Verified => "verified",
            Self::Drilled => "drilled",
            Self::Unsound => "unsound",
            Self::Pinned => "pinned",
            Self::Unchanged => "unchanged",
            Self::Report => "report",
        })
    }
}

impl Mark {
    /// The end of its name.
    #[must_use]
    pub fn ending(&self) -> String {
        let time = Timestamp::from_millisecond(self.at_ms).unwrap_or_default();
        format!("{}-{}", self.kind, time.strftime("%Y%m%dT%H%M%SZ"))
    }

    /// Reads the end of a name.
    #[must_use]
    pub fn parse(ending: &str) -> Option<Self> {
        let (kind, time) = ending.split_once('-')?;
        let kind = KINDS.into_iter().find(|known| known.to_string() == kind)?;
        // An id has the same time in front of its random letters.
        Id::parse(&format!("{time}-00000000"))?;
        let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", time).ok()?;
        let time = jiff::tz::TimeZone::UTC.to_timestamp(time).ok()?;
        Some(Self {
            kind,
            at_ms: time.as_millisecond(),
        })
    }

    /// The mark that a key is, with the backup it is of.
    #[must_use]
    pub fn of(key: &str) -> Option<(Shelf, Id, Self)> {
        let (shelf, id, ending) = id::parse(key)?;
        Some((shelf, id, Self::parse(ending)?))
    }

    /// Writes it beside a copy.
    ///
    /// # Errors
    /// When the target does not take it.
    pub async fn set(self, target: &Target, shelf: &Shelf, id: &Id) -> Result<(), Error> {
        let text = format!("{{\"{}_ms\": {}}}\n", self.kind, self.at_ms);
        self.set_with(target, shelf, id, text).await
    }

    /// Pins a copy until its time, with why.
    ///
    /// # Errors
    /// When the target does not take it.
    pub async fn pin(
        until_ms: i64,
        why: &str,
        target: &Target,
        shelf: &Shelf,
        id: &Id,
    ) -> Result<(), Error> {
        let kind = Kind::Pinned;
        let text = serde_json::json!({ "pinned_ms": until_ms, "why": why });
        let at_ms = until_ms;
        let mark = Self { kind, at_ms };
        mark.set_with(target, shelf, id, format!("{text}\n")).await
    }

    /// Why it was set; nothing where nobody said, or the target does not tell.
    pub async fn why(self, target: &Target, shelf: &Shelf, id: &Id) -> Option<String> {
        let text = target.get(&shelf.key(id, &self.ending())).await.ok()?;
        let text: serde_json::Value = serde_json::from_slice(&text).ok()?;
        let why = text.get("why")?.as_str()?;
        (!why.is_empty()).then(|| why.to_owned())
    }

    /// The same with a text of its own, such as a report.
    ///
    /// # Errors
    /// When the target does not take it.
    pub async fn set_with(
        self,
        target: &Target,
        shelf: &Shelf,
        id: &Id,
        text: String,
    ) -> Result<(), Error> {
        match target
            .put(&shelf.key(id, &self.ending()), text.into_bytes())
            .await
        {
            // Twice within a second.
            Err(Error::Exists(_)) => Ok(()),
            set => set,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_back_from_its_name_alone() {
        let mark = Mark {
            kind: Kind::Drilled,
            at_ms: 1_787_454_600_000,
        };
        assert_eq!(mark.ending(), "drilled-20260823T031000Z");
        assert_eq!(Mark::parse(&mark.ending()), Some(mark));
        for other in [
            "manifest.json",
            "pgdump.zst",
            "drilled-",
            "burnt-20260823T031000Z",
            "drilled-20269923T031000Z",
        ] {
            assert_eq!(Mark::parse(other), None, "{other}");
        }
    }
}
