//! Printing for people: a closed pipe ends the output and is no panic.

use std::fmt::Display;
use std::io::{self, Write};

/// Prints one line to standard output.
pub(crate) fn line(text: impl Display) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// Prints text as it is to standard output.
pub(crate) fn text(text: impl Display) {
    let _ = write!(io::stdout().lock(), "{text}");
}

/// Prints one line to standard error.
pub(crate) fn error(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
