//! Adds what one target says, scrape after scrape.
//!
//! A target's page names the same series each time. An [`Appender`] remembers
//! them by the bytes that name them on the page, so that a repeated scrape
//! neither parses labels nor relabels nor looks anything up, and it knows which
//! series are missing from a page and so get a staleness marker. They stand in the
//! order of the last page: as a rule the one that comes next is the next one.

use std::cell::OnceCell;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::Arc;

use exposition::{Labels, stale};
use hashbrown::HashTable;

use crate::samples::Series;
use crate::{Rejected, Store};

/// The place of a series that is not on the page.
const MISSING: u32 = u32::MAX;

/// What is known of one target's series; one for each target, for as long as its
/// labels and relabelling stay the same.
///
/// Each scrape is a [`Batch`]: [`Appender::begin`], [`Batch::add`] or
/// [`Batch::add_known`] for every line, [`Batch::finish`]. A scrape that failed is
/// begun and finished with nothing in between, and so is the scrape that finds the
/// target removed.
#[derive(Debug, Default)]
pub struct Appender {
    secret: RandomState,
    known: Vec<Known>,
    /// Where in `known` a key stands. Of a page that is as the last one was nothing is
    /// looked up: made when it is asked for, until the scrape is finished.
    by_key: OnceCell<HashTable<u32>>,
}

#[derive(Debug)]
struct Known {
    /// The hash of its spelling, by a secret of ours: that nobody can make two alike.
    key: u64,
    /// `None`: relabelling dropped it.
    series: Option<Arc<Series>>,
    /// Where on the page it stands that is being added.
    place: u32,
    /// How long its spelling is, if that ends with a brace; else 0, as another series
    /// may begin like it.
    length: u16,
    /// Gets a marker when it is missing.
    tracked: bool,
}

/// A series that was on the last page; good until the scrape is finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot(u32);

/// Looks for the series of a page in the order in which they stand there.
#[derive(Debug)]
pub struct Finder<'a> {
    appender: &'a Appender,
    next: usize,
}

/// One scrape of a target.
#[derive(Debug)]
pub struct Batch<'a> {
    appender: &'a mut Appender,
    store: &'a Store,
    finished: Finished,
    /// Whether a series that came was not the next one.
    astray: bool,
    next: u32,
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

    /// How many series it knows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether it knows none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Begins to look for the series of a page.
    #[must_use]
    pub fn finder(&self) -> Finder<'_> {
        Finder {
            appender: self,
            next: 0,
        }
    }

    /// Begins a scrape.
    pub fn begin<'a>(&'a mut self, store: &'a Store) -> Batch<'a> {
        Batch {
            appender: self,
            store,
            finished: Finished::default(),
            astray: false,
            next: 0,
        }
    }

    fn hash(&self, key: &[u8]) -> u64 {
        let mut hasher = self.secret.build_hasher();
        hasher.write(key);
        hasher.finish()
    }

    fn find(&self, key: u64) -> Option<u32> {
        let known = &self.known;
        let by_key = self.by_key.get_or_init(|| {
            let hash = |slot: &u32| known[*slot as usize].key;
            let mut by_key = HashTable::with_capacity(known.len());
            for (slot, one) in (0..).zip(known) {
                by_key.insert_unique(one.key, slot, hash);
            }
            by_key
        });
        let is = |slot: &u32| known[*slot as usize].key == key;
        by_key.find(key, is).copied()
    }

    /// Learns a series that is not known.
    fn learn(&mut self, known: Known) {
        let slot = self.known.len() as u32;
        let all = &self.known;
        if let Some(by_key) = self.by_key.get_mut() {
            by_key.insert_unique(known.key, slot, |slot| all[*slot as usize].key);
        }
        self.known.push(known);
    }
}

impl Finder<'_> {
    /// The series that came next on the last page, if a line begins with it, and where
    /// its spelling ends.
    pub fn expected(&mut self, line: &str) -> Option<(Slot, usize)> {
        let known = self.appender.known.get(self.next)?;
        let length = usize::from(known.length);
        let key = line.as_bytes().get(..length)?;
        if key.last() != Some(&b'}') || self.appender.hash(key) != known.key {
            return None;
        }
        self.next += 1;
        Some((Slot((self.next - 1) as u32), length))
    }

    /// The series of this spelling, if it was on the last page: such a one needs no
    /// labels unless [`Batch::add_known`] asks for them.
    pub fn find(&mut self, key: &str) -> Option<Slot> {
        let hash = self.appender.hash(key.as_bytes());
        // As a rule it is the one that came next on the last page.
        let next = self.appender.known.get(self.next);
        let expected = next.filter(|known| known.key == hash);
        let slot = match expected {
            Some(_) => self.next as u32,
            None => self.appender.find(hash)?,
        };
        self.next = slot as usize + 1;
        Some(Slot(slot))
    }

    /// Whether a series is stored, and not dropped by relabelling.
    #[must_use]
    pub fn keeps(&self, slot: Slot) -> bool {
        let known = self.appender.known.get(slot.0 as usize);
        known.is_some_and(|known| known.series.is_some())
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
        let hash = self.appender.hash(key.as_bytes());
        // As a rule it is the one that came next on the last page.
        let next = self.appender.known.get(self.next as usize);
        let expected = next.filter(|known| known.key == hash).map(|_| self.next);
        if let Some(slot) = expected.or_else(|| self.appender.find(hash)) {
            return self.add_known(Slot(slot), time_ms, value, tracked, labels);
        }
        self.finished.scraped += 1;
        self.finished.added += 1;
        let begun = labels().map(|labels| self.append(&labels, time_ms, value));
        let series = begun.transpose();
        let series = series.inspect_err(|_| self.finished.rejected += 1)?;
        let length = if key.ends_with('}') { key.len() } else { 0 };
        let place = self.place(self.appender.known.len() as u32);
        self.appender.learn(Known {
            key: hash,
            series,
            place,
            length: u16::try_from(length).unwrap_or(0),
            tracked,
        });
        Ok(())
    }

    /// As [`Batch::add`], for a series that was found; `labels` is only asked when it
    /// has gone from the store since.
    pub fn add_known(
        &mut self,
        slot: Slot,
        time_ms: i64,
        value: f64,
        tracked: bool,
        labels: impl Fn() -> Option<Labels>,
    ) -> Result<(), Rejected> {
        self.finished.scraped += 1;
        let place = self.place(slot.0);
        let Some(known) = self.appender.known.get_mut(slot.0 as usize) else {
            return Ok(());
        };
        (known.place, known.tracked) = (place, tracked);
        let Some(series) = &known.series else {
            return Ok(());
        };
        let appended = self.store.append_to(series, time_ms, value);
        let anew = match appended {
            Ok(false) => labels().map(|labels| self.append(&labels, time_ms, value)),
            _ => {
                self.finished.kept += 1;
                self.finished.rejected += usize::from(appended.is_err());
                return appended.map(drop);
            }
        };
        let anew = anew.transpose();
        let known = &mut self.appender.known[slot.0 as usize];
        match anew {
            Ok(series) => known.series = series,
            Err(rejected) => {
                // Forgotten, so that the next page begins it.
                (known.place, known.tracked) = (MISSING, false);
                self.finished.rejected += 1;
                return Err(rejected);
            }
        }
        Ok(())
    }

    fn append(
        &mut self,
        labels: &Labels,
        time_ms: i64,
        value: f64,
    ) -> Result<Arc<Series>, Rejected> {
        self.finished.kept += 1;
        self.store.append_by_labels(labels, time_ms, value)
    }

    /// The place on the page of the series in a slot, which is now added.
    fn place(&mut self, slot: u32) -> u32 {
        self.astray |= slot != self.next;
        self.next = slot + 1;
        self.finished.scraped.min(MISSING as usize - 1) as u32
    }

    /// Ends the scrape: series that the one before had and this one lacks get a
    /// staleness marker at `time_ms`.
    pub fn finish(mut self, time_ms: i64) -> Finished {
        let store = self.store;
        let empty = self.finished.scraped == 0;
        let mut ended = 0;
        self.appender.known.retain_mut(|known| {
            if known.place != MISSING {
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
        let known = &mut self.appender.known;
        if self.astray {
            // Mostly in order already.
            known.sort_by_key(|known| known.place);
        }
        for known in known.iter_mut() {
            known.place = MISSING;
        }
        if known.capacity() > known.len() + known.len() / 8 + 16 {
            known.shrink_to_fit();
        }
        self.appender.by_key.take();
        self.finished
    }
}
