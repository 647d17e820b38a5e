//! The log: segments of records, the newest still growing.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

use super::flush::FlushError;
use super::record::MAGIC;
use super::{Folder, Fsync, Recovery};
use crate::Settings;

/// So many short segments, as restarts leave them, are as bad as a long log.
const MOST_SEGMENTS: usize = 32;

/// A segment names each of its series once: it is at least so many times as long as the
/// names are, or of many series it would be nothing else.
const NAMES_SHARE: u64 = 2;

/// The log may be longer by the length of the snapshot, but by no more than so many
/// times what it may have anyway.
const MOST_LENGTHS: u64 = 64;

/// Where the log stands. Only [`Store::flush`](crate::Store::flush) has it.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) folder: Folder,
    pub(super) fsync: Fsync,
    segment_bytes: u64,
    log_bytes: u64,
    /// Number of the segment that grows, which is made with its first record.
    pub(super) number: u64,
    file: Option<File>,
    /// Its length; what is behind that in the file does not count.
    at: u64,
    /// How much of it names series.
    pub(super) named: u64,
    /// Earlier segments that no snapshot covers, and their lengths.
    older: Vec<(u64, u64)>,
    /// Records for this segment that are not written yet.
    pub(super) pending: Vec<u8>,
    /// The log has a hole: only a snapshot makes the folder whole again.
    pub(super) broken: bool,
    /// What is there is damaged, and written anew as soon as may be.
    damaged: bool,
    /// Folded when it is longer.
    fold_at: u64,
    pub(super) trouble: Option<Trouble>,
    /// The clock as the log has it.
    pub(super) clock: i64,
    /// Flushes to let pass before a snapshot is tried again.
    pub(super) wait: u32,
    pub(super) failures: u32,
}

/// What cannot be done at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) step: &'static str,
    pub(super) kind: io::ErrorKind,
}

impl Log {
    /// A log that goes on after `older` segments; `last` is the highest number
    /// in use.
    pub(super) fn after(
        folder: Folder,
        settings: &Settings,
        clock: i64,
        last: u64,
        older: Vec<(u64, u64)>,
        recovery: &Recovery,
    ) -> Self {
        let mut log = Self {
            folder,
            fsync: settings.fsync,
            segment_bytes: settings.segment_bytes,
            log_bytes: settings.log_bytes,
            number: last + 1,
            file: None,
            at: 0,
            named: 0,
            older,
            pending: Vec::new(),
            broken: false,
            damaged: recovery.is_damaged(),
            fold_at: 0,
            trouble: None,
            clock,
            wait: 0,
            failures: 0,
        };
        log.fold_beside(recovery.snapshot_bytes);
        log
    }

    /// Sets when the log is folded. A fold writes a whole snapshot anew: it is to be as
    /// rare as that is long.
    fn fold_beside(&mut self, snapshot_bytes: u64) {
        let most = self.log_bytes.saturating_mul(MOST_LENGTHS);
        self.fold_at = self.log_bytes.saturating_add(snapshot_bytes.min(most));
    }

    /// Length of all segments that no snapshot covers.
    pub(super) fn bytes(&self) -> u64 {
        self.at + self.older.iter().map(|(_, bytes)| bytes).sum::<u64>()
    }

    /// Whether it is time to fold the log into a snapshot.
    pub(super) fn is_due(&self) -> bool {
        self.broken
            || self.damaged
            || self.bytes() > self.fold_at
            || self.older.len() >= MOST_SEGMENTS
    }

    /// Begins another segment once this one is long, and not mostly names. Between the
    /// records of one gathering this must not be done.
    pub(super) fn turn(&mut self) -> Result<(), FlushError> {
        if self.at < self.segment_bytes.max(NAMES_SHARE * self.named) {
            return Ok(());
        }
        self.close()
    }

    /// Ends the segment; the next has the next number.
    pub(super) fn close(&mut self) -> Result<(), FlushError> {
        self.pending.clear();
        if let Some(file) = self.file.take() {
            self.age();
            self.synced("close a log segment", file.sync_data())?;
        }
        Ok(())
    }

    /// Writes what is pending, and keeps it where that fails.
    pub(super) fn write(&mut self) -> Result<u64, FlushError> {
        if self.file.is_none() {
            let file = self.begin();
            self.file = Some(file.map_err(FlushError::at("begin a log segment"))?);
            self.at = MAGIC.len() as u64;
        }
        let Some(file) = &self.file else {
            return Ok(0);
        };
        let metadata = file.metadata();
        if metadata.is_ok_and(|metadata| metadata.nlink() == 0) {
            self.break_off();
            let removed = io::Error::from(io::ErrorKind::NotFound);
            return Err(FlushError::at("write the log")(removed));
        }
        if let Err(err) = file.write_all_at(&self.pending, self.at) {
            // Half a record is cut now or when it is next read.
            let _ = file.set_len(self.at);
            return Err(FlushError::at("write the log")(err));
        }
        let bytes = self.pending.len() as u64;
        self.at += bytes;
        // Longest when many series are new at once; what follows is short.
        self.pending = Vec::new();
        Ok(bytes)
    }

    fn begin(&self) -> io::Result<File> {
        fs::create_dir_all(&self.folder.0)?;
        let path = self.folder.segment(self.number);
        let file = File::create(&path)?;
        file.write_all_at(MAGIC, 0)?;
        self.folder.sync()?;
        Ok(file)
    }

    /// Forces the segment onto the disk, if that is wanted now.
    pub(super) fn sync(&mut self) -> Result<(), FlushError> {
        let result = match (&self.file, self.fsync) {
            (Some(file), Fsync::EachFlush) => file.sync_data(),
            _ => return Ok(()),
        };
        self.synced("sync the log", result)
    }

    /// After a failed sync nobody knows what the file has.
    fn synced(&mut self, step: &'static str, result: io::Result<()>) -> Result<(), FlushError> {
        result.map_err(|err| {
            self.break_off();
            FlushError::at(step)(err)
        })
    }

    /// Gives up the segment that grows.
    fn break_off(&mut self) {
        self.broken = true;
        self.pending.clear();
        if self.file.take().is_some() {
            self.age();
        }
    }

    /// The segment grows no more.
    fn age(&mut self) {
        self.older.push((self.number, self.at));
        (self.at, self.named) = (0, 0);
        self.number += 1;
    }

    /// All segments so far are in a snapshot of so many bytes.
    pub(super) fn covered(&mut self, snapshot_bytes: u64) {
        for (number, _) in self.older.drain(..) {
            // One that stays is covered all the same, and goes at the next start.
            let _ = fs::remove_file(self.folder.segment(number));
        }
        self.broken = false;
        self.damaged = false;
        self.fold_beside(snapshot_bytes);
    }

    /// The snapshot failed: the log goes on, and gets longer before the next try.
    pub(super) fn uncovered(&mut self) {
        self.fold_at = self.bytes() + self.log_bytes / 4;
    }
}
