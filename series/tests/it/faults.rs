//! Folders that cannot be written, for a while. A small tmpfs is the disk, so
//! these tests want root, as in a container.

use std::fs;
use std::path::Path;
use std::process::Command;

use exposition::Labels;
use series::{Flushed, Settings, Store, Summary};
use tempfile::TempDir;

use crate::{contents, labels};

/// A file system of its own, unmounted at the end.
struct Mount(TempDir);

impl Mount {
    fn new(size: &str) -> Self {
        let dir = TempDir::new().unwrap();
        let options = format!("size={size}");
        mount(&["-t", "tmpfs", "-o", &options, "tmpfs"], dir.path());
        Self(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn remount(&self, options: &str) {
        mount(&["-o", &format!("remount,{options}")], self.path());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

fn mount(arguments: &[&str], path: &Path) {
    let status = Command::new("mount").args(arguments).arg(path).status();
    assert!(status.unwrap().success(), "mounting a tmpfs needs root");
}

fn append(store: &Store, at: i64) {
    for id in 0..20 {
        let series = labels("up", &[("id", &id.to_string())]);
        let value = (at as f64 * 0.7 + f64::from(id)).sin();
        store.append(&series, at * 15_000, value).unwrap();
    }
}

/// The store goes on while its folder fails, says so once, and has written
/// everything once the folder is well again.
fn fails_and_recovers(dir: &Path, settings: Settings, fail: impl Fn(), mend: impl Fn()) {
    let (store, recovery) = Store::open(dir, settings.clone());
    assert_eq!(recovery.error, None);
    append(&store, 1);
    store.flush().unwrap();
    for round in 0..2 {
        let first = 10 + round * 1000;
        fail();
        let mut told = 0;
        for at in first..first + 200 {
            append(&store, at);
            match store.flush() {
                Ok(Flushed::StillFailing) => assert!(told > 0),
                Err(_) => told += 1,
                // There may be some room left at first.
                other => assert!(told == 0, "{other:?}"),
            }
            let figures = store.figures();
            assert_eq!(figures.flush_error.is_some(), told > 0);
        }
        assert!((1..=2).contains(&told), "told {told} times");
        assert_eq!(store.figures().out_of_order, 0);
        // What is read back meanwhile is true, as far as it goes.
        let found = contents(&Store::open(dir, settings.clone()).0);
        let all = contents(&store);
        for (labels, samples) in found {
            assert!(all[&labels].starts_with(&samples));
        }

        mend();
        let recovered = (0..64).any(|_| matches!(store.flush(), Ok(Flushed::Recovered(1..))));
        assert!(recovered);
        assert_eq!(store.figures().flush_error, None);
        append(&store, first + 500);
        assert!(matches!(store.flush(), Ok(Flushed::Written(1..))));
    }
    let all = contents(&store);
    drop(store);
    let (store, recovery) = Store::open(dir, settings);
    assert!(!recovery.is_damaged(), "{recovery:?}");
    assert_eq!(contents(&store), all);
}

#[test]
fn a_full_disk_costs_the_folder_only_and_mends() {
    let disk = Mount::new("256k");
    let filler = disk.path().join("filler");
    fails_and_recovers(
        disk.path(),
        Settings::default(),
        || {
            // As much as fits.
            let _ = fs::write(&filler, vec![1; 1 << 20]);
        },
        || fs::remove_file(&filler).unwrap(),
    );
}

#[test]
fn a_full_disk_delays_roll_ups_and_loses_none() {
    let disk = Mount::new("1m");
    let filler = disk.path().join("filler");
    let (store, _) = Store::open(disk.path(), Settings::default());
    let hour = 240;
    for at in 0..5 * hour {
        append(&store, at);
    }
    let now = |hours: i64| hours * 3_600_000 + 120_000;
    assert_eq!(store.roll_up(now(1)).unwrap().hours, 1);
    // As much as fits, with a little left in the last file's page.
    let _ = fs::write(&filler, vec![1; 2 << 20]);
    let mut told = 0;
    for _ in 0..60 {
        told += usize::from(store.roll_up(now(4)).is_err());
        assert!(store.figures().rollup_error.is_some());
    }
    assert_eq!(told, 1);
    assert_eq!(store.figures().rollup_done_ms, Some(3_600_000));
    // What could not be finished is not left in the way.
    let parts = || {
        fs::read_dir(disk.path().join("series/rollup"))
            .unwrap()
            .count()
    };
    assert!(parts() <= 2, "{}", parts());
    fs::remove_file(&filler).unwrap();
    let recovered = (0..64).any(|_| store.roll_up(now(4)).unwrap().recovered);
    assert!(recovered);
    assert_eq!(store.figures().rollup_error, None);
    // Once memory has given the hours up, all of them are there.
    store.maintain(now(6) + 86_400_000);
    let mut points = 0;
    let each = |_: &Labels, samples: &mut Vec<(i64, f64)>| {
        points += samples.len();
        Ok::<_, ()>(())
    };
    let all = store.visit_history(&[], 0, now(4), Summary::Last, each);
    assert_eq!((all, points), (Ok(true), 20 * 4 * 12));
}

#[test]
fn a_full_disk_keeps_samples_in_memory_until_they_can_be_put_away() {
    let disk = Mount::new("2m");
    let filler = disk.path().join("filler");
    let (store, _) = Store::open(disk.path(), Settings::default());
    let hour = 240;
    let now = |at: i64| at * 15_000;
    for at in 0..6 * hour {
        append(&store, at);
    }
    let (all, had) = (contents(&store), store.figures().chunk_bytes);
    let _ = fs::write(&filler, vec![1; 4 << 20]);
    store.maintain(now(6 * hour));
    let mut told = 0;
    for _ in 0..60 {
        told += usize::from(store.put_away(now(6 * hour)).is_err());
        assert!(store.figures().archive_error.is_some());
    }
    assert_eq!(told, 1);
    assert_eq!(store.figures().chunk_bytes, had);
    assert_eq!(contents(&store), all);
    // What could not be finished is not left in the way.
    let left = fs::read_dir(disk.path().join("series/archive")).unwrap();
    assert_eq!(left.count(), 0);
    fs::remove_file(&filler).unwrap();
    let recovered = (0..64).any(|_| store.put_away(now(6 * hour)).unwrap().recovered);
    assert!(recovered);
    let figures = store.figures();
    assert_eq!(figures.archive_error, None);
    assert!(figures.chunk_bytes < had / 2);
    assert_eq!(contents(&store), all);
    store.flush().unwrap();
    drop(store);
    let (store, recovery) = Store::open(disk.path(), Settings::default());
    assert!(!recovery.is_damaged());
    assert_eq!(contents(&store), all);
}

#[test]
fn a_disk_without_room_for_a_snapshot_mends() {
    let disk = Mount::new("256k");
    let filler = disk.path().join("filler");
    let settings = Settings {
        log_bytes: 2000,
        ..Settings::default()
    };
    fails_and_recovers(
        disk.path(),
        settings,
        || {
            let _ = fs::write(&filler, vec![1; 1 << 20]);
        },
        || fs::remove_file(&filler).unwrap(),
    );
}

#[test]
fn a_disk_that_turns_read_only_mends() {
    let disk = Mount::new("1m");
    // A file that is open keeps its file system from turning, so each segment is
    // closed at once.
    let settings = Settings {
        log_bytes: 0,
        ..Settings::default()
    };
    fails_and_recovers(
        disk.path(),
        settings,
        || disk.remount("ro"),
        || disk.remount("rw"),
    );
}

#[test]
fn a_folder_in_whose_place_there_is_a_file_mends() {
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("series");
    fs::write(&folder, "in the way").unwrap();
    let (store, recovery) = Store::open(dir.path(), Settings::default());
    assert!(recovery.error.is_some());
    append(&store, 1);
    assert!(store.flush().is_err());
    append(&store, 2);
    assert_eq!(store.flush().unwrap(), Flushed::StillFailing);
    fs::remove_file(&folder).unwrap();
    assert!((0..64).any(|_| matches!(store.flush(), Ok(Flushed::Recovered(_)))));
    let all = contents(&store);
    drop(store);
    assert_eq!(
        contents(&Store::open(dir.path(), Settings::default()).0),
        all
    );
}

#[test]
fn a_folder_that_is_removed_is_written_anew() {
    let dir = TempDir::new().unwrap();
    let (store, _) = Store::open(dir.path(), Settings::default());
    append(&store, 1);
    store.flush().unwrap();
    fs::remove_dir_all(dir.path().join("series")).unwrap();
    append(&store, 2);
    let err = store.flush().unwrap_err();
    assert!(err.to_string().starts_with("cannot write the log"), "{err}");
    append(&store, 3);
    assert!(matches!(store.flush(), Ok(Flushed::Recovered(_))));
    append(&store, 4);
    assert!(matches!(store.flush(), Ok(Flushed::Written(_))));
    let all = contents(&store);
    drop(store);
    let (store, recovery) = Store::open(dir.path(), Settings::default());
    assert!(!recovery.is_damaged());
    assert_eq!(contents(&store), all);
}
