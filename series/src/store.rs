//! Where samples are kept.

use std::iter;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use exposition::Labels;

use crate::Settings;
use crate::archive::Archive;
use crate::disk::Disk;
use crate::figures::Counts;
use crate::index::Index;
use crate::rollup::RollUps;
use crate::samples::{Series, Taken};

/// Recent samples of all series. Shared between threads behind an `Arc`.
///
/// Appending to a series that is known and reading wait for nothing but each
/// other, and only for the one series in hand.
#[derive(Debug)]
pub struct Store {
    pub(crate) settings: Settings,
    index: RwLock<Index>,
    /// What is added to the times of samples as kept, in milliseconds: moving
    /// the clock moves this alone.
    clock: AtomicI64,
    pub(crate) counts: Counts,
    pub(crate) disk: Option<Disk>,
    pub(crate) rollups: Option<RollUps>,
    pub(crate) archive: Option<Archive>,
    /// Chunks that ended before are given up, by the store's own time.
    pub(crate) oldest: AtomicI64,
    /// What ended before was given up, some of it at least and wherever no file had
    /// it, by the store's own time. A snapshot keeps it: one series that reaches back
    /// would hide what all others lack.
    pub(crate) cut: AtomicI64,
    /// Memory and archive have every sample from here on, by the store's own time.
    pub(crate) floor: AtomicI64,
}

/// Why a sample was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// It is older than the newest sample of its series.
    #[error("out of order")]
    OutOfOrder,
    /// There is another value at the same time.
    #[error("duplicate sample for the same time")]
    Duplicate,
    /// It would begin a series, and memory is at its cap or the series' family
    /// has been shed.
    #[error("no room for another series")]
    Full,
}

impl Default for Store {
    fn default() -> Self {
        Self::new()
    }
}

impl Store {
    /// An empty store in memory.
    #[must_use]
    pub fn new() -> Self {
        Self::in_memory(Settings::default())
    }

    /// An empty store in memory with limits of its own.
    #[must_use]
    pub fn in_memory(settings: Settings) -> Self {
        Self {
            settings,
            index: RwLock::default(),
            clock: AtomicI64::new(0),
            counts: Counts::default(),
            disk: None,
            rollups: None,
            archive: None,
            oldest: AtomicI64::new(i64::MIN),
            cut: AtomicI64::new(i64::MIN),
            floor: AtomicI64::new(0),
        }
    }

    /// Adds one sample. The same value at the same time again is no error.
    pub fn append(&self, labels: &Labels, time_ms: i64, value: f64) -> Result<(), Rejected> {
        self.append_by_labels(labels, time_ms, value).map(drop)
    }

    /// Adds a sample, and says which series it went to.
    pub(crate) fn append_by_labels(
        &self,
        labels: &Labels,
        time_ms: i64,
        value: f64,
    ) -> Result<Arc<Series>, Rejected> {
        let known = self.read().get(labels).cloned();
        let mut series = known.map_or_else(|| self.begin(labels), Ok)?;
        while !self.append_to(&series, time_ms, value)? {
            series = self.begin(labels)?;
        }
        Ok(series)
    }

    /// Adds a sample to a series; false if the series has left the index.
    pub(crate) fn append_to(
        &self,
        series: &Series,
        time_ms: i64,
        value: f64,
    ) -> Result<bool, Rejected> {
        let point = (self.to_kept(time_ms), value);
        // The lock is given back before anything is counted.
        let taken = series.lock().append(point);
        match taken {
            Ok(Taken::New(grown)) => self.counts.appended(grown),
            Ok(Taken::Again) => {}
            Ok(Taken::Gone) => return Ok(false),
            Err(rejected) => return Err(self.counts.rejected(rejected)),
        }
        Ok(true)
    }

    /// Begins a series, unless another thread just has.
    fn begin(&self, labels: &Labels) -> Result<Arc<Series>, Rejected> {
        let mut index = self.write();
        if let Some(series) = index.get(labels).cloned() {
            if !series.lock().is_gone() {
                return Ok(series);
            }
            // Expired a moment ago, and about to be taken out anyway.
            index.remove(&[series]);
        }
        let room = index.bytes() as u64 + self.counts.chunk_bytes() < self.settings.max_bytes;
        if room && !index.shed.contains_key(labels.name()) {
            return Ok(index.insert(labels));
        }
        Err(self.counts.rejected(Rejected::Full))
    }

    /// Moves the times of all samples by `delta_ms`, because the wall clock was
    /// stepped by that: the newest samples stay as old as they are, so rates and
    /// `for:` clocks go on. Takes no time, whatever is stored.
    pub fn shift(&self, delta_ms: i64) {
        self.clock.fetch_add(delta_ms, Ordering::Relaxed);
    }

    /// A wall time as samples are kept.
    pub(crate) fn to_kept(&self, time_ms: i64) -> i64 {
        time_ms.wrapping_sub(self.clock.load(Ordering::Relaxed))
    }

    /// The clock, and a range as samples are kept by it; the ends of time stay
    /// where they are.
    pub(crate) fn kept_range(&self, from_ms: i64, to_ms: i64) -> (i64, i64, i64) {
        let clock = self.clock();
        let kept = |time| match time {
            i64::MIN | i64::MAX => time,
            _ => time.saturating_sub(clock),
        };
        (clock, kept(from_ms), kept(to_ms))
    }

    /// From when on memory and archive have every sample, as a wall time in
    /// milliseconds; the end of time where they have none.
    #[must_use]
    pub fn floor_ms(&self) -> i64 {
        self.floor
            .load(Ordering::Relaxed)
            .saturating_add(self.clock())
    }

    /// What to add to a kept time to get a wall time.
    pub(crate) fn clock(&self) -> i64 {
        self.clock.load(Ordering::Relaxed)
    }

    pub(crate) fn set_clock(&self, clock: i64) {
        self.clock.store(clock, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// All series, some at a time, without keeping anyone out meanwhile.
    pub(crate) fn pages(&self) -> impl Iterator<Item = Vec<Arc<Series>>> {
        self.pages_from(0).map(|(page, _)| page)
    }

    /// Those from a slot on, each time with the slot behind them.
    pub(crate) fn pages_from(
        &self,
        mut next: usize,
    ) -> impl Iterator<Item = (Vec<Arc<Series>>, usize)> {
        iter::from_fn(move || {
            let (page, after) = self.read().page(next)?;
            next = after;
            Some((page, after))
        })
    }
}
