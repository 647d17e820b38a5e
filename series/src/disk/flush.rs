//! Writes what is new.

use std::io;
use std::mem;
use std::sync::atomic::Ordering;

use super::entry::{self, Beside};
use super::log::{Log, Trouble};
use super::{Disk, Status, record, snapshot};
use crate::Store;
use crate::codec::{Point, push_signed, push_varint};

/// A record is closed when it is longer than this.
const RECORD: usize = 256 << 10;

/// What a flush did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flushed {
    /// The store has no folder.
    InMemory,
    /// So many bytes were written.
    Written(u64),
    /// So many bytes were written, the first after a failure.
    Recovered(u64),
    /// What failed before still fails, or is not tried again yet. Samples that
    /// are not written stay in memory.
    StillFailing,
}

/// Samples could not be written, and stay in memory until they can.
#[derive(Debug, thiserror::Error)]
#[error("cannot {step}: {source}")]
pub struct FlushError {
    step: &'static str,
    source: io::Error,
}

impl FlushError {
    pub(super) fn at(step: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self { step, source }
    }
}

impl Store {
    /// Writes to the folder what came since the last flush, and folds the log
    /// into a snapshot when it has grown long. To be called about every 15 s,
    /// from a thread that may wait for a disk: the processor has some 150 ns of
    /// work for each series with a new sample, the log grows by some 8 bytes a
    /// sample, and a fold writes all that memory has, 10 microseconds a series.
    /// A failure is an error once: while it goes on, and is the same, the answer
    /// is [`Flushed::StillFailing`].
    pub fn flush(&self) -> Result<Flushed, FlushError> {
        let Some(disk) = &self.disk else {
            return Ok(Flushed::InMemory);
        };
        let mut log = disk.lock_log();
        let mut done = Done::default();
        let result = log.run(self, &mut done);
        let before = log.trouble;
        log.trouble = match &result {
            Ok(()) => None,
            Err(Failed::Waiting) => before,
            Err(Failed::Now(err)) => Some(Trouble {
                step: err.step,
                kind: err.source.kind(),
            }),
        };
        disk.lock_status().note(&log, &done, &result);
        match result {
            Ok(()) if before.is_some() => Ok(Flushed::Recovered(done.written)),
            Ok(()) => Ok(Flushed::Written(done.written)),
            Err(Failed::Now(err)) if log.trouble != before => Err(err),
            Err(_) => Ok(Flushed::StillFailing),
        }
    }
}

/// What a flush came to before it ended or failed.
#[derive(Debug, Default)]
struct Done {
    written: u64,
    /// Length of a new snapshot.
    snapshot: Option<u64>,
}

/// Why a flush did not succeed.
pub(super) enum Failed {
    Now(FlushError),
    /// It is not tried each time.
    Waiting,
}

impl From<FlushError> for Failed {
    fn from(err: FlushError) -> Self {
        Self::Now(err)
    }
}

impl Status {
    fn note(&mut self, log: &Log, done: &Done, result: &Result<(), Failed>) {
        self.log_bytes = log.bytes();
        self.written_bytes += done.written;
        if let Some(bytes) = done.snapshot {
            self.snapshot_bytes = bytes;
            self.snapshots += 1;
        }
        match result {
            Ok(()) => self.error = None,
            Err(Failed::Now(err)) => self.error = Some(err.to_string()),
            Err(Failed::Waiting) => {}
        }
    }
}

impl Log {
    fn run(&mut self, store: &Store, done: &mut Done) -> Result<(), Failed> {
        let (mut more, mut next) = (!self.broken, 0);
        while more {
            more = true;
            if self.pending.is_empty() {
                self.turn()?;
                more = self.gather(store, &mut next);
            }
            if !self.pending.is_empty() {
                done.written += self.write()?;
            }
        }
        self.sync()?;
        let is_outdated = |disk: &Disk| disk.outdated.load(Ordering::Relaxed);
        if self.is_due() || store.disk.as_ref().is_some_and(is_outdated) {
            if self.wait > 0 {
                self.wait -= 1;
                return Err(Failed::Waiting);
            }
            let bytes = self.fold(store)?;
            done.snapshot = Some(bytes);
            done.written += bytes;
        }
        match self.failures {
            0 => Ok(()),
            // A snapshot that failed is not mended by a log that can be written.
            _ => Err(Failed::Waiting),
        }
    }

    /// Makes records of what is not written yet of the series from slot `next` on, and
    /// says whether there is more.
    fn gather(&mut self, store: &Store, next: &mut usize) -> bool {
        let (mut begun, mut samples) = (vec![entry::SERIES], vec![entry::SAMPLES]);
        let clock = store.clock();
        push_signed(&mut samples, clock);
        let empty = samples.len();
        let mut beside = Beside::default();
        let mut points: Vec<Point> = Vec::new();
        let ended = mem::take(&mut store.write().ended);
        let mut more = false;
        'all: for (page, after) in store.pages_from(*next) {
            for series in page {
                points.clear();
                let news = series.lock().take_unlogged(self.number, &mut points);
                if news {
                    entry::push_series(&mut begun, series.id, &series.labels);
                }
                for point in &points {
                    beside.push(&mut samples, series.id, *point);
                }
                if begun.len().max(samples.len()) > RECORD {
                    more = true;
                    break 'all;
                }
            }
            *next = after;
        }
        if !ended.is_empty() {
            let mut payload = vec![entry::ENDED];
            for id in ended {
                push_varint(&mut payload, id);
            }
            record::push(&mut self.pending, &payload);
        }
        if begun.len() > 1 {
            record::push(&mut self.pending, &begun);
            self.named += begun.len() as u64;
        }
        if samples.len() > empty || clock != self.clock {
            record::push(&mut self.pending, &samples);
            self.clock = clock;
        }
        more
    }

    /// Writes all there is into a snapshot and starts the log anew.
    fn fold(&mut self, store: &Store) -> Result<u64, FlushError> {
        self.close()?;
        let result = snapshot::write(store, &self.folder, self.number - 1, self.broken);
        match result {
            Ok(bytes) => {
                if let Some(disk) = &store.disk {
                    disk.outdated.store(false, Ordering::Relaxed);
                }
                self.covered(bytes);
                self.failures = 0;
            }
            Err(_) => {
                self.uncovered();
                self.failures += 1;
                self.wait = (1 << self.failures.min(5)) - 1;
            }
        }
        result.map_err(FlushError::at("write a snapshot"))
    }
}
