//! Roll-ups: what a month looked like, five minutes at a time, on the disk.
//!
//! Memory and archive have the samples of a day. Before they go, each hour of them
//! is rolled up: of every series and every five minutes the last, the least and the
//! greatest value, the sum and the count, appended to a file of that day under
//! `DIR/series/rollup/`. Nothing of it is kept in memory, and nobody reads it
//! but who asks for [`Store::visit_history`] and the like.
//!
//! A window is five minutes that end at a multiple of five minutes, and so does
//! the point that stands for it: an instant selector with the usual look-back
//! sees exactly one at any time. Which of its numbers a point shows is the
//! asker's choice, a [`Summary`]. Staleness markers are not rolled up: a series
//! that ends is seen for five minutes more. Of what only rises within an hour,
//! as counters do, the last value stands for the others as well.
//!
//! A point is used where memory and archive have nothing older of its series: once
//! its samples begin, they count and its roll-ups do not.

mod block;
mod folder;
mod read;
mod write;

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) use folder::faults;
pub use write::{RollUpError, RolledUp};

use crate::Store;
use crate::settings::millis;
use folder::Part;
use write::Writing;

/// The span of one point in milliseconds.
pub const ROLLUP_MS: i64 = 300_000;

/// So much is rolled up at a time.
const BLOCK_MS: i64 = 3_600_000;

const DAY_MS: i64 = 24 * BLOCK_MS;

/// What a point of a roll-up shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Summary {
    /// The last value.
    Last,
    /// The least value.
    Min,
    /// The greatest value.
    Max,
    /// The sum of the values.
    Sum,
    /// Their mean.
    Mean,
}

/// The roll-ups of a store.
#[derive(Debug)]
pub(crate) struct RollUps {
    folder: PathBuf,
    /// Held while blocks are written.
    writing: Mutex<Writing>,
    /// Apart, so that nobody waits for I/O to read it.
    status: Mutex<Status>,
}

/// What figures and readers need to know.
#[derive(Debug, Clone, Default)]
pub(crate) struct Status {
    /// Files, in the order of their days.
    parts: Vec<Part>,
    /// Up to when all is rolled up, as a wall time.
    pub(crate) done_ms: Option<i64>,
    pub(crate) error: Option<String>,
}

impl Status {
    pub(crate) fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.bytes).sum()
    }

    /// The beginning of the oldest day that is there.
    pub(crate) fn oldest_ms(&self) -> Option<i64> {
        self.parts.first().map(|part| part.day * DAY_MS)
    }
}

impl RollUps {
    /// Those in a folder, which need not be there yet.
    pub(crate) fn open(folder: PathBuf) -> Self {
        let mut status = Status::default();
        match folder::parts(&folder) {
            Ok(parts) => {
                let done = parts.iter().rev().find_map(|part| part.done_ms(&folder));
                (status.done_ms, status.parts) = (done, parts);
            }
            Err(err) => status.error = Some(format!("cannot read the roll-ups: {err}")),
        }
        Self {
            folder,
            writing: Mutex::default(),
            status: Mutex::new(status),
        }
    }

    pub(crate) fn status(&self) -> Status {
        self.lock_status().clone()
    }

    fn lock_status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_writing(&self) -> MutexGuard<'_, Writing> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// The roll-ups, unless they are turned off or the store has no folder.
    pub(crate) fn rollups(&self) -> Option<&RollUps> {
        let wanted = millis(self.settings.rollup_keep) > 0;
        self.rollups.as_ref().filter(|_| wanted)
    }
}
