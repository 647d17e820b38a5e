//! Files with holes: where their data is, and what the holes hash to.

use std::fs::File;

use ring::digest::Context;

/// Holes that are smaller are written as zeros.
pub(super) const HOLE: u64 = 64 << 10;
/// More parts than this are written as one.
const PARTS: usize = 100_000;

/// Hashes so many zeros.
pub(super) fn zeros(hash: &mut Context, mut count: u64) {
    const ZEROS: [u8; 16 << 10] = [0; 16 << 10];
    while count > 0 {
        let some = count.min(ZEROS.len() as u64);
        hash.update(&ZEROS[..usize::try_from(some).unwrap_or(0)]);
        count -= some;
    }
}

/// Where a file has data; nothing where that cannot be told, or is not worth it.
pub(super) fn parts(file: &File, size: u64) -> Option<Vec<(u64, u64)>> {
    use rustix::fs::{SeekFrom, seek};
    let mut parts: Vec<(u64, u64)> = Vec::new();
    let mut at = 0;
    while at < size {
        let start = match seek(file, SeekFrom::Data(at)) {
            Ok(start) if start < size => start,
            // There is no more data.
            Ok(_) | Err(rustix::io::Errno::NXIO) => break,
            Err(_) => return None,
        };
        let end = seek(file, SeekFrom::Hole(start)).ok()?.min(size);
        match parts.last_mut() {
            // The hole is not worth it.
            Some((offset, length)) if start < *offset + *length + HOLE => *length = end - *offset,
            _ => parts.push((start, end.saturating_sub(start))),
        }
        if parts.len() > PARTS || end <= at {
            return None;
        }
        at = end;
    }
    let stored: u64 = parts.iter().map(|(_, length)| length).sum();
    if size - stored < HOLE {
        return None;
    }
    if parts
        .last()
        .is_none_or(|(offset, length)| offset + length < size)
    {
        parts.push((size, 0));
    }
    Some(parts)
}
