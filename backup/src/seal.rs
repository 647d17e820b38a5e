//! Sealing: raw bytes in, stored bytes out, hashed on both sides, in one pass and
//! in bounded memory. Opening is the same way back.
//!
//! raw -> SHA-256 -> zstd with checksum -> age, if there are recipients -> SHA-256
//! -> blocks. Nothing here knows where the bytes come from or go to.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use ring::digest::{Context, SHA256};

use crate::age::{Decrypting, Encrypting, Identity, Recipient};
use crate::blocks::{Block, Blocks};

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

/// So many blocks that were opened may wait to be written.
const AHEAD: usize = 4;
/// So large are they.
const OPENED: usize = 256 << 10;

/// Opens a stored stream into `out`, to its very end, and tells what it was. What is
/// opened is hashed and written on a thread of its own, which ends within this.
///
/// # Errors
/// When it is damaged, cut, or sealed to another key; what was written to `out`
/// by then is worth nothing.
pub fn open(
    stored: impl Read,
    identities: &[Identity],
    sealed: bool,
    out: &mut (impl Write + Send),
) -> io::Result<Sum> {
    let (give, blocks) = sync_channel::<Block>(AHEAD);
    thread::scope(|scope| {
        let writing = thread::Builder::new()
            .name("backup".to_owned())
            .spawn_scoped(scope, move || {
                let mut raw = Counted::new(out);
                for block in blocks {
                    raw.write_all(block.as_ref())?;
                }
                raw.flush()?;
                let (bytes, sha256, _) = raw.sum();
                Ok((bytes, sha256))
            })?;
        let opened = unsealed(stored, identities, sealed, give);
        let written = writing.join();
        let written = written.unwrap_or_else(|_| Err(io::Error::other("writing it panicked")));
        // Where nobody writes any more, nothing can be opened either.
        let (raw_bytes, raw_sha256) = written?;
        let (stored_bytes, stored_sha256) = opened?;
        Ok(Sum {
            raw_bytes,
            raw_sha256,
            stored_bytes,
            stored_sha256,
        })
    })
}

/// Opens a stream for whoever takes its blocks; the bytes and the sum of what is stored,
/// which is hashed on a thread of its own: what is unpacked waits for less then.
fn unsealed(
    stored: impl Read,
    identities: &[Identity],
    sealed: bool,
    give: SyncSender<Block>,
) -> io::Result<(u64, String)> {
    let (note, noted) = sync_channel::<Block>(AHEAD);
    thread::scope(|scope| {
        let hashing = thread::Builder::new()
            .name("backup".to_owned())
            .spawn_scoped(scope, move || {
                let mut stored = Counted::new(io::sink());
                for block in noted {
                    stored.note(block.as_ref());
                }
                stored.sum()
            })?;
        let stored = Noted {
            inner: stored,
            blocks: Blocks::of(OPENED),
            note,
        };
        let opened = opened(stored, identities, sealed, &give);
        let hashed = hashing.join();
        opened?;
        let (bytes, sha256, _) = hashed.map_err(|_| io::Error::other("hashing it panicked"))?;
        Ok((bytes, sha256))
    })
}

fn opened(
    stored: impl Read,
    identities: &[Identity],
    sealed: bool,
    give: &SyncSender<Block>,
) -> io::Result<()> {
    let mut stored = BufReader::with_capacity(OPENED, stored);
    if sealed {
        let mut opened =
            BufReader::with_capacity(64 << 10, Decrypting::new(&mut stored, identities)?);
        unpack(&mut opened, give)?;
    } else {
        unpack(&mut stored, give)?;
    }
    if !stored.fill_buf()?.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "there is more than there should be",
        ));
    }
    Ok(())
}

/// Passes on what is read to whoever hashes it.
struct Noted<T> {
    inner: T,
    blocks: Blocks,
    note: SyncSender<Block>,
}

impl<T: Read> Read for Noted<T> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        let mut rest = &into[..read];
        while !rest.is_empty() {
            let mut block = self.blocks.lend();
            rest = &rest[block.take(rest)..];
            let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
            self.note.send(block).map_err(gone)?;
        }
        Ok(read)
    }
}

fn unpack(packed: &mut impl BufRead, give: &SyncSender<Block>) -> io::Result<()> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(&mut *packed)?.single_frame();
    let blocks = Blocks::of(OPENED);
    loop {
        let mut block = blocks.lend();
        while !block.is_full() {
            match decoder.read(block.room())? {
                0 => break,
                read => block.fill(read),
            }
        }
        let last = !block.is_full();
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        give.send(block).map_err(gone)?;
        if last {
            break;
        }
    }
    // To the last seal of what is encrypted, which holds the end.
    let packed = decoder.finish();
    if packed.fill_buf()?.is_empty() {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidData,
        "there is more than there should be",
    ))
}

impl<F: FnMut(Bytes) -> io::Result<()>> std::fmt::Debug for Sealer<F> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Sealer")
    }
}

#[cfg(test)]
mod tests {
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
