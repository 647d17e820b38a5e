//! The body of an answer: read and unpacked piece by piece, never more than may
//! be, however little of it came over the wire, and kept only where there is room.

use std::io::Write as _;

use flate2::write::{GzDecoder, ZlibDecoder};
use tokio::time::{Instant, timeout_at};

use super::super::reason::{Failure, Reason, Step};
use super::exchange::Body;
use super::room::{Room, SHORT};

/// A body is no longer than this, unless the module says so.
pub(super) const MOST: u64 = 16 << 20;

/// How it is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    None,
    Gzip,
    Deflate,
}

/// What is wanted of a body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) packing: Packing,
    /// Whether somebody looks at it.
    pub(super) keep: bool,
    /// The most bytes that it may have.
    pub(super) most: u64,
    /// The length that the server states, if it is that of the body as it is kept.
    pub(super) stated: Option<u64>,
}

/// A body with the room that it takes.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) bytes: Vec<u8>,
    _room: Room,
}

/// Takes the unpacked bytes: counts them, and keeps them where somebody looks at them.
#[derive(Debug)]
struct Sink {
    kept: Vec<u8>,
    keep: bool,
    length: u64,
    most: u64,
    /// For so many bytes there is room.
    granted: usize,
}

impl std::io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.length + bytes.len() as u64 > self.most {
            self.length += bytes.len() as u64;
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        if self.keep {
            if self.kept.len() + bytes.len() > self.granted {
                return Err(std::io::ErrorKind::WouldBlock.into());
            }
            self.kept.extend_from_slice(bytes);
        }
        self.length += bytes.len() as u64;
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
    fn new(packing: Packing, sink: Sink) -> Self {
        match packing {
            Packing::None => Self::None(sink),
            Packing::Gzip => Self::Gzip(Box::new(GzDecoder::new(sink))),
            Packing::Deflate => Self::Deflate(Box::new(ZlibDecoder::new(sink))),
        }
    }

    /// Takes what it can of a piece, and cuts it off.
    fn take(&mut self, piece: &mut &[u8]) -> std::io::Result<()> {
        while !piece.is_empty() {
            let taken = match self {
                Self::None(sink) => sink.write(piece),
                Self::Gzip(decoder) => decoder.write(piece),
                Self::Deflate(decoder) => decoder.write(piece),
            };
            match taken? {
                0 => return Err(std::io::ErrorKind::WriteZero.into()),
                taken => *piece = &piece[taken..],
            }
        }
        Ok(())
    }

    /// Unpacks what is left.
    fn end(&mut self) -> std::io::Result<()> {
        match self {
            Self::None(_) => Ok(()),
            Self::Gzip(decoder) => decoder.try_finish(),
            Self::Deflate(decoder) => decoder.try_finish(),
        }
    }

    fn sink(&mut self) -> &mut Sink {
        match self {
            Self::None(sink) => sink,
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Deflate(decoder) => decoder.get_mut(),
        }
    }
}

/// Reads a body to its end: its bytes, if they are to be kept, and its length.
/// The length is told of one that fails as well.
pub(super) async fn read(body: &mut Body, wanted: Wanted, deadline: Instant) -> (u64, Step<Kept>) {
    let mut unpacker = Unpacker::new(
        wanted.packing,
        Sink {
            kept: Vec::new(),
            keep: wanted.keep,
            length: 0,
            most: wanted.most,
            granted: SHORT,
        },
    );
    let mut room = Room::default();
    let read = fill(&mut unpacker, &mut room, body, wanted, deadline).await;
    let sink = unpacker.sink();
    let bytes = std::mem::take(&mut sink.kept);
    (sink.length, read.map(|()| Kept { bytes, _room: room }))
}

async fn fill(
    unpacker: &mut Unpacker,
    room: &mut Room,
    body: &mut Body,
    wanted: Wanted,
    deadline: Instant,
) -> Step<()> {
    loop {
        let piece = timeout_at(deadline, body.piece())
            .await
            .map_err(|_| Failure::new(Reason::BodyTimeout, "the body did not end in time"))?;
        let piece = piece.map_err(|failure| match failure.reason {
            Reason::Protocol => Failure::new(Reason::Closed, "the body was cut off"),
            _ => failure,
        })?;
        let ended = piece.is_none();
        let mut piece = piece.unwrap_or_default();
        loop {
            let taken = match ended {
                true => unpacker.end(),
                false => unpacker.take(&mut piece),
            };
            match taken {
                Ok(()) if ended => return Ok(()),
                Ok(()) => break,
                Err(err) if err.kind() == std::io::ErrorKind::WouldBlock => {
                    let most = wanted
                        .stated
                        .map_or(wanted.most, |stated| stated.min(wanted.most));
                    let grown = timeout_at(deadline, room.grow(most)).await;
                    unpacker.sink().granted = grown.map_err(|_| {
                        let why = "too many long bodies at once: there was no room in time";
                        Failure::new(Reason::Internal, why)
                    })?;
                }
                Err(err) => return Err(refused(&err, wanted.most)),
            }
        }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::AsyncWriteExt as _;

    use super::super::{once, room};
    use super::*;

    /// An answer with this body, which then says no more.
    async fn answer(body: Vec<u8>, stated: bool, ends: bool) -> Body {
        let (near, mut far) = tokio::io::duplex(64 << 10);
        let length = match stated {
            true => format!("Content-Length: {}\r\n", body.len() + usize::from(!ends)),
            false => String::new(),
        };
        tokio::spawn(async move {
            let head = format!("HTTP/1.1 200 OK\r\n{length}\r\n");
            // Who asked may be gone.
            let _ = far.write_all(head.as_bytes()).await;
            let _ = far.write_all(&body).await;
            if !ends {
                std::future::pending::<()>().await;
            }
        });
        let request = hyper::Request::new(hyper::body::Bytes::new());
        let (_, body) = once::ask(Box::new(near), false, &request).await.unwrap();
        Body::One(body)
    }

    const MIB: u64 = 1 << 20;

    fn wanted(packing: Packing, most: u64, stated: Option<u64>) -> Wanted {
        Wanted {
            packing,
            keep: true,
            most,
            stated,
        }
    }

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    /// Many that send so much and then no more, each looked at until then.
    async fn slow(
        count: usize,
        length: usize,
        until: Instant,
    ) -> Vec<tokio::task::JoinHandle<Step<Kept>>> {
        let mut slow = Vec::new();
        for _ in 0..count {
            let mut body = answer(vec![b' '; length], false, false).await;
            slow.push(tokio::spawn(async move {
                let wanted = wanted(Packing::None, 16 * MIB, None);
                read(&mut body, wanted, until).await.1
            }));
            // One after the other.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        slow
    }

    async fn ended(reads: Vec<tokio::task::JoinHandle<Step<Kept>>>) -> Vec<Reason> {
        let mut told = Vec::new();
        for one in reads {
            told.push(one.await.unwrap().unwrap_err().reason);
        }
        told
    }

    /// In one test, since there is one room.
    #[tokio::test(start_paused = true)]
    async fn all_bodies_that_are_kept_share_one_room() {
        let all = room::free();
        assert_eq!(all, (32, 48));
        let soon = |seconds| Instant::now() + Duration::from_secs(seconds);
        let whole = async |bytes: &[u8], stated: bool, packing, most| {
            let sent = match packing {
                Packing::None => bytes.to_vec(),
                _ => packed(bytes),
            };
            let length = stated.then_some(bytes.len() as u64);
            let mut body = answer(sent, stated, true).await;
            let (length, kept) = read(&mut body, wanted(packing, most, length), soon(10)).await;
            assert_eq!(length, bytes.len() as u64);
            let kept = kept.unwrap();
            assert!(kept.bytes == bytes);
            kept
        };
        let bytes: Vec<u8> = (0..=255).cycle().take(3 << 19).collect();

        // Each of the slow ones could become as long as it may, but they are not.
        let some = slow(8, SHORT + 1, soon(3600)).await;
        assert_eq!(room::free(), (24, 48));
        drop(whole(&bytes, false, Packing::None, 16 * MIB).await);
        assert_eq!(ended(some).await, [Reason::BodyTimeout; 8]);

        // Of these three have all the room there is, for longer than two others can wait.
        let mut some = slow(3, 513 << 10, soon(3600)).await;
        assert_eq!(room::free(), (29, 0));
        some.extend(slow(2, 513 << 10, soon(60)).await);
        // Who is no longer than this still has a place, and a short one needs none.
        for length in [SHORT, 512 << 10] {
            whole(&bytes[..length], false, Packing::None, 16 * MIB).await;
            whole(&bytes[..length], false, Packing::Gzip, 16 * MIB).await;
        }
        let told = ended(some).await;
        assert_eq!(told[..3], [Reason::BodyTimeout; 3]);
        assert_eq!(told[3..], [Reason::Internal; 2]);
        assert_eq!(room::free(), all, "it is given back");

        // One that states its length takes no more than that, and keeps it while it is looked at.
        let kept = whole(&bytes, true, Packing::None, 16 * MIB).await;
        assert_eq!(room::free(), (31, 46));
        drop(kept);
        // What waited for room is whole.
        drop(whole(&bytes, false, Packing::Gzip, 16 * MIB).await);
        // One that is longer than the whole room may be has all of it.
        let kept = whole(&bytes, false, Packing::None, 512 * MIB).await;
        assert_eq!(room::free(), (31, 0));
        drop(kept);
        assert_eq!(room::free(), all);
    }
}
