//! One series and its samples.

mod files;

use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use exposition::Labels;

use crate::Rejected;
use crate::codec::{Chunk, FULL, Open, Point};

/// What the allocator adds to a block, about.
pub(crate) const BLOCK: usize = 16;

/// A label set with its samples; shared by the index and by appenders.
#[derive(Debug)]
pub(crate) struct Series {
    /// Unique for the life of the data folder.
    pub(crate) id: u64,
    /// The label set, with strings that the index shares out.
    pub(crate) labels: Labels,
    samples: Mutex<Samples>,
}

impl Series {
    pub(crate) fn new(id: u64, slot: u32, labels: Labels) -> Self {
        // Series that begin together must not fill their chunks together for
        // ever, since sealing costs a thousand times as much as appending.
        let limit = FULL / 2 + (slot % u32::from(FULL / 2)) as u16 + 1;
        Self {
            id,
            labels,
            samples: Mutex::new(Samples {
                open: Open::until(limit),
                ..Samples::default()
            }),
        }
    }

    /// The samples, for a moment: nobody waits for anything while holding them.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Samples> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an append changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// The sample is there now, and memory grew by this many bytes.
    New(i64),
    /// The same sample was there already.
    Again,
    /// The series has left the index; it must be looked up anew.
    Gone,
}

/// Samples in order of time. Times are the store's, not the wall's.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    sealed: Box<[Chunk]>,
    /// The log does not have its fresh ones.
    open: Open,
    /// The last log segment that explains the series' id, or that some file does.
    named_in: u32,
    gone: bool,
}

impl Samples {
    /// The newest sample.
    pub(crate) fn newest(&self) -> Option<Point> {
        (!self.is_empty()).then(|| self.open.newest())
    }

    /// The time of the oldest sample.
    pub(crate) fn first(&self) -> Option<i64> {
        let open = (self.open.count() > 0).then(|| self.open.first());
        self.sealed.first().map(|chunk| chunk.first).or(open)
    }

    /// How many chunks there are; the open one is one.
    pub(crate) fn chunks(&self) -> usize {
        self.sealed.len() + usize::from(self.open.count() > 0)
    }

    fn is_empty(&self) -> bool {
        self.sealed.is_empty() && self.open.count() == 0
    }

    /// Adds a sample if it is newer than all others.
    pub(crate) fn append(&mut self, point: Point) -> Result<Taken, Rejected> {
        if self.gone {
            return Ok(Taken::Gone);
        }
        if let Some((time, value)) = self.newest() {
            if point.0 < time {
                return Err(Rejected::OutOfOrder);
            }
            if point.0 == time {
                let same = value.to_bits() == point.1.to_bits();
                return if same {
                    Ok(Taken::Again)
                } else {
                    Err(Rejected::Duplicate)
                };
            }
        }
        let before = self.open.capacity();
        self.open.push(point);
        let mut grown = self.open.capacity() as i64 - before as i64;
        if self.open.is_full() {
            grown += self.seal();
        }
        Ok(Taken::New(grown))
    }

    /// Closes the open chunk, and says by how many bytes memory grew.
    fn seal(&mut self) -> i64 {
        let before = self.bytes();
        let chunk = self.open.seal();
        self.change_sealed(|sealed| {
            sealed.reserve_exact(1);
            sealed.extend(chunk);
        });
        self.bytes() as i64 - before as i64
    }

    /// Changes the list of full chunks, which takes no more room than they need.
    fn change_sealed(&mut self, change: impl FnOnce(&mut Vec<Chunk>)) {
        let mut sealed = mem::take(&mut self.sealed).into_vec();
        change(&mut sealed);
        self.sealed = sealed.into_boxed_slice();
    }

    /// Bytes of memory held beside the struct itself.
    pub(crate) fn bytes(&self) -> usize {
        let chunks: usize = self.sealed.iter().map(|chunk| chunk.data().len()).sum();
        chunks
            + self.sealed.len() * BLOCK
            + self.sealed.len() * size_of::<Chunk>()
            + self.open.capacity()
    }

    /// Adds the samples in `from..=to` to `out`.
    pub(crate) fn range(&self, from: i64, to: i64, out: &mut Vec<Point>) {
        let start = self.sealed.partition_point(|chunk| chunk.last < from);
        let chunks = self.sealed[start..]
            .iter()
            .take_while(|chunk| chunk.first <= to);
        out.reserve(chunks.clone().map(Chunk::count).sum());
        for chunk in chunks {
            let before = out.len();
            chunk.decode(out);
            trim(out, before, from, to);
        }
        if self.open.count() > 0 && self.open.first() <= to && self.open.newest().0 >= from {
            let before = out.len();
            self.open.decode(from, out);
            trim(out, before, from, to);
        }
    }

    /// The newest sample in `from..=to`.
    pub(crate) fn latest(&self, from: i64, to: i64) -> Option<Point> {
        let newest = self.newest()?;
        if newest.0 <= to {
            return Some(newest).filter(|(time, _)| *time >= from);
        }
        let mut points = Vec::new();
        if self.open.count() > 0 && self.open.first() <= to {
            self.open.decode(from, &mut points);
        } else {
            let after = self.sealed.partition_point(|chunk| chunk.first <= to);
            self.sealed[after.checked_sub(1)?].decode(&mut points);
        }
        let after = points.partition_point(|(time, _)| *time <= to);
        let point = *points.get(after.checked_sub(1)?)?;
        Some(point).filter(|(time, _)| *time >= from)
    }

    /// Gives up full chunks that ended before `time`, but not the newest of all,
    /// closes an open one that ended before `idle`, and says by how many bytes
    /// memory grew.
    pub(crate) fn drop_before(&mut self, time: i64, idle: i64) -> i64 {
        let old = self.full_before(time);
        let closes = self.open.count() > 0 && self.open.newest().0 < idle;
        if old == 0 && !closes {
            return 0;
        }
        let before = self.bytes();
        if old > 0 {
            self.change_sealed(|sealed| drop(sealed.drain(..old)));
        }
        if closes {
            self.seal();
        }
        self.bytes() as i64 - before as i64
    }

    /// Empties the series for good, and says how many bytes that frees.
    pub(crate) fn end(&mut self) -> usize {
        let ended = Self {
            gone: true,
            named_in: self.named_in,
            ..Self::default()
        };
        mem::replace(self, ended).bytes()
    }

    /// Whether the series has left the index.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone
    }
}

/// Keeps, of the samples from `start` on, those in `from..=to`.
fn trim(out: &mut Vec<Point>, start: usize, from: i64, to: i64) {
    let end = start + out[start..].partition_point(|(time, _)| *time <= to);
    out.truncate(end);
    let early = out[start..].partition_point(|(time, _)| *time < from);
    out.drain(start..start + early);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_fills_the_block_that_the_allocator_gives_it() {
        // With the two counts of an `Arc`: of 128 bytes the allocator keeps eight.
        assert_eq!(size_of::<Series>() + 2 * size_of::<usize>(), 120);
    }
}
