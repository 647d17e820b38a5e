//! Printing for people: a closed pipe ends the output and is no panic; any other
//! failure is told by the exit code.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;

use crate::config;
use crate::exit::{self, Exit};

/// What kept the output from being written.
static FAILURE: Mutex<Option<io::Error>> = Mutex::new(None);

/// Prints one line to standard output.
pub(crate) fn line(text: impl Display) {
    note(writeln!(io::stdout().lock(), "{text}"));
}

/// Prints text as it is to standard output.
pub(crate) fn text(text: impl Display) {
    note(write!(io::stdout().lock(), "{text}"));
}

/// Prints one line to standard error.
pub(crate) fn error(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// How a command ends whose answer is the output: an answer that could not be
/// written is none.
pub(crate) fn end(code: Exit) -> Exit {
    note(io::stdout().lock().flush());
    let failure = FAILURE.lock().ok().and_then(|mut failure| failure.take());
    match failure {
        Some(err) => {
            error(format_args!("belfry: cannot write the output: {err}"));
            exit::CRITICAL
        }
        None => code,
    }
}

/// Keeps the first failure.
pub(crate) fn note(written: io::Result<()>) {
    if let Err(err) = written
        && err.kind() != io::ErrorKind::BrokenPipe
        && let Ok(mut failure) = FAILURE.lock()
    {
        failure.get_or_insert(err);
    }
}

/// What is wrong with a configuration; lines of the file are only for a terminal.
pub(crate) fn told(err: &config::Error, to: &impl IsTerminal) -> String {
    match err {
        config::Error::Faults(faults) if to.is_terminal() => {
            let rules = faults.rules.iter().map(ToString::to_string);
            let all: Vec<_> = faults.explain().into_iter().chain(rules).collect();
            all.join("\n")
        }
        err => err.to_string(),
    }
}
