//! How mail is doing, and why it fails when it does.
//!
//! Reasons come from a closed set, as they are label values and words on the
//! page. Details are the server's own words, made harmless and short.

/// Why a mail, or one recipient of it, failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// The server's name has no address.
    Dns,
    /// Nothing listens there, or the connection broke.
    Refused,
    /// No answer in time.
    Timeout,
    /// No encryption as demanded, or a certificate that does not hold.
    Tls,
    /// The server wants other credentials.
    Auth,
    /// "Later", said the server (4xx).
    Transient,
    /// "No", said the server (5xx).
    Permanent,
    /// A server over HTTP could not take it (HTTP 5xx).
    Unavailable,
    /// A server over HTTP did not want it (HTTP 4xx and the like).
    Rejected,
    /// A server over HTTP is told too much (HTTP 429).
    Limited,
    /// The template of a mail's recipients or sender failed, or gives no address.
    Template,
}

impl Class {
    /// Every class, for counters that start at zero.
    pub const ALL: [Self; 11] = [
        Self::Dns,
        Self::Refused,
        Self::Timeout,
        Self::Tls,
        Self::Auth,
        Self::Transient,
        Self::Permanent,
        Self::Unavailable,
        Self::Rejected,
        Self::Limited,
        Self::Template,
    ];

    /// The word for it: `dns`, `refused`, `timeout`, `tls`, `auth`, `4xx`, `5xx`,
    /// `http_5xx`, `http_4xx`, `http_429`, `template`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Refused => "refused",
            Self::Timeout => "timeout",
            Self::Tls => "tls",
            Self::Auth => "auth",
            Self::Transient => "4xx",
            Self::Permanent => "5xx",
            Self::Unavailable => "http_5xx",
            Self::Rejected => "http_4xx",
            Self::Limited => "http_429",
            Self::Template => "template",
        }
    }

    /// The class that [`Class::as_str`] prints as `word`.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == word)
    }
}

/// What went wrong, for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", class.as_str())]
pub struct Failure {
    /// The kind.
    pub class: Class,
    /// The words, on one line and without secrets.
    pub detail: String,
}

/// Longest detail that is kept, in bytes.
const DETAIL_BYTES: usize = 300;

impl Failure {
    /// A failure whose detail, which may be a server's text, is made one short
    /// line.
    #[must_use]
    pub fn new(class: Class, detail: impl AsRef<str>) -> Self {
        let mut line = one_line(detail.as_ref());
        if line.len() > DETAIL_BYTES {
            let end = (0..=DETAIL_BYTES)
                .rev()
                .find(|at| line.is_char_boundary(*at))
                .unwrap_or(0);
            line.truncate(end);
        }
        Self {
            class,
            detail: line,
        }
    }
}

/// Replaces control characters, line ends among them, by spaces.
#[must_use]
pub(crate) fn one_line(text: &str) -> String {
    text.chars()
        .map(|letter| match letter {
            '\u{2028}' | '\u{2029}' => ' ',
            _ if letter.is_control() => ' ',
            _ => letter,
        })
        .collect()
}

/// How mail is doing, for readiness and the page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailHealth {
    /// Whether any receiver sends mail at all.
    pub configured: bool,
    /// When a mail was last accepted, in milliseconds since 1970.
    pub last_success_ms: Option<i64>,
    /// The last failure and its time, in milliseconds since 1970.
    pub last_failure: Option<(i64, Failure)>,
    /// Since when a server takes no mail, in milliseconds since 1970; of several
    /// servers, the one that has failed for longest. None while mail works or was
    /// not needed yet.
    pub failing_since_ms: Option<i64>,
    /// Mails that wait to be sent or to be tried again, those under way
    /// included.
    pub queue: usize,
    /// Recipients that refused the last mail of a group while others took it.
    pub refused_recipients: Vec<String>,
    /// The last mail that came back: when, in milliseconds since 1970, and what is known
    /// of it.
    pub last_bounce: Option<(i64, String)>,
}

/// How the database is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreHealth {
    /// Since when writes fail, in milliseconds since 1970; none while they work.
    pub failing_since_ms: Option<i64>,
    /// What the database said last when it failed.
    pub last_error: Option<String>,
    /// Writes that failed since the start.
    pub failures: u64,
    /// History entries given up because too many waited for the database.
    pub lost_history: u64,
}
