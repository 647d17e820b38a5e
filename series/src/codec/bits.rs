//! Single bits in and out of bytes, the highest bit first.

use std::mem;

/// How many bytes a stream grows by at least.
const STEP: usize = 32;

/// Of so many bits a [`Reader`] shows what they are before they are read.
pub(super) const PEEKED: u32 = 57;

/// Where bits are written.
pub(super) trait Bits {
    /// Writes the low `count` bits of `value`; at most 64.
    fn push(&mut self, value: u64, count: u32);
}

/// Bits being written.
#[derive(Debug, Clone, Default)]
pub(super) struct Writer {
    /// What is written, and zeros after it.
    bytes: Vec<u8>,
    bits: u32,
}

impl Writer {
    /// Goes on after bytes that are there already.
    pub(super) fn after(bytes: Vec<u8>) -> Self {
        let bits = bytes.len() as u32 * 8;
        Self { bytes, bits }
    }

    fn grow(&mut self) {
        let len = self.bytes.len();
        self.bytes.reserve_exact((len / 4).max(STEP));
        self.bytes.resize(self.bytes.capacity(), 0);
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.bits.div_ceil(8) as usize]
    }

    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        self.bytes.truncate(self.bits.div_ceil(8) as usize);
        self.bytes
    }
}

impl Bits for Writer {
    #[inline]
    fn push(&mut self, value: u64, count: u32) {
        if count == 0 {
            return;
        }
        let (byte, used) = (self.bits as usize / 8, self.bits % 8);
        if self.bytes.len() < byte + 9 {
            self.grow();
        }
        let value = value << (64 - count);
        // Eight bytes at once; the first of them may have bits already.
        let window = u64::from(self.bytes[byte]) << 56 | value >> used;
        self.bytes[byte..byte + 8].copy_from_slice(&window.to_be_bytes());
        if used + count > 64 {
            self.bytes[byte + 8] = (value << (64 - used) >> 56) as u8;
        }
        self.bits += count;
    }
}

/// Bits written behind others into a block that is to be no larger than they need.
#[derive(Debug)]
pub(super) struct Tail<'a> {
    /// What is written, and zeros after it.
    pub(super) bytes: &'a mut Box<[u8]>,
    /// How many bits there are.
    pub(super) bits: u32,
}

impl Bits for Tail<'_> {
    #[inline]
    fn push(&mut self, value: u64, count: u32) {
        if count == 0 {
            return;
        }
        let (byte, used) = (self.bits as usize / 8, self.bits % 8);
        self.bits += count;
        let end = self.bits.div_ceil(8) as usize;
        if self.bytes.len() < end {
            grow(self.bytes, end);
        }
        let value = value << (64 - count);
        // The first byte may have bits already.
        let window = u64::from(self.bytes[byte]) << 56 | value >> used;
        let window = window.to_be_bytes();
        if let Some(eight) = self.bytes.get_mut(byte..byte + 8) {
            eight.copy_from_slice(&window);
        } else {
            let rest = &mut self.bytes[byte..];
            rest.copy_from_slice(&window[..rest.len()]);
        }
        if used + count > 64 {
            self.bytes[byte + 8] = (value << (64 - used) >> 56) as u8;
        }
    }
}

/// Makes room for at least so many bytes: a block that the allocator fills, since each
/// series has one, and it is most of what a series takes.
pub(super) fn grow(bytes: &mut Box<[u8]>, need: usize) {
    let need = need.max(bytes.len() + bytes.len() / 4);
    // A multiple of 16 with what the allocator writes before it.
    let room = (need + 7) / 16 * 16 + 8;
    let mut all = mem::take(bytes).into_vec();
    all.reserve_exact(room - all.len());
    all.resize(room, 0);
    *bytes = all.into_boxed_slice();
}

/// Bits being read; `None` past the end.
#[derive(Debug, Clone)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Goes to a bit counted from the beginning.
    pub(super) fn skip_to(&mut self, bit: u32) {
        self.at = bit as usize;
    }

    /// The next `count` bits; at most 64.
    #[inline]
    pub(super) fn read(&mut self, count: u32) -> Option<u64> {
        if count == 0 {
            return Some(0);
        }
        let end = self.at + count as usize;
        if end > self.bytes.len() * 8 {
            return None;
        }
        let (window, shift) = self.window();
        let mut value = window << shift;
        if shift + count > 64 {
            // Only then is there a ninth byte that holds wanted bits.
            value |= u64::from(self.bytes[self.at / 8 + 8]) >> (8 - shift);
        }
        self.at = end;
        Some(value >> (64 - count))
    }

    /// The bits that come next, highest first: [`PEEKED`] of them, as zeros where there
    /// are no more.
    #[inline]
    pub(super) fn peek(&self) -> u64 {
        let (window, shift) = self.window();
        window << shift
    }

    /// Goes past bits that were looked at.
    #[inline]
    pub(super) fn eat(&mut self, count: u32) -> Option<()> {
        let end = self.at + count as usize;
        if end > self.bytes.len() * 8 {
            return None;
        }
        self.at = end;
        Some(())
    }

    /// How many ones come before the next zero, at most `most`; the zero is
    /// eaten, and after `most` ones nothing more is.
    #[inline]
    pub(super) fn ones(&mut self, most: u32) -> Option<u32> {
        let count = self.peek().leading_ones().min(most);
        self.eat(count + u32::from(count < most))?;
        Some(count)
    }

    /// The eight bytes at the current one, and the bits of them that are used up.
    #[inline]
    fn window(&self) -> (u64, u32) {
        let byte = self.at / 8;
        let window = match self.bytes.get(byte..byte + 8) {
            Some(whole) => <[u8; 8]>::try_from(whole).map_or(0, u64::from_be_bytes),
            None => self.last_window(byte),
        };
        (window, (self.at % 8) as u32)
    }

    /// The same where there are fewer than eight bytes, and zeros behind them.
    fn last_window(&self, byte: usize) -> u64 {
        if let Some(last) = self.bytes.last_chunk() {
            let over = byte - (self.bytes.len() - last.len());
            let window = u64::from_be_bytes(*last);
            return window.checked_shl(over as u32 * 8).unwrap_or_default();
        }
        let rest = self.bytes.get(byte..).unwrap_or_default();
        let mut padded = [0; 8];
        padded[..rest.len()].copy_from_slice(rest);
        u64::from_be_bytes(padded)
    }
}
