//! The log does not grow without end, and a restart costs little.

use std::fs;
use std::path::Path;
use std::time::Duration;

use series::{Flushed, Fsync, Settings, Store};
use tempfile::TempDir;

use crate::{contents, labels};

fn settings() -> Settings {
    Settings {
        fsync: Fsync::EachSegment,
        segment_bytes: 4 << 10,
        log_bytes: 16 << 10,
        ..Settings::default()
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.join("series")).unwrap();
    for entry in fs::read_dir(from.join("series")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join("series").join(entry.file_name())).unwrap();
    }
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir.join("series")).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_long_log_becomes_a_snapshot_and_every_sample_stays() {
    let dir = TempDir::new().unwrap();
    let (mut store, _) = Store::open(dir.path(), settings());
    for at in 0..5000 {
        for id in 0..4 {
            let series = labels("up", &[("id", &id.to_string())]);
            store
                .append(&series, at * 15_000, (at * id) as f64 / 7.0)
                .unwrap();
        }
        store.flush().unwrap();
        let figures = store.figures();
        assert!(figures.log_bytes < (21 << 10) + figures.snapshot_bytes);
        if at % 777 == 0 {
            let expected = contents(&store);
            drop(store);
            let recovery;
            (store, recovery) = Store::open(dir.path(), settings());
            assert_eq!(contents(&store), expected);
            assert_eq!(recovery.samples, (at as u64 + 1) * 4);
            assert_eq!(recovery.newest_ms, Some(at * 15_000));
        }
    }
    let figures = store.figures();
    assert!(figures.snapshot_bytes > 0);
    let segments = (settings().log_bytes + figures.snapshot_bytes) / settings().segment_bytes;
    let files = names(dir.path());
    assert!(files.len() as u64 <= segments + 3, "{files:?}");
}

#[test]
fn the_names_of_many_series_are_neither_written_nor_folded_at_each_flush() {
    let dir = TempDir::new().unwrap();
    let (store, _) = Store::open(dir.path(), settings());
    let series: Vec<_> = (0..2000)
        .map(|id| labels("many", &[("id", &format!("{id:050}"))]))
        .collect();
    let mut named = 0;
    for at in 0..60 {
        for one in &series {
            store.append(one, at * 15_000, at as f64).unwrap();
        }
        store.flush().unwrap();
        if at == 0 {
            // Longer than the log may be: it is folded at once, and then has them again.
            named = store.figures().snapshot_bytes;
            assert!(named > 8 * settings().log_bytes);
        }
    }
    // Some four bytes of each sample, and the names a few times; not 60 times.
    let figures = store.figures();
    assert!(figures.snapshots < 15, "{figures:?}");
    assert!(figures.written_bytes < 25 * named, "{figures:?}");
    let all = contents(&store);
    drop(store);
    let (store, recovery) = Store::open(dir.path(), settings());
    assert!(!recovery.is_damaged());
    assert_eq!(contents(&store), all);
}

#[test]
fn series_that_come_and_go_do_not_make_the_log_long() {
    let dir = TempDir::new().unwrap();
    let (store, _) = Store::open(dir.path(), settings());
    for at in 0..100 {
        for id in 0..100 {
            let one = labels("pod", &[("id", &format!("{at:040}-{id}"))]);
            store.append(&one, at * 15_000, 1.0).unwrap();
        }
        store.flush().unwrap();
        let figures = store.figures();
        // What is new in one flush comes on top.
        let most = settings().log_bytes + (16 << 10) + figures.snapshot_bytes;
        assert!(figures.log_bytes < most, "{at}: {figures:?}");
    }
}

#[test]
fn many_restarts_leave_few_files() {
    let dir = TempDir::new().unwrap();
    let up = labels("up", &[]);
    for at in 0..100 {
        let (store, recovery) = Store::open(dir.path(), Settings::default());
        assert_eq!(recovery.samples, at);
        store.append(&up, at as i64, 1.0).unwrap();
        store.flush().unwrap();
    }
    assert!(names(dir.path()).len() <= 34);
}

#[test]
fn a_fold_that_is_cut_off_at_any_point_loses_nothing() {
    let dir = TempDir::new().unwrap();
    let up = labels("up", &[]);
    let (store, _) = Store::open(dir.path(), settings());
    let mut at = 0;
    let before = loop {
        let before = TempDir::new().unwrap();
        if at > 0 {
            copy(dir.path(), before.path());
        }
        at += 1;
        store.append(&up, at * 15_000, at as f64 / 7.0).unwrap();
        store.flush().unwrap();
        if store.figures().snapshots == 1 {
            break before;
        }
    };
    let all = contents(&store);
    let snapshot = fs::read(dir.path().join("series/snapshot")).unwrap();
    let segments = names(before.path()).len();
    assert!(segments > 3);

    // Half of it written beside the log.
    for part in [0, snapshot.len() / 2, snapshot.len()] {
        let unfinished = before.path().join("series/snapshot.new");
        fs::write(&unfinished, &snapshot[..part]).unwrap();
        let (store, recovery) = Store::open(before.path(), settings());
        assert!(!recovery.is_damaged());
        assert!(!unfinished.exists());
        let samples = &contents(&store)[&up];
        assert_eq!(samples[..], all[&up][..samples.len()]);
        assert!(samples.len() + 1 >= all[&up].len());
    }
    // Renamed, and only some of the segments removed.
    fs::write(before.path().join("series/snapshot"), &snapshot).unwrap();
    for _ in 0..segments {
        let (store, recovery) = Store::open(before.path(), settings());
        assert_eq!(contents(&store), all);
        assert_eq!(recovery.faults, []);
        assert_eq!(names(before.path()), ["snapshot"]);
        copy(dir.path(), before.path());
    }
}

#[test]
fn shed_and_expired_series_do_not_come_back_with_a_restart() {
    let dir = TempDir::new().unwrap();
    let limits = Settings {
        max_bytes: 300_000,
        ..settings()
    };
    let (store, _) = Store::open(dir.path(), limits.clone());
    store.append(&labels("up", &[]), 100_000_000, 1.0).unwrap();
    store.append(&labels("old", &[]), 0, 1.0).unwrap();
    let wide = |id: u32| labels("wide", &[("id", &id.to_string())]);
    let filled = (0..100_000).find(|id| store.append(&wide(*id), 100_000_000, 1.0).is_err());
    assert!(filled.is_some());
    store.flush().unwrap();
    let maintained = store.maintain(100_000_000);
    assert_eq!((maintained.expired, maintained.shed.len()), (1, 1));
    store.flush().unwrap();
    drop(store);
    let (store, recovery) = Store::open(dir.path(), limits);
    assert_eq!(recovery.series, 1);
    assert!(store.figures().index_bytes < 2000);
}

#[test]
fn a_stepped_clock_is_remembered() {
    let dir = TempDir::new().unwrap();
    let up = labels("up", &[]);
    for fold in [false, true] {
        let log_bytes = if fold { 0 } else { 1 << 20 };
        let limits = || Settings {
            log_bytes,
            ..settings()
        };
        let (store, _) = Store::open(dir.path(), limits());
        let now = 7_200_000 + i64::from(fold) * 15_000;
        store.append(&up, now, 1.0).unwrap();
        store.flush().unwrap();
        store.shift(-3_600_000);
        store.flush().unwrap();
        drop(store);
        let (store, recovery) = Store::open(dir.path(), limits());
        assert_eq!(recovery.newest_ms, Some(now - 3_600_000));
        store.shift(3_600_000);
        store.flush().unwrap();
    }
}

#[test]
fn nothing_new_writes_nothing() {
    let dir = TempDir::new().unwrap();
    let (store, _) = Store::open(dir.path(), Settings::default());
    assert_eq!(store.flush().unwrap(), Flushed::Written(0));
    assert_eq!(names(dir.path()), [""; 0]);
    store.append(&labels("up", &[]), 1, 1.0).unwrap();
    assert!(matches!(store.flush().unwrap(), Flushed::Written(1..)));
    assert_eq!(store.flush().unwrap(), Flushed::Written(0));
    assert_eq!(Store::new().flush().unwrap(), Flushed::InMemory);
}

#[test]
fn a_series_that_rests_takes_new_samples_after_a_restart_only_if_they_are_newer() {
    let dir = TempDir::new().unwrap();
    let up = labels("up", &[]);
    let limits = Settings {
        retention: Duration::from_secs(100_000_000),
        log_bytes: 0,
        ..settings()
    };
    // One that is exactly full, one that is not, one that is closed for its rest.
    for count in [240, 241, 7] {
        let (store, recovery) = Store::open(dir.path(), limits.clone());
        let from = recovery.newest_ms.unwrap_or(0);
        for at in 1..=count {
            store.append(&up, from + at * 15_000, at as f64).unwrap();
        }
        store.maintain(from + count * 15_000 + 100_000_000);
        store.flush().unwrap();
        drop(store);
        let (store, recovery) = Store::open(dir.path(), limits.clone());
        assert_eq!(recovery.newest_ms, Some(from + count * 15_000));
        let again = store.append(&up, from + count * 15_000, count as f64);
        assert_eq!(again, Ok(()));
        assert!(store.append(&up, from + count * 15_000 - 1, 1.0).is_err());
    }
}
