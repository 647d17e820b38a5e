//! Go text/template with the functions that Prometheus and Alertmanager give their users.
//!
//! A text is parsed once ([`Template::parse`], or [`Set::parse`] where `define`d
//! templates are shared) and executed often. [`rules`] wraps this for the labels
//! and annotations of alerting rules, [`notice`] builds the data that
//! notification templates see. [`Mode::Html`] escapes each value by the place in
//! the page where it lands.
//!
//! Nothing here reads a file, the network or the clock: the time, the answers to
//! `query` and the external URL come in through [`Env`]. A template that loops,
//! recurses or grows without end stops with an error ([`Limits`]).

mod functions;
mod html;
pub mod notice;
mod print;
pub mod rules;
mod run;
mod set;
mod syntax;
mod time;
mod value;

pub use functions::{Functions, strip_port};
pub use run::{Env, Limits, Query, RouteLabel, Sample};
pub use set::{Mode, Set, Template};
pub use value::{Field, Kind, List, Map, Method, Object, Trust, Value};

/// Where and why a template was refused or stopped. Both positions count from
/// one; columns count characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {message}")]
pub struct Error {
    /// The line in the text of the template.
    pub line: u32,
    /// The character in that line.
    pub column: u32,
    /// What is wrong, in Go's words where Go has some.
    pub message: String,
}

impl Error {
    pub(crate) fn new(at: syntax::At, message: impl Into<String>) -> Self {
        Self {
            line: at.line,
            column: at.column,
            message: message.into(),
        }
    }
}
