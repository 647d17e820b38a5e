//! Adds what one target says, scrape after scrape.
//!
//! A target's page names the same series each time. An [`Appender`] remembers
//! them by the bytes that name them on the page, so that a repeated scrape
//! neither parses labels nor relabels nor looks anything up, and it knows which
//! series are missing from a page and so get a staleness marker.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use exposition::{Labels, stale};

use crate::samples::Series;
use crate::{Rejected, Store};

/// What is known of one target's series; one for each target, for as long as its
/// labels and relabelling stay the same.
///
/// Each scrape is a [`Batch`]: [`Appender::begin`], [`Batch::add`] for every
/// line, [`Batch::finish`]. A scrape that failed is begun and finished with
/// nothing in between, and so is the scrape that finds the target removed.
#[derive(Debug, Default)]
pub struct Appender {
    secret: RandomState,
    known: HashMap<u64, Known>,
    /// Counts scrapes; comes round after centuries.
    round: u32,
}

#[derive(Debug)]
struct Known {
    /// `None`: relabelling dropped it.
    series: Option<Arc<Series>>,
    round: u32,
    /// Gets a marker when it is missing.
    tracked: bool,
}

/// One scrape of a target.
#[derive(Debug)]
pub struct Batch<'a> {
    appender: &'a mut Appender,
    store: &'a Store,
    finished: Finished,
}

/// What a scrape added.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Finished {
    /// Samples on the page, whatever became of them: `scrape_samples_scraped`.
    pub scraped: usize,
    /// Samples left by relabelling: `scrape_samples_post_metric_relabeling`.
    pub kept: usize,
    /// Series that were not on the page before: `scrape_series_added`.
    pub added: usize,
    /// Samples that the store refused.
    pub rejected: usize,
    /// Series that got a staleness marker.
    pub ended: usize,
}

impl Appender {
    /// An appender that knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a series of this spelling was on the last page, so that its
    /// labels need no parsing unless [`Batch::add`] asks for them.
    #[must_use]
    pub fn knows(&self, key: &str) -> bool {
        self.known.contains_key(&self.secret.hash_one(key))
    }

    /// Whether a series of this spelling is stored or dropped by relabelling;
    /// nothing when it was not on the last page.
    #[must_use]
    pub fn keeps(&self, key: &str) -> Option<bool> {
        let known = self.known.get(&self.secret.hash_one(key));
        known.map(|known| known.series.is_some())
    }

    /// Begins a scrape.
    pub fn begin<'a>(&'a mut self, store: &'a Store) -> Batch<'a> {
        self.round = self.round.wrapping_add(1);
        Batch {
            appender: self,
            store,
            finished: Finished::default(),
        }
    }
}

impl Batch<'_> {
    /// Adds one sample. `key` is the series as the page spells it, everything
    /// before the value; `labels` is only asked when it is new, and answers
    /// `None` when relabelling drops it. With `tracked` the series gets a
    /// staleness marker when a later page lacks it: false for samples whose time
    /// the page itself states.
    pub fn add(
        &mut self,
        key: &str,
        time_ms: i64,
        value: f64,
        tracked: bool,
        labels: impl Fn() -> Option<Labels>,
    ) -> Result<(), Rejected> {
        self.finished.scraped += 1;
        let result = self.try_add(key, time_ms, value, tracked, labels);
        self.finished.rejected += usize::from(result.is_err());
        result
    }

    fn try_add(
        &mut self,
        key: &str,
        time_ms: i64,
        value: f64,
        tracked: bool,
        labels: impl Fn() -> Option<Labels>,
    ) -> Result<(), Rejected> {
        let round = self.appender.round;
        let hash = self.appender.secret.hash_one(key);
        if let Some(known) = self.appender.known.get_mut(&hash) {
            (known.round, known.tracked) = (round, tracked);
            let Some(series) = &known.series else {
                return Ok(());
            };
            let appended = self.store.append_to(series, time_ms, value);
            if appended != Ok(false) {
                self.finished.kept += 1;
                return appended.map(drop);
            }
        } else {
            self.finished.added += 1;
        }
        // New to this target, or gone from the store since.
        self.appender.known.remove(&hash);
        let Some(labels) = labels() else {
            self.learn(hash, None, tracked);
            return Ok(());
        };
        self.finished.kept += 1;
        let series = self.store.append_by_labels(&labels, time_ms, value)?;
        self.learn(hash, Some(series), tracked);
        Ok(())
    }

    fn learn(&mut self, hash: u64, series: Option<Arc<Series>>, tracked: bool) {
        let round = self.appender.round;
        let known = Known {
            series,
            round,
            tracked,
        };
        self.appender.known.insert(hash, known);
    }

    /// Ends the scrape: series that the one before had and this one lacks get a
    /// staleness marker at `time_ms`.
    pub fn finish(mut self, time_ms: i64) -> Finished {
        let (store, round) = (self.store, self.appender.round);
        let empty = self.finished.scraped == 0;
        let mut ended = 0;
        self.appender.known.retain(|_, known| {
            if known.round == round {
                return true;
            }
            if let Some(series) = known.series.as_ref().filter(|_| known.tracked) {
                // Refused where someone else has written it since: not ours to end.
                let marked = store.append_to(series, time_ms, stale());
                ended += usize::from(marked == Ok(true));
                known.tracked = false;
            }
            // A failed scrape forgets nothing: the next one has them all again.
            empty
        });
        self.finished.ended = ended;
        self.finished
    }
}
