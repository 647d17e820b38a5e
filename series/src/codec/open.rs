//! The chunk that still takes samples.

use super::bits::{Reader, Writer};
use super::xor::Xor;
use super::{Chunk, Point};

/// So many samples fill a chunk: an hour at 15 s.
pub(crate) const FULL: u16 = 240;

/// Samples of a chunk that is not full, in the order they came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Open {
    bits: Writer,
    first: i64,
    last: i64,
    delta: i64,
    values: Xor,
    count: u16,
}

impl Open {
    /// Adds a sample; the caller has checked that it is newer than the last one.
    pub(crate) fn push(&mut self, (time, value): Point) {
        if self.count == 0 {
            (self.first, self.delta) = (time, 0);
            self.bits.push(value.to_bits(), 64);
            self.values = Xor::at(value);
        } else {
            let delta = time.wrapping_sub(self.last);
            let change = delta.wrapping_sub(self.delta);
            self.delta = delta;
            match change {
                0 => self.bits.push(0, 1),
                -128..128 => self.bits.push(0b10 << 8 | (change + 128) as u64, 10),
                -32_768..32_768 => self.bits.push(0b110 << 16 | (change + 32_768) as u64, 19),
                _ => {
                    self.bits.push(0b111, 3);
                    self.bits.push(change as u64, 64);
                }
            }
            self.values.push(&mut self.bits, value);
        }
        self.last = time;
        self.count += 1;
    }

    /// How many samples there are.
    pub(crate) fn count(&self) -> u16 {
        self.count
    }

    /// The time of the first sample, where there is one.
    pub(crate) fn first(&self) -> i64 {
        self.first
    }

    /// The newest sample ever taken, sealed away or not; zeros before the first.
    pub(crate) fn newest(&self) -> Point {
        (self.last, f64::from_bits(self.values.before))
    }

    /// Remembers the newest sample of chunks that were loaded.
    pub(crate) fn set_newest(&mut self, (time, value): Point) {
        (self.last, self.values) = (time, Xor::at(value));
    }

    /// Bytes of memory held beside the struct itself.
    pub(crate) fn capacity(&self) -> usize {
        self.bits.capacity()
    }

    /// Adds all samples to `out`.
    pub(crate) fn decode(&self, out: &mut Vec<Point>) {
        out.reserve(usize::from(self.count));
        // The bits are our own and in memory: what does not decode is not there.
        let _ = self.read(out);
    }

    fn read(&self, out: &mut Vec<Point>) -> Option<()> {
        if self.count == 0 {
            return Some(());
        }
        let mut bits = Reader::new(self.bits.bytes());
        let first = f64::from_bits(bits.read(64)?);
        let (mut time, mut delta, mut values) = (self.first, 0_i64, Xor::at(first));
        out.push((time, first));
        for _ in 1..self.count {
            let change = match bits.ones(3)? {
                0 => 0,
                1 => bits.read(8)? as i64 - 128,
                2 => bits.read(16)? as i64 - 32_768,
                _ => bits.read(64)? as i64,
            };
            delta = delta.wrapping_add(change);
            time = time.wrapping_add(delta);
            out.push((time, values.read(&mut bits)?));
        }
        Some(())
    }

    /// The samples as a full chunk, if there are any.
    pub(crate) fn sealed(&self) -> Option<Chunk> {
        let mut points = Vec::new();
        self.decode(&mut points);
        Chunk::seal(&points)
    }

    /// Takes the samples out as a full chunk; the newest one stays known.
    pub(crate) fn seal(&mut self) -> Option<Chunk> {
        let chunk = self.sealed();
        let newest = self.newest();
        *self = Self::default();
        self.set_newest(newest);
        chunk
    }
}
