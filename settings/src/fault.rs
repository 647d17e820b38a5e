//! What is wrong with a configuration, and where.

use std::fmt;

use crate::{Place, names_secret};

/// One fault. A file with faults is refused whole, and all of them are told.
/// Nothing in it is the value of a secret: it may be logged and served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where it stands.
    pub place: Place,
    /// The key it concerns, such as `mail.smarthost`; empty for the whole file.
    pub key: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: ", self.place)?;
        if !self.key.is_empty() {
            write!(out, "{}: ", self.key)?;
        }
        out.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

impl Fault {
    /// The fault with the line it stands in and a caret under the column, where
    /// `text` is the file that was read. For files that hold no secrets, such as
    /// rule files; lines that look as if they did stay out all the same.
    #[must_use]
    pub fn show(&self, text: &str) -> String {
        const WORDS: [&str; 5] = ["password", "passwd", "secret", "token", "credential"];
        match self.source(text) {
            Some((_, source)) if mentions(source, &WORDS) => self.to_string(),
            Some((column, source)) => self.under(source, column),
            None => self.to_string(),
        }
    }

    /// Like [`Fault::show`], for a configuration and a person at a terminal: the
    /// line is shown only when it holds this fault's key and its plain value,
    /// no other key, and nothing that may be a secret.
    #[must_use]
    pub fn explain(&self, text: &str) -> String {
        let name = self.key.rsplit('.').next().unwrap_or_default();
        let Some((column, source)) = self.source(text) else {
            return self.to_string();
        };
        let source = source.split(" #").next().unwrap_or_default();
        let value = source
            .trim_start_matches([' ', '-'])
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix(':'));
        match value {
            Some(value)
                if !name.is_empty()
                    && !names_secret(&self.key)
                    && !value.contains(['{', '}', '[', ']', ','])
                    && !value.contains(": ") =>
            {
                self.under(source, column)
            }
            _ => self.to_string(),
        }
    }

    /// The column and the line of the file.
    fn source<'a>(&self, text: &'a str) -> Option<(usize, &'a str)> {
        let Place::Line { line, column, .. } = self.place else {
            return None;
        };
        let source = text.lines().nth(line.saturating_sub(1))?;
        Some((column, source))
    }

    fn under(&self, source: &str, column: usize) -> String {
        let Place::Line { line, .. } = self.place else {
            return self.to_string();
        };
        let width = line.to_string().len();
        let gap = " ".repeat(column.saturating_sub(1));
        format!("{self}\n{line} | {source}\n{:width$} | {gap}^", "")
    }
}

fn mentions(source: &str, words: &[&str]) -> bool {
    let source = source.to_ascii_lowercase();
    words.iter().any(|word| source.contains(word))
}
