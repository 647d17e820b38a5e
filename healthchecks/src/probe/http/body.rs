//! The body of an answer: read and unpacked piece by piece, never more than may
//! be, however little of it came over the wire.

use std::io::Write as _;

use flate2::write::{GzDecoder, ZlibDecoder};
use tokio::time::{Instant, timeout_at};

use super::super::reason::{Failure, Reason, Step};
use super::exchange::Body;

/// A body is no longer than this, unless the module says so.
pub(super) const MOST: u64 = 16 << 20;

/// How it is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    None,
    Gzip,
    Deflate,
}

/// Takes the unpacked bytes: counts them, and keeps them where somebody looks at them.
#[derive(Debug)]
struct Sink {
    kept: Vec<u8>,
    keep: bool,
    length: u64,
    most: u64,
}

impl std::io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.length += bytes.len() as u64;
        if self.length > self.most {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        if self.keep {
            self.kept.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

enum Unpacker {
    None(Sink),
    Gzip(Box<GzDecoder<Sink>>),
    Deflate(Box<ZlibDecoder<Sink>>),
}

impl Unpacker {
    fn take(&mut self, piece: &[u8]) -> std::io::Result<()> {
        match self {
            Self::None(sink) => sink.write_all(piece),
            Self::Gzip(decoder) => decoder.write_all(piece),
            Self::Deflate(decoder) => decoder.write_all(piece),
        }
    }

    fn finish(self) -> std::io::Result<Sink> {
        match self {
            Self::None(sink) => Ok(sink),
            Self::Gzip(decoder) => decoder.finish(),
            Self::Deflate(decoder) => decoder.finish(),
        }
    }

    fn length(&self) -> u64 {
        match self {
            Self::None(sink) => sink.length,
            Self::Gzip(decoder) => decoder.get_ref().length,
            Self::Deflate(decoder) => decoder.get_ref().length,
        }
    }
}

/// Reads a body to its end: its bytes, if they are to be kept, and its length.
/// The length is told of one that fails as well.
pub(super) async fn read(
    body: &mut Body,
    packing: Packing,
    keep: bool,
    most: u64,
    deadline: Instant,
) -> (u64, Step<Vec<u8>>) {
    let sink = Sink {
        kept: Vec::new(),
        keep,
        length: 0,
        most,
    };
    let mut unpacker = match packing {
        Packing::None => Unpacker::None(sink),
        Packing::Gzip => Unpacker::Gzip(Box::new(GzDecoder::new(sink))),
        Packing::Deflate => Unpacker::Deflate(Box::new(ZlibDecoder::new(sink))),
    };
    loop {
        let piece = match timeout_at(deadline, body.piece()).await {
            Err(_) => {
                return (
                    unpacker.length(),
                    Err(Failure::new(
                        Reason::BodyTimeout,
                        "the body did not end in time",
                    )),
                );
            }
            Ok(Ok(None)) => break,
            Ok(Err(failure)) => {
                let failure = match failure {
                    Failure {
                        reason: Reason::Protocol,
                        ..
                    } => Failure::new(Reason::Closed, "the body was cut off"),
                    failure => failure,
                };
                return (unpacker.length(), Err(failure));
            }
            Ok(Ok(Some(piece))) => piece,
        };
        if let Err(err) = unpacker.take(piece) {
            return (unpacker.length(), Err(refused(&err, most)));
        }
    }
    let length = unpacker.length();
    match unpacker.finish() {
        Ok(sink) => (sink.length, Ok(sink.kept)),
        Err(err) => (length, Err(refused(&err, most))),
    }
}

fn refused(err: &std::io::Error, most: u64) -> Failure {
    match err.kind() {
        std::io::ErrorKind::FileTooLarge => Failure::new(
            Reason::BodyTooLarge,
            format!("the body is longer than {most} bytes"),
        ),
        _ => Failure::new(Reason::Protocol, "the body is not packed as it says"),
    }
}
