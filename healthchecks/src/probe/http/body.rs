//! The body of an answer: read and unpacked piece by piece, never more than may
//! be, however little of it came over the wire, and kept only where there is room.

use std::io::Write as _;

use flate2::write::{GzDecoder, ZlibDecoder};
use tokio::sync::SemaphorePermit;
use tokio::time::{Instant, timeout_at};

use super::super::reason::{Failure, Reason, Step};
use super::exchange::Body;
use super::room::{self, SHORT};

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
    _room: Option<SemaphorePermit<'static>>,
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
    let mut room = None;
    let read = fill(&mut unpacker, &mut room, body, wanted, deadline).await;
    let sink = unpacker.sink();
    let bytes = std::mem::take(&mut sink.kept);
    (sink.length, read.map(|()| Kept { bytes, _room: room }))
}

async fn fill(
    unpacker: &mut Unpacker,
    room: &mut Option<SemaphorePermit<'static>>,
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
                Err(err) if err.kind() == std::io::ErrorKind::WouldBlock && room.is_none() => {
                    let most = wanted
                        .stated
                        .map_or(wanted.most, |stated| stated.min(wanted.most));
                    let granted = timeout_at(deadline, room::room(most)).await;
                    *room = Some(granted.map_err(|_| {
                        let why = "too many long bodies at once: there was no room in time";
                        Failure::new(Reason::Internal, why)
                    })?);
                    unpacker.sink().granted = usize::try_from(most).unwrap_or(usize::MAX);
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

    use super::super::once;
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

    #[tokio::test(start_paused = true)]
    async fn all_bodies_that_are_kept_share_one_room() {
        let all = room::free();
        let soon = || Instant::now() + Duration::from_secs(10);
        // Each of them could become as long as it may.
        let mut slow = Vec::new();
        for at in 0..8 {
            let mut body = answer(vec![b' '; SHORT + at + 1], false, false).await;
            // The first ones have it for longer than the others can wait.
            let until = Instant::now() + Duration::from_secs(if at < 4 { 10 } else { 5 });
            slow.push(tokio::spawn(async move {
                let wanted = wanted(Packing::None, 16 * MIB, None);
                read(&mut body, wanted, until).await.1
            }));
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!((all, room::free()), (64, 0), "four have it");
        // A short one needs none.
        let mut short = answer(vec![b'x'; SHORT], false, true).await;
        let (length, read_short) = read(&mut short, wanted(Packing::None, MIB, None), soon()).await;
        assert_eq!(
            (length, read_short.unwrap().bytes.len()),
            (SHORT as u64, SHORT)
        );
        let mut told = Vec::new();
        for one in slow {
            told.push(one.await.unwrap().unwrap_err().reason);
        }
        told.sort_by_key(|reason| reason.as_str());
        let expected = [[Reason::BodyTimeout; 4], [Reason::Internal; 4]].concat();
        assert_eq!(told, expected);
        assert_eq!(room::free(), all, "it is given back");
        // One that states its length takes no more than that, and keeps it while it is looked at.
        let bytes: Vec<u8> = (0..=255).cycle().take(3 << 19).collect();
        let mut long = answer(bytes.clone(), true, true).await;
        let wanted_long = wanted(Packing::None, 16 * MIB, Some(bytes.len() as u64));
        let kept = read(&mut long, wanted_long, soon()).await.1.unwrap();
        assert!(kept.bytes == bytes);
        assert_eq!(room::free(), all - 2);
        drop(kept);
        // What waited for room is whole.
        let mut long = answer(packed(&bytes), false, true).await;
        let kept = read(&mut long, wanted(Packing::Gzip, 16 * MIB, None), soon()).await;
        assert!(kept.1.unwrap().bytes == bytes);
        // One that is longer than the whole room may be has all of it.
        let mut long = answer(bytes.clone(), false, true).await;
        let kept = read(&mut long, wanted(Packing::None, 512 * MIB, None), soon()).await;
        assert_eq!((kept.0, room::free()), (bytes.len() as u64, 0));
    }
}
