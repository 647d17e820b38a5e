//! Values as the bits in which each differs from the one before.

use super::bits::{Bits, PEEKED, Reader};

/// The value before, and the window of bits that was written last.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Xor {
    pub(super) before: u64,
    leading: u8,
    width: u8,
}

/// The same where each byte counts.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Packed {
    /// In halves, so that nothing needs to be left empty behind it.
    before: [u32; 2],
    leading: u8,
    width: u8,
    /// Not a part of it: how many samples there were, which finds room here.
    pub(super) count: u16,
}

impl From<Packed> for Xor {
    fn from(packed: Packed) -> Self {
        let [high, low] = packed.before;
        Self {
            before: u64::from(high) << 32 | u64::from(low),
            leading: packed.leading,
            width: packed.width,
        }
    }
}

impl Xor {
    /// In less room, after so many samples.
    pub(super) fn packed(&self, count: u16) -> Packed {
        Packed {
            before: [(self.before >> 32) as u32, self.before as u32],
            leading: self.leading,
            width: self.width,
            count,
        }
    }

    /// As bytes, and back.
    pub(super) fn to_bytes(self) -> [u8; 10] {
        let mut bytes = [0; 10];
        bytes[..8].copy_from_slice(&self.before.to_le_bytes());
        (bytes[8], bytes[9]) = (self.leading, self.width);
        bytes
    }

    pub(super) fn from_bytes(bytes: [u8; 10]) -> Self {
        let [before @ .., leading, width] = bytes;
        Self {
            before: u64::from_le_bytes(before),
            leading,
            width,
        }
    }

    /// Starts a chunk at its first value.
    pub(super) fn at(value: f64) -> Self {
        Self {
            before: value.to_bits(),
            leading: 0,
            width: 0,
        }
    }

    /// Writes the next value.
    pub(super) fn push(&mut self, out: &mut impl Bits, value: f64) {
        let changed = value.to_bits() ^ self.before;
        self.before = value.to_bits();
        if changed == 0 {
            out.push(0, 1);
            return;
        }
        let leading = changed.leading_zeros().min(31);
        let trailing = changed.trailing_zeros();
        let width = 64 - leading - trailing;
        let (old_leading, old_width) = (u32::from(self.leading), u32::from(self.width));
        let old_trailing = 64 - old_leading - old_width;
        let fits = old_width > 0 && leading >= old_leading && trailing >= old_trailing;
        // A window that has become too wide costs more than naming a new one.
        if fits && old_width <= width + 11 {
            out.push(0b10, 2);
            out.push(changed >> old_trailing, old_width);
        } else {
            out.push(0b11, 2);
            out.push(u64::from(leading), 5);
            out.push(u64::from(width - 1), 6);
            out.push(changed >> trailing, width);
            (self.leading, self.width) = (leading as u8, width as u8);
        }
    }

    /// Reads the next value.
    #[inline]
    pub(super) fn read(&mut self, from: &mut Reader<'_>) -> Option<f64> {
        // Mostly all of a value is among the bits that can be looked at together.
        let next = from.peek();
        let head = match next >> 62 {
            0 | 1 => {
                from.eat(1)?;
                return Some(f64::from_bits(self.before));
            }
            2 => 2,
            _ => {
                let window = next << 2 >> 53;
                (self.leading, self.width) = ((window >> 6) as u8, (window & 63) as u8 + 1);
                13
            }
        };
        let used = u32::from(self.leading) + u32::from(self.width);
        let trailing = 64_u32.checked_sub(used)?;
        if self.width == 0 {
            return None;
        }
        let width = u32::from(self.width);
        let changed = if head + width <= PEEKED {
            from.eat(head + width)?;
            next << head >> (64 - width)
        } else {
            from.eat(head)?;
            from.read(width)?
        };
        self.before ^= changed << trailing;
        Some(f64::from_bits(self.before))
    }
}
