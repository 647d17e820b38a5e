//! Unpacking an archive into an empty folder, and never a byte outside of it: each
//! folder is made by us and entered by its own descriptor, no link is followed, and
//! nothing that is there is written over.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;

use rustix::fs::{
    AtFlags, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags, chownat, fchmod, fchown,
    fsetxattr, ftruncate, futimens, linkat, mkdirat, mknodat, openat, symlinkat, utimensat,
};
use rustix::io::Errno;

use super::entry::{Entry, Kind};
use super::{Archive, Error, Glob, shown};

/// Folders within folders; more are nobody's.
const DEEPEST: usize = 1000;
/// So many warnings are kept word by word.
const WORDED: usize = 20;

/// How it is unpacked.
#[derive(Debug, Clone, Default)]
pub struct Manner {
    /// Only what one of these means; empty: all.
    pub only: Vec<Glob>,
    /// Whether owners, modes, times, attributes and devices come back too.
    pub alike: bool,
}

/// What was unpacked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unpacked {
    /// Entries, without the root.
    pub entries: u64,
    /// Bytes of files.
    pub bytes: u64,
    /// What could not be made as it was, in words, up to a limit.
    pub warnings: Vec<String>,
    /// How many more there were.
    pub more_warnings: u64,
    /// Whether attributes were among it.
    pub attributes_lost: bool,
}

impl Unpacked {
    fn warn(&mut self, path: &[u8], what: &str) {
        if self.warnings.len() < WORDED {
            self.warnings.push(format!("{}: {what}", shown(path)));
        } else {
            self.more_warnings += 1;
        }
    }
}

/// Unpacks into an empty folder.
///
/// # Errors
/// When the archive is cut, was changed or is none of ours, or the disk does not
/// take it. What is there by then is worth nothing.
pub fn unpack(
    archive: &mut Archive<impl Read>,
    into: File,
    manner: &Manner,
) -> Result<Unpacked, Error> {
    let mut unpacking = Unpacking {
        manner,
        stack: Vec::new(),
        done: Unpacked::default(),
    };
    let mut root = Some(into);
    while let Some(entry) = archive.forward()? {
        if entry.path.is_empty() {
            let Some(root) = root.take() else {
                return Err(disordered(&entry));
            };
            unpacking.stack.push((entry, Some(root.into())));
            continue;
        }
        unpacking.leave(&entry)?;
        unpacking.done.entries += 1;
        let only = &manner.only;
        let wanted = only.is_empty() || only.iter().any(|glob| glob.matches(&entry.path));
        if entry.kind == Kind::Directory {
            if unpacking.stack.len() > DEEPEST {
                return Err(disordered(&entry));
            }
            unpacking.stack.push((entry, None));
            if wanted {
                unpacking.folder()?;
            } else {
                unpacking.done.entries -= 1;
            }
        } else if wanted {
            unpacking.folder()?;
            unpacking.make(archive, &entry)?;
        } else {
            unpacking.done.entries -= 1;
        }
    }
    if root.is_some() {
        return Err(Error::Archive("it is empty".to_owned()));
    }
    while unpacking.pop()? {}
    Ok(unpacking.done)
}

fn disordered(entry: &Entry) -> Error {
    Error::Archive(format!("{} is not where it should be", shown(&entry.path)))
}

fn failed(entry: &Entry) -> impl Fn(Errno) -> Error {
    let path = shown(&entry.path);
    move |err| Error::Io {
        path: path.clone(),
        source: err.into(),
    }
}

struct Unpacking<'a> {
    manner: &'a Manner,
    /// The folders that the next entry may be in, outermost first; those that were
    /// made have a descriptor.
    stack: Vec<(Entry, Option<OwnedFd>)>,
    done: Unpacked,
}

impl Unpacking<'_> {
    /// Leaves the folders that the next entry is not in.
    fn leave(&mut self, next: &Entry) -> Result<(), Error> {
        loop {
            match self.stack.last() {
                None => return Err(disordered(next)),
                Some((folder, _)) if folder.path == next.parent() => return Ok(()),
                Some(_) => {
                    self.pop()?;
                }
            }
        }
    }

    /// Leaves the innermost folder: now that nothing more comes into it, it gets
    /// its times. Whether there was one.
    fn pop(&mut self) -> Result<bool, Error> {
        let Some((entry, made)) = self.stack.pop() else {
            return Ok(false);
        };
        // A folder of somebody else's that a few files go into stays as it is.
        let ours = !entry.path.is_empty() || self.manner.only.is_empty();
        if let Some(folder) = made
            && ours
        {
            self.dress(&entry, &folder)?;
        }
        Ok(true)
    }

    /// Makes the folders that we are in.
    fn folder(&mut self) -> Result<(), Error> {
        for at in 1..self.stack.len() {
            if self.stack[at].1.is_some() {
                continue;
            }
            let (outer, inner) = self.stack.split_at_mut(at);
            let (Some((_, Some(outer))), Some((entry, made))) = (outer.last(), inner.first_mut())
            else {
                return Err(Error::Archive("it has no root".to_owned()));
            };
            mkdirat(outer, entry.name(), Mode::RWXU).map_err(failed(entry))?;
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            *made = Some(openat(outer, entry.name(), flags, Mode::empty()).map_err(failed(entry))?);
        }
        Ok(())
    }

    fn make(&mut self, archive: &mut Archive<impl Read>, entry: &Entry) -> Result<(), Error> {
        let Some((_, Some(folder))) = self.stack.last() else {
            return Err(disordered(entry));
        };
        let failed = failed(entry);
        match entry.kind {
            Kind::File => {
                let flags = OFlags::WRONLY
                    | OFlags::CREATE
                    | OFlags::EXCL
                    | OFlags::NOFOLLOW
                    | OFlags::CLOEXEC;
                let made = openat(folder, entry.name(), flags, Mode::RUSR | Mode::WUSR);
                let file = File::from(made.map_err(&failed)?);
                archive.content(&mut |offset, bytes| {
                    let written = file.write_all_at(bytes, offset);
                    written.map_err(|source| Error::Io {
                        path: shown(&entry.path),
                        source,
                    })
                })?;
                if entry.parts.is_some() {
                    ftruncate(&file, entry.size).map_err(&failed)?;
                }
                self.done.bytes += entry.size;
                self.dress(entry, &file)?;
            }
            Kind::Symlink => {
                symlinkat(entry.link.as_slice(), folder, entry.name()).map_err(&failed)?;
                if self.manner.alike {
                    self.dress_other(entry);
                }
            }
            Kind::Hardlink => match self.first_name(entry) {
                Ok(()) => {}
                Err(Errno::NOENT) if !self.manner.only.is_empty() => {
                    let what = format!(
                        "it is another name of {}, which was not asked for",
                        shown(&entry.link)
                    );
                    self.done.warn(&entry.path, &what);
                }
                Err(err) => return Err(failed(err)),
            },
            Kind::Fifo | Kind::Character | Kind::Block => {
                let (kind, device) = match entry.kind {
                    Kind::Fifo => (rustix::fs::FileType::Fifo, 0),
                    _ if !self.manner.alike => return Ok(()),
                    kind => {
                        let (major, minor) = entry.device;
                        let kind = if kind == Kind::Block {
                            rustix::fs::FileType::BlockDevice
                        } else {
                            rustix::fs::FileType::CharacterDevice
                        };
                        (kind, rustix::fs::makedev(major, minor))
                    }
                };
                match mknodat(folder, entry.name(), kind, Mode::RUSR | Mode::WUSR, device) {
                    Ok(()) if self.manner.alike => self.dress_other(entry),
                    Ok(()) => {}
                    Err(Errno::PERM) => self.done.warn(&entry.path, "the device may not be made"),
                    Err(err) => return Err(failed(err)),
                }
            }
            Kind::Directory => {}
        }
        Ok(())
    }

    /// Gives a file its further name. Its first is looked for name by name from the
    /// root, through folders alone.
    fn first_name(&self, entry: &Entry) -> Result<(), Errno> {
        let (Some((_, Some(root))), Some((_, Some(folder)))) =
            (self.stack.first(), self.stack.last())
        else {
            return Err(Errno::NOENT);
        };
        let mut names: Vec<&[u8]> = entry.link.split(|byte| *byte == b'/').collect();
        let last = names.pop().unwrap_or_default();
        let mut at = root.try_clone().map_err(|_| Errno::MFILE)?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        for name in names {
            at = openat(&at, name, flags, Mode::empty())?;
        }
        linkat(&at, last, folder, entry.name(), AtFlags::empty())
    }

    fn dress(&mut self, entry: &Entry, file: impl AsFd) -> Result<(), Error> {
        if !self.manner.alike {
            return Ok(());
        }
        let failed = failed(entry);
        let owner = (
            Some(Uid::from_raw(entry.uid)),
            Some(Gid::from_raw(entry.gid)),
        );
        let mut mode = entry.mode;
        match fchown(&file, owner.0, owner.1) {
            Ok(()) => {}
            Err(Errno::PERM | Errno::INVAL) => {
                self.done.warn(&entry.path, "its owner may not be set");
                // Somebody else's program must not run as us.
                mode &= 0o1777;
            }
            Err(err) => return Err(failed(err)),
        }
        fchmod(&file, Mode::from_raw_mode(mode)).map_err(&failed)?;
        for (name, value) in &entry.xattrs {
            if let Err(err) = fsetxattr(&file, name.as_slice(), value, XattrFlags::empty()) {
                let name = String::from_utf8_lossy(name);
                self.done.attributes_lost = true;
                self.done.warn(
                    &entry.path,
                    &format!("its attribute {name} may not be set: {err}"),
                );
            }
        }
        futimens(&file, &times(entry)).map_err(&failed)
    }

    /// The same for what has no content to be opened.
    fn dress_other(&mut self, entry: &Entry) {
        let Some((_, Some(folder))) = self.stack.last() else {
            return;
        };
        let owner = (
            Some(Uid::from_raw(entry.uid)),
            Some(Gid::from_raw(entry.gid)),
        );
        let name = entry.name();
        let mut done = chownat(folder, name, owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW);
        if entry.kind != Kind::Symlink {
            let mode = Mode::from_raw_mode(entry.mode);
            // It was made here a moment ago: it is no link.
            done = done.and(rustix::fs::chmodat(folder, name, mode, AtFlags::empty()));
        }
        done = done.and(utimensat(
            folder,
            name,
            &times(entry),
            AtFlags::SYMLINK_NOFOLLOW,
        ));
        if let Err(err) = done {
            self.done.warn(
                &entry.path,
                &format!("its owner or time may not be set: {err}"),
            );
        }
    }
}

fn times(entry: &Entry) -> Timestamps {
    let time = Timespec {
        tv_sec: entry.mtime.0,
        tv_nsec: entry.mtime.1.into(),
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}
