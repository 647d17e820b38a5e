//! Headers of a tar archive, in POSIX' form: what the old fixed fields cannot say
//! stands in records before them. Files with holes are written as GNU tar's 1.0.

use std::io::{self, Write};

use super::entry::{Entry, Kind};

/// All of an archive is made of blocks of this size.
pub(super) const BLOCK: usize = 512;

/// The largest number that a field of eleven octal digits holds.
const OCTAL_11: u64 = (1 << 33) - 1;
/// The same of seven digits.
const OCTAL_7: u64 = (1 << 21) - 1;

/// Writes what comes before an entry's content; of a file with holes the list of
/// its parts too.
pub(super) fn write(entry: &Entry, out: &mut impl Write) -> io::Result<()> {
    let map = entry.parts.as_ref().map(|parts| sparse_map(parts));
    let stored = match (&map, &entry.parts) {
        (Some(map), Some(parts)) => {
            map.len() as u64 + parts.iter().map(|(_, length)| length).sum::<u64>()
        }
        _ if entry.kind == Kind::File => entry.size,
        _ => 0,
    };
    let full = full_path(entry);
    let link = match entry.kind {
        Kind::Hardlink => [b"./", entry.link.as_slice()].concat(),
        _ => entry.link.clone(),
    };
    let records = records(entry, &full, &link, stored, map.is_some());
    let name = match &map {
        Some(_) => [b"./GNUSparseFile.0/", entry.name()].concat(),
        None => full,
    };
    if !records.is_empty() {
        let about = Entry {
            mode: 0o644,
            mtime: (entry.mtime.0.max(0), 0),
            ..Entry::new(Vec::new(), Kind::File)
        };
        let long = [b"./PaxHeaders/", entry.name()].concat();
        out.write_all(&fields(&about, &long, b"", records.len() as u64, b'x'))?;
        out.write_all(&records)?;
        out.write_all(padding(records.len() as u64))?;
    }
    out.write_all(&fields(entry, &name, &link, stored, flag(entry.kind)))?;
    if let Some(map) = map {
        out.write_all(&map)?;
    }
    Ok(())
}

/// What fills the last block of so many bytes.
pub(super) fn padding(bytes: u64) -> &'static [u8] {
    const ZEROS: [u8; BLOCK] = [0; BLOCK];
    let over = usize::try_from(bytes % BLOCK as u64).unwrap_or(0);
    if over == 0 { &[] } else { &ZEROS[over..] }
}

/// The end of an archive.
pub(super) const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

fn full_path(entry: &Entry) -> Vec<u8> {
    let mut full = b"./".to_vec();
    full.extend_from_slice(&entry.path);
    if entry.kind == Kind::Directory && !entry.path.is_empty() {
        full.push(b'/');
    }
    full
}

fn flag(kind: Kind) -> u8 {
    match kind {
        Kind::File => b'0',
        Kind::Hardlink => b'1',
        Kind::Symlink => b'2',
        Kind::Character => b'3',
        Kind::Block => b'4',
        Kind::Directory => b'5',
        Kind::Fifo => b'6',
    }
}

fn records(entry: &Entry, full: &[u8], link: &[u8], stored: u64, sparse: bool) -> Vec<u8> {
    let mut all = Vec::new();
    let long_path = full.len() > 100 && !sparse;
    let binary = |text: &[u8]| std::str::from_utf8(text).is_err();
    if (long_path || sparse) && binary(full) || link.len() > 100 && binary(link) {
        record(&mut all, b"hdrcharset", b"BINARY");
    }
    if long_path {
        record(&mut all, b"path", full);
    }
    if link.len() > 100 {
        record(&mut all, b"linkpath", link);
    }
    if entry.mtime.1 != 0 || entry.mtime.0 < 0 || entry.mtime.0.unsigned_abs() > OCTAL_11 {
        record(&mut all, b"mtime", decimal(entry.mtime).as_bytes());
    }
    for (name, value, most) in [
        ("uid", u64::from(entry.uid), OCTAL_7),
        ("gid", u64::from(entry.gid), OCTAL_7),
        ("size", stored, OCTAL_11),
    ] {
        if value > most {
            record(&mut all, name.as_bytes(), value.to_string().as_bytes());
        }
    }
    if sparse {
        record(&mut all, b"GNU.sparse.major", b"1");
        record(&mut all, b"GNU.sparse.minor", b"0");
        record(&mut all, b"GNU.sparse.name", full);
        record(
            &mut all,
            b"GNU.sparse.realsize",
            entry.size.to_string().as_bytes(),
        );
    }
    for (name, value) in &entry.xattrs {
        let name = [b"SCHILY.xattr.", name.as_slice()].concat();
        record(&mut all, &name, value);
    }
    all
}

/// `LENGTH name=value`, where the length counts its own digits.
fn record(all: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    let rest = name.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    all.extend_from_slice(length.to_string().as_bytes());
    all.push(b' ');
    all.extend_from_slice(name);
    all.push(b'=');
    all.extend_from_slice(value);
    all.push(b'\n');
}

fn decimal((seconds, nanos): (i64, u32)) -> String {
    if seconds < 0 && nanos > 0 {
        return format!("-{}.{:09}", -(seconds + 1), 1_000_000_000 - nanos);
    }
    format!("{seconds}.{nanos:09}")
}

/// How many parts, then offset and length of each, in whole blocks.
fn sparse_map(parts: &[(u64, u64)]) -> Vec<u8> {
    let mut map = format!("{}\n", parts.len());
    for (offset, length) in parts {
        map.push_str(&format!("{offset}\n{length}\n"));
    }
    let mut map = map.into_bytes();
    map.extend_from_slice(padding(map.len() as u64));
    map
}

fn fields(entry: &Entry, name: &[u8], link: &[u8], size: u64, flag: u8) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    put(&mut block[..100], name);
    octal(&mut block[100..108], u64::from(entry.mode & 0o7777));
    octal(&mut block[108..116], u64::from(entry.uid).min(OCTAL_7));
    octal(&mut block[116..124], u64::from(entry.gid).min(OCTAL_7));
    octal(&mut block[124..136], size.min(OCTAL_11));
    let seconds = u64::try_from(entry.mtime.0).unwrap_or(0);
    octal(&mut block[136..148], seconds.min(OCTAL_11));
    block[148..156].fill(b' ');
    block[156] = flag;
    put(&mut block[157..257], link);
    block[257..265].copy_from_slice(b"ustar\x0000");
    let (major, minor) = entry.device;
    octal(&mut block[329..337], u64::from(major).min(OCTAL_7));
    octal(&mut block[337..345], u64::from(minor).min(OCTAL_7));
    let sum = sum(&block);
    octal(&mut block[148..155], sum);
    block
}

fn put(field: &mut [u8], text: &[u8]) {
    let length = text.len().min(field.len());
    field[..length].copy_from_slice(&text[..length]);
}

/// The sum of all bytes, eight at a time in four lanes: none of them runs over within a block.
fn sum(block: &[u8; BLOCK]) -> u64 {
    const LANES: u64 = 0x00ff_00ff_00ff_00ff;
    let (words, _) = block.as_chunks();
    let lanes = words.iter().fold(0, |lanes, word| {
        let word = u64::from_le_bytes(*word);
        lanes + (word & LANES) + ((word >> 8) & LANES)
    });
    (0..4).map(|lane| (lanes >> (16 * lane)) & 0xffff).sum()
}

/// Octal digits with a zero byte behind them. There are several in each header, and texts
/// that are made for them take longer than all else in it.
fn octal(field: &mut [u8], value: u64) {
    let digits = field.len() - 1;
    let mut rest = value;
    for digit in field[..digits].iter_mut().rev() {
        *digit = b'0' + (rest & 7) as u8;
        rest >>= 3;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_says_its_numbers_in_octal_and_its_sum_is_that_of_all_its_bytes() {
        for value in [0, 7, 8, 0o1234567, OCTAL_7, OCTAL_11] {
            let mut field = [0; 12];
            octal(&mut field, value);
            assert_eq!(field[..11], *format!("{value:011o}").as_bytes());
            assert_eq!(field[11], 0);
        }
        for (first, step) in [(0_u8, 0), (255, 0), (3, 7)] {
            let mut block = [0; BLOCK];
            let mut next = first;
            for byte in &mut block {
                *byte = next;
                next = next.wrapping_add(step);
            }
            let plain: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
            assert_eq!(sum(&block), plain, "{first} {step}");
        }
    }

    #[test]
    fn a_record_counts_its_own_digits() {
        for length in [1, 80, 91, 92, 93, 94, 95, 990, 991, 992] {
            let mut all = Vec::new();
            record(&mut all, b"path", &vec![b'x'; length]);
            let told: usize = String::from_utf8_lossy(&all)
                .split(' ')
                .next()
                .unwrap()
                .parse()
                .unwrap();
            assert_eq!(told, all.len(), "{length}");
        }
    }

    #[test]
    fn times_before_1970_are_written_as_they_are() {
        assert_eq!(decimal((5, 7)), "5.000000007");
        assert_eq!(decimal((-2, 500_000_000)), "-1.500000000");
        assert_eq!(decimal((-1, 500_000_000)), "-0.500000000");
        assert_eq!(decimal((-3, 0)), "-3.000000000");
    }
}
