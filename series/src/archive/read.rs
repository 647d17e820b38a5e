//! Reading series from memory and, where it does not reach back, from the archive.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use super::file::Wanted;
use super::{Archive, Files, check};
use crate::Store;
use crate::codec::{Chunk, Point, Reader};
use crate::samples::Series;

/// So many series are looked for in the archive at a time: neighbours share pages, and
/// another thread is waited for each time. Their chunks are held, a day of some MiB.
pub(crate) const TOGETHER: usize = 256;

/// A disk that takes longer for so many series is left alone until it has answered.
const PATIENCE: Duration = Duration::from_secs(10);

/// A range of many series that is being read.
#[derive(Debug)]
pub(crate) struct Reading<'a> {
    store: &'a Store,
    from: i64,
    to: i64,
    files: Files,
    /// What the files have of series, by their ids: the time of the first sample of
    /// a chunk, its length, and the chunk.
    older: HashMap<u64, Vec<u8>>,
    /// The disk did not answer in time: something may be missing that is there.
    pub(crate) missed: bool,
}

impl Store {
    /// Begins to read samples in `from..=to`, which are the store's times.
    pub(crate) fn reading(&self, from: i64, to: i64) -> Reading<'_> {
        Reading {
            store: self,
            from,
            to,
            files: Files::default(),
            older: HashMap::new(),
            missed: false,
        }
    }

    /// Of each series the newest sample in `from..=to`, which are the store's times.
    pub(crate) fn latest(&self, found: &[Arc<Series>], from: i64, to: i64) -> Vec<Option<Point>> {
        let mut elsewhere = Vec::new();
        let in_memory = found.iter().enumerate().map(|(at, series)| {
            let samples = series.lock();
            let latest = samples.latest(from, to);
            if latest.is_none() && samples.first().is_some_and(|first| first > to) {
                elsewhere.push(at);
            }
            latest
        });
        let mut latest: Vec<Option<Point>> = in_memory.collect();
        if self.archive.as_ref().is_none() {
            return latest;
        }
        let (mut reading, mut points) = (self.reading(from, to), Vec::new());
        for some in elsewhere.chunks(TOGETHER) {
            reading.expect(some.iter().map(|at| &found[*at]));
            for at in some {
                points.clear();
                reading.read(&found[*at], &mut points);
                latest[*at] = points.last().copied();
            }
        }
        latest
    }
}

impl Reading<'_> {
    /// Looks in the archive for series that are read next.
    pub(crate) fn expect<'s>(&mut self, series: impl Iterator<Item = &'s Arc<Series>>) {
        let Some(archive) = self.store.archive.as_ref() else {
            return;
        };
        self.files = archive.files();
        self.older.clear();
        if self.has_files() {
            let reaches = |series: &&Arc<Series>| series.lock().first() <= Some(self.from);
            let older: Vec<&Series> = series
                .filter(|series| !reaches(series))
                .map(|series| &**series)
                .collect();
            self.look_for(&older);
        }
    }

    fn has_files(&self) -> bool {
        let mut files = self.files.iter();
        files.any(|file| file.overlaps(self.from, self.to))
    }

    /// Adds the samples of a series, and says from when on the store has them: not
    /// later than the first of these, and the end of time where it has none.
    pub(crate) fn read(&mut self, series: &Series, out: &mut Vec<Point>) -> i64 {
        let start = out.len();
        let begins = {
            let samples = series.lock();
            samples.range(self.from, self.to, out);
            samples.first()
        };
        // One without samples has left the index, and what is archived went with it.
        let Some(begins) = begins else {
            return i64::MAX;
        };
        let Some(archive) = self.store.archive.as_ref().filter(|_| begins > self.from) else {
            return begins;
        };
        // After memory: what has just left it is in the files by now.
        if !archive.has_still(&self.files) {
            self.files = archive.files();
            self.older.clear();
        }
        if !self.has_files() {
            return begins;
        }
        if !self.older.contains_key(&series.id) {
            self.look_for(&[series]);
        }
        let Some(older) = self
            .older
            .remove(&series.id)
            .filter(|older| !older.is_empty())
        else {
            return begins;
        };
        let newer = out.split_off(start);
        unpack(&older, (self.from, self.to.min(begins - 1)), out);
        let begins = out.get(start).map_or(begins, |(first, _)| *first);
        out.extend(newer);
        begins
    }

    fn look_for(&mut self, series: &[&Series]) {
        let Some(archive) = self.store.archive.as_ref() else {
            return;
        };
        let wanted = series.iter().enumerate().map(|(place, series)| Wanted {
            id: series.id,
            check: check(&series.labels),
            place,
        });
        let mut wanted: Vec<Wanted> = wanted.collect();
        wanted.sort_unstable_by_key(|one| one.id);
        let oldest = self.store.oldest.load(Ordering::Relaxed);
        let (files, range) = (self.files.clone(), (self.from.max(oldest), self.to));
        let nothing = vec![Vec::new(); series.len()];
        let mut found = nothing.clone();
        let look = move || {
            let unreadable = find(&files, range, &wanted, &mut found);
            (found, unreadable)
        };
        let found = match archive.within(PATIENCE, look) {
            Some((found, unreadable)) => {
                archive.unreadable.fetch_add(unreadable, Ordering::Relaxed);
                found
            }
            None => {
                self.missed = true;
                archive.unreadable.fetch_add(1, Ordering::Relaxed);
                nothing
            }
        };
        let ids = series.iter().map(|series| series.id);
        self.older.extend(ids.zip(found));
    }
}

/// Looks for series in files, and says how many pages could not be read.
fn find(files: &Files, (from, to): (i64, i64), wanted: &[Wanted], found: &mut [Vec<u8>]) -> u64 {
    let keep = |first, last| first <= to && last >= from;
    let files = files.iter().filter(|file| file.overlaps(from, to));
    files.map(|file| file.find(wanted, keep, found)).sum()
}

impl Archive {
    /// Does work that waits for the disk, on a thread of its own: one that hangs must
    /// not hold up rules for longer than once. Nothing where it took too long, or
    /// where earlier work has not come back yet.
    fn within<T: Send + 'static>(
        &self,
        patience: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let mut stuck = self.lock_stuck();
        stuck.retain(|thread| !thread.is_finished());
        if !stuck.is_empty() {
            return None;
        }
        drop(stuck);
        let (send, result) = mpsc::sync_channel(1);
        let thread = thread::Builder::new()
            .name("archive".to_owned())
            .stack_size(256 << 10);
        let thread = thread.spawn(move || {
            // Nobody waits for it any more where it took too long.
            let _ = send.send(work());
        });
        let thread = thread.ok()?;
        match result.recv_timeout(patience) {
            Ok(result) => Some(result),
            Err(_) => {
                self.lock_stuck().push(thread);
                None
            }
        }
    }
}

/// Adds samples of chunks from files, each time once, as far as they are in a range.
fn unpack(chunks: &[u8], (from, to): (i64, i64), out: &mut Vec<Point>) {
    let mut next = from;
    let mut chunks = Reader::new(chunks);
    while !chunks.is_empty() {
        let chunk = chunks.signed().and_then(|first| {
            let length = chunks.length()?;
            Some(Chunk::from_file(first, chunks.bytes(length)?))
        });
        // It was written by this program and is as it was written: what does not
        // decode is not ours to guess.
        let Some(Some((_, points))) = chunk else {
            continue;
        };
        for point in points {
            if point.0 >= next && point.0 <= to {
                out.push(point);
                next = point.0.saturating_add(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_hangs_is_waited_for_once() {
        let dir = tempfile::TempDir::new().unwrap();
        let (archive, _) = Archive::open(dir.path().to_owned());
        assert_eq!(archive.within(PATIENCE, || 1), Some(1));
        let (answer, disk) = mpsc::channel::<()>();
        let hangs = move || disk.recv().is_ok();
        assert_eq!(archive.within(Duration::from_millis(1), hangs), None);
        assert_eq!(archive.within(PATIENCE, || 2), None);
        answer.send(()).unwrap();
        while archive.within(PATIENCE, || 3) != Some(3) {
            thread::yield_now();
        }
    }

    #[test]
    fn a_sample_that_stands_twice_is_read_once() {
        let chunk = |points: &[Point]| {
            let chunk = Chunk::seal(points).unwrap();
            let mut out = Vec::new();
            crate::codec::push_signed(&mut out, chunk.first);
            crate::codec::push_varint(&mut out, chunk.data().len() as u64);
            out.extend(chunk.data());
            out
        };
        let (first, second) = ([(1, 1.0), (2, 2.0), (3, 3.0)], [(4, 4.0), (5, 5.0)]);
        let all = [chunk(&first), chunk(&first), chunk(&second), chunk(&first)].concat();
        let mut out = vec![(0, 0.0)];
        unpack(&all, (2, 4), &mut out);
        assert_eq!(out, [(0, 0.0), (2, 2.0), (3, 3.0), (4, 4.0)]);
    }
}
