//! The chunk that still takes samples.

use std::mem;

use super::bits::{self, Bits as _, Reader, Tail};
use super::xor::{Packed, Xor};
use super::{Chunk, Point};

/// So many samples fill a chunk: an hour at 15 s.
pub(crate) const FULL: u16 = 240;

/// After so many samples a place is marked at which reading can begin: a rule
/// looks at the last minutes, not at the hour.
const MARK_EVERY: u16 = 32;

/// So many marks are kept, the last ones: they reach back a quarter of an hour.
const MARKS: usize = 3;

/// Samples of a chunk that is not full, in the order they came. Each series has one, so
/// that each byte of it counts.
#[derive(Debug, Clone)]
pub(crate) struct Open {
    /// The marks, the oldest first, and then the bits, which begin with the time and the
    /// value of the first sample.
    bytes: Box<[u8]>,
    /// The time of the newest sample.
    time: i64,
    /// Its distance from the one before, the lower half.
    delta: u32,
    /// What its value was written by, and how many samples there are.
    values: Packed,
    /// How many bits there are.
    bits: u16,
    /// So many samples fill it.
    limit: u16,
    /// The newest samples that [`Open::take_fresh`] has not told of.
    fresh: u32,
}

impl Default for Open {
    fn default() -> Self {
        Self::until(FULL)
    }
}

/// What the next sample is written or read by.
#[derive(Debug, Clone, Copy)]
struct State {
    time: i64,
    delta: u32,
    values: Xor,
    count: u16,
}

/// Where, in bits, a state was reached.
#[derive(Debug, Clone, Copy)]
struct Mark {
    /// Milliseconds after the first sample; of one that is too late for a mark the most.
    since: u32,
    delta: u32,
    at: u16,
    values: Xor,
}

impl Mark {
    const BYTES: usize = 20;
    const LATE: u32 = u32::MAX;

    fn write(self, out: &mut [u8]) {
        out[..4].copy_from_slice(&self.since.to_le_bytes());
        out[4..8].copy_from_slice(&self.delta.to_le_bytes());
        out[8..10].copy_from_slice(&self.at.to_le_bytes());
        out[10..Self::BYTES].copy_from_slice(&self.values.to_bytes());
    }

    fn read(bytes: &[u8; Self::BYTES]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, values @ ..] = *bytes;
        Self {
            since: u32::from_le_bytes([a, b, c, d]),
            delta: u32::from_le_bytes([e, f, g, h]),
            at: u16::from_le_bytes([i, j]),
            values: Xor::from_bytes(values),
        }
    }
}

impl Open {
    /// An empty one that is full after so many samples.
    pub(crate) fn until(limit: u16) -> Self {
        Self {
            bytes: Box::default(),
            time: 0,
            delta: 0,
            values: Packed::default(),
            bits: 0,
            limit,
            fresh: 0,
        }
    }

    /// Adds a sample; the caller has checked that it is newer than the last one.
    pub(crate) fn push(&mut self, (time, value): Point) {
        let count = self.count();
        let values = if count == 0 {
            self.delta = 0;
            let mut out = self.tail();
            out.push(time as u64, 64);
            out.push(value.to_bits(), 64);
            self.bits = 128;
            Xor::at(value)
        } else {
            if count.is_multiple_of(MARK_EVERY) {
                self.mark();
            }
            // From here on with the mark.
            self.values.count = count + 1;
            let delta = time.wrapping_sub(self.time);
            let change = delta.wrapping_sub(i64::from(self.delta));
            let mut values = Xor::from(self.values);
            let begin = self.begin();
            let mut out = self.tail();
            match change {
                0 => out.push(0, 1),
                -128..128 => out.push(0b10 << 8 | (change + 128) as u64, 10),
                -32_768..32_768 => {
                    out.push(0b110 << 16 | (change + 32_768) as u64, 19);
                }
                _ => {
                    out.push(0b111, 3);
                    out.push(change as u64, 64);
                }
            }
            values.push(&mut out, value);
            self.bits = (out.bits as usize - begin * 8) as u16;
            // What is not ordinary is off by the upper half, for a reader as for us.
            self.delta = delta as u32;
            values
        };
        self.time = time;
        self.values = values.packed(count + 1);
        self.fresh = self.fresh.saturating_add(1);
    }

    /// Where bits are added.
    fn tail(&mut self) -> Tail<'_> {
        let bits = self.begin() as u32 * 8 + u32::from(self.bits);
        let bytes = &mut self.bytes;
        Tail { bytes, bits }
    }

    /// How many marks there are.
    fn marks(&self) -> usize {
        usize::from(self.count().saturating_sub(1) / MARK_EVERY).min(MARKS)
    }

    /// The byte at which the bits begin.
    fn begin(&self) -> usize {
        self.marks() * Mark::BYTES
    }

    /// Marks this place, just before a sample is added that makes it count.
    fn mark(&mut self) {
        let since = self.time.checked_sub(self.first());
        let mark = Mark {
            since: since.map_or(Mark::LATE, |since| since.try_into().unwrap_or(Mark::LATE)),
            delta: self.delta,
            at: self.bits,
            values: self.values.into(),
        };
        let (begin, bits) = (self.begin(), usize::from(self.bits.div_ceil(8)));
        let place = if self.marks() < MARKS {
            let need = begin + bits + Mark::BYTES;
            if self.bytes.len() < need {
                bits::grow(&mut self.bytes, need);
            }
            self.bytes
                .copy_within(begin..begin + bits, begin + Mark::BYTES);
            begin
        } else {
            self.bytes.copy_within(Mark::BYTES..begin, 0);
            begin - Mark::BYTES
        };
        mark.write(&mut self.bytes[place..place + Mark::BYTES]);
    }

    /// How many samples there are.
    pub(crate) fn count(&self) -> u16 {
        self.values.count
    }

    /// Whether it takes no more.
    pub(crate) fn is_full(&self) -> bool {
        self.count() >= self.limit
    }

    /// The time of the first sample, where there is one.
    pub(crate) fn first(&self) -> i64 {
        let begin = self.begin();
        let bytes = self.bytes.get(begin..begin + 8);
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, i64::from_be_bytes)
    }

    /// The newest sample ever taken, sealed away or not; zeros before the first.
    pub(crate) fn newest(&self) -> Point {
        (self.time, f64::from_bits(Xor::from(self.values).before))
    }

    /// Remembers the newest sample of chunks that were loaded.
    pub(crate) fn set_newest(&mut self, (time, value): Point) {
        (self.time, self.values) = (time, Xor::at(value).packed(self.count()));
    }

    /// How many samples were added since this was asked before, also those that were
    /// sealed away.
    pub(crate) fn take_fresh(&mut self) -> u32 {
        mem::take(&mut self.fresh)
    }

    /// Bytes of memory held beside the struct itself.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// Adds all samples to `out` whose time is `from` or later.
    pub(crate) fn decode(&self, from: i64, out: &mut Vec<Point>) {
        // The bits are our own and in memory: what does not decode is not there.
        let _ = self.read(from, out);
    }

    /// How many samples are not looked at for those from a time on.
    #[cfg(test)]
    pub(super) fn skipped(&self, from: i64) -> usize {
        let mark = self.mark_before(from, self.first());
        mark.map_or(0, |(_, state)| usize::from(state.count))
    }

    /// The last mark before a time.
    fn mark_before(&self, time: i64, first: i64) -> Option<(u16, State)> {
        let (marks, _) = self.bytes[..self.begin()].as_chunks();
        let last = (self.count() - 1) / MARK_EVERY;
        let states = marks.iter().rev().zip(0..).map(|(bytes, back)| {
            let mark = Mark::read(bytes);
            let state = State {
                time: first.saturating_add(i64::from(mark.since)),
                delta: mark.delta,
                values: mark.values,
                count: (last - back) * MARK_EVERY,
            };
            (mark.since, mark.at, state)
        });
        let mut ordinary = states.filter(|(since, _, _)| *since != Mark::LATE);
        let found = ordinary.find(|(_, _, state)| state.time < time)?;
        Some((found.1, found.2))
    }

    fn read(&self, from: i64, out: &mut Vec<Point>) -> Option<()> {
        let count = self.count();
        if count == 0 {
            return Some(());
        }
        let begin = self.begin();
        let end = begin + usize::from(self.bits.div_ceil(8));
        let mut bits = Reader::new(&self.bytes[begin..end]);
        let first = bits.read(64)? as i64;
        let mut state = match self.mark_before(from, first) {
            Some((at, state)) => {
                bits.skip_to(u32::from(at));
                state
            }
            None => {
                let value = f64::from_bits(bits.read(64)?);
                if first >= from {
                    out.push((first, value));
                }
                State {
                    time: first,
                    delta: 0,
                    values: Xor::at(value),
                    count: 1,
                }
            }
        };
        out.reserve(usize::from(count - state.count));
        for _ in state.count..count {
            let change = match bits.ones(3)? {
                0 => 0,
                1 => bits.read(8)? as i64 - 128,
                2 => bits.read(16)? as i64 - 32_768,
                _ => bits.read(64)? as i64,
            };
            let delta = i64::from(state.delta).wrapping_add(change);
            state.delta = delta as u32;
            state.time = state.time.wrapping_add(delta);
            let value = state.values.read(&mut bits)?;
            if state.time >= from {
                out.push((state.time, value));
            }
        }
        Some(())
    }

    /// The samples as a full chunk, if there are any.
    pub(crate) fn sealed(&self) -> Option<Chunk> {
        let mut points = Vec::new();
        self.decode(i64::MIN, &mut points);
        Chunk::seal(&points)
    }

    /// Takes the samples out as a full chunk; the newest one stays known.
    pub(crate) fn seal(&mut self) -> Option<Chunk> {
        let chunk = self.sealed();
        let (newest, fresh) = (self.newest(), self.fresh);
        *self = Self {
            fresh,
            ..Self::default()
        };
        self.set_newest(newest);
        chunk
    }
}
