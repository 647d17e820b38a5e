//! Sealing: raw bytes in, stored bytes out, hashed on both sides, in one pass and
//! in bounded memory. [Opening](open()) is the same way back.
//!
//! raw -> SHA-256 -> zstd with checksum -> age, if there are recipients -> SHA-256
//! -> blocks. Nothing here knows where the bytes come from or go to.

mod open;

use std::io::{self, Write};

use bytes::Bytes;
use data_encoding::HEXLOWER;
use ring::digest::{Context, SHA256};

use crate::age::{Encrypting, Recipient};
use crate::blocks::{Block, Blocks};

pub use open::open;

/// Blocks are so large, but the last.
pub const BLOCK: usize = 1 << 20;

/// What a sealed stream was, when it has ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    /// Bytes before compression.
    pub raw_bytes: u64,
    /// SHA-256 of those.
    pub raw_sha256: String,
    /// Bytes as stored.
    pub stored_bytes: u64,
    /// SHA-256 of those.
    pub stored_sha256: String,
}

/// Hashes and counts what passes.
struct Counted<T> {
    inner: T,
    hash: Context,
    bytes: u64,
}

impl<T> Counted<T> {
    fn new(inner: T) -> Self {
        Self {
            inner,
            hash: Context::new(&SHA256),
            bytes: 0,
        }
    }

    fn note(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    fn sum(self) -> (u64, String, T) {
        (
            self.bytes,
            HEXLOWER.encode(self.hash.finish().as_ref()),
            self.inner,
        )
    }
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.inner.write(bytes)?;
        self.note(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Gathers bytes to blocks for a receiver.
struct Gather<F> {
    blocks: Blocks,
    block: Block,
    put: F,
}

impl<F: FnMut(Bytes) -> io::Result<()>> Gather<F> {
    fn new(put: F) -> Self {
        let blocks = Blocks::of(BLOCK);
        let block = blocks.lend();
        Self { blocks, block, put }
    }

    fn pass(&mut self) -> io::Result<()> {
        let block = std::mem::replace(&mut self.block, self.blocks.lend());
        (self.put)(block.bytes())
    }
}

impl<F: FnMut(Bytes) -> io::Result<()>> Write for Gather<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.block.take(bytes);
        if self.block.is_full() {
            self.pass()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

type Stored<F> = Counted<Gather<F>>;

enum Locked<F: FnMut(Bytes) -> io::Result<()>> {
    Open(Box<Stored<F>>),
    Shut(Box<Encrypting<Stored<F>>>),
}

impl<F: FnMut(Bytes) -> io::Result<()>> Write for Locked<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Open(out) => out.write(bytes),
            Self::Shut(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Seals what is written to it. Without [`Sealer::finish`] what was passed on is
/// no whole stream, and nothing opens it.
pub struct Sealer<F: FnMut(Bytes) -> io::Result<()>>(
    Counted<zstd::stream::write::Encoder<'static, Locked<F>>>,
);

impl<F: FnMut(Bytes) -> io::Result<()>> Sealer<F> {
    /// Begins; stored blocks go to `put`.
    ///
    /// # Errors
    /// When `put` fails, or the level is none of zstd's.
    pub fn new(level: i32, recipients: &[Recipient], put: F) -> io::Result<Self> {
        let stored = Counted::new(Gather::new(put));
        let locked = if recipients.is_empty() {
            Locked::Open(Box::new(stored))
        } else {
            Locked::Shut(Box::new(Encrypting::new(stored, recipients)?))
        };
        let mut encoder = zstd::stream::write::Encoder::new(locked, level)?;
        encoder.include_checksum(true)?;
        Ok(Self(Counted::new(encoder)))
    }

    /// Ends the stream and passes the last block on.
    ///
    /// # Errors
    /// When `put` fails.
    pub fn finish(self) -> io::Result<Sum> {
        let (raw_bytes, raw_sha256, encoder) = self.0.sum();
        let stored = match encoder.finish()? {
            Locked::Open(stored) => *stored,
            Locked::Shut(sealing) => sealing.finish()?,
        };
        let (stored_bytes, stored_sha256, mut gather) = stored.sum();
        if !gather.block.is_empty() {
            gather.pass()?;
        }
        Ok(Sum {
            raw_bytes,
            raw_sha256,
            stored_bytes,
            stored_sha256,
        })
    }
}

impl<F: FnMut(Bytes) -> io::Result<()>> Write for Sealer<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<F: FnMut(Bytes) -> io::Result<()>> std::fmt::Debug for Sealer<F> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Sealer")
    }
}

#[cfg(test)]
mod tests {
    use crate::age::Identity;

    use super::*;

    fn seal(raw: &[u8], recipients: &[Recipient]) -> (Vec<u8>, Sum) {
        let mut stored = Vec::new();
        let mut sealer = Sealer::new(3, recipients, |block: Bytes| {
            assert!(block.len() <= BLOCK);
            stored.extend_from_slice(&block);
            Ok(())
        })
        .unwrap();
        sealer.write_all(raw).unwrap();
        let sum = sealer.finish().unwrap();
        (stored, sum)
    }

    fn noise(length: usize) -> Vec<u8> {
        let mut state = 7_u64;
        let next = |_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 56) as u8
        };
        (0..length).map(next).collect()
    }

    #[test]
    fn what_was_sealed_opens_to_the_same_and_both_sums_agree() {
        let key = Identity::generate().unwrap();
        for raw in [Vec::new(), b"short".to_vec(), noise(3 * BLOCK + 5)] {
            for (recipients, sealed) in [(vec![], false), (vec![key.recipient()], true)] {
                let (stored, sum) = seal(&raw, &recipients);
                assert_eq!(sum.stored_bytes, stored.len() as u64);
                let mut back = Vec::new();
                let opened = open(&*stored, std::slice::from_ref(&key), sealed, &mut back);
                assert_eq!(opened.unwrap(), sum);
                assert_eq!(back, raw);
            }
        }
    }

    #[test]
    fn a_changed_or_cut_stream_does_not_open() {
        let key = [Identity::generate().unwrap()];
        let raw = noise(200_000);
        for (recipients, sealed) in [(vec![], false), (vec![key[0].recipient()], true)] {
            let (stored, _) = seal(&raw, &recipients);
            for at in (0..stored.len()).step_by(stored.len() / 13) {
                let mut changed = stored.clone();
                changed[at] ^= 4;
                let sum = open(&*changed, &key, sealed, &mut io::sink());
                // zstd forgives a bit of its header; the sum of what is stored does not.
                let differs =
                    sum.is_err() || sum.unwrap().stored_sha256 != seal(&raw, &[]).1.stored_sha256;
                assert!(differs, "byte {at}");
                assert!(
                    open(&stored[..at], &key, sealed, &mut io::sink()).is_err(),
                    "cut {at}"
                );
            }
            let longer = [&stored[..], b"x"].concat();
            assert!(open(&*longer, &key, sealed, &mut io::sink()).is_err());
        }
    }
}
