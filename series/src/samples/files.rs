//! What the files of a folder get from a series, and give back to it.

use std::mem;

use super::{BLOCK, Samples};
use crate::codec::{Chunk, FULL, Point, push_signed, push_varint};

/// That a file names the series, though no segment that grows.
const SOME_FILE: u32 = u32::MAX;

impl Samples {
    /// Adds to `out` the samples that the log does not have, which it then has;
    /// true if segment `number` must explain the series first.
    pub(crate) fn take_unlogged(&mut self, number: u64, out: &mut Vec<Point>) -> bool {
        let count = self.open.take_fresh() as usize;
        match count {
            0 => return false,
            1 => out.extend(self.newest()),
            _ => self.newest_of(count, out),
        }
        // Two that count as one are eight petabytes of log apart.
        let number = 1 + (number % u64::from(SOME_FILE - 1)) as u32;
        mem::replace(&mut self.named_in, number) != number
    }

    /// Adds the newest `count` samples to `out`, or as many as there are.
    fn newest_of(&self, count: usize, out: &mut Vec<Point>) {
        let mut have = usize::from(self.open.count());
        let mut start = self.sealed.len();
        while have < count && start > 0 {
            start -= 1;
            have += self.sealed[start].count();
        }
        let before = out.len();
        for chunk in &self.sealed[start..] {
            chunk.decode(out);
        }
        self.open.decode(i64::MIN, out);
        out.drain(before..before + have.saturating_sub(count));
    }

    /// Adds all chunks to bytes for a snapshot; false if there are none. With
    /// `mend` the log need not have them as well.
    pub(crate) fn write_to(&mut self, out: &mut Vec<u8>, mend: bool) -> bool {
        if self.is_empty() {
            return false;
        }
        let open = self.open.sealed();
        push_varint(
            out,
            (self.sealed.len() + usize::from(open.is_some())) as u64,
        );
        for chunk in self.sealed.iter().chain(&open) {
            push_signed(out, chunk.first);
            push_varint(out, chunk.data().len() as u64);
            out.extend(chunk.data());
        }
        if mend {
            self.open.take_fresh();
        }
        if self.named_in == 0 {
            self.named_in = SOME_FILE;
        }
        true
    }

    /// How many chunks ended before a time, the newest of all left out: it stays, so
    /// that the series is known.
    pub(crate) fn full_before(&self, time: i64) -> usize {
        let all =
            self.sealed.len() - usize::from(self.open.count() == 0 && !self.sealed.is_empty());
        self.sealed[..all].partition_point(|chunk| chunk.last < time)
    }

    /// Adds chunks that ended before a time to bytes for an archive: the time of the
    /// first sample, how long after it the last one is, a length, and the chunk.
    /// Gives the times of the first and the last sample.
    pub(crate) fn copy_full(&self, before: i64, out: &mut Vec<u8>) -> Option<(i64, i64)> {
        let chunks = &self.sealed[..self.full_before(before)];
        for chunk in chunks {
            push_signed(out, chunk.first);
            push_varint(out, chunk.last.wrapping_sub(chunk.first) as u64);
            push_varint(out, chunk.data().len() as u64);
            out.extend(chunk.data());
        }
        Some((chunks.first()?.first, chunks.last()?.last))
    }

    /// Takes out the chunks that an archive has now, up to that one which ended at
    /// `last`, and says by how many bytes memory grew.
    pub(crate) fn drop_full(&mut self, last: i64) -> i64 {
        let before = self.bytes();
        let gone = self.full_before(last.saturating_add(1));
        self.change_sealed(|sealed| drop(sealed.drain(..gone)));
        self.bytes() as i64 - before as i64
    }

    /// Bytes of the chunks that ended before a time and may leave, and when the first
    /// of them ended.
    pub(crate) fn cold(&self, before: i64) -> Option<(u64, i64)> {
        let chunks = &self.sealed[..self.full_before(before)];
        let bytes = chunks
            .iter()
            .map(|chunk| chunk.data().len() + BLOCK + size_of::<Chunk>());
        Some((bytes.sum::<usize>() as u64, chunks.first()?.last))
    }

    /// Adds a chunk from a file after all others, and says by how many bytes
    /// memory grew. One that is not full goes on.
    pub(crate) fn restore(&mut self, chunk: Chunk, points: &[Point]) -> i64 {
        let after = self.newest().is_none_or(|(time, _)| time < chunk.first);
        let Some(newest) = points.last().filter(|_| after) else {
            return 0;
        };
        let before = self.bytes();
        if self.open.count() > 0 {
            self.seal();
        }
        if points.len() < usize::from(FULL) {
            points.iter().for_each(|point| self.open.push(*point));
        } else {
            self.change_sealed(|sealed| {
                sealed.reserve_exact(1);
                sealed.push(chunk);
            });
            self.open.set_newest(*newest);
        }
        self.bytes() as i64 - before as i64
    }

    /// Everything there is came from files.
    pub(crate) fn forget_unlogged(&mut self) {
        self.open.take_fresh();
        self.named_in = SOME_FILE;
    }

    /// Whether some file may name the series.
    pub(crate) fn was_logged(&self) -> bool {
        self.named_in != 0
    }

    /// How many samples there are.
    pub(crate) fn count(&self) -> usize {
        let sealed: usize = self.sealed.iter().map(Chunk::count).sum();
        sealed + usize::from(self.open.count())
    }
}
