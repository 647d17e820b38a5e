//! A file that another program appends to, followed over its rotation.
//!
//! Renamed: the file stays open and is read until it has been quiet for a
//! while, since its writer goes on with it until it is told to reopen; the new
//! file under the path is read from its begin. Cut to nothing (`copytruncate`):
//! seen by its size, and by the bytes in front of the place where we are, which
//! are then others. A last line without its end is read when it is whole.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{BATCH, Batch, LONGEST};
use crate::served::Trouble;

/// A renamed file is read on for so long after its last line.
const QUIET: Duration = Duration::from_secs(60);
/// So many renamed files are read at once.
const OLD: usize = 4;
/// So many bytes in front of our place tell whether the file is still the same.
const MARK: u64 = 64;

/// How far one file has been read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Place {
    device: u64,
    inode: u64,
    /// Bytes read, all of them whole lines.
    at: u64,
    /// A checksum of the bytes in front of `at`.
    mark: u64,
}

/// A file that is open.
#[derive(Debug)]
struct Open {
    file: File,
    device: u64,
    inode: u64,
    at: u64,
    mark: u64,
    /// Within a line that is too long.
    skipping: bool,
    /// When it last had something new.
    stirred: Instant,
}

/// Follows the file under a path.
#[derive(Debug)]
pub(crate) struct Follower {
    path: PathBuf,
    current: Option<Open>,
    /// Renamed ones, the oldest first.
    old: Vec<Open>,
    /// Where to begin; nothing after the first look.
    start: Option<Start>,
    buffer: Vec<u8>,
}

#[derive(Debug)]
enum Start {
    /// With what comes from now on.
    End,
    /// Where an earlier process stopped.
    Places(Vec<Place>),
}

impl Follower {
    /// Follows from `places` on; without them only what is written from now on.
    pub(super) fn new(path: PathBuf, places: Option<Vec<Place>>) -> Self {
        Self {
            path,
            current: None,
            old: Vec::new(),
            start: Some(places.map_or(Start::End, Start::Places)),
            buffer: Vec::new(),
        }
    }

    /// What is new, up to the size of a batch. May block on the disk.
    pub(super) fn read(&mut self) -> io::Result<Batch> {
        if let Some(start) = self.start.take()
            && let Err(err) = self.begin(&start)
        {
            // A place in a file that cannot be opened now is looked for again.
            self.start = Some(start);
            return Err(err);
        }
        let mut batch = Batch::default();
        let read = self.add(&mut batch);
        // Kept between batches of a busy log only.
        if batch.text.is_empty() {
            self.buffer = Vec::new();
            // With lines in hand the fault can wait: it comes again.
            read?;
        }
        batch.position.files = self.places();
        Ok(batch)
    }

    fn add(&mut self, batch: &mut Batch) -> io::Result<()> {
        let (buffer, mut fault) = (&mut self.buffer, Ok(()));
        self.old.retain_mut(|one| {
            // Those behind one that failed are read the next time.
            if fault.is_err() {
                return true;
            }
            match one.take(buffer, batch) {
                Ok(()) => batch.more || one.stirred.elapsed() < QUIET,
                // With lines in hand it is not told now: it has to come again, and
                // holds up nobody until then.
                Err(_) if !batch.text.is_empty() => true,
                // Told once, and the log goes on without it.
                Err(err) => {
                    fault = Err(err);
                    false
                }
            }
        });
        fault?;
        if let Some(current) = &mut self.current {
            current.take(&mut self.buffer, batch)?;
        }
        match batch.more {
            true => Ok(()),
            false => self.follow_rename(batch),
        }
    }

    fn begin(&mut self, start: &Start) -> io::Result<()> {
        let found = match open(&self.path) {
            Err(err) if err.kind() == io::ErrorKind::NotFound => None,
            found => Some(found?),
        };
        match start {
            // A file that comes later is read from its begin.
            Start::End => self.current = found.map(Open::at_end).transpose()?,
            Start::Places(places) => {
                let mut current = found.map(Open::at_begin);
                let folder = self.path.parent().unwrap_or(Path::new("/"));
                for place in places {
                    let here = current.as_ref().is_some_and(|one| one.is(place));
                    match (here, &mut current) {
                        (true, Some(current)) => current.go_on(place),
                        _ => self.old.extend(renamed(folder, place)),
                    }
                }
                self.current = current;
            }
        }
        Ok(())
    }

    /// Takes up the file that is under the path now, if it is another one.
    fn follow_rename(&mut self, batch: &mut Batch) -> io::Result<()> {
        let known = self.current.as_ref();
        let there = match fs::metadata(&self.path) {
            Ok(there) => there,
            // Renamed, and not made anew yet.
            Err(err) if err.kind() == io::ErrorKind::NotFound && known.is_some() => return Ok(()),
            Err(err) => return Err(err),
        };
        if known.is_some_and(|one| (one.device, one.inode) == (there.dev(), there.ino())) {
            return Ok(());
        }
        let fresh = Open::at_begin(open(&self.path)?);
        if let Some(before) = self.current.take() {
            batch.rotations += 1;
            self.old.push(before);
            if self.old.len() > OLD {
                self.old.remove(0);
            }
        }
        let current = self.current.insert(fresh);
        current.take(&mut self.buffer, batch)
    }

    fn places(&self) -> Vec<Place> {
        let all = self.old.iter().chain(&self.current);
        all.map(|one| Place {
            device: one.device,
            inode: one.inode,
            at: one.at,
            mark: one.mark,
        })
        .collect()
    }
}

/// Opens a file that can be followed; a pipe would hang, and a folder has no lines.
fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let there = fs::metadata(path)?;
    if !there.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let file = File::open(path)?;
    let there = file.metadata()?;
    Ok((file, there))
}

/// The file of a place under its new name, if it is still there as it was.
/// One that was packed is another file, and was read before.
fn renamed(folder: &Path, place: &Place) -> Option<Open> {
    let entries = fs::read_dir(folder).ok()?.flatten();
    let same = entries.filter(|entry| {
        let packed = [".gz", ".zst", ".xz", ".bz2"];
        let name = entry.file_name();
        !packed.iter().any(|end| ends(&name, end))
            && entry
                .metadata()
                .is_ok_and(|there| (there.dev(), there.ino()) == (place.device, place.inode))
    });
    let mut found = same.filter_map(|entry| open(&entry.path()).ok());
    let mut one = Open::at_begin(found.next()?);
    one.go_on(place);
    // Another file under the same number: all of it is new, but not ours.
    (one.at == place.at).then_some(one)
}

fn ends(name: &OsStr, end: &str) -> bool {
    name.as_encoded_bytes().ends_with(end.as_bytes())
}

impl Open {
    fn at_begin((file, there): (File, Metadata)) -> Self {
        Self {
            file,
            device: there.dev(),
            inode: there.ino(),
            at: 0,
            mark: 0,
            skipping: false,
            stirred: Instant::now(),
        }
    }

    /// Behind the last whole line.
    fn at_end(opened: (File, Metadata)) -> io::Result<Self> {
        let size = opened.1.len();
        let mut one = Self::at_begin(opened);
        let mut last = vec![0; LONGEST.min(usize::try_from(size).unwrap_or(LONGEST))];
        let from = size - last.len() as u64;
        let read = one.file.read_at(&mut last, from)?;
        match last[..read].iter().rposition(|byte| *byte == b'\n') {
            Some(end) => one.at = from + end as u64 + 1,
            None if from == 0 => {}
            None => (one.at, one.skipping) = (from + read as u64, true),
        }
        one.mark = one.mark()?;
        Ok(one)
    }

    fn is(&self, place: &Place) -> bool {
        (self.device, self.inode) == (place.device, place.inode)
    }

    /// Goes on at a place, unless the file was cut since.
    fn go_on(&mut self, place: &Place) {
        self.at = place.at;
        match self.mark() {
            Ok(mark) if mark == place.mark => self.mark = mark,
            _ => self.at = 0,
        }
    }

    /// A checksum of the bytes in front of our place; 0 where there are none.
    fn mark(&self) -> io::Result<u64> {
        let length = self.at.min(MARK);
        if length == 0 {
            return Ok(0);
        }
        let mut bytes = [0; MARK as usize];
        let bytes = &mut bytes[..length as usize];
        match self.file.read_exact_at(bytes, self.at - length) {
            Ok(()) => Ok(checksum(bytes)),
            Err(err) if err.kind() == io::ErrorKind::UnexpectedEof => Ok(u64::MAX),
            Err(err) => Err(err),
        }
    }

    /// Adds what is new, up to the size of a batch.
    fn take(&mut self, buffer: &mut Vec<u8>, batch: &mut Batch) -> io::Result<()> {
        if self.mark()? != self.mark {
            (self.at, self.mark, self.skipping) = (0, 0, false);
            batch.rotations += 1;
        }
        // A quiet log costs no buffer.
        if self.file.metadata()?.len() <= self.at {
            return Ok(());
        }
        buffer.resize(MARK as usize + LONGEST, 0);
        loop {
            if batch.text.len() >= BATCH {
                batch.more = true;
                return Ok(());
            }
            // With what is in front of our place, of which the next mark is made: were
            // the disk asked for it afterwards and failed, these lines would come twice.
            let front = self.at.min(MARK) as usize;
            let window = &mut buffer[..front + LONGEST];
            let read = self.file.read_at(window, self.at - front as u64)?;
            let new = window.get(front..read).unwrap_or_default();
            let taken = cut(new, &mut self.skipping, batch);
            // A line without its end, or nothing.
            if taken == 0 {
                return Ok(());
            }
            self.stirred = Instant::now();
            self.at += taken as u64;
            let end = front + taken;
            let marked = self.at.min(MARK) as usize;
            self.mark = checksum(&window[end - marked..end]);
        }
    }
}

/// Adds the whole lines of what is new; how much of it is done with.
fn cut(new: &[u8], skipping: &mut bool, batch: &mut Batch) -> usize {
    match new.iter().rposition(|byte| *byte == b'\n') {
        Some(end) => {
            let mut lines = &new[..=end];
            if *skipping {
                let first = lines.iter().position(|byte| *byte == b'\n').unwrap_or(end);
                lines = &lines[first + 1..];
                *skipping = false;
            }
            batch.text.extend_from_slice(lines);
            end + 1
        }
        None if new.len() == LONGEST => {
            batch.too_long += u64::from(!*skipping);
            *skipping = true;
            LONGEST
        }
        None => 0,
    }
}

/// Reads the bytes as a file that grows, for those who throw any at it.
///
/// # Panics
/// If what was read is not all whole lines.
pub(super) fn any(bytes: &[u8]) {
    let (mut at, mut skipping, mut batch) = (0, false, Batch::default());
    for there in [bytes.len() / 3, bytes.len() / 2, bytes.len()] {
        let there = there.min(at + LONGEST);
        at += cut(&bytes[at..there], &mut skipping, &mut batch);
    }
    let whole = bytes.iter().rposition(|byte| *byte == b'\n');
    let whole = whole.map_or(0, |end| end + 1);
    assert!(bytes.len() > LONGEST || batch.text == bytes[..whole]);
}

/// FNV-1a: the same in every build, since it is kept over restarts.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Why a file cannot be read, without its name.
pub(super) fn trouble(err: &io::Error) -> Trouble {
    match err.kind() {
        io::ErrorKind::NotFound => "there is no such file yet".into(),
        io::ErrorKind::PermissionDenied => "we may not read it".into(),
        io::ErrorKind::InvalidInput => "it is no ordinary file".into(),
        kind => Trouble {
            text: kind.to_string(),
            wants_password: false,
        },
    }
}

#[cfg(test)]
mod tests;
