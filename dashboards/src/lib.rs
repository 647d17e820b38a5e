//! The built-in page and the bodies of the mails.
//!
//! The wiring fills a view ([`page::Now`], [`mail::Mail`]) with plain facts;
//! this crate turns it into words, HTML and text. Nothing here reads the clock,
//! a file or a socket: times are parameters and every template, style and
//! script is inside the binary.

pub mod amount;
pub mod assets;
pub mod fact;
pub mod mail;
pub mod page;
pub mod spark;
mod templates;
pub mod time;
pub mod untrusted;

/// Why a page or a mail could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A template that is inside the binary does not parse.
    #[error("a built-in template is broken: {0}")]
    Template(String),
    /// A template asked for something that the view does not have.
    #[error("a template cannot be filled")]
    Render(#[from] handlebars::RenderError),
}
