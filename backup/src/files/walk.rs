//! Walking a tree: folders before what is in them, names in the order of their
//! bytes, no symbolic link followed. Only the names of the folders that are open
//! are in memory.
//!
//! What vanishes or cannot be read is told, and the walk goes on.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use rustix::fs::{Dir, FileType, Mode, OFlags, fgetxattr, flistxattr, openat, readlinkat};
use rustix::io::Errno;

use super::Error;
use super::entry::{Beside, Entry, Kind, Xattrs, join};
use super::glob::Glob;

/// Folders within folders are followed so far; each holds a file open.
const DEEPEST: usize = 400;

/// What the walk comes to.
#[derive(Debug)]
pub enum Found {
    /// An entry; of a file, the file itself, open at its beginning, and what else was
    /// known of it then.
    Entry(Entry, Option<(File, Beside)>),
    /// Something that is not there any more: it went while we looked.
    Vanished(Vec<u8>),
    /// Something that cannot be read, and why.
    Unreadable(Vec<u8>, String),
    /// Something that is of no use in a backup, and why.
    Left(Vec<u8>, &'static str),
}

/// How a tree is walked.
#[derive(Debug, Default)]
pub struct Walk<'a> {
    /// What is left out.
    pub exclude: &'a [Glob],
    /// Whether to stay on the file system of the root.
    pub one_file_system: bool,
}

impl Walk<'_> {
    /// Walks the tree below an open folder; `visit` is told all that is there, the
    /// folder itself first.
    ///
    /// # Errors
    /// When the folder cannot be read, or `visit` fails.
    pub fn below(
        &self,
        root: File,
        visit: &mut dyn FnMut(Found) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let about = root
            .metadata()
            .map_err(|err| Error::Root(err.to_string()))?;
        let mut walking = Walking {
            walk: self,
            device: about.dev(),
            links: HashMap::new(),
            noatime: OFlags::NOATIME,
            visit,
        };
        walking.folder(root, Vec::new(), 0)
    }
}

struct Walking<'a, 'b> {
    walk: &'a Walk<'b>,
    device: u64,
    /// The first name of each file that has several.
    links: HashMap<(u64, u64), (Vec<u8>, u64)>,
    /// Only the owner may ask for it.
    noatime: OFlags,
    visit: &'a mut dyn FnMut(Found) -> Result<(), Error>,
}

impl Walking<'_, '_> {
    fn folder(&mut self, folder: File, path: Vec<u8>, depth: usize) -> Result<(), Error> {
        let about = match folder.metadata() {
            Ok(about) => about,
            Err(err) => return self.trouble(path, &err),
        };
        let mut entry = known(path.clone(), Kind::Directory, &about);
        entry.xattrs = match xattrs(&folder) {
            Ok(xattrs) => xattrs,
            Err(err) => return self.trouble(path, &err.into()),
        };
        (self.visit)(Found::Entry(entry, None))?;
        if self.walk.one_file_system && about.dev() != self.device {
            return (self.visit)(Found::Left(path, "is another file system"));
        }
        if depth == DEEPEST {
            return (self.visit)(Found::Unreadable(path, "too deep".to_owned()));
        }
        let names = match Names::read(&folder) {
            Ok(names) => names,
            Err(err) => return self.trouble(path, &err.into()),
        };
        for at in 0..names.all.len() {
            let (name, kind) = names.get(at);
            let below = join(&path, name);
            if self.walk.exclude.iter().any(|glob| glob.matches(&below)) {
                continue;
            }
            match kind {
                FileType::Directory => self.enter(&folder, name, below, depth)?,
                FileType::RegularFile => self.file(&folder, name, below)?,
                _ => self.other(&folder, name, below, depth)?,
            }
        }
        if let Some(why) = names.cut {
            (self.visit)(Found::Unreadable(path, why))?;
        }
        Ok(())
    }

    fn enter(
        &mut self,
        folder: &File,
        name: &[u8],
        path: Vec<u8>,
        depth: usize,
    ) -> Result<(), Error> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(folder, name, flags, Mode::empty()) {
            Ok(below) => self.folder(below.into(), path, depth + 1),
            Err(err) => self.trouble(path, &err.into()),
        }
    }

    fn file(&mut self, folder: &File, name: &[u8], path: Vec<u8>) -> Result<(), Error> {
        let file: File = match self.open(folder, name) {
            Ok(file) => file.into(),
            Err(err) => return self.trouble(path, &err.into()),
        };
        let about = match file.metadata() {
            Ok(about) if about.is_file() => about,
            Ok(_) => return (self.visit)(Found::Vanished(path)),
            Err(err) => return self.trouble(path, &err),
        };
        if let Some(first) = self.first_name(&about, &path) {
            let mut entry = known(path, Kind::Hardlink, &about);
            entry.link = first;
            entry.size = 0;
            return (self.visit)(Found::Entry(entry, None));
        }
        let mut entry = known(path, Kind::File, &about);
        entry.xattrs = match xattrs(&file) {
            Ok(xattrs) => xattrs,
            Err(err) => return self.trouble(entry.path, &err.into()),
        };
        let beside = Beside {
            inode: (about.dev(), about.ino()),
            names: about.nlink(),
            taken: about.blocks().saturating_mul(512),
        };
        (self.visit)(Found::Entry(entry, Some((file, beside))))
    }

    fn open(&mut self, folder: &File, name: &[u8]) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match openat(folder, name, flags | self.noatime, Mode::empty()) {
            Err(Errno::PERM) if !self.noatime.is_empty() => {
                let opened = openat(folder, name, flags, Mode::empty());
                if opened.is_ok() {
                    self.noatime = OFlags::empty();
                }
                opened
            }
            opened => opened,
        }
    }

    /// The name under which this file came before, if it did.
    fn first_name(&mut self, about: &Metadata, path: &[u8]) -> Option<Vec<u8>> {
        if about.nlink() < 2 {
            return None;
        }
        let key = (about.dev(), about.ino());
        match self.links.get_mut(&key) {
            Some((first, left)) => {
                let first = first.clone();
                *left = left.saturating_sub(1);
                if *left == 0 {
                    self.links.remove(&key);
                }
                Some(first)
            }
            None => {
                self.links.insert(key, (path.to_vec(), about.nlink() - 1));
                None
            }
        }
    }

    /// What is neither file nor folder, or was not told to be.
    fn other(
        &mut self,
        folder: &File,
        name: &[u8],
        path: Vec<u8>,
        depth: usize,
    ) -> Result<(), Error> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let about = match openat(folder, name, flags, Mode::empty()) {
            Ok(found) => File::from(found).metadata(),
            Err(err) => Err(err.into()),
        };
        let about = match about {
            Ok(about) => about,
            Err(err) => return self.trouble(path, &err),
        };
        let kind = about.file_type();
        if kind.is_dir() {
            return self.enter(folder, name, path, depth);
        }
        if kind.is_file() {
            return self.file(folder, name, path);
        }
        if kind.is_socket() {
            return (self.visit)(Found::Left(path, "is a socket"));
        }
        let mut entry = if kind.is_symlink() {
            let mut entry = known(path, Kind::Symlink, &about);
            entry.link = match readlinkat(folder, name, Vec::new()) {
                Ok(link) => link.into_bytes(),
                Err(err) => return self.trouble(entry.path, &err.into()),
            };
            entry
        } else if kind.is_fifo() {
            known(path, Kind::Fifo, &about)
        } else {
            let kind = if kind.is_block_device() {
                Kind::Block
            } else {
                Kind::Character
            };
            let mut entry = known(path, kind, &about);
            let device = about.rdev();
            entry.device = (rustix::fs::major(device), rustix::fs::minor(device));
            entry
        };
        entry.size = 0;
        (self.visit)(Found::Entry(entry, None))
    }

    fn trouble(&mut self, path: Vec<u8>, err: &io::Error) -> Result<(), Error> {
        let gone = [
            Errno::NOENT,
            Errno::LOOP,
            Errno::NOTDIR,
            Errno::NXIO,
            Errno::STALE,
        ];
        let vanished = gone
            .iter()
            .any(|errno| err.raw_os_error() == Some(errno.raw_os_error()));
        if path.is_empty() {
            return Err(Error::Root(err.to_string()));
        }
        if vanished {
            (self.visit)(Found::Vanished(path))
        } else {
            (self.visit)(Found::Unreadable(path, err.to_string()))
        }
    }
}

fn known(path: Vec<u8>, kind: Kind, about: &Metadata) -> Entry {
    Entry {
        mode: about.mode() & 0o7777,
        uid: about.uid(),
        gid: about.gid(),
        mtime: (
            about.mtime(),
            u32::try_from(about.mtime_nsec()).unwrap_or(0),
        ),
        size: if kind == Kind::File { about.len() } else { 0 },
        ..Entry::new(path, kind)
    }
}

/// The extended attributes of a file or folder, sorted by name.
pub(super) fn xattrs(file: &File) -> Result<Xattrs, Errno> {
    let mut list = [0_u8; 1024];
    let (mut length, mut more) = (0, Vec::new());
    match flistxattr(file, &mut list[..]) {
        Ok(0) | Err(Errno::NOTSUP | Errno::NOSYS) => return Ok(Vec::new()),
        Ok(found) => length = found,
        Err(Errno::RANGE) => {
            more = vec![0; 64 << 10];
            let found = flistxattr(file, &mut more[..])?;
            more.truncate(found);
        }
        Err(err) => return Err(err),
    }
    let all = if more.is_empty() {
        &list[..length]
    } else {
        &more[..]
    };
    let mut found = Vec::new();
    for name in all.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0; 64 << 10];
        match fgetxattr(file, name, &mut value[..]) {
            Ok(length) => {
                value.truncate(length);
                found.push((name.to_vec(), value));
            }
            // It went, or is nobody's to read.
            Err(Errno::NODATA | Errno::NOTSUP | Errno::ACCESS | Errno::PERM) => {}
            Err(err) => return Err(err),
        }
    }
    found.sort();
    Ok(found)
}

/// The names in a folder, in the order in which they are walked: of a million the
/// bytes and 12 more each are in memory.
struct Names {
    bytes: Vec<u8>,
    all: Vec<(u32, u16, FileType)>,
    /// Why there may be more.
    cut: Option<String>,
}

impl Names {
    fn read(folder: &File) -> Result<Self, Errno> {
        let mut names = Self {
            bytes: Vec::new(),
            all: Vec::new(),
            cut: None,
        };
        for entry in Dir::read_from(folder)? {
            let entry = match entry {
                Ok(entry) => entry,
                Err(err) => {
                    names.cut = Some(err.to_string());
                    break;
                }
            };
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") {
                continue;
            }
            let (Ok(at), Ok(length)) =
                (u32::try_from(names.bytes.len()), u16::try_from(name.len()))
            else {
                names.cut = Some("it has too many names".to_owned());
                break;
            };
            names.bytes.extend_from_slice(name);
            names.all.push((at, length, entry.file_type()));
        }
        names.sort();
        Ok(names)
    }

    fn get(&self, at: usize) -> (&[u8], FileType) {
        let (start, length, kind) = self.all[at];
        let start = start as usize;
        (&self.bytes[start..start + usize::from(length)], kind)
    }

    fn sort(&mut self) {
        let bytes = &self.bytes;
        let name = |(start, length, _): &(u32, u16, FileType)| {
            let start = *start as usize;
            &bytes[start..start + usize::from(*length)]
        };
        let has = |wanted: &[u8]| self.all.iter().any(|found| name(found) == wanted);
        // Of a git repository loose references come first, as git reads them, and
        // objects last: what is referred to was written before, and is found.
        let git = self.all.len() < 1000 && has(b"HEAD") && has(b"objects") && has(b"refs");
        let class = |name: &[u8]| match name {
            b"refs" if git => 0,
            b"objects" if git => 2,
            _ => 1,
        };
        self.all.sort_unstable_by(|one, other| {
            let (one, other) = (name(one), name(other));
            class(one).cmp(&class(other)).then_with(|| one.cmp(other))
        });
    }
}
