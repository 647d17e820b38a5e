//! Where copies lie: a folder of this host, or a bucket.
//!
//! A target takes each file whole or not at all, never writes over a key, and
//! fails alone: what happens to one is nothing to the others.

mod bucket;
mod folder;
mod ledger;
mod limit;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

pub use bucket::{Access, Bucket, retries};
pub use folder::Folder;
pub use ledger::Ledger;

use crate::seal::Sum;

/// What a stream to a target is made of. One that stops without its end is
/// given up: its source failed.
#[derive(Debug, Clone)]
pub enum Flow {
    /// The next block.
    Block(Bytes),
    /// All came, and this is what it was.
    End(Sum),
}

/// A file that lies in a target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its key.
    pub key: String,
    /// Its size.
    pub bytes: u64,
    /// When it was last written, in milliseconds since 1970.
    pub modified_ms: i64,
}

/// Why a target did not do what it was asked. No message holds a secret.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// The source ended early; nothing is left in the target.
    #[error("given up, since the source failed")]
    Abandoned,
    /// There is no such file.
    #[error("{0} is not there")]
    Missing(String),
    /// A file is there already under a key that is never used twice.
    #[error("{0} is there already")]
    Exists(String),
    /// The disk is full.
    #[error("no space is left in {0}")]
    Full(String),
    /// It may not be done; asking again is of no use.
    #[error("refused: {0}")]
    Refused(String),
    /// It does not work now.
    #[error("{0}")]
    Failed(String),
}

/// A place for copies.
#[derive(Debug, Clone)]
pub enum Target {
    /// A folder of this host.
    Folder(Arc<Folder>),
    /// A bucket that speaks S3.
    Bucket(Arc<Bucket>),
}

impl Target {
    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Folder(folder) => &folder.name,
            Self::Bucket(bucket) => bucket.name(),
        }
    }

    /// Whether its copies survive this host.
    #[must_use]
    pub fn is_elsewhere(&self) -> bool {
        matches!(self, Self::Bucket(_))
    }

    /// Takes a stream as the file of this key. `expected` is about how large it
    /// will be. The file is there when this returns well, and in no other case.
    ///
    /// # Errors
    /// See [`Error`]; what was begun is taken away again.
    pub async fn take(
        &self,
        key: &str,
        expected: u64,
        flow: mpsc::Receiver<Flow>,
    ) -> Result<(), Error> {
        match self {
            Self::Folder(folder) => folder.take(key, flow).await,
            Self::Bucket(bucket) => bucket.take(key, expected, flow).await,
        }
    }

    /// The same of a stream that is there to be read again, so many bytes: what has arrived
    /// by an earlier try is compared and not sent once more. One that is cut off again is
    /// not taken away: it goes on the next time.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn go_on(
        &self,
        key: &str,
        bytes: u64,
        flow: mpsc::Receiver<Flow>,
    ) -> Result<(), Error> {
        match self {
            Self::Folder(folder) => folder.take(key, flow).await,
            Self::Bucket(bucket) => bucket.go_on(key, bytes, flow).await,
        }
    }

    /// Writes a small file whole; it must not be there yet.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<(), Error> {
        match self {
            Self::Folder(folder) => folder.put(key, bytes).await,
            Self::Bucket(bucket) => bucket.put(key, bytes.into()).await,
        }
    }

    /// Reads a small file whole.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn get(&self, key: &str) -> Result<Vec<u8>, Error> {
        let mut flow = self.read(key).await?;
        let mut all = Vec::new();
        while let Some(bytes) = flow.recv().await {
            all.extend_from_slice(&bytes?);
            if all.len() > SMALL {
                return Err(Error::Failed(format!("{key} is far too large")));
            }
        }
        Ok(all)
    }

    /// Reads a file as a stream, which ends with an error if it cannot be read
    /// to its end.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn read(&self, key: &str) -> Result<mpsc::Receiver<Result<Bytes, Error>>, Error> {
        match self {
            Self::Folder(folder) => folder.read(key).await,
            Self::Bucket(bucket) => bucket.read(key).await,
        }
    }

    /// The size of a file.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn size(&self, key: &str) -> Result<u64, Error> {
        match self {
            Self::Folder(folder) => folder.size(key).await,
            Self::Bucket(bucket) => bucket.size(key).await,
        }
    }

    /// All files whose keys begin so; complete, or an error.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn list(&self, prefix: &str) -> Result<Vec<Entry>, Error> {
        match self {
            Self::Folder(folder) => folder.list(prefix).await,
            Self::Bucket(bucket) => bucket.list(prefix).await,
        }
    }

    /// Deletes a file; one that is gone is deleted.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn delete(&self, key: &str) -> Result<(), Error> {
        match self {
            Self::Folder(folder) => folder.delete(key).await,
            Self::Bucket(bucket) => bucket.delete(key).await,
        }
    }

    /// Looks whether about so many bytes will find room; a bucket has no end.
    ///
    /// # Errors
    /// When it will not.
    pub async fn room_for(&self, bytes: u64) -> Result<(), Error> {
        match self {
            Self::Folder(folder) => folder.room_for(bytes).await,
            Self::Bucket(_) => Ok(()),
        }
    }

    /// Takes away what dead runs left below this prefix, but for uploads of these keys,
    /// of so many bytes, that can go on. The caller sees to it that no run writes there.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn sweep(&self, prefix: &str, wanted: &BTreeMap<String, u64>) -> Result<u64, Error> {
        match self {
            Self::Folder(folder) => folder.sweep(prefix).await,
            Self::Bucket(bucket) => bucket.sweep(prefix, wanted).await,
        }
    }
}

/// A small file is smaller: the manifest of a database with 100,000 tables.
const SMALL: usize = 32 << 20;

/// How long anything may take that moves no data.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
