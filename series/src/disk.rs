//! The store in a folder, so that a restart loses next to nothing.
//!
//! `DIR/series/` has a `snapshot` of everything at one time, and numbered log
//! segments with what came after. [`Store::flush`] appends to the log what is
//! new; when the log has grown long, it is folded into a new snapshot, which is
//! written beside the old one and renamed. What cannot be written stays in
//! memory and is tried again: a full disk costs the folder, never the store.
//! No lock that an append or a select needs is held during I/O.

mod entry;
mod flush;
mod load;
mod log;
pub(crate) mod record;
mod report;
mod snapshot;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{fs, io};

pub use flush::{FlushError, Flushed};
pub use load::check;
pub use report::{Fault, FaultKind, Recovery};

use crate::archive::Archive;
use crate::rollup::RollUps;
use crate::{Settings, Store};
use log::Log;

/// When what is written is forced onto the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fsync {
    /// At each flush: a power cut loses what came after it.
    #[default]
    EachFlush,
    /// When a segment or a snapshot is complete: a power cut may lose a segment,
    /// a killed process no more than with the other.
    EachSegment,
}

/// The folder of a store.
#[derive(Debug)]
pub(crate) struct Disk {
    log: Mutex<Log>,
    status: Mutex<Status>,
    /// Log and snapshot have much that has left memory: they are to be folded, so
    /// that it does not come back with a restart.
    pub(crate) outdated: AtomicBool,
}

/// What figures say of the folder; apart, so that nobody waits for I/O to read it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Status {
    pub(crate) log_bytes: u64,
    pub(crate) snapshot_bytes: u64,
    pub(crate) written_bytes: u64,
    pub(crate) snapshots: u64,
    pub(crate) error: Option<String>,
}

impl Disk {
    pub(crate) fn status(&self) -> Status {
        self.lock_status().clone()
    }

    fn lock_status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// The store in `dir/series/`, with what is there already. Whatever the
    /// folder's state, there is a store: what could not be read, or that the
    /// folder cannot be used at all, stands in the report. Two stores must not
    /// share a folder.
    #[must_use]
    pub fn open(dir: &Path, settings: Settings) -> (Self, Recovery) {
        let folder = Folder(dir.join("series"));
        let rollups = folder.rollups();
        let mut store = Self::in_memory(settings);
        let (archive, faults) = Archive::open(folder.archive());
        if let Some((clock, next_id)) = archive.clock_and_id() {
            // Unless snapshot and log know better. No id may mean two series.
            store.set_clock(clock);
            store.write().use_ids_from(next_id);
        }
        store.archive = Some(archive);
        let (log, mut recovery) = load::open(&store, folder);
        recovery.faults.extend(faults);
        let status = Status {
            log_bytes: log.bytes(),
            snapshot_bytes: recovery.snapshot_bytes,
            ..Status::default()
        };
        store.rollups = Some(RollUps::open(rollups));
        store.disk = Some(Disk {
            log: Mutex::new(log),
            status: Mutex::new(status),
            outdated: AtomicBool::new(false),
        });
        (store, recovery)
    }
}

/// Names in the folder.
#[derive(Debug, Clone)]
struct Folder(PathBuf);

const SNAPSHOT: &str = "snapshot";
const UNFINISHED: &str = "snapshot.new";

impl Folder {
    fn segment(&self, number: u64) -> PathBuf {
        self.0.join(format!("log-{number:08}"))
    }

    /// Where roll-ups are.
    fn rollups(&self) -> PathBuf {
        self.0.join("rollup")
    }

    /// Where samples are that have left memory.
    fn archive(&self) -> PathBuf {
        self.0.join("archive")
    }

    /// The numbers of all segments, in order.
    fn segments(&self) -> io::Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix("log-"));
            numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Forces names that were made, renamed or removed onto the disk.
    fn sync(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()
    }
}
