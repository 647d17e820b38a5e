//! The payload: chunks of 64 KiB, each sealed with its number, the last one marked.

use std::io::{self, BufRead, Read, Write};

use ring::aead::{Aad, LessSafeKey, Nonce};

use super::header::{self, cipher};
use super::{FILE_KEY, Identity, OpenError, Recipient, derive};

const CHUNK: usize = 64 << 10;
const TAG: usize = 16;
const SALT: usize = 16;

/// The chunks' nonces: a number of 11 bytes, and whether it is the last.
#[derive(Default)]
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, last: bool) -> Nonce {
        let mut nonce = [0; 12];
        nonce[3..11].copy_from_slice(&self.0.to_be_bytes());
        nonce[11] = u8::from(last);
        self.0 += 1;
        Nonce::assume_unique_for_key(nonce)
    }
}

/// Seals what is written to it, for the writer below. [`Encrypting::finish`]
/// must end it: what is not finished cannot be opened.
pub struct Encrypting<W> {
    out: W,
    key: LessSafeKey,
    numbers: Numbers,
    chunk: Vec<u8>,
}

impl<W: Write> Encrypting<W> {
    /// Writes the header; each of the recipients will be able to open it.
    ///
    /// # Errors
    /// When there are no random bytes, or the writer fails.
    pub fn new(mut out: W, recipients: &[Recipient]) -> io::Result<Self> {
        let mut random = [0; FILE_KEY + SALT];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let (file_key, salt) = random.split_at(FILE_KEY);
        let mut key = [0; FILE_KEY];
        key.copy_from_slice(file_key);
        out.write_all(&header::write(&key, recipients).map_err(io::Error::other)?)?;
        out.write_all(salt)?;
        Ok(Self {
            out,
            key: cipher(&derive(&key, salt, b"payload")),
            numbers: Numbers::default(),
            chunk: Vec::with_capacity(CHUNK + TAG),
        })
    }

    /// Seals the last chunk and gives the writer back.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn finish(mut self) -> io::Result<W> {
        self.seal(true)?;
        Ok(self.out)
    }

    fn seal(&mut self, last: bool) -> io::Result<()> {
        let nonce = self.numbers.next(last);
        let sealed = self
            .key
            .seal_in_place_append_tag(nonce, Aad::empty(), &mut self.chunk);
        sealed.map_err(|_| io::Error::other("cannot encrypt"))?;
        self.out.write_all(&self.chunk)?;
        self.chunk.clear();
        Ok(())
    }
}

impl<W: Write> Write for Encrypting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Not before more comes: the last chunk is never empty but in an empty file.
        if self.chunk.len() == CHUNK && !bytes.is_empty() {
            self.seal(false)?;
        }
        let taken = bytes.len().min(CHUNK - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Opens what the reader below gives. Nothing of a chunk is given out before its
/// seal was found to fit, and an end that was cut off is an error.
pub struct Decrypting<R> {
    input: R,
    key: LessSafeKey,
    numbers: Numbers,
    chunk: Vec<u8>,
    /// What of the chunk was given out already, and where it ends.
    given: usize,
    end: usize,
    last: bool,
}

impl<R: BufRead> Decrypting<R> {
    /// Reads the header with these keys.
    ///
    /// # Errors
    /// Of the reader; or an [`OpenError`] inside.
    pub fn new(mut input: R, identities: &[Identity]) -> io::Result<Self> {
        let file_key = header::read(&mut input, identities)?.map_err(refused)?;
        let mut salt = [0; SALT];
        input
            .read_exact(&mut salt)
            .map_err(|_| refused(OpenError::Damaged))?;
        Ok(Self {
            input,
            key: cipher(&derive(&file_key, &salt, b"payload")),
            numbers: Numbers::default(),
            chunk: Vec::new(),
            given: 0,
            end: 0,
            last: false,
        })
    }

    fn open(&mut self) -> io::Result<()> {
        self.chunk.clear();
        let longest = (CHUNK + TAG) as u64;
        let read = (&mut self.input)
            .take(longest)
            .read_to_end(&mut self.chunk)?;
        let last = read < CHUNK + TAG || self.input.fill_buf()?.is_empty();
        let first = self.numbers.0 == 0;
        let nonce = self.numbers.next(last);
        let opened = self.key.open_in_place(nonce, Aad::empty(), &mut self.chunk);
        let opened = opened.map_err(|_| refused(OpenError::Damaged))?.len();
        if opened == 0 && !first {
            return Err(refused(OpenError::Damaged));
        }
        (self.given, self.end, self.last) = (0, opened, last);
        Ok(())
    }
}

impl<R: BufRead> Read for Decrypting<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.given == self.end && !self.last {
            self.open()?;
        }
        let taken = into.len().min(self.end - self.given);
        into[..taken].copy_from_slice(&self.chunk[self.given..self.given + taken]);
        self.given += taken;
        Ok(taken)
    }
}

fn refused(err: OpenError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, err)
}

impl<W> std::fmt::Debug for Encrypting<W> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Encrypting")
    }
}

impl<R> std::fmt::Debug for Decrypting<R> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Decrypting")
    }
}
