//! What is wrong with a configuration, and where.

use std::fmt;

use crate::Place;

/// One fault. A file with faults is refused whole, and all of them are told.
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
    /// `text` is the file that was read. Lines that may hold a secret stay out.
    #[must_use]
    pub fn show(&self, text: &str) -> String {
        let Place::Line { line, column, .. } = self.place else {
            return self.to_string();
        };
        let Some(source) = text.lines().nth(line.saturating_sub(1)) else {
            return self.to_string();
        };
        if ["password", "secret", "token", "credential"]
            .iter()
            .any(|word| source.contains(word))
        {
            return self.to_string();
        }
        let width = line.to_string().len();
        let gap = " ".repeat(column.saturating_sub(1));
        format!("{self}\n{line} | {source}\n{:width$} | {gap}^", "")
    }
}
