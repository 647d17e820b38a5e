//! Colours, where a terminal shows them and nobody asked for none.

use std::io::{self, IsTerminal as _};

/// How words are painted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Paint(bool);

impl Paint {
    /// For standard output as it is.
    pub(super) fn for_output() -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self(io::stdout().is_terminal() && !unwanted)
    }

    pub(super) fn good(self, word: &str) -> String {
        self.with("32", word)
    }

    pub(super) fn doubtful(self, word: &str) -> String {
        self.with("33", word)
    }

    pub(super) fn bad(self, word: &str) -> String {
        self.with("31", word)
    }

    fn with(self, code: &str, word: &str) -> String {
        if self.0 {
            format!("\u{1b}[{code}m{word}\u{1b}[0m")
        } else {
            word.to_owned()
        }
    }
}
