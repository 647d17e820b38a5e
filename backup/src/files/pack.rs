//! Packing a tree: into an archive, and a line of the index for each entry.
//!
//! Each file is given exactly the bytes that its header promised, whatever happens
//! to it meanwhile: the archive stays one, and the change is a warning.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use ring::digest::{Context, SHA256};

use super::entry::{Beside, Entry, Kind};
use super::glob::Glob;
use super::header::{self, END, padding};
use super::holes::{HOLE, parts, zeros};
use super::index::Line;
use super::walk::{Found, Walk};
use super::{Error, shown, sqlite};

/// So many warnings are kept word by word.
const WORDED: usize = 20;

/// What is packed, and how.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What is left out.
    pub exclude: Vec<Glob>,
    /// Whether to stay on the file system of the root.
    pub one_file_system: bool,
    /// More bytes than this are too many; 0: there is no limit.
    pub most_bytes: u64,
    /// Files that never go with it: device and inode number.
    pub never: Vec<(u64, u64)>,
    /// A folder for copies of SQLite files; without one they are read as they are.
    pub scratch: Option<PathBuf>,
}

/// What was packed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Files, each counted once.
    pub files: u64,
    /// Folders.
    pub directories: u64,
    /// Symbolic links, and further names of files.
    pub links: u64,
    /// Pipes and devices.
    pub others: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// Files that changed while they were read.
    pub changed: u64,
    /// What was gone before it could be read.
    pub vanished: u64,
    /// What could not be read.
    pub unreadable: u64,
    /// Sockets, and file systems within.
    pub left_out: u64,
    /// Files that were copied by SQLite.
    pub sqlite: u64,
    /// The first warnings, in words.
    pub warnings: Vec<String>,
    /// How many more there were.
    pub more_warnings: u64,
}

impl Tally {
    /// All entries.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.files + self.directories + self.links + self.others
    }

    fn warn(&mut self, path: &[u8], what: &str) {
        if self.warnings.len() < WORDED {
            self.warnings.push(format!("{} {what}", shown(path)));
        } else {
            self.more_warnings += 1;
        }
    }
}

/// Packs the tree below `root`.
///
/// # Errors
/// When the root cannot be read, or nobody takes what is written.
pub fn pack(
    root: &Path,
    options: &Options,
    out: &mut impl Write,
    index: &mut impl Write,
) -> Result<Tally, Error> {
    let opened = File::options()
        .read(true)
        .custom_flags(libc_directory())
        .open(root)
        .map_err(|err| Error::Root(format!("{}: {err}", root.display())))?;
    let mut packing = Packing {
        root,
        options,
        out,
        index,
        tally: Tally::default(),
        companions: HashSet::new(),
        left: HashSet::new(),
        buffer: vec![0; 256 << 10],
    };
    let walk = Walk {
        exclude: &options.exclude,
        one_file_system: options.one_file_system,
    };
    walk.below(opened, &mut |found| packing.found(found))
        .map_err(|err| match err {
            Error::Root(why) => Error::Root(format!("{}: {why}", root.display())),
            err => err,
        })?;
    packing.write(&END)?;
    packing.out.flush().map_err(|_| Error::Stopped)?;
    Ok(packing.tally)
}

fn libc_directory() -> i32 {
    i32::try_from(rustix::fs::OFlags::DIRECTORY.bits()).unwrap_or(0)
}

struct Packing<'a, O, I> {
    root: &'a Path,
    options: &'a Options,
    out: &'a mut O,
    index: &'a mut I,
    tally: Tally,
    /// Files beside a database that was copied whole: they are of no use.
    companions: HashSet<Vec<u8>>,
    /// Files with several names that were not written.
    left: HashSet<Vec<u8>>,
    buffer: Vec<u8>,
}

impl<O: Write, I: Write> Packing<'_, O, I> {
    fn found(&mut self, found: Found) -> Result<(), Error> {
        match found {
            Found::Entry(entry, Some((file, beside))) => self.file(entry, file, beside),
            Found::Entry(entry, None) => {
                if entry.kind == Kind::Hardlink && self.left.contains(&entry.link) {
                    return self.unreadable(&entry, "nor could its other name");
                }
                match entry.kind {
                    Kind::Directory => self.tally.directories += 1,
                    Kind::Symlink | Kind::Hardlink => self.tally.links += 1,
                    _ => self.tally.others += 1,
                }
                self.header(&entry)?;
                self.line(&entry, None)
            }
            Found::Vanished(path) => {
                if !self.companions.contains(&path) {
                    self.tally.vanished += 1;
                    self.tally.warn(&path, "vanished");
                }
                Ok(())
            }
            Found::Unreadable(path, why) => {
                self.tally.unreadable += 1;
                self.tally.warn(&path, &format!("cannot be read: {why}"));
                Ok(())
            }
            Found::Left(path, why) => {
                self.tally.left_out += 1;
                self.tally.warn(&path, &format!("{why}, and left out"));
                Ok(())
            }
        }
    }

    fn file(&mut self, mut entry: Entry, mut file: File, beside: Beside) -> Result<(), Error> {
        if beside.names > 1 {
            // Taken back when it is written.
            self.left.insert(entry.path.clone());
        }
        if self.companions.remove(&entry.path) {
            return Ok(());
        }
        if self.options.never.contains(&beside.inode) {
            self.tally.left_out += 1;
            self.tally
                .warn(&entry.path, "opens backups, and is left out of them");
            return Ok(());
        }
        // What is read first tells what it is, and whether it can be read at all.
        let most = usize::try_from(entry.size)
            .unwrap_or(usize::MAX)
            .min(self.buffer.len());
        let mut first = match file.read(&mut self.buffer[..most]) {
            Ok(first) => first,
            Err(err) => return self.unreadable(&entry, &err.to_string()),
        };
        let mut watched = true;
        if sqlite::is_sqlite(&self.buffer[..first]) {
            if let Some(copy) = self.copied(&entry, beside.inode)? {
                file = copy;
                entry.size = file.metadata().map_err(|err| failed(&entry, err))?.len();
                watched = false;
                first = 0;
            }
        } else if beside.taken.saturating_add(HOLE) < entry.size {
            entry.parts = parts(&file, entry.size);
            match entry.parts {
                Some(_) => first = 0,
                None => {
                    let on = file.seek(SeekFrom::Start(first as u64));
                    on.map_err(|err| failed(&entry, err))?;
                }
            }
        }
        self.left.remove(&entry.path);
        self.tally.files += 1;
        self.tally.bytes += entry.size;
        let limit = self.options.most_bytes;
        if limit > 0 && self.tally.bytes > limit {
            return Err(Error::Limit(format!(
                "there are more than {limit} bytes in it, which is the job's limit"
            )));
        }
        self.header(&entry)?;
        let (hash, whole) = self.content(&entry, &mut file, first)?;
        let same = !watched
            || file.metadata().is_ok_and(|after| {
                let since = (
                    after.mtime(),
                    u32::try_from(after.mtime_nsec()).unwrap_or(0),
                );
                (after.len(), since) == (entry.size, entry.mtime)
            });
        if !whole || !same {
            self.tally.changed += 1;
            self.tally.warn(&entry.path, "changed while it was read");
        }
        self.line(&entry, Some(hash.as_ref()))
    }

    /// Writes a file's bytes, `first` of which are in the buffer; their hash, and
    /// whether all were there.
    fn content(
        &mut self,
        entry: &Entry,
        file: &mut File,
        mut first: usize,
    ) -> Result<(ring::digest::Digest, bool), Error> {
        let mut hash = Context::new(&SHA256);
        let mut whole = true;
        let all = [(0, entry.size)];
        let sparse = entry.parts.as_deref();
        let mut stored = 0;
        let mut at = 0;
        for (offset, length) in sparse.unwrap_or(&all) {
            if sparse.is_some() {
                zeros(&mut hash, offset - at);
                whole &= file.seek(SeekFrom::Start(*offset)).is_ok();
            }
            let mut left = *length;
            while left > 0 {
                let most = usize::try_from(left)
                    .unwrap_or(usize::MAX)
                    .min(self.buffer.len());
                let mut read = std::mem::take(&mut first);
                if read == 0 {
                    read = match file.read(&mut self.buffer[..most]) {
                        Ok(read) => read,
                        Err(err) if err.kind() == std::io::ErrorKind::Interrupted => continue,
                        // The header is out: what is missing is zeros, and a warning.
                        Err(_) => 0,
                    };
                }
                if read == 0 {
                    whole = false;
                    self.buffer[..most].fill(0);
                    read = most;
                }
                hash.update(&self.buffer[..read]);
                self.out
                    .write_all(&self.buffer[..read])
                    .map_err(|_| Error::Stopped)?;
                left -= read as u64;
                stored += read as u64;
            }
            at = offset + length;
        }
        zeros(&mut hash, entry.size - at);
        self.write(padding(stored))?;
        Ok((hash.finish(), whole))
    }

    /// The copy that SQLite makes of a file; nothing where it cannot.
    fn copied(&mut self, entry: &Entry, inode: (u64, u64)) -> Result<Option<File>, Error> {
        let Some(scratch) = &self.options.scratch else {
            return Ok(None);
        };
        let path = self.root.join(OsStr::from_bytes(&entry.path));
        match sqlite::copy(&path, inode, scratch) {
            Ok(copy) => {
                let file = File::open(&copy).map_err(|err| failed(entry, err))?;
                // It lives as long as it is open.
                std::fs::remove_file(&copy).map_err(|err| failed(entry, err))?;
                // Other databases may come in between: `app.db-old` before `app.db-wal`.
                let companions = sqlite::COMPANIONS.iter();
                let companions = companions.map(|ending| [entry.path.as_slice(), ending].concat());
                self.companions.extend(companions);
                self.tally.sqlite += 1;
                Ok(Some(file))
            }
            Err(why) => {
                let what = format!(
                    "is a SQLite file that SQLite cannot copy, and is read as it is: {why}"
                );
                self.tally.warn(&entry.path, &what);
                Ok(None)
            }
        }
    }

    fn unreadable(&mut self, entry: &Entry, why: &str) -> Result<(), Error> {
        self.found(Found::Unreadable(entry.path.clone(), why.to_owned()))
    }

    fn header(&mut self, entry: &Entry) -> Result<(), Error> {
        header::write(entry, self.out).map_err(|_| Error::Stopped)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.out.write_all(bytes).map_err(|_| Error::Stopped)
    }

    fn line(&mut self, entry: &Entry, hash: Option<&[u8]>) -> Result<(), Error> {
        let text = Line::new(entry, hash).text();
        self.index
            .write_all(text.as_bytes())
            .map_err(|source| Error::Io {
                path: "the index".to_owned(),
                source,
            })
    }
}

fn failed(entry: &Entry, source: std::io::Error) -> Error {
    Error::Io {
        path: shown(&entry.path),
        source,
    }
}
