//! Records in a file, each with its length and checksums.
//!
//! A record that was cut off by a crash and one that has gone bad are told
//! apart: the first is the end of the file as it should be, the second is a
//! fault of the disk. The head has a checksum of its own, so a bad record in the
//! middle does not hide the ones behind it.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::report::{Fault, FaultKind};

/// Begins each file, with the version of its format.
pub(crate) const MAGIC: &[u8; 8] = b"series1\n";

/// Length, checksum of the payload, checksum of these two.
pub(crate) const HEAD: usize = 12;

/// Adds a record to bytes that will be written.
pub(crate) fn push(out: &mut Vec<u8>, payload: &[u8]) {
    let mut head = [0; HEAD];
    head[..4].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    head[4..8].copy_from_slice(&crc32fast::hash(payload).to_le_bytes());
    let check = crc32fast::hash(&head[..8]);
    head[8..].copy_from_slice(&check.to_le_bytes());
    out.extend(head);
    out.extend(payload);
}

/// Reads a record of which place and whole length are known, and gives its payload.
/// Bytes that are not the ones that were written are an error of kind `InvalidData`.
pub(crate) fn read_at<'a>(
    file: &File,
    at: u64,
    length: usize,
    room: &'a mut Vec<u8>,
) -> io::Result<&'a [u8]> {
    let bad = |what| io::Error::new(io::ErrorKind::InvalidData, what);
    room.resize(length, 0);
    file.read_exact_at(room, at)?;
    let (head, payload) = room.split_first_chunk().ok_or_else(|| bad("no record"))?;
    if word(head, 8) != crc32fast::hash(&head[..8]) || word(head, 0) as usize != payload.len() {
        return Err(bad("no record of this length"));
    }
    if crc32fast::hash(payload) != word(head, 4) {
        return Err(bad("a damaged record"));
    }
    Ok(payload)
}

fn word(head: &[u8; HEAD], at: usize) -> u32 {
    u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]])
}

/// Calls `each` with the payloads of a file, which says whether it could make
/// sense of one. Gives the length up to which the file is whole, and what was
/// wrong with it.
pub(crate) fn read(
    path: &Path,
    each: impl FnMut(&[u8]) -> Option<()>,
) -> io::Result<(u64, Vec<Fault>)> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut reading = Reading {
        from: BufReader::with_capacity(1 << 16, file),
        file: name.into_owned(),
        at: 0,
        length,
        faults: Vec::new(),
    };
    reading.run(each)?;
    Ok((reading.at, reading.faults))
}

struct Reading<R> {
    from: R,
    file: String,
    /// Up to here all is read.
    at: u64,
    length: u64,
    faults: Vec<Fault>,
}

impl<R: Read> Reading<R> {
    fn run(&mut self, mut each: impl FnMut(&[u8]) -> Option<()>) -> io::Result<()> {
        if self.length < MAGIC.len() as u64 {
            if self.length > 0 {
                self.fault(FaultKind::Torn, self.length);
            }
            return Ok(());
        }
        let mut magic = [0; MAGIC.len()];
        self.from.read_exact(&mut magic)?;
        if &magic != MAGIC {
            return self.rest_is(&magic);
        }
        self.at += magic.len() as u64;
        let mut payload = Vec::new();
        while self.at < self.length {
            let left = self.length - self.at;
            if left < HEAD as u64 {
                self.fault(FaultKind::Torn, left);
                break;
            }
            let mut head = [0; HEAD];
            self.from.read_exact(&mut head)?;
            let word = |at: usize| word(&head, at);
            if word(8) != crc32fast::hash(&head[..8]) {
                return self.rest_is(&head);
            }
            let whole = HEAD as u64 + u64::from(word(0));
            if whole > left {
                self.fault(FaultKind::Torn, left);
                break;
            }
            payload.resize(word(0) as usize, 0);
            self.from.read_exact(&mut payload)?;
            if crc32fast::hash(&payload) != word(4) {
                if whole == left {
                    // Room that was made for it and never filled.
                    self.fault(FaultKind::Torn, left);
                    break;
                }
                self.fault(FaultKind::Damaged, whole);
            } else if each(&payload).is_none() {
                self.fault(FaultKind::Senseless, whole);
            }
            self.at += whole;
        }
        Ok(())
    }

    /// Where no record begins, nothing more can be read: torn if a crash left
    /// only room there, else damaged.
    fn rest_is(&mut self, read: &[u8]) -> io::Result<()> {
        let mut empty = read.iter().all(|byte| *byte == 0);
        let mut some = [0; 4096];
        while empty {
            let count = self.from.read(&mut some)?;
            if count == 0 {
                break;
            }
            empty = some[..count].iter().all(|byte| *byte == 0);
        }
        let kind = match empty {
            true => FaultKind::Torn,
            false => FaultKind::Damaged,
        };
        self.fault(kind, self.length - self.at);
        Ok(())
    }

    fn fault(&mut self, kind: FaultKind, bytes: u64) {
        self.faults.push(Fault {
            file: self.file.clone(),
            at: self.at,
            bytes,
            kind,
        });
    }
}
