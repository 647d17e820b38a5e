//! The body of an answer of HTTP/1, piece by piece as it comes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Waker};

use tokio::io::{AsyncReadExt as _, AsyncWrite as _};

use super::super::super::reason::{Failure, Step};
use super::super::super::stream::Stream;

/// What is read at once grows up to this.
const PIECE: usize = 64 << 10;
/// A line that says how long a chunk is, and all lines behind the last one, are no longer.
const LINES: usize = 16 << 10;

/// A body, and the connection that brings it.
pub(in super::super) struct Body {
    stream: Stream,
    /// Whether it is TLS, which says that it ends.
    secure: bool,
    buffer: Vec<u8>,
    /// What stands before was taken.
    at: usize,
    left: Left,
}

/// What is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    Bytes(u64),
    UntilClosed,
    Chunked(Chunk),
}

/// Where one is among chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunk {
    /// Before the line with its length.
    Length,
    /// In a chunk of which so many bytes are to come.
    Bytes(u64),
    /// Before the end of line behind a chunk.
    End,
    /// Behind the last one, with room for so many bytes of lines.
    Trailer(usize),
}

impl Left {
    /// Chunks, from the first one on.
    pub(super) fn chunks() -> Self {
        Self::Chunked(Chunk::Length)
    }
}

impl Body {
    /// The body that begins at `at` of what was read.
    pub(super) fn new(
        (stream, secure): (Stream, bool),
        buffer: Vec<u8>,
        at: usize,
        left: Left,
    ) -> Self {
        Self {
            stream,
            secure,
            buffer,
            at,
            left,
        }
    }

    /// The next piece; nothing at the end.
    pub(in super::super) async fn piece(&mut self) -> Step<Option<&[u8]>> {
        let piece = self.next().await.map_err(|err| Failure::talking(&err))?;
        Ok(piece.map(|(from, to)| &self.buffer[from..to]))
    }

    /// Where in the buffer the next piece stands.
    async fn next(&mut self) -> io::Result<Option<(usize, usize)>> {
        loop {
            let most = match self.left {
                Left::Bytes(0) => return Ok(None),
                Left::Bytes(left) | Left::Chunked(Chunk::Bytes(left)) => left,
                Left::UntilClosed => u64::MAX,
                Left::Chunked(at) => {
                    self.left = self.frame(at).await?;
                    continue;
                }
            };
            if self.at == self.buffer.len() && self.fill().await? == 0 {
                if self.left != Left::UntilClosed {
                    return Err(cut());
                }
                self.left = Left::Bytes(0);
                continue;
            }
            let there = self.buffer.len() - self.at;
            let take = usize::try_from(most).unwrap_or(usize::MAX).min(there);
            let rest = most - take as u64;
            self.left = match self.left {
                Left::Chunked(_) if rest == 0 => Left::Chunked(Chunk::End),
                Left::Chunked(_) => Left::Chunked(Chunk::Bytes(rest)),
                Left::Bytes(_) => Left::Bytes(rest),
                Left::UntilClosed => Left::UntilClosed,
            };
            let from = self.at;
            self.at += take;
            return Ok(Some((from, self.at)));
        }
    }

    /// Reads a line between chunks, and says what follows.
    async fn frame(&mut self, at: Chunk) -> io::Result<Left> {
        let room = match at {
            Chunk::Trailer(room) => room,
            _ => LINES,
        };
        let (from, to) = self.line(room).await?;
        let line = &self.buffer[from..to];
        Ok(match at {
            Chunk::Length => match length(line).ok_or_else(strange)? {
                0 => Left::Chunked(Chunk::Trailer(LINES)),
                length => Left::Chunked(Chunk::Bytes(length)),
            },
            Chunk::Trailer(_) if line.is_empty() => Left::Bytes(0),
            Chunk::Trailer(room) => Left::Chunked(Chunk::Trailer(room - line.len())),
            _ if line.is_empty() => Left::Chunked(Chunk::Length),
            _ => return Err(strange()),
        })
    }

    /// Takes a line, and says where in the buffer it stands without its end.
    async fn line(&mut self, most: usize) -> io::Result<(usize, usize)> {
        let mut seen = 0;
        loop {
            let there = &self.buffer[self.at..];
            if let Some(end) = there[seen..].iter().position(|byte| *byte == b'\n') {
                let line = &there[..seen + end];
                let length = line.strip_suffix(b"\r").unwrap_or(line).len();
                let from = self.at;
                self.at += seen + end + 1;
                return match length <= most {
                    true => Ok((from, from + length)),
                    false => Err(strange()),
                };
            }
            seen = there.len();
            if seen > most {
                return Err(strange());
            }
            if self.fill().await? == 0 {
                return Err(cut());
            }
        }
    }

    /// Reads more behind what is there.
    async fn fill(&mut self) -> io::Result<usize> {
        // Who sends much is read in larger pieces.
        let full = self.buffer.len() == self.buffer.capacity();
        self.buffer.drain(..self.at);
        self.at = 0;
        let least = match full {
            true => (self.buffer.capacity() * 2).min(PIECE),
            false => 1,
        };
        self.buffer.reserve(least);
        self.stream.read_buf(&mut self.buffer).await
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        // Closing is all that a plain connection needs: to say so before is a call of the
        // system more, and the same on the wire.
        if !self.secure {
            return;
        }
        // What cannot be said at once stays unsaid.
        let mut context = Context::from_waker(Waker::noop());
        let _ = Pin::new(&mut self.stream).poll_shutdown(&mut context);
    }
}

/// The length of a chunk; what stands behind a semicolon is for others.
fn length(line: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(line).ok()?;
    let digits = text.split(';').next()?.trim();
    let all = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u64::from_str_radix(digits, 16).ok().filter(|_| all)
}

fn cut() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "the connection was closed before the body was whole",
    )
}

fn strange() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the chunks make no sense")
}
