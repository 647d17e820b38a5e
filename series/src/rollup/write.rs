//! Rolling up what the store has, an hour at a time.

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::atomic::Ordering;

use super::folder::{self, DONE, Part, SERIES};
use super::{BLOCK_MS, DAY_MS, RollUps, Status, block};
use crate::Store;
use crate::archive::Archive;
use crate::codec::{Point, push_signed};
use crate::disk::record::{self, MAGIC};
use crate::settings::millis;

/// Samples may come a little late.
const GRACE_MS: i64 = 60_000;

/// A record is closed when it is longer than this.
const RECORD: usize = 256 << 10;

/// After a restart there may be a day to roll up: some hours of it at a time.
const AT_ONCE: usize = 4;

/// After failures so many calls pass between two tries at most.
const LONGEST_WAIT: u32 = 20;

/// What a call came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RolledUp {
    /// Hours that were rolled up.
    pub hours: usize,
    /// Files that were given up, being too old or too many.
    pub given_up: usize,
    /// Whether this is the first success after failures.
    pub recovered: bool,
}

/// Roll-ups could not be written; the samples stay in memory and are rolled up
/// when that is possible again.
#[derive(Debug, thiserror::Error)]
#[error("cannot write roll-ups: {0}")]
pub struct RollUpError(#[source] io::Error);

/// The file that grows.
#[derive(Debug, Default)]
pub(super) struct Writing {
    file: Option<Growing>,
    failures: u32,
    wait: u32,
}

#[derive(Debug)]
struct Growing {
    file: File,
    day: i64,
    number: u32,
    /// Ids of series that the file explains.
    named: HashSet<u64>,
    bytes: u64,
    /// Up to here it has whole hours.
    whole: u64,
}

impl Store {
    /// Rolls up the hours that have ended, and gives up what is older or more
    /// than wanted. To be called now and then from a thread that may wait for a
    /// disk; it costs next to nothing but once an hour. A failure is an error
    /// once: while it goes on the call does nothing, and figures say why.
    pub fn roll_up(&self, now_ms: i64) -> Result<RolledUp, RollUpError> {
        let Some(rollups) = self.rollups() else {
            return Ok(RolledUp::default());
        };
        let mut writing = rollups.lock_writing();
        if writing.wait > 0 {
            writing.wait -= 1;
            return Ok(RolledUp::default());
        }
        let mut done = RolledUp::default();
        let result = self.roll_hours(rollups, &mut writing, now_ms, &mut done);
        done.given_up = self.retain(rollups, &writing, now_ms);
        let had_failed = writing.failures > 0;
        match result {
            Ok(()) => {
                done.recovered = had_failed && done.hours > 0;
                if done.hours > 0 {
                    (writing.failures, rollups.lock_status().error) = (0, None);
                }
                Ok(done)
            }
            Err(err) => {
                if let Some(growing) = writing.file.take() {
                    rollups.cut(&growing);
                }
                writing.failures += 1;
                writing.wait = LONGEST_WAIT.min(1 << writing.failures.min(5));
                let err = RollUpError(err);
                rollups.lock_status().error = Some(err.to_string());
                if had_failed { Ok(done) } else { Err(err) }
            }
        }
    }

    fn roll_hours(
        &self,
        rollups: &RollUps,
        writing: &mut Writing,
        now_ms: i64,
        done: &mut RolledUp,
    ) -> io::Result<()> {
        let whole = |time: i64| time.div_euclid(BLOCK_MS) * BLOCK_MS;
        let end = whole(now_ms.saturating_sub(GRACE_MS));
        let status = rollups.status();
        // After the clock was set back far, what follows is rolled up once more.
        let before = status.done_ms.filter(|done| *done <= now_ms + BLOCK_MS);
        if before.is_some_and(|done| done + BLOCK_MS > end) {
            return Ok(());
        }
        let first = self.first_ms();
        let Some(mut start) = first.map(whole).max(before).filter(|_| first.is_some()) else {
            return Ok(());
        };
        while start + BLOCK_MS <= end && done.hours < AT_ONCE {
            if self.is_full(&status) {
                return Err(io::Error::other(
                    "the day alone has more bytes than all may have",
                ));
            }
            self.roll_hour(rollups, writing, start)?;
            start += BLOCK_MS;
            rollups.lock_status().done_ms = Some(start);
            done.hours += 1;
        }
        Ok(())
    }

    /// When the oldest sample was, as a wall time.
    fn first_ms(&self) -> Option<i64> {
        let first = |series: std::sync::Arc<crate::samples::Series>| series.lock().first();
        let in_memory = self.pages().flatten().filter_map(first).min();
        let archived = self.archive.as_ref().and_then(Archive::from);
        let oldest = self.oldest.load(Ordering::Relaxed);
        let archived = archived.map(|time| time.max(oldest));
        let first = in_memory.into_iter().chain(archived).min();
        first.map(|time| time.saturating_add(self.clock()))
    }

    fn is_full(&self, status: &Status) -> bool {
        status.parts.len() == 1 && status.bytes() > self.settings.rollup_bytes
    }

    /// Writes the hour after `start`.
    fn roll_hour(&self, rollups: &RollUps, writing: &mut Writing, start: i64) -> io::Result<()> {
        let day = start.div_euclid(DAY_MS);
        let goes_on = |growing: &Growing| growing.day == day && !growing.is_removed();
        let growing = match writing.file.take().filter(goes_on) {
            Some(growing) => growing,
            None => Growing::begin(rollups, day)?,
        };
        let growing = writing.file.insert(growing);
        let (_, from, to) = self.kept_range(start + 1, start + BLOCK_MS);
        let clock = self.clock();
        let (mut begun, mut hours) = (vec![SERIES], folder::block(start));
        let mut points: Vec<Point> = Vec::new();
        let mut hour = Vec::new();
        let mut last = 0_u64;
        let mut reading = self.reading(from, to);
        for page in self.pages() {
            reading.expect(page.iter());
            for series in page {
                points.clear();
                reading.read(&series, &mut points);
                // An hour is rolled up once: better later than with a hole.
                if reading.missed {
                    return Err(io::Error::other("the archive does not answer"));
                }
                for (time, _) in &mut points {
                    *time = time.wrapping_add(clock);
                }
                hour.clear();
                if !block::push(&mut hour, start, &points) {
                    continue;
                }
                if growing.named.insert(series.id) {
                    folder::push_series(&mut begun, series.id, &series.labels);
                }
                push_signed(&mut hours, series.id.wrapping_sub(last) as i64);
                last = series.id;
                hours.extend(&hour);
                if begun.len().max(hours.len()) > RECORD {
                    growing.write(&[&begun, &hours])?;
                    (begun, hours, last) = (vec![SERIES], folder::block(start), 0);
                }
            }
        }
        let mut end = vec![DONE];
        push_signed(&mut end, start + BLOCK_MS);
        growing.write(&[&begun, &hours, &end])?;
        growing.file.sync_data()?;
        growing.whole = growing.bytes;
        rollups.grown(growing);
        Ok(())
    }

    /// Gives up files that are older than wanted, then the oldest while all
    /// together are too large. What cannot be removed is tried again.
    fn retain(&self, rollups: &RollUps, writing: &Writing, now_ms: i64) -> usize {
        let oldest = now_ms.saturating_sub(millis(self.settings.rollup_keep));
        let mut given_up = 0;
        let mut status = rollups.status();
        while let Some(part) = status.parts.first().cloned() {
            let too_old = (part.day + 1).saturating_mul(DAY_MS) < oldest;
            let grows = writing.file.is_some() && status.parts.len() == 1;
            let too_many = status.bytes() > self.settings.rollup_bytes && !grows;
            if !(too_old || too_many) || !is_gone(&part.path(&rollups.folder)) {
                break;
            }
            status.parts.remove(0);
            rollups
                .lock_status()
                .parts
                .retain(|have| (have.day, have.number) != (part.day, part.number));
            given_up += 1;
        }
        given_up
    }
}

/// Removes a file; whether it is not there afterwards.
fn is_gone(path: &Path) -> bool {
    let gone = |err: io::Error| err.kind() == io::ErrorKind::NotFound;
    fs::remove_file(path).map_or_else(gone, |()| true)
}

impl RollUps {
    /// Takes back what was half written: on a full disk it would only be in the
    /// way. Where that fails as well, readers leave it out.
    fn cut(&self, growing: &Growing) {
        let mut status = self.lock_status();
        let same = |part: &Part| (part.day, part.number) == (growing.day, growing.number);
        let Some(at) = status.parts.iter().position(same) else {
            return;
        };
        if growing.whole > MAGIC.len() as u64 {
            let _ = growing.file.set_len(growing.whole);
            status.parts[at].bytes = growing.whole;
        } else if fs::remove_file(status.parts[at].path(&self.folder)).is_ok() {
            status.parts.remove(at);
        }
    }

    /// The file that grows has so many bytes now.
    fn grown(&self, growing: &Growing) {
        let mut status = self.lock_status();
        let same = |part: &&mut Part| (part.day, part.number) == (growing.day, growing.number);
        if let Some(part) = status.parts.iter_mut().find(same) {
            part.bytes = growing.bytes;
        }
    }
}

impl Growing {
    /// Begins another file for a day.
    fn begin(rollups: &RollUps, day: i64) -> io::Result<Self> {
        fs::create_dir_all(&rollups.folder)?;
        let parts = rollups.status().parts;
        let same = parts.iter().filter(|part| part.day == day);
        let number = same.map(|part| part.number + 1).max().unwrap_or(0);
        let bytes = MAGIC.len() as u64;
        let part = Part { day, number, bytes };
        let mut file = File::create(part.path(&rollups.folder))?;
        file.write_all(MAGIC)?;
        File::open(&rollups.folder)?.sync_all()?;
        let mut status = rollups.lock_status();
        status.parts.push(part);
        status.parts.sort_unstable();
        Ok(Self {
            file,
            day,
            number,
            named: HashSet::new(),
            bytes,
            whole: bytes,
        })
    }

    /// Whether somebody has deleted it.
    fn is_removed(&self) -> bool {
        let metadata = self.file.metadata();
        metadata.is_ok_and(|metadata| metadata.nlink() == 0)
    }

    fn write(&mut self, payloads: &[&[u8]]) -> io::Result<()> {
        let mut out = Vec::new();
        for payload in payloads {
            record::push(&mut out, payload);
        }
        self.bytes += out.len() as u64;
        self.file.write_all(&out)
    }
}
