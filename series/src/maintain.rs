//! Keeps the store within its retention and its memory.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use exposition::NAME;

use crate::Store;
use crate::archive::Archive;
use crate::index::cost_of_series;
use crate::samples::Series;
use crate::settings::millis;

/// A chunk that nobody has added to for so long is closed, and so made smaller.
const IDLE_MS: i64 = 3_600_000;

/// A series without a sample for so long has ended, and is rolled up by then.
const ENDED_MS: i64 = 3 * 3_600_000;

/// So many series leave the index at a time, so that nobody waits for long.
const LEAVING: usize = 4096;

/// What [`Store::maintain`] did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Maintained {
    /// Series that had no samples within the retention.
    pub expired: usize,
    /// How far back samples were kept, in milliseconds, where memory did not
    /// allow for the whole retention.
    pub cut_to_ms: Option<i64>,
    /// Families given up because memory did not even allow for the least history.
    pub shed: Vec<Shed>,
}

/// A family of metrics that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shed {
    /// The metric name.
    pub name: Arc<str>,
    /// How many series it had.
    pub series: usize,
}

impl Store {
    /// Gives up samples past the retention and series without any, then what is
    /// necessary to stay under the memory cap: first series that have long ended and
    /// whose samples are on the disk, then samples in memory, then whole families. To be
    /// called about every minute; costs some 300 ns a series, and more only when much is
    /// given up.
    pub fn maintain(&self, now_ms: i64) -> Maintained {
        let now = self.to_kept(now_ms);
        self.write().shed.retain(|_, until| *until > now);
        let retention = millis(self.settings.retention);
        // A shortage of memory is none of the archive's: only this ends what it has.
        let oldest = now.saturating_sub(retention);
        self.oldest.fetch_max(oldest, Ordering::Relaxed);
        let mut maintained = Maintained {
            expired: self.expire(now, retention, retention),
            ..Maintained::default()
        };
        if !self.is_pressed() {
            return maintained;
        }
        let cap = self.settings.max_bytes;
        let enough = cap - cap / 8;
        if self.bytes() <= cap && self.puts_away(enough) {
            return maintained;
        }
        maintained.expired += self.end_earlier(now, retention, enough);
        if self.bytes() <= enough {
            return maintained;
        }
        let least = millis(self.settings.least_history).min(retention);
        let mut history = retention;
        while self.bytes() > enough && history > least {
            history = (history - retention / 8).max(least);
            maintained.cut_to_ms = Some(history);
            maintained.expired += self.expire(now, history, retention);
        }
        while self.bytes() > enough {
            let Some(shed) = self.shed_widest(now) else {
                break;
            };
            maintained.shed.push(shed);
        }
        maintained
    }

    /// Gives up series that have ended, those that ended first before all others, until
    /// there is enough memory; says how many. What they were can be read in roll-ups from
    /// then on: who is not in them yet stays. Without an archive that is what giving up
    /// samples comes to anyway.
    fn end_earlier(&self, now: i64, retention: i64, enough: u64) -> usize {
        let mut expired = 0;
        let done_ms = self.rollups().and_then(|rollups| rollups.status().done_ms);
        let (Some(_), Some(done_ms)) = (&self.archive, done_ms) else {
            return expired;
        };
        let least = now.saturating_sub(self.to_kept(done_ms)).max(ENDED_MS);
        // A burst of others is none of theirs: they go only where that is enough.
        let ended_bytes = self.ended_bytes(now.saturating_sub(least));
        if self.bytes().saturating_sub(ended_bytes) > enough {
            return expired;
        }
        let mut ended = retention;
        while self.bytes() > enough && ended > least {
            ended = (ended - ended / 4).max(least);
            expired += self.expire(now, retention, ended);
        }
        expired
    }

    /// Bytes of series without a sample since then, those of their labels left out.
    fn ended_bytes(&self, since: i64) -> u64 {
        let bytes = self.pages().flatten().filter_map(|series| {
            let samples = series.lock();
            let (newest, _) = samples.newest()?;
            (newest < since).then(|| cost_of_series(&series.labels) + samples.bytes())
        });
        bytes.sum::<usize>() as u64
    }

    /// Whether memory will be short of its cap again once the archive has taken what
    /// is full, which then is what it does next.
    fn puts_away(&self, enough: u64) -> bool {
        let works =
            |archive: &&Archive| self.settings.archive_bytes > 0 && archive.error().is_none();
        let Some(archive) = self.archive.as_ref().filter(works) else {
            return false;
        };
        let full = self.pages().flatten().filter_map(|series| {
            let samples = series.lock();
            samples.cold(i64::MAX)
        });
        let full: u64 = full.map(|(bytes, _)| bytes).sum();
        let helps = self.bytes().saturating_sub(full) <= enough;
        archive.pressed.store(helps, Ordering::Relaxed);
        helps
    }

    /// Whether memory is so near its cap that [`Store::maintain`] would give up
    /// more than what is too old. Costs nothing to ask.
    #[must_use]
    pub fn is_pressed(&self) -> bool {
        let cap = self.settings.max_bytes;
        self.bytes() > cap - cap / 16
    }

    /// Bytes that count against the cap.
    fn bytes(&self) -> u64 {
        self.read().bytes() as u64 + self.counts.chunk_bytes()
    }

    /// Gives up everything in memory that is older than `history`, and series without a
    /// sample since `ended`; says how many series went with it.
    fn expire(&self, now: i64, history: i64, ended: i64) -> usize {
        let oldest = now.saturating_sub(history);
        // A sample from far in the future would keep its series for ever, and
        // keep every true one out of it.
        let newest = now.saturating_add(history.max(IDLE_MS));
        let idle = now.saturating_sub(IDLE_MS);
        let kept = self.oldest.load(Ordering::Relaxed);
        // A series takes with it what the archive has of it.
        let gone = match &self.archive {
            None => oldest,
            Some(_) => oldest.min(kept).max(now.saturating_sub(ended)),
        };
        let recent = now.saturating_sub(millis(self.settings.recent));
        let (mut expired, mut first) = (0, i64::MAX);
        let (mut cold_bytes, mut coldest) = (0, i64::MAX);
        let mut leaving = Vec::new();
        for series in self.pages().flatten() {
            let mut samples = series.lock();
            let time = samples.newest().map(|(time, _)| time);
            // Told before it is done and under the series' lock, so that a snapshot
            // that lacks a sample tells of the cut.
            let cut = |time| self.cut.fetch_max(time, Ordering::Relaxed);
            // None: begun by an appender that has not come to its first sample.
            if time.is_some_and(|time| time < gone || time > newest) {
                cut(gone);
                self.counts.grown(-(samples.end() as i64));
                expired += 1;
                leaving.push(series.clone());
            } else {
                if samples.full_before(oldest) > 0 {
                    cut(oldest);
                }
                self.counts.grown(samples.drop_before(oldest, idle));
                first = first.min(samples.first().unwrap_or(i64::MAX));
                if let Some((bytes, ended)) = samples.cold(recent) {
                    (cold_bytes, coldest) = (cold_bytes + bytes, coldest.min(ended));
                }
            }
            drop(samples);
            if leaving.len() >= LEAVING {
                self.remove(&mem::take(&mut leaving));
            }
        }
        self.remove(&leaving);
        if let Some(archive) = self.archive.as_ref() {
            archive.cold_bytes.store(cold_bytes, Ordering::Relaxed);
            archive.coldest.store(coldest, Ordering::Relaxed);
            first = first.min(archive.from().unwrap_or(i64::MAX));
        }
        // Some have a little more; all have all from here on.
        let floor = self.archive.as_ref().map_or(oldest, |_| kept);
        let cut = self.cut.load(Ordering::Relaxed);
        self.floor
            .store(first.max(floor).max(cut), Ordering::Relaxed);
        expired
    }

    fn remove(&self, series: &[Arc<Series>]) {
        if !series.is_empty() {
            self.write().remove(series);
        }
    }

    fn shed_widest(&self, now: i64) -> Option<Shed> {
        let (name, _) = self.widest().into_iter().next()?;
        let until = now.saturating_add(millis(self.settings.shed_for));
        // First keep new ones out, or a scrape under way would bring them back.
        self.write().shed.insert(name.clone(), until);
        let mut family = Vec::new();
        for series in self.pages().flatten() {
            if series.labels.get(NAME) == &*name {
                self.counts.grown(-(series.lock().end() as i64));
                family.push(series);
            }
        }
        family.chunks(LEAVING).for_each(|some| self.remove(some));
        self.counts.shed(family.len());
        let series = family.len();
        Some(Shed { name, series })
    }
}
