//! Mails that come back: from a delivery report (RFC 3464), or an older bounce, to whose
//! mail it was, and why it did not arrive.
//!
//! Anybody may send such a mail, so what is read here is a claim and no more: it is laid
//! to a mail that we sent to that recipient, or to none. Nothing here sends or decides
//! anything, and no input costs more than its length.

mod address;
mod mime;
mod old;
mod report;

use serde::{Deserialize, Serialize};

pub(crate) use address::same;
use mime::Part;

/// Of a longer mail the first bytes are read; the report stands before the mail that
/// came back.
pub const LONGEST: usize = 1 << 20;

/// Recipients of one report that are told at most.
const RECIPIENTS: usize = 100;

/// Names of mails that one report may give.
const NAMES: usize = 20;

/// The longest name, address and reason, in characters.
const TEXT: usize = 300;

/// The header field in which our mails carry their name, for servers that give them
/// another Message-ID.
pub(crate) const NAME_FIELD: &str = "X-Belfry-Mail";

/// A mail that came back, as it says itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounce {
    /// What may name the mail: Message-IDs up to their `@`.
    pub mails: Vec<String>,
    /// Whom it did not reach.
    pub recipients: Vec<Returned>,
}

/// Somebody whom a mail did not reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Returned {
    /// The address as we wrote it, and as the last server knew it.
    pub addresses: Vec<String>,
    /// What became of the mail.
    pub fate: Fate,
    /// Why, in the server's words, on one line.
    pub said: String,
}

/// What became of a mail on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// It has not arrived yet, and is tried again.
    Delayed,
    /// It will not arrive.
    Failed,
}

impl Fate {
    /// The word for it: `delayed`, `failed`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delayed => "delayed",
            Self::Failed => "failed",
        }
    }
}

/// Why a mail is no bounce that could be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoBounce {
    /// It is some other mail.
    #[error("it is no report that a mail came back")]
    Other,
    /// It says that a mail arrived.
    #[error("it says that the mail was delivered")]
    Delivered,
    /// It does not say which mail.
    #[error("it does not name the mail that came back")]
    NoMail,
    /// It does not say whom the mail was for.
    #[error("it does not say whom the mail was for")]
    NoRecipient,
}

impl Bounce {
    /// Reads a mail as a mail server hands it over.
    ///
    /// # Errors
    /// If it is no bounce, or does not say of what.
    pub fn read(mail: &[u8]) -> Result<Self, NoBounce> {
        let text = String::from_utf8_lossy(&mail[..mail.len().min(LONGEST)]);
        let mail = Part::of_mail(&text);
        let leaves = mail.leaves();
        let found = leaves.iter().find(|leaf| report::is_one(leaf));
        let recipients = match found {
            Some(leaf) => report::recipients(&leaf.text())?,
            None => old::recipients(&mail, &leaves)?,
        };
        let mut mails = Names::default();
        for leaf in &leaves {
            mails.of_leaf(leaf);
        }
        match (mails.0.is_empty(), recipients.is_empty()) {
            (true, _) => Err(NoBounce::NoMail),
            (_, true) => Err(NoBounce::NoRecipient),
            (false, false) => Ok(Self {
                mails: mails.0,
                recipients,
            }),
        }
    }

    /// Of one that somebody hands over as read no more than of one that was read here.
    pub(crate) fn bounded(mut self) -> Self {
        self.mails.truncate(NAMES);
        self.recipients.truncate(RECIPIENTS);
        for returned in &mut self.recipients {
            returned.addresses.truncate(2);
            returned.said = words(&returned.said);
        }
        self
    }
}

/// What may name the mail, the likeliest first.
#[derive(Default)]
struct Names(Vec<String>);

impl Names {
    fn of_leaf(&mut self, leaf: &Part<'_>) {
        let text = leaf.text();
        // A mail that came back, its header, a report with its name, or words that
        // quote one of these.
        for line in text.lines() {
            let line = line.trim_start_matches(['>', ' ', '\t', '|']);
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            let known = [NAME_FIELD, "Message-ID", "X-Original-Message-ID"];
            if known.iter().any(|it| name.trim().eq_ignore_ascii_case(it)) {
                self.add(value);
            }
        }
        // The value may stand on a line of its own.
        for (name, value) in mime::fields(&text).0 {
            if name.eq_ignore_ascii_case("Message-ID") {
                self.add(&value);
            }
        }
    }

    fn add(&mut self, value: &str) {
        let name = value.trim().trim_start_matches('<');
        let name = name.split(['@', '>', ' ']).next().unwrap_or_default();
        let plain = |letter: u8| letter.is_ascii_graphic();
        if name.is_empty() || name.len() > TEXT || !name.bytes().all(plain) {
            return;
        }
        if self.0.len() < NAMES && !self.0.iter().any(|known| known == name) {
            self.0.push(name.to_owned());
        }
    }
}

/// A server's words: one short line.
fn words(text: &str) -> String {
    let line = crate::health::one_line(text);
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(TEXT) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests;
