//! A folder of files as a source of backups and a target of restores.
//!
//! The archive is tar in POSIX' form, so that any tar opens it; beside it lies an
//! index with the hash of every file, by which drills and restores compare. All of
//! it streams: memory follows from the largest single folder, never from the tree.

mod entry;
mod glob;
mod header;
mod holes;
mod index;
mod pack;
mod read;
mod same;
mod sqlite;
mod unpack;
mod walk;

pub use entry::{Beside, Entry, Kind, Xattrs};
pub use glob::Glob;
pub use index::{Index, Line};
pub use pack::{Options, Tally, pack};
pub use read::{Archive, Each};
pub use same::{Difference, same_archive, same_tree};
pub use sqlite::{check as check_sqlite, is_sqlite};
pub use unpack::{Manner, Unpacked, unpack};
pub use walk::{Found, Walk};

use std::io;

/// Why a tree cannot be archived or an archive cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The tree itself is not to be had.
    #[error("{0}")]
    Root(String),
    /// Nobody takes the archive any more.
    #[error("nobody takes the archive any more")]
    Stopped,
    /// Something of it can neither be read nor written.
    #[error("{path}: {source}")]
    Io {
        /// What, within the tree.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The archive is none of ours, or was changed.
    #[error("the archive cannot be read: {0}")]
    Archive(String),
    /// There is more than was allowed.
    #[error("{0}")]
    Limit(String),
}

/// A path as people read it, whatever bytes it has.
#[must_use]
pub fn shown(path: &[u8]) -> String {
    if path.is_empty() {
        return ".".to_owned();
    }
    let text = String::from_utf8_lossy(path);
    text.chars()
        .map(|letter| if letter.is_control() { '?' } else { letter })
        .collect()
}
