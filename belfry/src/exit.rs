//! Exit codes, in the order that monitoring plugins use.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Exit(u8);

pub(crate) const OK: Exit = Exit(0);
pub(crate) const WARNING: Exit = Exit(1);
pub(crate) const CRITICAL: Exit = Exit(2);
pub(crate) const USAGE: Exit = Exit(3);

impl Exit {
    /// The exit code of another program, passed on as it is.
    pub(crate) const fn of(code: u8) -> Self {
        Self(code)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.0)
    }
}
