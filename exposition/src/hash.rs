//! A fast hash of short texts.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::OnceLock;

const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// Differs from process to process, so that what collides in one does not in another.
pub(crate) fn seed() -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    *SEED.get_or_init(|| RandomState::new().hash_one(0))
}

/// A hash with another word; how many there were is not in it.
#[inline]
#[must_use]
pub fn mix(hash: u64, word: u64) -> u64 {
    let product = u128::from(hash ^ word ^ FACTOR) * u128::from(FACTOR | 1);
    (product >> 64) as u64 ^ product as u64
}

/// A hash with another text, whose length is in it.
pub(crate) fn more(hash: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let hash = words
        .iter()
        .fold(hash, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let hash = mix(hash, u64::from_le_bytes(last));
    mix(hash.rotate_left(23), bytes.len() as u64)
}
