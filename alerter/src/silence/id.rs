//! The name of a silence: a random UUID.

use std::fmt;

/// Ids stand in the order of their texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id(u128);

impl Id {
    /// An id (version 4) of random bytes.
    pub(crate) fn new(random: [u8; 16]) -> Self {
        let bits = u128::from_be_bytes(random);
        let version = 0x4_u128 << 76 | 0x8_u128 << 60;
        Self(bits & !(0xf_u128 << 76 | 0xc_u128 << 60) | version)
    }

    /// Reads the usual form, with hyphens or without.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut bits = 0_u128;
        let mut digits = 0;
        for (at, letter) in text.char_indices() {
            if letter == '-' && text.len() == 36 && [8, 13, 18, 23].contains(&at) {
                continue;
            }
            bits = bits.checked_shl(4)? | u128::from(letter.to_digit(16)?);
            digits += 1;
            if digits > 32 {
                return None;
            }
        }
        (digits == 32).then_some(Self(bits))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:032x}", self.0);
        let (a, b, c) = (&text[..8], &text[8..12], &text[12..16]);
        write!(out, "{a}-{b}-{c}-{}-{}", &text[16..20], &text[20..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuids_of_version_4() {
        let id = Id::new([0xff; 16]);
        assert_eq!(id.to_string(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(
            Id::new([0; 16]).to_string(),
            "00000000-0000-4000-8000-000000000000"
        );
        assert_eq!(Id::parse(&id.to_string()), Some(id));
        assert_eq!(Id::parse("FFFFFFFFFFFF4FFFBFFFFFFFFFFFFFFF"), Some(id));
    }

    #[test]
    fn other_texts_are_no_ids() {
        for text in [
            "",
            "abc",
            "ffffffff-ffff-4fff-bfff-fffffffffff",
            "ffffffff-ffff-4fff-bfff-ffffffffffff0",
            "ffffffff-ffff-4fff-bfffffffffffffff-f",
            "ffffffff-ffff-4fff-bfff-fffffffffffg",
            "fffffffffffffffffffffffffffffffffff",
            "éfffffff-ffff-4fff-bfff-ffffffffffff",
        ] {
            assert_eq!(Id::parse(text), None, "{text}");
        }
    }
}
