//! Whether a tree or an archive is what an index says, entry by entry and hash by
//! hash, in the order of both.

use std::fs::File;
use std::io::{BufRead, Read};

use ring::digest::{Context, SHA256};

use super::entry::{Entry, Kind};
use super::holes::zeros;
use super::index::{Index, Line};
use super::walk::{Found, Walk};
use super::{Archive, Error, shown};

/// So many differences are told; then it is known that it is not the same.
const TOLD: usize = 5;

/// What differs, in words: at most a few.
pub type Difference = String;

struct Same<'a, R> {
    index: &'a mut Index<R>,
    /// Whether owners, modes and times count too.
    alike: bool,
    /// Whether attributes count too.
    attributes: bool,
    found: Vec<Difference>,
    /// The order is lost: what comes cannot be told from what is missing.
    lost: bool,
}

impl<R: BufRead> Same<'_, R> {
    fn take(&mut self, found: &Line) -> Result<(), Error> {
        if self.lost {
            return Ok(());
        }
        let name = || shown(&found.path);
        let Some(wanted) = self.wanted(&found.path)? else {
            self.found.push(format!("{} is too many", name()));
            self.lost = true;
            return Ok(());
        };
        if wanted.path != found.path {
            let wanted = shown(&wanted.path);
            self.found
                .push(format!("{wanted} is missing, or {} is too many", name()));
            self.lost = true;
            return Ok(());
        }
        if let Some(what) = self.differs(&wanted, found) {
            self.found.push(format!("{}: {what}", name()));
            self.lost = self.found.len() >= TOLD;
        }
        Ok(())
    }

    /// The next line; devices that nobody could make are passed over.
    fn wanted(&mut self, path: &[u8]) -> Result<Option<Line>, Error> {
        loop {
            match self.index.forward()? {
                Some(line) if matches!(line.kind, 'c' | 'b') && line.path != path => {}
                line => return Ok(line),
            }
        }
    }

    fn differs(&self, wanted: &Line, found: &Line) -> Option<&'static str> {
        let kind = wanted.kind != found.kind || wanted.link != found.link;
        let mode = wanted.kind != 'l' && wanted.mode != found.mode;
        let owner = (wanted.uid, wanted.gid) != (found.uid, found.gid);
        [
            (kind, "it is of another kind, or links to elsewhere"),
            (wanted.size != found.size, "it has another size"),
            (wanted.hash != found.hash, "its content has another hash"),
            (self.alike && mode, "it has another mode"),
            (self.alike && owner, "it has another owner"),
            (
                self.alike && wanted.mtime != found.mtime,
                "it has another time",
            ),
            (
                self.alike && self.attributes && wanted.xattrs != found.xattrs,
                "it has other attributes",
            ),
        ]
        .into_iter()
        .find_map(|(differs, what)| differs.then_some(what))
    }

    fn end(mut self) -> Result<Vec<Difference>, Error> {
        if !self.lost
            && let Some(wanted) = self.wanted(b"/")?
        {
            self.found
                .push(format!("{} is missing", shown(&wanted.path)));
        }
        Ok(self.found)
    }
}

/// Compares an archive with its index, reading all of both; what differs.
///
/// # Errors
/// When one of them cannot be read.
pub fn same_archive<R: BufRead>(
    archive: &mut Archive<impl Read>,
    index: &mut Index<R>,
) -> Result<Vec<Difference>, Error> {
    let mut same = Same {
        index,
        alike: true,
        attributes: true,
        found: Vec::new(),
        lost: false,
    };
    while let Some(entry) = archive.forward()? {
        let mut hash = Context::new(&SHA256);
        let mut at = 0;
        archive.content(&mut |offset, bytes| {
            zeros(&mut hash, offset - at);
            hash.update(bytes);
            at = offset + bytes.len() as u64;
            Ok(())
        })?;
        if entry.kind == Kind::File {
            zeros(&mut hash, entry.size.saturating_sub(at));
        }
        let hash = hash.finish();
        let hash = (entry.kind == Kind::File).then_some(hash.as_ref());
        same.take(&Line::new(&entry, hash))?;
    }
    same.end()
}

/// Compares a tree with an index, reading all of both; what differs. `alike`: owners,
/// modes and times count, and `attributes` too. `each` is shown each entry with the
/// first bytes of its content.
///
/// # Errors
/// When one of them cannot be read.
pub fn same_tree<R: BufRead>(
    root: File,
    index: &mut Index<R>,
    (alike, attributes): (bool, bool),
    each: &mut dyn FnMut(&Entry, &[u8]),
) -> Result<Vec<Difference>, Error> {
    let mut same = Same {
        index,
        alike,
        attributes,
        found: Vec::new(),
        lost: false,
    };
    let mut buffer = vec![0; 256 << 10];
    let walk = Walk::default();
    walk.below(root, &mut |found| {
        let (entry, file) = match found {
            Found::Entry(entry, file) => (entry, file),
            Found::Vanished(path) | Found::Unreadable(path, _) | Found::Left(path, _) => {
                same.found
                    .push(format!("{}: it cannot be read", shown(&path)));
                return Ok(());
            }
        };
        let Some((mut file, _)) = file else {
            each(&entry, &[]);
            return same.take(&Line::new(&entry, None));
        };
        let mut hash = Context::new(&SHA256);
        let mut first = true;
        loop {
            let read = file.read(&mut buffer).map_err(|source| Error::Io {
                path: shown(&entry.path),
                source,
            })?;
            if first {
                each(&entry, &buffer[..read]);
                first = false;
            }
            if read == 0 {
                break;
            }
            hash.update(&buffer[..read]);
        }
        same.take(&Line::new(&entry, Some(hash.finish().as_ref())))
    })?;
    same.end()
}
