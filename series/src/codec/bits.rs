//! Single bits in and out of bytes, the highest bit first.

/// How many bytes a stream grows by at least: a series that gets two bits a
/// sample must not hold a page of room for them.
const STEP: usize = 32;

/// Bits being written.
#[derive(Debug, Clone, Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
    /// Unused bits of the last byte.
    free: u8,
}

impl Writer {
    /// Goes on after bytes that are there already.
    pub(super) fn after(bytes: Vec<u8>) -> Self {
        Self { bytes, free: 0 }
    }

    /// Writes the low `count` bits of `value`; at most 64.
    pub(super) fn push(&mut self, value: u64, mut count: u32) {
        while count > 0 {
            if self.free == 0 {
                self.grow();
                self.bytes.push(0);
                self.free = 8;
            }
            let free = u32::from(self.free);
            let take = count.min(free);
            count -= take;
            let part = (value >> count) & ((1 << take) - 1);
            if let Some(last) = self.bytes.last_mut() {
                *last |= (part << (free - take)) as u8;
            }
            self.free -= take as u8;
        }
    }

    fn grow(&mut self) {
        let len = self.bytes.len();
        if len == self.bytes.capacity() {
            self.bytes.reserve_exact((len / 4).max(STEP));
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Bytes of memory held.
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
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

    /// The next `count` bits; at most 64.
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

    /// How many ones come before the next zero, at most `most`; the zero is
    /// eaten, and after `most` ones nothing more is.
    pub(super) fn ones(&mut self, most: u32) -> Option<u32> {
        let (window, shift) = self.window();
        // At least 57 bits of the window are real, or zeros past the end.
        let count = (window << shift).leading_ones().min(most);
        let eaten = count + u32::from(count < most);
        let end = self.at + eaten as usize;
        if end > self.bytes.len() * 8 {
            return None;
        }
        self.at = end;
        Some(count)
    }

    /// The eight bytes at the current one, and the bits of them that are used up.
    fn window(&self) -> (u64, u32) {
        let byte = self.at / 8;
        let window = match self.bytes.get(byte..byte + 8) {
            Some(whole) => <[u8; 8]>::try_from(whole).map_or(0, u64::from_be_bytes),
            None => {
                let rest = self.bytes.get(byte..).unwrap_or_default();
                let mut padded = [0; 8];
                padded[..rest.len()].copy_from_slice(rest);
                u64::from_be_bytes(padded)
            }
        };
        (window, (self.at % 8) as u32)
    }
}
