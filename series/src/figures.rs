//! What the store says of itself.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crate::archive::Archive;
use crate::disk::Disk;
use crate::rollup::RollUps;
use crate::{Rejected, Store};

/// Figures for the store's own metrics. Counts are since the start.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    /// Series in the index.
    pub series: usize,
    /// Samples taken.
    pub appended: u64,
    /// Samples refused because they were older than their series' newest.
    pub out_of_order: u64,
    /// Samples refused because there was another value at their time.
    pub duplicates: u64,
    /// Samples refused because there was no room for their series.
    pub refused: u64,
    /// Series that were shed to stay under the cap.
    pub shed: u64,
    /// Bytes of samples in memory.
    pub chunk_bytes: u64,
    /// Bytes of series and index in memory.
    pub index_bytes: u64,
    /// Length of the log on disk.
    pub log_bytes: u64,
    /// Length of the snapshot on disk.
    pub snapshot_bytes: u64,
    /// Bytes written to disk.
    pub written_bytes: u64,
    /// Snapshots written.
    pub snapshots: u64,
    /// Why the last flush failed; `None` if it did not.
    pub flush_error: Option<String>,
    /// Length of the archive on disk.
    pub archive_bytes: u64,
    /// Pages of the archive that could not be read, and so were left out.
    pub archive_unreadable: u64,
    /// Why samples could not be put away at the last try; `None` if they could.
    pub archive_error: Option<String>,
    /// Length of all roll-ups on disk.
    pub rollup_bytes: u64,
    /// The beginning of the oldest day with roll-ups, in milliseconds since 1970.
    pub rollup_oldest_ms: Option<i64>,
    /// Up to when all is rolled up, in milliseconds since 1970.
    pub rollup_done_ms: Option<i64>,
    /// Why roll-ups could not be written at the last try; `None` if they could.
    pub rollup_error: Option<String>,
}

/// Counts that change with every sample.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    appended: AtomicU64,
    out_of_order: AtomicU64,
    duplicates: AtomicU64,
    refused: AtomicU64,
    shed: AtomicU64,
    chunk_bytes: AtomicI64,
}

impl Counts {
    pub(crate) fn appended(&self, grown: i64) {
        self.appended.fetch_add(1, Ordering::Relaxed);
        if grown != 0 {
            self.grown(grown);
        }
    }

    /// Counts a refusal and passes it on.
    pub(crate) fn rejected(&self, rejected: Rejected) -> Rejected {
        let count = match rejected {
            Rejected::OutOfOrder => &self.out_of_order,
            Rejected::Duplicate => &self.duplicates,
            Rejected::Full => &self.refused,
        };
        count.fetch_add(1, Ordering::Relaxed);
        rejected
    }

    pub(crate) fn shed(&self, series: usize) {
        self.shed.fetch_add(series as u64, Ordering::Relaxed);
    }

    pub(crate) fn grown(&self, bytes: i64) {
        self.chunk_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn chunk_bytes(&self) -> u64 {
        // Two threads' additions may be seen in either order.
        self.chunk_bytes.load(Ordering::Relaxed).max(0) as u64
    }
}

impl Store {
    /// The store's figures now.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let disk = self.disk.as_ref().map(Disk::status).unwrap_or_default();
        let rollups = self.rollups().map(RollUps::status).unwrap_or_default();
        let archive = self.archive.as_ref();
        let index = self.read();
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Figures {
            series: index.len(),
            appended: load(&self.counts.appended),
            out_of_order: load(&self.counts.out_of_order),
            duplicates: load(&self.counts.duplicates),
            refused: load(&self.counts.refused),
            shed: load(&self.counts.shed),
            chunk_bytes: self.counts.chunk_bytes(),
            index_bytes: index.bytes() as u64,
            log_bytes: disk.log_bytes,
            snapshot_bytes: disk.snapshot_bytes,
            written_bytes: disk.written_bytes,
            snapshots: disk.snapshots,
            flush_error: disk.error,
            archive_bytes: archive.map_or(0, Archive::bytes),
            archive_unreadable: archive.map_or(0, Archive::unreadable),
            archive_error: archive.and_then(Archive::error),
            rollup_bytes: rollups.bytes(),
            rollup_oldest_ms: rollups.oldest_ms(),
            rollup_done_ms: rollups.done_ms,
            rollup_error: rollups.error,
        }
    }
}
