//! Reading an archive of ours: entry after entry, each with its content. What we
//! never write is refused, for it was changed or is somebody else's.

use std::io::Read;

use super::Error;
use super::entry::{Entry, Kind, Xattrs};
use super::header::{BLOCK, padding};

/// Records of one entry are no longer than this.
const RECORDS: u64 = 16 << 20;

/// Takes a piece of an entry's content, and its offset.
pub type Each<'a> = dyn FnMut(u64, &[u8]) -> Result<(), Error> + 'a;

/// An archive that is being read.
pub struct Archive<R> {
    from: R,
    /// Bytes of the entry's content that were not read yet.
    left: u64,
    /// What fills its last block.
    pad: usize,
    /// The parts of a file with holes that were not read yet; one part is all of
    /// another file.
    parts: Vec<(u64, u64)>,
    buffer: Vec<u8>,
}

#[derive(Default)]
struct Records {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    mtime: Option<(i64, u32)>,
    uid: Option<u32>,
    gid: Option<u32>,
    size: Option<u64>,
    sparse: Option<(Vec<u8>, u64)>,
    xattrs: Xattrs,
}

fn foreign(what: &str) -> Error {
    Error::Archive(what.to_owned())
}

impl<R: Read> Archive<R> {
    /// Reads an archive from its beginning.
    pub fn new(from: R) -> Self {
        Self {
            from,
            left: 0,
            pad: 0,
            parts: Vec::new(),
            buffer: vec![0; 128 << 10],
        }
    }

    /// The next entry; nothing at the end.
    ///
    /// # Errors
    /// When the archive is cut, was changed, or is none of ours.
    pub fn forward(&mut self) -> Result<Option<Entry>, Error> {
        self.skip()?;
        let mut records = Records::default();
        let mut block = self.block()?;
        if block[156] == b'x' {
            let size = number(&block[124..136])?;
            if size > RECORDS {
                return Err(foreign("an entry has too many records"));
            }
            let mut text = vec![0; usize::try_from(size).unwrap_or(0)];
            self.fill(&mut text)?;
            let mut pad = [0; BLOCK];
            self.fill(&mut pad[..padding(size).len()])?;
            records = parse_records(&text)?;
            block = self.block()?;
        } else if block.iter().all(|byte| *byte == 0) {
            if self.block()?.iter().any(|byte| *byte != 0) {
                return Err(foreign("it goes on behind its end"));
            }
            return match self.from.read(&mut [0]).map_err(cut)? {
                0 => Ok(None),
                _ => Err(foreign("it goes on behind its end")),
            };
        }
        self.entry(&block, records).map(Some)
    }

    fn entry(&mut self, block: &[u8; BLOCK], records: Records) -> Result<Entry, Error> {
        let kind = match block[156] {
            b'0' => Kind::File,
            b'1' => Kind::Hardlink,
            b'2' => Kind::Symlink,
            b'3' => Kind::Character,
            b'4' => Kind::Block,
            b'5' => Kind::Directory,
            b'6' => Kind::Fifo,
            other => return Err(foreign(&format!("it has an entry of the kind {other}"))),
        };
        let stored = match records.size {
            Some(size) => size,
            None => number(&block[124..136])?,
        };
        if kind != Kind::File && stored != 0 {
            return Err(foreign("something that is no file has content"));
        }
        let full = match (&records.sparse, records.path) {
            (Some((path, _)), _) => path.clone(),
            (None, Some(path)) => path,
            (None, None) => text(&block[..100]).to_vec(),
        };
        let mut entry = Entry::new(path(&full, kind)?, kind);
        let link = records
            .link
            .unwrap_or_else(|| text(&block[157..257]).to_vec());
        entry.link = match kind {
            Kind::Hardlink => path(&link, Kind::File)?,
            Kind::Symlink => link,
            _ => Vec::new(),
        };
        let small = |value: u64| u32::try_from(value).map_err(|_| foreign("a number is too large"));
        entry.mode = small(number(&block[100..108])?)? & 0o7777;
        entry.uid = match records.uid {
            Some(uid) => uid,
            None => small(number(&block[108..116])?)?,
        };
        entry.gid = match records.gid {
            Some(gid) => gid,
            None => small(number(&block[116..124])?)?,
        };
        entry.mtime = match records.mtime {
            Some(mtime) => mtime,
            None => {
                let seconds = number(&block[136..148])?;
                (i64::try_from(seconds).unwrap_or(i64::MAX), 0)
            }
        };
        entry.device = (
            small(number(&block[329..337])?)?,
            small(number(&block[337..345])?)?,
        );
        entry.xattrs = records.xattrs;
        entry.size = stored;
        self.left = stored;
        self.pad = padding(stored).len();
        self.parts = vec![(0, stored)];
        if let Some((_, size)) = records.sparse {
            entry.size = size;
            self.parts = self.map(size)?;
            entry.parts = Some(self.parts.clone());
        }
        Ok(entry)
    }

    /// The list of parts in front of the content of a file with holes.
    fn map(&mut self, size: u64) -> Result<Vec<(u64, u64)>, Error> {
        let mut digits = Vec::new();
        let mut numbers: Vec<u64> = Vec::new();
        let mut wanted = 1_u64;
        let mut read = Vec::new();
        while (numbers.len() as u64) < wanted {
            if read.is_empty() {
                if self.left < BLOCK as u64 {
                    return Err(foreign("a list of parts is cut"));
                }
                let block = self.block()?;
                self.left -= BLOCK as u64;
                read = block.to_vec();
                read.reverse();
            }
            match read.pop() {
                Some(b'\n') => {
                    let value: u64 = String::from_utf8_lossy(&digits)
                        .parse()
                        .map_err(|_| foreign("a list of parts cannot be read"))?;
                    digits.clear();
                    if numbers.is_empty() {
                        wanted = value.saturating_mul(2).saturating_add(1);
                    }
                    numbers.push(value);
                }
                Some(digit) if digit.is_ascii_digit() && digits.len() < 20 => digits.push(digit),
                _ => return Err(foreign("a list of parts cannot be read")),
            }
        }
        let parts: Vec<_> = numbers[1..]
            .chunks_exact(2)
            .map(|pair| (pair[0], pair[1]))
            .collect();
        let mut end = 0;
        let mut sum = 0_u64;
        for (offset, length) in &parts {
            let next = offset.checked_add(*length);
            if *offset < end || next.is_none_or(|next| next > size) {
                return Err(foreign("the parts of a file do not fit into it"));
            }
            end = next.unwrap_or(size);
            sum += length;
        }
        if sum != self.left {
            return Err(foreign("the parts of a file are not what is stored"));
        }
        Ok(parts)
    }

    /// Reads the content of the entry that came last: each piece with its offset.
    ///
    /// # Errors
    /// When the archive is cut, or `each` fails.
    pub fn content(&mut self, each: &mut Each<'_>) -> Result<(), Error> {
        for (mut offset, mut length) in std::mem::take(&mut self.parts) {
            while length > 0 {
                let most = usize::try_from(length)
                    .unwrap_or(usize::MAX)
                    .min(self.buffer.len());
                let read = match self.from.read(&mut self.buffer[..most]).map_err(cut)? {
                    0 => return Err(foreign("it ends within a file")),
                    read => read,
                };
                self.left -= read as u64;
                length -= read as u64;
                each(offset, &self.buffer[..read])?;
                offset += read as u64;
            }
        }
        Ok(())
    }

    fn skip(&mut self) -> Result<(), Error> {
        self.content(&mut |_, _| Ok(()))?;
        let mut pad = [0; BLOCK];
        let length = std::mem::take(&mut self.pad);
        self.fill(&mut pad[..length])
    }

    fn block(&mut self) -> Result<[u8; BLOCK], Error> {
        let mut block = [0; BLOCK];
        self.fill(&mut block)?;
        Ok(block)
    }

    fn fill(&mut self, into: &mut [u8]) -> Result<(), Error> {
        self.from.read_exact(into).map_err(cut)
    }
}

fn cut(err: std::io::Error) -> Error {
    match err.kind() {
        std::io::ErrorKind::UnexpectedEof => foreign("it is cut"),
        _ => Error::Io {
            path: "the archive".to_owned(),
            source: err,
        },
    }
}

/// The text in a field, up to its first zero byte.
fn text(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|byte| *byte == 0);
    &field[..end.unwrap_or(field.len())]
}

fn number(field: &[u8]) -> Result<u64, Error> {
    let digits = std::str::from_utf8(text(field)).unwrap_or("?").trim();
    if digits.is_empty() {
        return Ok(0);
    }
    u64::from_str_radix(digits, 8).map_err(|_| foreign("a number cannot be read"))
}

/// `./a/b` as `a/b`. Nothing that leads out of the root is a path.
fn path(full: &[u8], kind: Kind) -> Result<Vec<u8>, Error> {
    let refused = || {
        foreign(&format!(
            "{} is no path within it",
            super::shown(full).escape_debug()
        ))
    };
    let below = full.strip_prefix(b"./").ok_or_else(refused)?;
    let below = match kind {
        Kind::Directory => below.strip_suffix(b"/").unwrap_or(below),
        _ => below,
    };
    if below.is_empty() && kind == Kind::Directory {
        return Ok(Vec::new());
    }
    let sound = |name: &[u8]| !matches!(name, b"" | b"." | b"..") && !name.contains(&0);
    if !below.split(|byte| *byte == b'/').all(sound) {
        return Err(refused());
    }
    Ok(below.to_vec())
}

fn parse_records(mut all: &[u8]) -> Result<Records, Error> {
    let bad = || foreign("a record cannot be read");
    let mut records = Records::default();
    let mut sparse = (None, None);
    while !all.is_empty() {
        let space = all.iter().position(|byte| *byte == b' ').ok_or_else(bad)?;
        let length: usize = std::str::from_utf8(&all[..space])
            .ok()
            .and_then(|digits| digits.parse().ok())
            .ok_or_else(bad)?;
        if length <= space + 2 || length > all.len() || all[length - 1] != b'\n' {
            return Err(bad());
        }
        let (record, rest) = all.split_at(length);
        all = rest;
        let record = &record[space + 1..length - 1];
        let equals = record
            .iter()
            .position(|byte| *byte == b'=')
            .ok_or_else(bad)?;
        let (name, value) = (&record[..equals], &record[equals + 1..]);
        let digits = || -> Result<u64, Error> {
            let text = std::str::from_utf8(value).map_err(|_| bad())?;
            text.parse().map_err(|_| bad())
        };
        match name {
            b"path" => records.path = Some(value.to_vec()),
            b"linkpath" => records.link = Some(value.to_vec()),
            b"mtime" => records.mtime = Some(time(value).ok_or_else(bad)?),
            b"uid" => records.uid = Some(u32::try_from(digits()?).map_err(|_| bad())?),
            b"gid" => records.gid = Some(u32::try_from(digits()?).map_err(|_| bad())?),
            b"size" => records.size = Some(digits()?),
            b"GNU.sparse.name" => sparse.0 = Some(value.to_vec()),
            b"GNU.sparse.realsize" => sparse.1 = Some(digits()?),
            b"hdrcharset" | b"GNU.sparse.major" | b"GNU.sparse.minor" => {}
            name => match name.strip_prefix(b"SCHILY.xattr.") {
                Some(name) => records.xattrs.push((name.to_vec(), value.to_vec())),
                None => return Err(foreign("it has a record of an unknown kind")),
            },
        }
    }
    if let (Some(path), Some(size)) = sparse {
        records.sparse = Some((path, size));
    }
    Ok(records)
}

/// `-1.500000000`: half a second after two before 1970.
fn time(value: &[u8]) -> Option<(i64, u32)> {
    let text = std::str::from_utf8(value).ok()?;
    let (seconds, nanos) = text.split_once('.').unwrap_or((text, "0"));
    let nanos: u32 = format!("{nanos:0<9}").get(..9)?.parse().ok()?;
    let whole: i64 = seconds.parse().ok()?;
    if seconds.starts_with('-') && nanos > 0 {
        return Some((whole.checked_sub(1)?, 1_000_000_000 - nanos));
    }
    Some((whole, nanos))
}
