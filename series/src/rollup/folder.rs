//! The files of roll-ups: for each day one, or several where the program was
//! restarted or a write failed. Each stands for itself.

use std::path::{Path, PathBuf};
use std::{fs, io};

use exposition::{Labels, LabelsBuilder};

use super::DAY_MS;
use crate::codec::{Reader, push_signed, push_varint};
use crate::disk::record;
use crate::{Fault, FaultKind, Matcher};

/// Ids and labels of series.
pub(super) const SERIES: u8 = 1;
/// An hour of some series, after its beginning.
pub(super) const BLOCK: u8 = 7;
/// An hour is complete: its end.
pub(super) const DONE: u8 = 8;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Part {
    /// Days since 1970.
    pub(super) day: i64,
    /// Which of the day's files.
    pub(super) number: u32,
    pub(super) bytes: u64,
}

impl Part {
    pub(super) fn path(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{:05}-{:04}", self.day, self.number))
    }

    /// The end of the last hour that is complete in it.
    pub(super) fn done_ms(&self, folder: &Path) -> Option<i64> {
        let mut done = None;
        let read = record::read(&self.path(folder), |payload| {
            let mut from = Reader::new(payload);
            if from.byte()? == DONE {
                done = Some(from.signed()?);
            }
            Some(())
        });
        read.ok().and(done)
    }

    /// Whether it may have points in this range of wall times.
    pub(super) fn overlaps(&self, from_ms: i64, to_ms: i64) -> bool {
        let start = self.day * DAY_MS;
        start < to_ms && from_ms <= start + DAY_MS
    }
}

/// All files, in the order in which they were written.
pub(super) fn parts(folder: &Path) -> io::Result<Vec<Part>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(err) => return Err(err),
    };
    let mut parts = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let Some((day, number)) = name.to_str().and_then(|name| name.split_once('-')) else {
            continue;
        };
        if let (Ok(day), Ok(number)) = (day.parse(), number.parse()) {
            let bytes = entry.metadata()?.len();
            parts.push(Part { day, number, bytes });
        }
    }
    parts.sort_unstable();
    Ok(parts)
}

/// What is wrong with the files; a torn end is where a write was cut short.
pub(crate) fn faults(folder: &Path) -> Vec<Fault> {
    let Ok(parts) = parts(folder) else {
        return Vec::new();
    };
    let read = |part: &Part| record::read(&part.path(folder), |_| Some(()));
    let of_part = |part: &Part| match read(part) {
        Ok((_, faults)) => faults,
        Err(err) => vec![Fault {
            file: part.path(folder).display().to_string(),
            at: 0,
            bytes: 0,
            kind: FaultKind::Unreadable(err.to_string()),
        }],
    };
    parts.iter().flat_map(of_part).collect()
}

/// Adds a series to a record of them.
pub(super) fn push_series(out: &mut Vec<u8>, id: u64, labels: &Labels) {
    push_varint(out, id);
    push_varint(out, labels.len() as u64);
    for text in labels.iter().flat_map(|(name, value)| [name, value]) {
        push_varint(out, text.len() as u64);
        out.extend(text.as_bytes());
    }
}

/// Reads one series of a record: its id, and its labels if all matchers take them.
pub(super) fn read_series(
    from: &mut Reader<'_>,
    matchers: &[Matcher],
) -> Option<(u64, Option<Labels>)> {
    let id = from.varint()?;
    let count = from.length()?;
    let mut pairs = Vec::new();
    for _ in 0..count {
        let name = from.text()?;
        pairs.push((name, from.text()?));
    }
    let value = |name: &str| {
        let found = pairs.iter().find(|(have, _)| *have == name);
        found.map_or("", |(_, value)| *value)
    };
    let taken = matchers
        .iter()
        .all(|matcher| matcher.takes(value(&matcher.name)));
    let labels = taken.then(|| {
        let mut labels = LabelsBuilder::default();
        for (name, value) in &pairs {
            labels.set(*name, *value);
        }
        labels.build()
    });
    Some((id, labels))
}

/// The head of a record with hours.
pub(super) fn block(start_ms: i64) -> Vec<u8> {
    let mut payload = vec![BLOCK];
    push_signed(&mut payload, start_ms);
    payload
}
