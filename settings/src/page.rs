//! Values written back as a file would say them, without secrets.

use std::fmt::Write as _;

use crate::Value;

/// YAML as it is written. What is empty is left out.
#[derive(Debug, Default)]
pub struct Page {
    text: String,
    indent: usize,
    /// Whether the next key stands behind the dash of a list.
    item: bool,
}

impl Page {
    /// What was written.
    #[must_use]
    pub fn finish(self) -> String {
        self.text
    }

    /// A key with its value, unless that is empty.
    pub fn value<T: Value>(&mut self, name: &str, value: &T) {
        value.write(self, name);
    }

    fn key(&mut self, name: &str) {
        let indent = match std::mem::take(&mut self.item) {
            true => format!("{}- ", "  ".repeat(self.indent - 1)),
            false => "  ".repeat(self.indent),
        };
        // Writing to memory cannot fail.
        let _ = write!(self.text, "{indent}{name}:");
    }

    /// A key whose value needs no quotes, or has them.
    pub fn word(&mut self, name: &str, value: &str) {
        self.key(name);
        let _ = writeln!(self.text, " {value}");
    }

    /// A mapping, unless nothing is in it.
    pub fn section(&mut self, name: &str, fill: impl FnOnce(&mut Self)) {
        let (before, item) = (self.text.len(), self.item);
        self.key(name);
        self.text.push('\n');
        let begun = self.text.len();
        self.indent += 1;
        fill(self);
        self.indent -= 1;
        if self.text.len() == begun {
            self.text.truncate(before);
            self.item = item;
        }
    }

    /// A list of mappings, unless it is empty.
    pub fn list<T>(&mut self, name: &str, items: &[T], fill: impl Fn(&mut Self, &T)) {
        if items.is_empty() {
            return;
        }
        self.key(name);
        self.text.push('\n');
        self.indent += 1;
        for item in items {
            self.item = true;
            fill(self, item);
            if std::mem::take(&mut self.item) {
                let indent = "  ".repeat(self.indent - 1);
                let _ = writeln!(self.text, "{indent}- {{}}");
            }
        }
        self.indent -= 1;
    }
}

/// A text in double quotes, with YAML's escapes.
#[must_use]
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\u{feff}' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            _ if letter.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            _ => out.push(letter),
        }
    }
    out.push('"');
    out
}
