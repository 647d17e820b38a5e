//! An archive of files as it comes from a target: read while it is fetched. What
//! was read counts only when all of it was fetched and has the sums it should.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::age::Identity;
use crate::apart;
use crate::fetch::{self, Passing, fetch};
use crate::files::{self, Archive, Difference, Index, same_archive};
use crate::manifest::{Manifest, Piece};
use crate::target::Target;

/// Why an archive is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be fetched.
    #[error(transparent)]
    Fetch(#[from] fetch::Error),
    /// It cannot be read, or what is done with it fails.
    #[error(transparent)]
    Files(#[from] files::Error),
    /// It is not what its index says.
    #[error("it is not what its index says: {}", .0.join("; "))]
    Differs(Vec<Difference>),
    /// It is no backup of files, or there is no room for what is made of it.
    #[error("{0}")]
    Around(String),
}

impl Error {
    /// Whether the backup is at fault, and not what is around it.
    #[must_use]
    pub fn is_unsound(&self) -> bool {
        match self {
            Self::Fetch(err) => err.is_unsound(),
            Self::Files(err) => matches!(err, files::Error::Archive(_)),
            Self::Differs(_) => true,
            Self::Around(_) => false,
        }
    }
}

/// A piece of a backup of files.
///
/// # Errors
/// When it has none.
pub fn piece<'a>(manifest: &'a Manifest, name: &str) -> Result<&'a Piece, Error> {
    manifest
        .piece(name)
        .ok_or_else(|| Error::Around(format!("the backup has no {name}")))
}

/// Reads the archive of a backup from a target. `work` runs on a thread of its own,
/// and must read the archive to its end.
///
/// # Errors
/// See [`Error`].
pub async fn opened<T: Send + 'static>(
    target: &Target,
    manifest: &Manifest,
    identities: &[Identity],
    work: impl FnOnce(&mut Archive<Incoming>) -> Result<T, files::Error> + Send + 'static,
) -> Result<T, Error> {
    let (give, take) = mpsc::channel(8);
    let reading = apart::thread(move || {
        work(&mut Archive::new(Incoming {
            take,
            block: Bytes::new(),
        }))
    });
    let reading = reading.map_err(|err| Error::Around(err.to_string()))?;
    let archive = piece(manifest, "archive")?;
    let fetched = fetch(target, archive, identities, Passing(give)).await;
    let read = reading
        .await
        .map_err(|_| Error::Around("reading the archive panicked".to_owned()))?;
    match (fetched, read) {
        (Ok(()), Ok(value)) => Ok(value),
        // Whoever reads has stopped: why is what matters.
        (Ok(()) | Err(fetch::Error::Write(_)), Err(err)) => Err(err.into()),
        // What was cut reads as cut: the cause is that it was not fetched.
        (Err(err), _) => Err(err.into()),
    }
}

/// Fetches the index of a backup into a file without a name.
///
/// # Errors
/// See [`Error`].
pub async fn index(
    target: &Target,
    manifest: &Manifest,
    identities: &[Identity],
    folder: &Path,
) -> Result<File, Error> {
    let index = piece(manifest, "index")?;
    room(folder, index.raw_bytes)?;
    let around = |err: io::Error| Error::Around(format!("{}: {err}", folder.display()));
    let file = tempfile::tempfile_in(folder).map_err(around)?;
    let mut out = file.try_clone().map_err(around)?;
    fetch(target, index, identities, out.try_clone().map_err(around)?).await?;
    io::Seek::rewind(&mut out).map_err(around)?;
    Ok(file)
}

/// Reads an index that was fetched from its beginning.
#[must_use]
pub fn lines(index: File) -> Index<BufReader<File>> {
    Index::new(BufReader::with_capacity(128 << 10, index))
}

/// Reads a copy to its end, and compares each entry with the index.
///
/// # Errors
/// See [`Error`].
pub async fn check(
    target: &Target,
    manifest: &Manifest,
    identities: &[Identity],
    folder: &Path,
) -> Result<(), Error> {
    let index = index(target, manifest, identities, folder).await?;
    let differs = opened(target, manifest, identities, move |archive| {
        same_archive(archive, &mut lines(index))
    });
    let differs = differs.await?;
    if differs.is_empty() {
        Ok(())
    } else {
        Err(Error::Differs(differs))
    }
}

/// So many bytes stay free beside what is unpacked, restored or kept.
pub(crate) const RESERVE: u64 = 64 << 20;

/// How many bytes are free on the disk of a folder, for whoever may write there.
pub(crate) fn free(folder: &Path) -> io::Result<u64> {
    let about = rustix::fs::statvfs(folder)?;
    Ok(about.f_bavail.saturating_mul(about.f_frsize))
}

/// Whether so many bytes find room in a folder.
///
/// # Errors
/// When they do not.
pub fn room(folder: &Path, bytes: u64) -> Result<(), Error> {
    let free = free(folder).map_err(|err| Error::Around(format!("{}: {err}", folder.display())))?;
    if free < bytes.saturating_add(RESERVE) {
        let folder = folder.display();
        return Err(Error::Around(format!(
            "{folder}: {free} bytes are free, and {bytes} are needed to unpack it"
        )));
    }
    Ok(())
}

/// What is fetched, as it comes.
#[derive(Debug)]
pub struct Incoming {
    take: mpsc::Receiver<Bytes>,
    block: Bytes,
}

impl Read for Incoming {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.block.is_empty() {
            match self.take.blocking_recv() {
                None => return Ok(0),
                Some(block) => self.block = block,
            }
        }
        let taken = into.len().min(self.block.len());
        into[..taken].copy_from_slice(&self.block.split_to(taken));
        Ok(taken)
    }
}
