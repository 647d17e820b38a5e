//! What is told to the history.

use alert::Set;

use crate::pairs::Pairs;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// What.
    pub kind: EventKind,
    /// The alert's labels, or the group's.
    pub labels: Set,
    /// The receiver and more, for notifications; otherwise empty.
    pub detail: String,
}

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// An alert began to fire.
    Started,
    /// An alert ended.
    Ended,
    /// A message was accepted by the server.
    Notified,
    /// A message failed for the first time; it is tried again.
    Failed,
    /// A silence was made; the detail says which, what it mutes and why.
    Silenced,
    /// A silence was changed.
    SilenceChanged,
    /// A silence ended, by itself or because somebody ended it.
    SilenceEnded,
    /// Somebody took an alert on; the detail says who.
    Acknowledged,
    /// Somebody took that back.
    Unacknowledged,
    /// An alert became critical by its age.
    Raised,
    /// A mail that a server took came back; the detail says whose, and why.
    Bounced,
    /// A mail that a server took has not arrived yet.
    Delayed,
}

impl EventKind {
    /// The kind that [`EventKind::as_str`] prints as `word`.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        let all = [
            Self::Started,
            Self::Ended,
            Self::Notified,
            Self::Failed,
            Self::Silenced,
            Self::SilenceChanged,
            Self::SilenceEnded,
            Self::Acknowledged,
            Self::Unacknowledged,
            Self::Raised,
            Self::Bounced,
            Self::Delayed,
        ];
        all.into_iter().find(|kind| kind.as_str() == word)
    }

    /// The word in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Ended => "ended",
            Self::Notified => "notified",
            Self::Failed => "failed",
            Self::Silenced => "silenced",
            Self::SilenceChanged => "silence changed",
            Self::SilenceEnded => "silence ended",
            Self::Acknowledged => "acknowledged",
            Self::Unacknowledged => "unacknowledged",
            Self::Raised => "raised",
            Self::Bounced => "bounced",
            Self::Delayed => "delayed",
        }
    }
}

/// Something that happened, until it is stored; see [`Event`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Happened {
    pub at_ms: i64,
    pub kind: EventKind,
    pub labels: Pairs,
    pub detail: String,
}
