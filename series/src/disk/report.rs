//! What was found in the folder.

use std::fmt;

/// What opening or checking a folder found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recovery {
    /// Series that are there now.
    pub series: usize,
    /// Samples that are there now.
    pub samples: u64,
    /// Time of the newest sample in milliseconds since 1970. If it lies ahead of
    /// the clock, the clock was set back meanwhile: [`Store::shift`] by the
    /// difference, or its series take no new samples until then.
    ///
    /// [`Store::shift`]: crate::Store::shift
    pub newest_ms: Option<i64>,
    /// Length of the snapshot.
    pub snapshot_bytes: u64,
    /// Length of the log.
    pub log_bytes: u64,
    /// Samples in the log whose series stood in a part that is lost.
    pub orphans: u64,
    /// What was not as it should be, and left out.
    pub faults: Vec<Fault>,
    /// The folder could not be used at all.
    pub error: Option<String>,
}

impl Recovery {
    /// Whether anything is wrong but the torn end that a crash leaves.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        let damaged = |fault: &Fault| fault.kind != FaultKind::Torn;
        self.error.is_some() || self.orphans > 0 || self.faults.iter().any(damaged)
    }
}

/// One place where a file is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file's name in the folder.
    pub file: String,
    /// Where, in bytes from its beginning.
    pub at: u64,
    /// How many bytes are left out.
    pub bytes: u64,
    /// What is wrong.
    pub kind: FaultKind,
}

/// What is wrong with a part of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    /// The end was not written whole, as when a process is killed.
    Torn,
    /// The bytes are not the ones that were written.
    Damaged,
    /// The bytes are as written and mean nothing to this version.
    Senseless,
    /// The file cannot be read.
    Unreadable(String),
    /// A snapshot ends before its end.
    Incomplete,
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            at,
            bytes,
            kind,
        } = self;
        match kind {
            FaultKind::Torn => write!(out, "{file}: the last {bytes} bytes were not written whole"),
            FaultKind::Damaged => write!(out, "{file}: {bytes} bytes at {at} are damaged"),
            FaultKind::Senseless => write!(out, "{file}: {bytes} bytes at {at} have no meaning"),
            FaultKind::Unreadable(err) => write!(out, "{file}: cannot be read: {err}"),
            FaultKind::Incomplete => write!(out, "{file}: ends at {at} before its end"),
        }
    }
}
