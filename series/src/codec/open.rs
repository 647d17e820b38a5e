//! The chunk that still takes samples.

use super::bits::{Reader, Writer};
use super::xor::{Packed, Xor};
use super::{Chunk, Point};

/// So many samples fill a chunk: an hour at 15 s.
pub(crate) const FULL: u16 = 240;

/// After so many samples a place is marked at which reading can begin: a rule
/// looks at the last minutes, not at the hour.
const MARK_EVERY: u16 = 32;

/// Samples of a chunk that is not full, in the order they came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Open {
    bits: Writer,
    first: i64,
    /// After the last sample.
    state: State,
    /// The last marks, the oldest first: they reach back a quarter of an hour.
    marks: [Mark; 3],
}

/// What the next sample is written or read by.
#[derive(Debug, Clone, Copy, Default)]
struct State {
    time: i64,
    delta: i64,
    values: Xor,
    count: u16,
}

/// Where, in bits, a state was reached; none has a count of 0. A state in less
/// room, since each series has three.
#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    values: Packed,
    /// Milliseconds after the first sample.
    since: u32,
    delta: u32,
    at: u32,
}

impl Mark {
    /// Of a state with ordinary times, as all but made-up ones have.
    fn of(state: State, first: i64, at: u32) -> Option<Self> {
        Some(Self {
            values: state.values.packed(state.count),
            since: state.time.checked_sub(first)?.try_into().ok()?,
            delta: state.delta.try_into().ok()?,
            at,
        })
    }

    fn state(&self, first: i64) -> State {
        State {
            time: first.saturating_add(i64::from(self.since)),
            delta: i64::from(self.delta),
            values: self.values.into(),
            count: self.values.count,
        }
    }
}

impl Open {
    /// Adds a sample; the caller has checked that it is newer than the last one.
    pub(crate) fn push(&mut self, (time, value): Point) {
        let state = &mut self.state;
        if state.count == 0 {
            (self.first, state.delta) = (time, 0);
            self.bits.push(value.to_bits(), 64);
            state.values = Xor::at(value);
        } else {
            if state.count.is_multiple_of(MARK_EVERY) {
                let mark = Mark::of(*state, self.first, self.bits.len());
                self.marks = [self.marks[1], self.marks[2], mark.unwrap_or_default()];
            }
            let delta = time.wrapping_sub(state.time);
            let change = delta.wrapping_sub(state.delta);
            state.delta = delta;
            match change {
                0 => self.bits.push(0, 1),
                -128..128 => self.bits.push(0b10 << 8 | (change + 128) as u64, 10),
                -32_768..32_768 => {
                    self.bits.push(0b110 << 16 | (change + 32_768) as u64, 19);
                }
                _ => {
                    self.bits.push(0b111, 3);
                    self.bits.push(change as u64, 64);
                }
            }
            state.values.push(&mut self.bits, value);
        }
        state.time = time;
        state.count += 1;
    }

    /// How many samples there are.
    pub(crate) fn count(&self) -> u16 {
        self.state.count
    }

    /// The time of the first sample, where there is one.
    pub(crate) fn first(&self) -> i64 {
        self.first
    }

    /// The newest sample ever taken, sealed away or not; zeros before the first.
    pub(crate) fn newest(&self) -> Point {
        (self.state.time, f64::from_bits(self.state.values.before))
    }

    /// Remembers the newest sample of chunks that were loaded.
    pub(crate) fn set_newest(&mut self, (time, value): Point) {
        (self.state.time, self.state.values) = (time, Xor::at(value));
    }

    /// Bytes of memory held beside the struct itself.
    pub(crate) fn capacity(&self) -> usize {
        self.bits.capacity()
    }

    /// Adds all samples to `out` whose time is `from` or later, and maybe some
    /// earlier ones.
    pub(crate) fn decode(&self, from: i64, out: &mut Vec<Point>) {
        // The bits are our own and in memory: what does not decode is not there.
        let _ = self.read(from, out);
    }

    fn read(&self, from: i64, out: &mut Vec<Point>) -> Option<()> {
        if self.state.count == 0 {
            return Some(());
        }
        let mut bits = Reader::new(self.bits.bytes());
        let mark = self
            .marks
            .iter()
            .rev()
            .map(|mark| (mark.at, mark.state(self.first)))
            .find(|(_, state)| state.count > 0 && state.time < from);
        let mut state = match mark {
            Some((at, state)) => {
                bits.skip_to(at);
                state
            }
            None => {
                let value = f64::from_bits(bits.read(64)?);
                out.push((self.first, value));
                State {
                    time: self.first,
                    delta: 0,
                    values: Xor::at(value),
                    count: 1,
                }
            }
        };
        out.reserve(usize::from(self.state.count - state.count));
        for _ in state.count..self.state.count {
            let change = match bits.ones(3)? {
                0 => 0,
                1 => bits.read(8)? as i64 - 128,
                2 => bits.read(16)? as i64 - 32_768,
                _ => bits.read(64)? as i64,
            };
            state.delta = state.delta.wrapping_add(change);
            state.time = state.time.wrapping_add(state.delta);
            out.push((state.time, state.values.read(&mut bits)?));
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
        let newest = self.newest();
        *self = Self::default();
        self.set_newest(newest);
        chunk
    }
}
