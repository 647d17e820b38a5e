//! Reads a folder into a store.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::{fs, io};

use super::entry::{self, Beside};
use super::log::Log;
use super::report::{Fault, FaultKind, Recovery};
use super::{Folder, SNAPSHOT, UNFINISHED, record};
use crate::codec::{Chunk, Reader};
use crate::samples::{Series, Taken};
use crate::settings::millis;
use crate::{Settings, Store, archive, rollup};

/// Faults named one by one; a disk that has more of them has said enough.
const MOST_FAULTS: usize = 20;

/// Reads everything in `dir/series/` as [`Store::open`] does, and changes
/// nothing there.
#[must_use]
pub fn check(dir: &Path) -> Recovery {
    let store = Store::in_memory(Settings::default());
    let folder = Folder(dir.join("series"));
    let mut recovery = Loading::run(&store, &folder).recovery;
    recovery.faults.extend(archive::faults(&folder.archive()));
    recovery.faults.extend(rollup::faults(&folder.rollups()));
    recovery.faults.truncate(MOST_FAULTS);
    recovery
}

/// Reads the folder into an empty store, cuts torn ends, and takes out what a
/// snapshot has made superfluous.
pub(super) fn open(store: &Store, folder: Folder) -> (Log, Recovery) {
    let made = fs::create_dir_all(&folder.0);
    let loaded = Loading::run(store, &folder);
    let (covered, mut recovery) = (loaded.covered, loaded.recovery);
    if let Err(err) = made {
        recovery.error = Some(format!("cannot make {}: {err}", folder.0.display()));
    }
    let _ = fs::remove_file(folder.0.join(UNFINISHED));
    let mut older = Vec::new();
    for (number, whole) in &loaded.segments {
        let path = folder.segment(*number);
        // Neither has to succeed: the next start does the same.
        if *number <= covered {
            let _ = fs::remove_file(path);
            continue;
        }
        let torn = |fault: &Fault| fault.kind == FaultKind::Torn && path.ends_with(&fault.file);
        if recovery.faults.iter().any(torn) {
            let _ = fs::File::options()
                .write(true)
                .open(&path)
                .and_then(|file| file.set_len(*whole));
        }
        older.push((*number, *whole));
    }
    let last = loaded.segments.last().map_or(0, |(number, _)| *number);
    let last = last.max(covered);
    let log = Log::after(
        folder,
        &store.settings,
        store.clock(),
        last,
        older,
        &recovery,
    );
    (log, recovery)
}

struct Loading<'a> {
    store: &'a Store,
    by_id: HashMap<u64, Arc<Series>>,
    recovery: Recovery,
    /// The last segment that the snapshot has in it.
    covered: u64,
    /// The snapshot's series, and how many it says it has.
    whole: u64,
    end: Option<u64>,
    /// Segments and how far they are whole.
    segments: Vec<(u64, u64)>,
}

impl<'a> Loading<'a> {
    fn run(store: &'a Store, folder: &Folder) -> Self {
        let mut loading = Self {
            store,
            by_id: HashMap::new(),
            recovery: Recovery::default(),
            covered: 0,
            whole: 0,
            end: None,
            segments: Vec::new(),
        };
        if let Err(err) = loading.read(folder) {
            let error = format!("cannot read {}: {err}", folder.0.display());
            loading.recovery.error = Some(error);
        }
        loading.finish();
        loading
    }

    fn read(&mut self, folder: &Folder) -> io::Result<()> {
        let numbers = match folder.segments() {
            Ok(numbers) => numbers,
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(err) => return Err(err),
        };
        let path = folder.0.join(SNAPSHOT);
        if path.exists() {
            self.recovery.snapshot_bytes = self.read_file(&path);
            if self.end != Some(self.whole) {
                // It was renamed when it was whole, so it is the disk that lost it.
                self.fault(Fault {
                    file: SNAPSHOT.to_owned(),
                    at: self.recovery.snapshot_bytes,
                    bytes: 0,
                    kind: FaultKind::Incomplete,
                });
            }
        }
        for number in numbers {
            let mut whole = 0;
            if number > self.covered {
                whole = self.read_file(&folder.segment(number));
                self.recovery.log_bytes += whole;
            }
            self.segments.push((number, whole));
        }
        Ok(())
    }

    /// Reads one file, and gives the length up to which it is whole.
    fn read_file(&mut self, path: &Path) -> u64 {
        let result = record::read(path, |payload| self.take(&mut Reader::new(payload)));
        match result {
            Ok((whole, faults)) => {
                faults.into_iter().for_each(|fault| self.fault(fault));
                whole
            }
            Err(err) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                self.fault(Fault {
                    file: name.into_owned(),
                    at: 0,
                    bytes: 0,
                    kind: FaultKind::Unreadable(err.to_string()),
                });
                0
            }
        }
    }

    fn fault(&mut self, fault: Fault) {
        if self.recovery.faults.len() < MOST_FAULTS {
            self.recovery.faults.push(fault);
        }
    }

    /// Takes in one record; `None` where it makes no sense.
    fn take(&mut self, from: &mut Reader<'_>) -> Option<()> {
        match from.byte()? {
            entry::SERIES => {
                while !from.is_empty() {
                    self.take_series(from)?;
                }
            }
            entry::SAMPLES => {
                self.store.set_clock(from.signed()?);
                let mut beside = Beside::default();
                while !from.is_empty() {
                    let (id, point) = beside.read(from)?;
                    self.take_sample(id, point);
                }
            }
            entry::ENDED => {
                while !from.is_empty() {
                    self.take_ended(from.varint()?);
                }
            }
            entry::HEAD => {
                self.covered = from.varint()?;
                self.store.write().use_ids_from(from.varint()?);
            }
            entry::CHUNKS => {
                self.store.set_clock(from.signed()?);
                while !from.is_empty() {
                    self.take_chunks(from)?;
                }
            }
            entry::END => {
                self.store.set_clock(from.signed()?);
                self.end = Some(from.varint()?);
                // Older snapshots say nothing of it.
                if !from.is_empty() {
                    self.store.cut.fetch_max(from.signed()?, Ordering::Relaxed);
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn take_series(&mut self, from: &mut Reader<'_>) -> Option<Arc<Series>> {
        let (id, labels) = entry::read_series(from)?;
        let mut index = self.store.write();
        let series = index.get(&labels).cloned();
        let series = series.unwrap_or_else(|| index.insert_as(id, &labels));
        self.by_id.insert(id, series.clone());
        Some(series)
    }

    fn take_sample(&mut self, id: u64, point: (i64, f64)) {
        let Some(series) = self.by_id.get(&id) else {
            self.recovery.orphans += 1;
            return;
        };
        // Refused is what the snapshot had already.
        if let Ok(Taken::New(grown)) = series.lock().append(point) {
            self.store.counts.grown(grown);
        }
    }

    fn take_ended(&mut self, id: u64) {
        if let Some(series) = self.by_id.remove(&id) {
            let freed = series.lock().end();
            self.store.counts.grown(-(freed as i64));
            self.store.write().remove(&[series]);
        }
    }

    fn take_chunks(&mut self, from: &mut Reader<'_>) -> Option<()> {
        let series = self.take_series(from)?;
        let count = from.length()?;
        for _ in 0..count {
            let first = from.signed()?;
            let length = from.length()?;
            let (chunk, points) = Chunk::from_file(first, from.bytes(length)?)?;
            let grown = series.lock().restore(chunk, &points);
            self.store.counts.grown(grown);
        }
        self.whole += 1;
        Some(())
    }

    fn finish(&mut self) {
        let mut empty = Vec::new();
        let (mut newest, mut floor) = (None, i64::MAX);
        for series in self.store.pages().flatten() {
            let mut samples = series.lock();
            samples.forget_unlogged();
            self.recovery.samples += samples.count() as u64;
            match samples.newest() {
                Some((time, _)) => {
                    newest = newest.max(Some(time));
                    floor = floor.min(samples.first().unwrap_or(time));
                }
                None => empty.push(series.clone()),
            }
        }
        // The log may have older samples of some, and of others none.
        let retention = millis(self.store.settings.retention);
        let oldest = newest.map_or(floor, |time| time.saturating_sub(retention));
        if let Some(archive) = &self.store.archive {
            floor = floor.min(archive.from().unwrap_or(i64::MAX));
        }
        let cut = self.store.cut.load(Ordering::Relaxed);
        self.store
            .floor
            .store(floor.max(oldest).max(cut), Ordering::Relaxed);
        let mut index = self.store.write();
        // Their samples are lost; they need not be there for that.
        index.remove(&empty);
        self.recovery.series = index.len();
        let clock = self.store.clock();
        self.recovery.newest_ms = newest.map(|time| time.wrapping_add(clock));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{push_signed, push_varint};

    #[test]
    fn what_was_cut_is_read_and_older_snapshots_that_do_not_tell_are_whole() {
        for (cut, want) in [(None, i64::MIN), (Some(i64::MIN), i64::MIN), (Some(-7), -7)] {
            let dir = tempfile::tempdir().unwrap();
            let folder = Folder(dir.path().join("series"));
            fs::create_dir(&folder.0).unwrap();
            let mut snapshot = record::MAGIC.to_vec();
            record::push(&mut snapshot, &[entry::HEAD, 0, 1]);
            let mut end = vec![entry::END];
            push_signed(&mut end, 0);
            push_varint(&mut end, 0);
            if let Some(cut) = cut {
                push_signed(&mut end, cut);
            }
            record::push(&mut snapshot, &end);
            fs::write(folder.0.join(SNAPSHOT), &snapshot).unwrap();
            let (store, recovery) = Store::open(dir.path(), Settings::default());
            assert_eq!(recovery.faults, [], "{cut:?}");
            assert_eq!(store.cut.load(Ordering::Relaxed), want);
        }
    }
}
