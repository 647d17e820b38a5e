//! Putting chunks away, and giving up files that are too old or too many.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::file::{File, Unfinished};
use super::{Archive, UNFINISHED, check, fault, names};
use crate::Store;
use crate::disk::Fault;
use crate::samples::Series;
use crate::settings::millis;

/// Chunks are put away once so many bytes of them may go, or one of them has waited
/// for most of an hour.
const WAIT_BYTES: u64 = 16 << 20;

/// The length at which a file ends; what is left goes into the next one.
const LONGEST: u64 = 256 << 20;

/// After failures so many calls pass between two tries at most.
const LONGEST_WAIT: u32 = 20;

/// What a call came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PutAway {
    /// Bytes that were written.
    pub written: u64,
    /// Files that were given up, being too old or too many.
    pub given_up: usize,
    /// Whether this is the first success after failures.
    pub recovered: bool,
    /// Files that could not be opened at the start and turned out to be damaged or
    /// gone: nobody waits for them any more.
    pub lost: Vec<Fault>,
}

/// Chunks could not be put away; they stay in memory until they can.
#[derive(Debug, thiserror::Error)]
#[error("cannot put samples away: {0}")]
pub struct PutAwayError(#[source] io::Error);

/// Where writing stands.
#[derive(Debug, Default)]
pub(super) struct Writing {
    /// The highest number in use.
    last: u64,
    failures: u32,
    wait: u32,
    /// Files that are there and could not be opened yet.
    missing: Vec<(u64, PathBuf)>,
    /// The folder could not be listed yet, so no number is known to be free.
    unlisted: bool,
    /// What was lost since somebody was told.
    lost: Vec<Fault>,
}

impl Writing {
    /// Files that are to be opened, in order, and whether there may be others.
    pub(super) fn begin_with(&mut self, listed: Vec<(u64, PathBuf)>, unlisted: bool) {
        self.last = listed.last().map_or(self.last, |(number, _)| *number);
        (self.missing, self.unlisted) = (listed, unlisted);
    }

    /// Opens what is missing, and says what is wrong with the rest. Files that
    /// cannot have been written whole are taken out; what cannot be read today may
    /// be readable tomorrow, and keeps its number.
    pub(super) fn open_missing(&mut self, files: &mut Vec<Arc<File>>) -> Vec<(PathBuf, io::Error)> {
        let mut wrong = Vec::new();
        self.missing.retain(|(number, path)| {
            let err = match File::open(path, *number) {
                Ok(file) => {
                    files.push(Arc::new(file));
                    return false;
                }
                Err(err) => err,
            };
            if err.kind() == io::ErrorKind::InvalidData {
                let _ = fs::remove_file(path);
            }
            let waits = !is_lost(&err);
            wrong.push((path.clone(), err));
            waits
        });
        files.sort_unstable_by_key(|file| file.number);
        wrong
    }

    /// Tries again what could not be read at the start.
    fn look_again(&mut self, archive: &Archive) {
        if self.unlisted {
            let mut faults = Vec::new();
            let listed = names(&archive.folder, &mut faults);
            if faults.is_empty() {
                self.begin_with(listed, false);
            }
        }
        if !self.missing.is_empty() {
            let had = self.missing.len();
            let mut files = archive.files().to_vec();
            for (path, err) in self.open_missing(&mut files) {
                if is_lost(&err) {
                    self.lost.push(fault(&path, &err));
                }
            }
            if self.missing.len() < had {
                archive.set_files(files);
            }
        }
    }
}

/// Whether a file that gave this error will not be there again.
fn is_lost(err: &io::Error) -> bool {
    matches!(
        err.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::NotFound
    )
}

impl Store {
    /// Writes full chunks that are no longer recent into a file of their own and
    /// takes them out of memory, about once an hour or when memory is short; gives
    /// up files that are older or more than wanted. To be called about every 15 s
    /// from a thread that may wait for a disk; [`Store::maintain`] notes what there
    /// is to do. A failure is an error once: while it goes on the call does nothing
    /// but try again now and then, and figures say why.
    pub fn put_away(&self, now_ms: i64) -> Result<PutAway, PutAwayError> {
        let Some(archive) = self.archive.as_ref() else {
            return Ok(PutAway::default());
        };
        let mut writing = archive.lock_writing();
        writing.look_again(archive);
        let mut done = PutAway {
            given_up: self.give_up(archive),
            lost: std::mem::take(&mut writing.lost),
            ..PutAway::default()
        };
        // What was put away before that is read until it is too old.
        if self.settings.archive_bytes == 0 {
            return Ok(done);
        }
        if writing.wait > 0 {
            writing.wait -= 1;
            return Ok(done);
        }
        let recent_ms = millis(self.settings.recent);
        let recent = self.to_kept(now_ms).saturating_sub(recent_ms);
        let pressed = archive.pressed.load(Ordering::Relaxed);
        let wait = recent_ms - recent_ms / 6;
        let waited = archive.coldest.load(Ordering::Relaxed) < recent.saturating_sub(wait);
        let much = archive.cold_bytes.load(Ordering::Relaxed) > WAIT_BYTES;
        if !pressed && !waited && !much {
            return Ok(done);
        }
        // Everything that is full, where memory is short.
        let until = if pressed { i64::MAX } else { recent };
        let had_failed = writing.failures > 0;
        match self.write_file(archive, &mut writing, until) {
            Ok(bytes) => {
                archive.pressed.store(false, Ordering::Relaxed);
                archive.coldest.store(i64::MAX, Ordering::Relaxed);
                archive.cold_bytes.store(0, Ordering::Relaxed);
                writing.failures = 0;
                *archive.lock_error() = None;
                done.written = bytes;
                done.recovered = had_failed;
                done.given_up += self.give_up(archive);
                Ok(done)
            }
            Err(err) => {
                writing.failures += 1;
                writing.wait = LONGEST_WAIT.min(1 << writing.failures.min(5));
                let err = PutAwayError(err);
                *archive.lock_error() = Some(err.to_string());
                if had_failed {
                    return Ok(done);
                }
                writing.lost = done.lost;
                Err(err)
            }
        }
    }

    /// Writes chunks that ended before `until` into a file, and takes them out of
    /// memory once they are safe there. Gives the file's length.
    fn write_file(&self, archive: &Archive, writing: &mut Writing, until: i64) -> io::Result<u64> {
        let has_some = |series: &Arc<Series>| series.lock().full_before(until) > 0;
        let mut all: Vec<Arc<Series>> = self.pages().flatten().filter(has_some).collect();
        if all.is_empty() {
            return Ok(0);
        }
        if writing.unlisted {
            return Err(io::Error::other("the archive's folder cannot be listed"));
        }
        all.sort_unstable_by_key(|series| series.id);
        fs::create_dir_all(&archive.folder)?;
        let number = writing.last + 1;
        let path = archive.folder.join(format!("{number:08}"));
        let unfinished = path.with_extension(UNFINISHED);
        let written = self.write_to(&unfinished, &all, until);
        let put = written.and_then(|ends| {
            fs::rename(&unfinished, &path)?;
            fs::File::open(&archive.folder)?.sync_all()?;
            Ok((ends, Arc::new(File::open(&path, number)?)))
        });
        let (ends, file) = put.inspect_err(|_| {
            // Whichever of the two it is: nothing has left memory.
            let _ = fs::remove_file(&unfinished);
            let _ = fs::remove_file(&path);
        })?;
        writing.last = number;
        let bytes = file.bytes;
        // Readers look into memory first and at the files after that.
        let mut files = archive.files().to_vec();
        files.push(file);
        archive.set_files(files);
        for (series, last) in all.iter().zip(ends) {
            let grown = series.lock().drop_full(last);
            self.counts.grown(grown);
        }
        if let Some(disk) = &self.disk {
            disk.outdated.store(true, Ordering::Relaxed);
        }
        Ok(bytes)
    }

    /// Writes the file; gives, of each series up to where the file got long, the
    /// time of the last sample that is in it.
    fn write_to(
        &self,
        path: &std::path::Path,
        all: &[Arc<Series>],
        until: i64,
    ) -> io::Result<Vec<i64>> {
        let mut file = Unfinished::begin(path)?;
        let mut ends = Vec::with_capacity(all.len());
        let mut chunks = Vec::new();
        for series in all {
            if file.bytes() > LONGEST {
                break;
            }
            chunks.clear();
            // Copied under the lock, and written without it.
            let copied = series.lock().copy_full(until, &mut chunks);
            let Some((first, last)) = copied else {
                // Gone meanwhile: there is nothing that ended before that.
                ends.push(i64::MIN);
                continue;
            };
            file.add((series.id, check(&series.labels)), &chunks, (first, last))?;
            ends.push(last);
        }
        file.finish(self.clock(), self.read().next_id())?;
        Ok(ends)
    }

    /// Gives up files that are older than wanted, then the oldest while all together
    /// are too large. What cannot be removed is tried again.
    fn give_up(&self, archive: &Archive) -> usize {
        let mut files = archive.files().to_vec();
        let before = files.len();
        let mut bytes: u64 = files.iter().map(|file| file.bytes).sum();
        while let Some(oldest) = files.first() {
            if bytes > self.settings.archive_bytes && self.settings.archive_bytes > 0 {
                self.oldest
                    .fetch_max(oldest.to.saturating_add(1), Ordering::Relaxed);
            }
            if oldest.to >= self.oldest.load(Ordering::Relaxed) {
                break;
            }
            match fs::remove_file(archive.folder.join(format!("{:08}", oldest.number))) {
                Err(err) if err.kind() != io::ErrorKind::NotFound => break,
                _ => bytes -= oldest.bytes,
            }
            files.remove(0);
        }
        let given_up = before - files.len();
        if given_up > 0 {
            archive.set_files(files);
        }
        given_up
    }
}
