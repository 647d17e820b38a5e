//! Samples that are some hours old, on the disk, so that a day of them does not
//! live in memory.
//!
//! `DIR/series/archive/` has numbered files. [`Store::put_away`] writes full chunks
//! that ended an hour ago into a new one, forces it onto the disk under its name,
//! and only then takes them out of memory; a file is never changed afterwards. Of a
//! file memory knows where its pages begin and no more. The newest chunk of each
//! series stays in memory, so that a series is known without a disk.
//!
//! Files have the store's own times, so a stepped clock leaves them alone. After a
//! crash the same chunk may stand in memory and in a file, or in two of them: what
//! is read comes in order of time and each time once, and from where memory begins
//! it alone counts. What cannot be read, or not soon, is left out, and counted. When
//! nothing can be written, chunks stay in memory, within its cap.

mod file;
mod read;
mod write;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::{fs, io};

use exposition::Labels;

pub(crate) use read::TOGETHER;
pub use write::{PutAway, PutAwayError};

use crate::disk::record;
use crate::{Fault, FaultKind};
use file::File;
use write::Writing;

/// Ends the name of a file that is not whole yet.
const UNFINISHED: &str = "new";

/// The files, the oldest first.
type Files = Arc<Vec<Arc<File>>>;

/// The archive of a store.
#[derive(Debug)]
pub(crate) struct Archive {
    folder: PathBuf,
    files: RwLock<Files>,
    /// Held while a file is written.
    writing: Mutex<Writing>,
    /// Apart, so that nobody waits for I/O to read it.
    error: Mutex<Option<String>>,
    /// Pages that could not be read.
    unreadable: AtomicU64,
    /// Threads that wait for a disk which does not answer.
    stuck: Mutex<Vec<JoinHandle<()>>>,
    /// Memory is short: everything that may go is to go with the next call.
    pub(crate) pressed: AtomicBool,
    /// Bytes of full chunks in memory that are old enough to go, and when the
    /// oldest of them ended; as the last [`Store::maintain`] saw them.
    pub(crate) cold_bytes: AtomicU64,
    pub(crate) coldest: AtomicI64,
}

impl Archive {
    /// The one in a folder, which need not be there yet, and what is wrong with it.
    /// Files that cannot have been written whole are taken out.
    pub(crate) fn open(folder: PathBuf) -> (Self, Vec<Fault>) {
        let (mut files, mut faults) = (Vec::new(), Vec::new());
        for path in entries(&folder, &mut Vec::new()) {
            if path.extension().is_some_and(|end| end == UNFINISHED) {
                let _ = fs::remove_file(path);
            }
        }
        let mut writing = Writing::default();
        let listed = names(&folder, &mut faults);
        writing.begin_with(listed, !faults.is_empty());
        for (path, err) in writing.open_missing(&mut files) {
            faults.push(fault(&path, &err));
        }
        let archive = Self {
            folder,
            files: RwLock::new(Arc::new(files)),
            writing: Mutex::new(writing),
            error: Mutex::default(),
            unreadable: AtomicU64::new(0),
            stuck: Mutex::default(),
            pressed: AtomicBool::new(false),
            cold_bytes: AtomicU64::new(0),
            coldest: AtomicI64::new(i64::MAX),
        };
        (archive, faults)
    }

    /// The clock and the next series' id as the newest file knows them.
    pub(crate) fn clock_and_id(&self) -> Option<(i64, u64)> {
        let files = self.files();
        let id = files.iter().map(|file| file.next_id).max()?;
        Some((files.last()?.clock, id))
    }

    /// The time of the oldest sample.
    pub(crate) fn from(&self) -> Option<i64> {
        self.files().iter().map(|file| file.from).min()
    }

    /// Length of all files.
    pub(crate) fn bytes(&self) -> u64 {
        self.files().iter().map(|file| file.bytes).sum()
    }

    /// Why the last write failed; `None` if it did not.
    pub(crate) fn error(&self) -> Option<String> {
        self.lock_error().clone()
    }

    /// How many pages could not be read.
    pub(crate) fn unreadable(&self) -> u64 {
        self.unreadable.load(Ordering::Relaxed)
    }

    fn files(&self) -> Files {
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        files.clone()
    }

    /// Whether the files are these.
    fn has_still(&self, known: &Files) -> bool {
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        Arc::ptr_eq(&files, known)
    }

    fn set_files(&self, files: Vec<Arc<File>>) {
        let mut all = self.files.write().unwrap_or_else(PoisonError::into_inner);
        *all = Arc::new(files);
    }

    fn lock_error(&self) -> MutexGuard<'_, Option<String>> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As if this thread waited for the disk.
    #[cfg(test)]
    pub(crate) fn stuck_behind(&self, thread: JoinHandle<()>) {
        self.lock_stuck().push(thread);
    }

    fn lock_stuck(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.stuck.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_writing(&self) -> MutexGuard<'_, Writing> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is wrong with the files, read from end to end; changes nothing.
pub(crate) fn faults(folder: &Path) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (number, path) in names(folder, &mut faults) {
        match record::read(&path, |_| Some(())) {
            Ok((_, found)) if found.is_empty() => {
                let opened = File::open(&path, number);
                faults.extend(opened.err().map(|err| fault(&path, &err)));
            }
            Ok((_, found)) => faults.extend(found.into_iter().map(|found| Fault {
                file: name(&path),
                ..found
            })),
            Err(err) => faults.push(fault(&path, &err)),
        }
    }
    faults
}

/// The numbers and paths of all files, in order.
fn names(folder: &Path, faults: &mut Vec<Fault>) -> Vec<(u64, PathBuf)> {
    let number = |path: &Path| path.file_name()?.to_str()?.parse().ok();
    let all = entries(folder, faults).into_iter();
    let mut names: Vec<(u64, PathBuf)> = all
        .filter_map(|path| Some((number(&path)?, path)))
        .collect();
    names.sort_unstable();
    names
}

fn entries(folder: &Path, faults: &mut Vec<Fault>) -> Vec<PathBuf> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        Err(err) => {
            if err.kind() != io::ErrorKind::NotFound {
                faults.push(fault(folder, &err));
            }
            Vec::new()
        }
    }
}

fn fault(path: &Path, err: &io::Error) -> Fault {
    let kind = match err.kind() {
        io::ErrorKind::InvalidData => FaultKind::Damaged,
        _ => FaultKind::Unreadable(err.to_string()),
    };
    Fault {
        file: name(path),
        at: 0,
        bytes: fs::metadata(path).map_or(0, |file| file.len()),
        kind,
    }
}

fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    format!("archive/{name}")
}

/// What a file keeps of a label set, to tell that an id means the same series still.
fn check(labels: &Labels) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for text in labels.iter().flat_map(|(name, value)| [name, value]) {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.finalize()
}
