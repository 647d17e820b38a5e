//! age's file format, version 1, with X25519 recipients: what `age -r KEY`
//! writes and `age -d -i FILE` reads.
//!
//! The format is small and frozen. Its primitives are those of `ring` and
//! `x25519-dalek`; only the framing is ours, and tests hold it against the `age`
//! program in both directions. Nothing here reads a file or keeps a key.

mod header;
mod key;
mod stream;

pub use key::{Identity, KeyError, Recipient};
pub use stream::{Decrypting, Encrypting};

/// A key of the header: 16 random bytes that all other keys follow from.
const FILE_KEY: usize = 16;

/// Why a sealed file cannot be opened.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum OpenError {
    /// It does not begin as such a file does.
    #[error("it is not an age file of version 1")]
    NotAge,
    /// None of the keys that were given opens it.
    #[error("none of the keys opens it")]
    WrongKey,
    /// It was changed or cut.
    #[error("it is damaged: a piece does not fit its seal")]
    Damaged,
}

/// Derives 32 bytes, as the format says it in each place.
fn derive(secret: &[u8], salt: &[u8], info: &[u8]) -> [u8; 32] {
    use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
    struct Long;
    impl KeyType for Long {
        fn len(&self) -> usize {
            32
        }
    }
    let mut key = [0; 32];
    let derived = Salt::new(HKDF_SHA256, salt).extract(secret);
    // 32 bytes are one block of the hash: it cannot refuse.
    if let Ok(out) = derived.expand(&[info], Long) {
        let _ = out.fill(&mut key);
    }
    key
}

#[cfg(test)]
mod tests;
