//! One at a time: backup, prune, verify, drill and restore of one job exclude
//! each other, between processes too. The kernel lets go of it when a process dies.

use std::fs::File;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// Why nothing was begun.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum Taken {
    /// Somebody else is at work on this job.
    #[error("another run of {0} goes on")]
    Held(String),
    /// It cannot be begun: the lock cannot be had, or the settings are at fault.
    #[error("{0}")]
    Unable(String),
}

impl Taken {
    /// Whether nothing is wrong but that somebody else is at work.
    #[must_use]
    pub fn is_held(&self) -> bool {
        matches!(self, Self::Held(_))
    }
}

/// The right to work on a job, until it is dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Drop for Lock {
    /// Closing is not enough: a program that is being started elsewhere in this
    /// process has the file too, until it begins.
    fn drop(&mut self) {
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

fn path(work: &Path, job: &str) -> PathBuf {
    work.join("locks").join(format!("{job}.lock"))
}

impl Lock {
    /// Takes the lock of a job, or says why not; never waits.
    ///
    /// # Errors
    /// When another run of the job goes on, or the folder cannot be written.
    pub fn take(work: &Path, job: &str) -> Result<Self, Taken> {
        let path = path(work, job);
        let folder = work.join("locks");
        let open = || {
            std::fs::create_dir_all(&folder)?;
            File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&path)
        };
        let unable = |err: String| Taken::Unable(format!("{}: {err}", path.display()));
        let file = open().map_err(|err| unable(err.to_string()))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(Taken::Held(job.to_owned())),
            Err(err) => Err(unable(err.to_string())),
        }
    }

    /// The jobs that ever had a lock.
    pub(crate) fn all(work: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(work.join("locks"));
        let names = entries.into_iter().flatten().flatten();
        let name = |entry: std::fs::DirEntry| {
            let name = entry.file_name().into_string().ok()?;
            Some(name.strip_suffix(".lock")?.to_owned())
        };
        names.filter_map(name).collect()
    }

    /// Whether somebody is known to hold it; a folder that cannot be written hides none.
    pub(crate) fn is_held(work: &Path, job: &str) -> bool {
        let Ok(file) = File::open(path(work, job)) else {
            return false;
        };
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => {
                drop(Self { file });
                false
            }
            Err(err) => err == rustix::io::Errno::WOULDBLOCK,
        }
    }
}
