//! Opening: stored bytes in, raw bytes out, read to the very end and hashed on both sides.
//!
//! Hashing what is stored, unpacking it, and hashing and writing what comes of it go on
//! beside each other.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use super::{Counted, Sum};
use crate::age::{Decrypting, Identity};
use crate::blocks::{Block, Blocks};

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
