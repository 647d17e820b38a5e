//! One file of the archive: pages of series in the order of their ids, a list of the
//! pages, and at the very end where the list is. Opening it reads the last two.

#[cfg(test)]
mod tests;

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use crate::codec::{Reader, push_signed, push_varint};
use crate::disk::record::{self, HEAD, MAGIC};

/// Chunks of some series.
const PAGE: u8 = 9;
/// What the file has, and where each page is.
const LIST: u8 = 10;
/// Where the list is.
const FOOT: u8 = 11;

/// A page is closed when it is longer than this: so much is read for one series.
const FULL: usize = 8 << 10;

/// The length of the last record.
const FOOT_BYTES: usize = HEAD + 1 + 8 + 4;

/// Where a page is.
#[derive(Debug, Clone, Copy)]
struct Page {
    /// The least id on it.
    first: u64,
    at: u64,
    length: u32,
}

/// A file that is whole, open for reading.
#[derive(Debug)]
pub(crate) struct File {
    pub(super) number: u64,
    /// Times of the first and of the last sample.
    pub(super) from: i64,
    pub(super) to: i64,
    /// The store's clock and the next id when it was written.
    pub(super) clock: i64,
    pub(super) next_id: u64,
    pub(super) bytes: u64,
    pages: Vec<Page>,
    file: fs::File,
}

/// A series that is looked for, and where what is found goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) id: u64,
    pub(super) check: u32,
    pub(super) place: usize,
}

impl File {
    /// Opens a file; one that is not whole is an error of kind `InvalidData`.
    pub(super) fn open(path: &Path, number: u64) -> io::Result<Self> {
        Self::of(fs::File::open(path)?, number)
    }

    fn of(file: fs::File, number: u64) -> io::Result<Self> {
        let bytes = file.metadata()?.len();
        let mut room = Vec::new();
        let at = bytes.checked_sub(FOOT_BYTES as u64).ok_or_else(not_whole)?;
        let payload = record::read_at(&file, at, FOOT_BYTES, &mut room)?;
        let (at, length) = foot(payload).ok_or_else(not_whole)?;
        // A length that is not true must not take memory for a file that is not there.
        let ends = at.checked_add(length as u64).ok_or_else(not_whole)?;
        if ends > bytes {
            return Err(not_whole());
        }
        record::read_at(&file, at, length, &mut room)?;
        let empty = Self {
            number,
            from: 0,
            to: 0,
            clock: 0,
            next_id: 0,
            bytes,
            pages: Vec::new(),
            file,
        };
        empty.listed(&room[HEAD..]).ok_or_else(not_whole)
    }

    /// With what its list says.
    fn listed(mut self, list: &[u8]) -> Option<Self> {
        let mut list = Reader::new(list);
        if list.byte()? != LIST {
            return None;
        }
        (self.from, self.to) = (list.signed()?, list.signed()?);
        (self.clock, self.next_id) = (list.signed()?, list.varint()?);
        let (mut first, mut at) = (0_u64, MAGIC.len() as u64);
        while !list.is_empty() {
            first = first.checked_add(list.varint()?)?;
            let length = u32::try_from(list.varint()?).ok()?;
            self.pages.push(Page { first, at, length });
            at = at.checked_add(u64::from(length))?;
        }
        self.pages.shrink_to_fit();
        (at <= self.bytes).then_some(self)
    }

    /// Whether it may have samples in this range.
    pub(super) fn overlaps(&self, from: i64, to: i64) -> bool {
        self.from <= to && from <= self.to
    }

    /// Adds the chunks of series, which are in the order of their ids, as far as
    /// `keep` takes their first and last times, to what is found of each: the time
    /// of its first sample, a length, and the chunk. Gives the number of pages that
    /// could not be read.
    pub(super) fn find(
        &self,
        mut wanted: &[Wanted],
        keep: impl Fn(i64, i64) -> bool,
        found: &mut [Vec<u8>],
    ) -> u64 {
        let (mut room, mut unreadable) = (Vec::new(), 0);
        while let Some(next) = wanted.first() {
            let after = self.pages.partition_point(|page| page.first <= next.id);
            let until = self.pages.get(after).map_or(u64::MAX, |page| page.first);
            let count = wanted.partition_point(|one| one.id < until).max(1);
            let (here, rest) = wanted.split_at(count);
            wanted = rest;
            let Some(page) = after.checked_sub(1).map(|at| self.pages[at]) else {
                continue;
            };
            let length = page.length as usize;
            let read = record::read_at(&self.file, page.at, length, &mut room).ok();
            let taken = read.and_then(|payload| take(payload, here, &keep, found));
            unreadable += u64::from(taken.is_none());
        }
        unreadable
    }
}

fn not_whole() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the file is not whole")
}

fn foot(payload: &[u8]) -> Option<(u64, usize)> {
    let mut from = Reader::new(payload);
    if from.byte()? != FOOT {
        return None;
    }
    let at = u64::from_le_bytes(from.bytes(8)?.try_into().ok()?);
    let length = u32::from_le_bytes(from.bytes(4)?.try_into().ok()?);
    Some((at, length as usize))
}

/// Looks for series on a page; `None` where it makes no sense.
fn take(
    payload: &[u8],
    wanted: &[Wanted],
    keep: impl Fn(i64, i64) -> bool,
    found: &mut [Vec<u8>],
) -> Option<()> {
    let mut from = Reader::new(payload);
    if from.byte()? != PAGE {
        return None;
    }
    let (mut id, mut wanted) = (0_u64, wanted.iter().peekable());
    while !from.is_empty() && wanted.peek().is_some() {
        id = id.checked_add(from.varint()?)?;
        let check = u32::from_le_bytes(from.bytes(4)?.try_into().ok()?);
        let length = from.length()?;
        let mut chunks = Reader::new(from.bytes(length)?);
        while wanted.next_if(|one| one.id < id).is_some() {}
        let Some(one) = wanted.next_if(|one| one.id == id && one.check == check) else {
            continue;
        };
        while !chunks.is_empty() {
            let first = chunks.signed()?;
            let last = first.checked_add_unsigned(chunks.varint()?)?;
            let length = chunks.length()?;
            let data = chunks.bytes(length)?;
            if keep(first, last) {
                let out = found.get_mut(one.place)?;
                push_signed(out, first);
                push_varint(out, length as u64);
                out.extend(data);
            }
        }
    }
    Some(())
}

/// A file that is being written.
#[derive(Debug)]
pub(super) struct Unfinished {
    out: io::BufWriter<fs::File>,
    at: u64,
    page: Vec<u8>,
    /// The last id on the page, and of the page before.
    id: u64,
    first: Option<u64>,
    listed: u64,
    pages: Vec<u8>,
    from: i64,
    to: i64,
}

impl Unfinished {
    /// Begins a file, which must not be there.
    pub(super) fn begin(path: &Path) -> io::Result<Self> {
        let mut out = io::BufWriter::with_capacity(1 << 16, fs::File::create(path)?);
        out.write_all(MAGIC)?;
        Ok(Self {
            out,
            at: MAGIC.len() as u64,
            page: vec![PAGE],
            id: 0,
            first: None,
            listed: 0,
            pages: Vec::new(),
            from: i64::MAX,
            to: i64::MIN,
        })
    }

    /// Its length so far.
    pub(super) fn bytes(&self) -> u64 {
        self.at
    }

    /// Adds a series, whose id is greater than all before, with chunks as
    /// `Samples::copy_full` writes them, and the times of the first and last sample.
    pub(super) fn add(
        &mut self,
        (id, check): (u64, u32),
        chunks: &[u8],
        (from, to): (i64, i64),
    ) -> io::Result<()> {
        (self.from, self.to) = (self.from.min(from), self.to.max(to));
        if self.first.is_none() {
            (self.first, self.id) = (Some(id), 0);
        }
        push_varint(&mut self.page, id - self.id);
        self.page.extend(check.to_le_bytes());
        push_varint(&mut self.page, chunks.len() as u64);
        self.page.extend(chunks);
        self.id = id;
        if self.page.len() > FULL {
            self.turn()?;
        }
        Ok(())
    }

    /// Ends the page.
    fn turn(&mut self) -> io::Result<()> {
        let Some(first) = self.first.take() else {
            return Ok(());
        };
        let page = std::mem::replace(&mut self.page, vec![PAGE]);
        let length = self.record(&page)?;
        push_varint(&mut self.pages, first - self.listed);
        push_varint(&mut self.pages, u64::from(length));
        self.listed = first;
        Ok(())
    }

    fn record(&mut self, payload: &[u8]) -> io::Result<u32> {
        let mut out = Vec::with_capacity(HEAD + payload.len());
        record::push(&mut out, payload);
        self.out.write_all(&out)?;
        self.at += out.len() as u64;
        let length = u32::try_from(out.len());
        length.map_err(|_| io::Error::other("a page without end"))
    }

    /// Ends the file and forces it onto the disk.
    pub(super) fn finish(mut self, clock: i64, next_id: u64) -> io::Result<()> {
        self.turn()?;
        let mut list = vec![LIST];
        push_signed(&mut list, self.from);
        push_signed(&mut list, self.to);
        push_signed(&mut list, clock);
        push_varint(&mut list, next_id);
        list.extend(std::mem::take(&mut self.pages));
        let at = self.at;
        let length = self.record(&list)?;
        let mut foot = vec![FOOT];
        foot.extend(at.to_le_bytes());
        foot.extend(length.to_le_bytes());
        self.record(&foot)?;
        let file = self.out.into_inner().map_err(|err| err.into_error())?;
        file.sync_all()
    }
}
