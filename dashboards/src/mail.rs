//! The mails: subject, text and HTML.
//!
//! A mail is read half awake on a lock screen: its subject and its first line
//! say what, where and how bad, and the text part is complete by itself. The
//! HTML part holds nothing that must be fetched and no colour that a dark
//! theme could make unreadable.

mod fold;
mod notice;
mod plain;
mod show;
mod subject;
mod view;

pub use notice::{Notice, NoticeLine, NoticePart, notice};
pub use plain::plain;
pub use view::*;

use crate::{Error, templates};

/// A mail ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The subject, one line without control characters, not yet encoded.
    pub subject: String,
    /// The text part, lines of at most 78 characters but for longer links.
    pub text: String,
    /// The HTML part.
    pub html: String,
}

/// The mail in its three parts. If this fails, send [`plain()`].
///
/// # Errors
/// Only if a built-in template and its view disagree, which the tests exclude.
pub fn render(mail: &Mail) -> Result<Rendered, Error> {
    let shown = show::show(mail);
    Ok(Rendered {
        subject: subject::subject(mail),
        text: fold::fold(&templates::render("mail_text", &shown)?),
        html: templates::render("mail", &shown)?,
    })
}
