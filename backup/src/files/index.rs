//! The index beside an archive: a line for each entry, in the archive's order, with
//! the hash of its content. It is text, so that people and `grep` can read it.

use std::fmt::Write as _;
use std::io::BufRead;

use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};

use super::Error;
use super::entry::{Entry, Kind};

/// What the index says of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it is, as `ls` writes it; `h` is another name of a file.
    pub kind: char,
    /// Its permission bits.
    pub mode: u32,
    /// Its owner's number.
    pub uid: u32,
    /// Its group's number.
    pub gid: u32,
    /// When it was last changed: seconds since 1970, and nanoseconds.
    pub mtime: (i64, u32),
    /// Bytes of a file.
    pub size: u64,
    /// SHA-256 of a file, in hexadecimal; `-` of all else.
    pub hash: String,
    /// The beginning of the SHA-256 of its extended attributes; `-` if it has none.
    pub xattrs: String,
    /// Its path; empty for the root.
    pub path: Vec<u8>,
    /// Where a link points to.
    pub link: Vec<u8>,
}

impl Line {
    /// The line of an entry whose content has this hash.
    #[must_use]
    pub fn new(entry: &Entry, hash: Option<&[u8]>) -> Self {
        Self {
            kind: letter(entry.kind),
            mode: entry.mode,
            uid: entry.uid,
            gid: entry.gid,
            mtime: entry.mtime,
            size: if entry.kind == Kind::File {
                entry.size
            } else {
                0
            },
            hash: hash.map_or_else(|| "-".to_owned(), |hash| HEXLOWER.encode(hash)),
            xattrs: xattrs(entry),
            path: entry.path.clone(),
            link: entry.link.clone(),
        }
    }

    /// Its text, with the end of line.
    #[must_use]
    pub fn text(&self) -> String {
        let link = if self.link.is_empty() {
            "-".to_owned()
        } else {
            escape(&self.link)
        };
        format!(
            "{} {:o} {} {} {}.{:09} {} {} {} {} {link}\n",
            self.kind,
            self.mode,
            self.uid,
            self.gid,
            self.mtime.0,
            self.mtime.1,
            self.size,
            self.hash,
            self.xattrs,
            if self.path.is_empty() {
                ".".to_owned()
            } else {
                escape(&self.path)
            },
        )
    }

    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.trim_end_matches('\n').split(' ');
        let mut next = || fields.next();
        let kind = next()?.parse().ok()?;
        let mode = u32::from_str_radix(next()?, 8).ok()?;
        let (uid, gid) = (next()?.parse().ok()?, next()?.parse().ok()?);
        let (seconds, nanos) = next()?.split_once('.')?;
        let mtime = (seconds.parse().ok()?, nanos.parse().ok()?);
        let size = next()?.parse().ok()?;
        let (hash, xattrs) = (next()?.to_owned(), next()?.to_owned());
        let path = match next()? {
            "." => Vec::new(),
            path => unescape(path)?,
        };
        let link = match next()? {
            "-" => Vec::new(),
            link => unescape(link)?,
        };
        next().is_none().then_some(Self {
            kind,
            mode,
            uid,
            gid,
            mtime,
            size,
            hash,
            xattrs,
            path,
            link,
        })
    }
}

/// An index that is being read.
pub struct Index<R> {
    from: R,
    text: String,
}

impl<R: BufRead> Index<R> {
    /// Reads an index from its beginning.
    pub fn new(from: R) -> Self {
        Self {
            from,
            text: String::new(),
        }
    }

    /// The next line; nothing at the end.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn forward(&mut self) -> Result<Option<Line>, Error> {
        self.text.clear();
        let bad = || Error::Archive("its index cannot be read".to_owned());
        match self.from.read_line(&mut self.text).map_err(|_| bad())? {
            0 => Ok(None),
            _ => Line::parse(&self.text).map(Some).ok_or_else(bad),
        }
    }
}

fn letter(kind: Kind) -> char {
    match kind {
        Kind::File => '-',
        Kind::Directory => 'd',
        Kind::Symlink => 'l',
        Kind::Hardlink => 'h',
        Kind::Fifo => 'p',
        Kind::Character => 'c',
        Kind::Block => 'b',
    }
}

fn xattrs(entry: &Entry) -> String {
    if entry.xattrs.is_empty() {
        return "-".to_owned();
    }
    let mut all: Vec<_> = entry.xattrs.iter().collect();
    all.sort();
    let mut bytes = Vec::new();
    for (name, value) in all {
        for part in [name, value] {
            bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
            bytes.extend_from_slice(part);
        }
    }
    HEXLOWER.encode(&digest(&SHA256, &bytes).as_ref()[..8])
}

/// Letters stay; what could end a field, and all that is no ASCII, does not.
fn escape(path: &[u8]) -> String {
    let mut text = String::with_capacity(path.len());
    let alone = matches!(path, b"-" | b".");
    for byte in path {
        if byte.is_ascii_graphic() && *byte != b'%' && !alone {
            text.push(*byte as char);
        } else {
            let _ = write!(text, "%{byte:02x}");
        }
    }
    text
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        rest = more;
        if *first == b'%' {
            let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &rest[2..];
        } else {
            bytes.push(*first);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_back_whatever_bytes_its_path_has() {
        for path in [
            &b""[..],
            b"a b/\xff\n%",
            b".",
            b"-",
            "ä/ö".as_bytes(),
            b"plain/name.txt",
        ] {
            let entry = Entry {
                link: path.to_vec(),
                mtime: (-5, 7),
                mode: 0o4755,
                size: 9,
                xattrs: vec![(b"user.a".to_vec(), b"b".to_vec())],
                ..Entry::new(path.to_vec(), Kind::File)
            };
            let line = Line::new(&entry, Some(&[7; 32]));
            let text = line.text();
            assert_eq!(text.matches('\n').count(), 1);
            let mut index = Index::new(text.as_bytes());
            assert_eq!(index.forward().unwrap(), Some(line), "{text}");
            assert_eq!(index.forward().unwrap(), None);
        }
        assert!(Index::new(&b"- 644 0 0 1.0 5 ab"[..]).forward().is_err());
    }
}
