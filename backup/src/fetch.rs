//! Fetching a piece: downloaded, hashed, decrypted, unpacked, hashed again. Only
//! when all of it is right does it count; what was passed on by then does not.

use std::io::{self, Read, Write};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::age::{Identity, OpenError};
use crate::apart;
use crate::manifest::Piece;
use crate::seal;
use crate::target::{self, Target};

/// Why a piece is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be fetched now.
    #[error("{0}")]
    Target(target::Error),
    /// It is encrypted, and no key of ours opens it.
    #[error("{0} is encrypted, and no key that is here opens it")]
    Key(String),
    /// It is not what was stored.
    #[error("{name} is damaged: {why}")]
    Damaged {
        /// The piece.
        name: String,
        /// In which way.
        why: String,
    },
    /// What is fetched cannot be put where it should go.
    #[error("cannot keep what is fetched: {0}")]
    Write(io::Error),
}

impl Error {
    /// Whether the copy is at fault: it is not there, or not what was stored.
    #[must_use]
    pub fn is_unsound(&self) -> bool {
        matches!(
            self,
            Self::Damaged { .. } | Self::Target(target::Error::Missing(_))
        )
    }
}

/// Fetches a piece into `out`.
///
/// # Errors
/// See [`Error`].
pub async fn fetch(
    target: &Target,
    piece: &Piece,
    identities: &[Identity],
    out: impl Write + Send + 'static,
) -> Result<(), Error> {
    let flow = target.read(&piece.key).await.map_err(Error::Target)?;
    let (piece, identities) = (piece.clone(), identities.to_vec());
    let name = piece.name.clone();
    let opened = apart::thread(move || open(&piece, &identities, flow, out));
    let opened = opened.map_err(|err| Error::Write(io::Error::other(err)))?;
    opened.await.unwrap_or_else(|_| {
        Err(Error::Damaged {
            name,
            why: "reading it panicked".into(),
        })
    })
}

fn open(
    piece: &Piece,
    identities: &[Identity],
    flow: mpsc::Receiver<Result<Bytes, target::Error>>,
    out: impl Write + Send,
) -> Result<(), Error> {
    let mut incoming = Incoming {
        flow,
        block: Bytes::new(),
        failed: None,
    };
    let mut outgoing = Outgoing { out, failed: None };
    let sealed = !piece.recipients.is_empty();
    let opened = seal::open(&mut incoming, identities, sealed, &mut outgoing);
    let damaged = |why: String| Error::Damaged {
        name: piece.name.clone(),
        why,
    };
    let sum = match opened {
        Ok(sum) => sum,
        Err(err) => {
            if let Some(failed) = incoming.failed {
                return Err(Error::Target(failed));
            }
            if let Some(failed) = outgoing.failed {
                return Err(Error::Write(failed));
            }
            let wrong = err
                .get_ref()
                .and_then(|err| err.downcast_ref::<OpenError>());
            if wrong == Some(&OpenError::WrongKey) {
                return Err(Error::Key(piece.name.clone()));
            }
            if err.kind() == io::ErrorKind::WouldBlock {
                // The kernel had no thread to give, which says nothing of the copy.
                return Err(Error::Write(err));
            }
            return Err(damaged(err.to_string()));
        }
    };
    if sum.stored_sha256 != piece.stored_sha256 || sum.stored_bytes != piece.stored_bytes {
        return Err(damaged(
            "what is stored has another sum than was stored".into(),
        ));
    }
    if sum.raw_sha256 != piece.raw_sha256 || sum.raw_bytes != piece.raw_bytes {
        return Err(damaged(
            "what was unpacked has another sum than was packed".into(),
        ));
    }
    Ok(())
}

struct Incoming {
    flow: mpsc::Receiver<Result<Bytes, target::Error>>,
    block: Bytes,
    failed: Option<target::Error>,
}

impl Read for Incoming {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.block.is_empty() {
            match self.flow.blocking_recv() {
                None => return Ok(0),
                Some(Ok(block)) => self.block = block,
                Some(Err(err)) => {
                    self.failed = Some(err);
                    return Err(io::Error::other("it cannot be fetched"));
                }
            }
        }
        let taken = into.len().min(self.block.len());
        into[..taken].copy_from_slice(&self.block.split_to(taken));
        Ok(taken)
    }
}

/// Remembers that writing failed, and why.
struct Outgoing<W> {
    out: W,
    failed: Option<io::Error>,
}

impl<W: Write> Write for Outgoing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes).map_err(|err| self.keep(err))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush().map_err(|err| self.keep(err))
    }
}

impl<W> Outgoing<W> {
    fn keep(&mut self, err: io::Error) -> io::Error {
        let told = io::Error::new(err.kind(), err.to_string());
        self.failed.get_or_insert(err);
        told
    }
}

/// Passes what is fetched on to a task that waits for it.
#[derive(Debug)]
pub struct Passing(pub mpsc::Sender<Bytes>);

impl Write for Passing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.0
            .blocking_send(Bytes::copy_from_slice(bytes))
            .map_err(gone)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
