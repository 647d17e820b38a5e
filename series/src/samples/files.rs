//! What the files of a folder get from a series, and give back to it.

use std::mem;

use super::Samples;
use crate::codec::{Chunk, FULL, Point, push_signed, push_varint};

/// That a file names the series, though no segment that grows.
const SOME_FILE: u64 = u64::MAX;

impl Samples {
    /// Adds to `out` the samples that the log does not have, which it then has;
    /// true if segment `number` must explain the series first.
    pub(crate) fn take_unlogged(&mut self, number: u64, out: &mut Vec<Point>) -> bool {
        let count = mem::take(&mut self.unlogged) as usize;
        match count {
            0 => return false,
            1 => out.extend(self.newest()),
            _ => self.newest_of(count, out),
        }
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
            self.unlogged = 0;
        }
        if self.named_in == 0 {
            self.named_in = SOME_FILE;
        }
        true
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
            self.sealed.push(chunk);
            self.open.set_newest(*newest);
        }
        self.bytes() as i64 - before as i64
    }

    /// Everything there is came from files.
    pub(crate) fn forget_unlogged(&mut self) {
        self.unlogged = 0;
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
