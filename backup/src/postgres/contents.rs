//! Whether a dump in pg_dump's custom format is whole, told while it passes.
//!
//! The format has no end mark: a dump that was cut between two tables looks
//! whole. But its table of contents stands in front, so each entry that has data
//! must be followed by its block, and the last byte must be the end of one.

use std::collections::HashMap;

/// What a dump holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// Whether the format is known and was found whole.
    pub checked: bool,
    /// Entries of the table of contents.
    pub entries: u64,
    /// Entries with data.
    pub with_data: u64,
    /// What pg_dump says of its own version.
    pub dumped_by: String,
    /// Where the data of its entries begins, which a dump into a pipe does not say.
    pub offsets: Vec<Offset>,
}

/// Where the data of an entry begins, and where its entry should say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offset {
    /// The place in the table of contents.
    pub field: u64,
    /// The place of the data.
    pub at: u64,
}

impl Offset {
    /// What belongs there: that the place is known, and the place, its lowest byte first.
    #[must_use]
    pub fn bytes(&self) -> [u8; 1 + WIDTH] {
        let mut bytes = [KNOWN; 1 + WIDTH];
        bytes[1..].copy_from_slice(&self.at.to_le_bytes());
        bytes
    }
}

/// Reads a dump as it passes.
#[derive(Debug, Default)]
pub struct Checker {
    state: State,
    /// What came and is not understood yet, for it is not all there.
    rest: Vec<u8>,
    int: usize,
    offset: usize,
    minor: u8,
    left: i64,
    blocks: u64,
    /// How much was understood: where the next thing begins.
    at: u64,
    /// Entries that do not say where their data is, by number, and where they should.
    unplaced: HashMap<i64, u64>,
    contents: Contents,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum State {
    #[default]
    Head,
    /// Within the table of contents.
    Entries,
    /// Before a block, or at the end.
    Between,
    /// Before a piece of data; of large objects, if so.
    Chunk { large: bool },
    /// Within a piece of data.
    Data { large: bool, left: usize },
    /// Before a large object.
    Object,
    /// Of a version that is not known.
    Unknown,
}

const MAGIC: &[u8] = b"PGDMP";
const CUSTOM: u8 = 1;
const DATA: u8 = 1;
const LARGE_OBJECTS: u8 = 3;
/// Where data is: not known, known.
const UNKNOWN: u8 = 1;
const KNOWN: u8 = 2;
/// The bytes of a place, on every machine of today.
const WIDTH: usize = 8;
/// More than this is no entry.
const LONGEST: usize = 256 << 20;

impl Checker {
    /// Reads the next bytes.
    ///
    /// # Errors
    /// When they cannot be of a dump.
    pub fn read(&mut self, bytes: &[u8]) -> Result<(), String> {
        if self.rest.is_empty() {
            let taken = self.consume(bytes)?;
            self.rest.extend_from_slice(&bytes[taken..]);
        } else {
            let mut all = std::mem::take(&mut self.rest);
            all.extend_from_slice(bytes);
            let taken = self.consume(&all)?;
            all.drain(..taken);
            self.rest = all;
        }
        if self.rest.len() > LONGEST {
            return Err("its table of contents cannot be read".into());
        }
        Ok(())
    }

    /// Understands as much as it can; how many bytes that is.
    fn consume(&mut self, bytes: &[u8]) -> Result<usize, String> {
        let mut at = 0;
        while at < bytes.len() {
            match &mut self.state {
                State::Unknown => return Ok(bytes.len()),
                State::Data { large, left } => {
                    let taken = (bytes.len() - at).min(*left);
                    *left -= taken;
                    at += taken;
                    self.at += taken as u64;
                    if *left == 0 {
                        self.state = State::Chunk { large: *large };
                    }
                }
                _ => match self.step(&bytes[at..])? {
                    Some(taken) => {
                        at += taken;
                        self.at += taken as u64;
                    }
                    None => break,
                },
            }
        }
        Ok(at)
    }

    /// The end of the dump.
    ///
    /// # Errors
    /// When something is missing.
    pub fn end(mut self) -> Result<Contents, String> {
        match self.state {
            State::Unknown => Ok(self.contents),
            State::Between if self.blocks == self.contents.with_data => {
                self.contents.checked = true;
                Ok(self.contents)
            }
            State::Head if self.rest.is_empty() => Err("it is empty".into()),
            State::Head | State::Entries => Err("it ends within its table of contents".into()),
            State::Between => Err(format!(
                "it has the data of {} tables and large objects of {}",
                self.blocks, self.contents.with_data
            )),
            _ => Err("it ends within the data of a table".into()),
        }
    }

    /// Understands the next thing; how many bytes it took, or nothing if it is
    /// not all there yet.
    fn step(&mut self, bytes: &[u8]) -> Result<Option<usize>, String> {
        let mut cursor = Cursor {
            bytes,
            at: 0,
            int: self.int,
        };
        let understood = match self.state {
            State::Head => self.head(&mut cursor)?,
            State::Entries => self.entry(&mut cursor),
            State::Between => self.block(&mut cursor)?,
            State::Chunk { large } => self.chunk(&mut cursor, large)?,
            State::Object => cursor.int().map(|oid| {
                let next = State::Chunk { large: true };
                self.state = if oid == 0 { State::Between } else { next };
            }),
            State::Data { .. } | State::Unknown => Some(()),
        };
        Ok(understood.map(|()| cursor.at))
    }

    fn head(&mut self, cursor: &mut Cursor<'_>) -> Result<Option<()>, String> {
        let length = cursor.bytes.len().min(MAGIC.len());
        if cursor.bytes[..length] != MAGIC[..length] {
            return Err("it does not begin as a dump does".into());
        }
        Ok((|| {
            cursor.take(MAGIC.len())?;
            let head = cursor.take(6)?;
            let [major, minor, _, int, offset, format] = *head else {
                return None;
            };
            let known = major == 1 && (14..=16).contains(&minor) && format == CUSTOM && int <= 8;
            if !known {
                self.state = State::Unknown;
                return Some(());
            }
            (self.minor, self.int, self.offset) = (minor, int.into(), offset.into());
            cursor.int = self.int;
            if minor >= 15 {
                cursor.take(1)?;
            } else {
                cursor.int()?;
            }
            for _ in 0..7 {
                cursor.int()?;
            }
            let _database = cursor.text()?;
            let _server = cursor.text()?;
            self.contents.dumped_by = cursor.text()?;
            self.left = cursor.int()?;
            self.state = if self.left > 0 {
                State::Entries
            } else {
                State::Between
            };
            Some(())
        })())
    }

    fn entry(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        let id = cursor.int()?;
        let with_data = cursor.int()? != 0;
        // Object ids as text, name and kind.
        for _ in 0..4 {
            cursor.text()?;
        }
        let _section = cursor.int()?;
        // Three statements, schema, tablespace, access method.
        for _ in 0..6 {
            cursor.text()?;
        }
        if self.minor >= 16 {
            let _kind = cursor.int()?;
        }
        let _owner = cursor.text()?;
        let _with_oids = cursor.text()?;
        while cursor.optional()?.is_some() {}
        let field = self.at + cursor.at as u64;
        let state = cursor.take(1 + self.offset)?[0];
        if with_data && state == UNKNOWN && self.offset == WIDTH {
            self.unplaced.insert(id, field);
        }
        self.contents.entries += 1;
        self.contents.with_data += u64::from(with_data);
        self.left -= 1;
        if self.left == 0 {
            self.state = State::Between;
        }
        Some(())
    }

    fn block(&mut self, cursor: &mut Cursor<'_>) -> Result<Option<()>, String> {
        let Some(kind) = cursor.take(1).map(|kind| kind[0]) else {
            return Ok(None);
        };
        if kind != DATA && kind != LARGE_OBJECTS {
            return Err("a block is of no known kind".into());
        }
        let Some(id) = cursor.int() else {
            return Ok(None);
        };
        if let Some(field) = self.unplaced.remove(&id) {
            let at = self.at;
            self.contents.offsets.push(Offset { field, at });
        }
        self.blocks += 1;
        self.state = if kind == DATA {
            State::Chunk { large: false }
        } else {
            State::Object
        };
        Ok(Some(()))
    }

    fn chunk(&mut self, cursor: &mut Cursor<'_>, large: bool) -> Result<Option<()>, String> {
        let Some(length) = cursor.int() else {
            return Ok(None);
        };
        let left = usize::try_from(length).map_err(|_| "a length is below nothing")?;
        self.state = match (left, large) {
            (0, false) => State::Between,
            (0, true) => State::Object,
            _ => State::Data { large, left },
        };
        Ok(Some(()))
    }
}

/// Reads numbers and texts; nothing when they are not all there yet.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    int: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some(taken)
    }

    /// A sign, and a number with its lowest byte first.
    fn int(&mut self) -> Option<i64> {
        let negative = self.take(1)?[0] != 0;
        let bytes = self.take(self.int)?;
        let number = bytes
            .iter()
            .rev()
            .fold(0_i64, |number, byte| (number << 8) | i64::from(*byte));
        Some(if negative { -number } else { number })
    }

    fn optional(&mut self) -> Option<Option<&'a [u8]>> {
        match usize::try_from(self.int()?) {
            Ok(length) => self.take(length).map(Some),
            Err(_) => Some(None),
        }
    }

    fn text(&mut self) -> Option<String> {
        let text = self.optional()?.unwrap_or_default();
        Some(String::from_utf8_lossy(text).into_owned())
    }
}
