//! Files that end early or have gone bad, at every byte.

use std::fs;
use std::path::{Path, PathBuf};

use exposition::{Labels, stale};
use series::{FaultKind, Fsync, Settings, Store, check};
use tempfile::TempDir;

use crate::{Contents, contents, labels};

fn settings(segment_bytes: u64) -> Settings {
    Settings {
        fsync: Fsync::EachSegment,
        segment_bytes,
        ..Settings::default()
    }
}

fn series_of(number: i64) -> Labels {
    labels("up", &[("job", &format!("job{number}"))])
}

/// Fills a folder with some flushes; gives, after each, what is in the store and
/// how long the log is.
fn fill(dir: &Path, settings: Settings) -> Vec<(u64, Contents)> {
    let (store, _) = Store::open(dir, settings);
    let mut states = vec![(0, Contents::new())];
    for at in 0..12 {
        for number in 0..=at / 3 {
            let value = [at as f64, 0.1 * at as f64, 1.0 / 3.0, stale()][(at % 4) as usize];
            store
                .append(&series_of(number), at * 15_000, value)
                .unwrap();
        }
        if at % 4 == 2 {
            store.shift(-10);
        }
        store.flush().unwrap();
        states.push((store.figures().log_bytes, contents(&store)));
    }
    states
}

fn file(dir: &Path, name: &str) -> PathBuf {
    dir.join("series").join(name)
}

/// A folder like another, with one file's bytes replaced.
fn with(from: &Path, name: &str, bytes: &[u8]) -> TempDir {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("series")).unwrap();
    for entry in fs::read_dir(from.join("series")).unwrap() {
        let entry = entry.unwrap();
        let to = dir.path().join("series").join(entry.file_name());
        fs::copy(entry.path(), to).unwrap();
    }
    fs::write(file(dir.path(), name), bytes).unwrap();
    dir
}

#[test]
fn a_log_cut_at_any_byte_keeps_the_flushes_before_it() {
    let origin = TempDir::new().unwrap();
    let states = fill(origin.path(), settings(1 << 20));
    let bytes = fs::read(file(origin.path(), "log-00000001")).unwrap();
    assert_eq!(bytes.len() as u64, states.last().unwrap().0);
    for cut in 0..=bytes.len() {
        let dir = with(origin.path(), "log-00000001", &bytes[..cut]);
        let (_, expected) = states.iter().rfind(|(end, _)| *end <= cut as u64).unwrap();
        let checked = check(dir.path());
        let (store, recovery) = Store::open(dir.path(), settings(1 << 20));
        assert_eq!(&contents(&store), expected, "cut at {cut}");
        assert_eq!(checked, recovery);
        assert!(!recovery.is_damaged(), "{recovery:?}");
        let whole = recovery.log_bytes;
        match recovery.faults.as_slice() {
            [] => assert_eq!(whole, cut as u64),
            [torn] => {
                assert_eq!(torn.kind, FaultKind::Torn);
                assert_eq!((torn.at, torn.at + torn.bytes), (whole, cut as u64));
            }
            more => panic!("{more:?}"),
        }
        let length = fs::metadata(file(dir.path(), "log-00000001"))
            .unwrap()
            .len();
        assert_eq!(length, whole, "the torn end is cut");

        // And it goes on from there.
        let next = 1_000_000;
        store.append(&series_of(9), next, 1.0).unwrap();
        store.flush().unwrap();
        let expected = contents(&store);
        drop(store);
        let (store, recovery) = Store::open(dir.path(), settings(1 << 20));
        assert_eq!(contents(&store), expected);
        assert_eq!(recovery.faults, []);
    }
}

#[test]
fn room_without_bytes_at_the_end_is_torn() {
    let origin = TempDir::new().unwrap();
    let states = fill(origin.path(), settings(1 << 20));
    let bytes = fs::read(file(origin.path(), "log-00000001")).unwrap();
    for room in [1, 12, 100, 10_000] {
        let mut longer = bytes.clone();
        longer.resize(bytes.len() + room, 0);
        let dir = with(origin.path(), "log-00000001", &longer);
        let (store, recovery) = Store::open(dir.path(), settings(1 << 20));
        assert_eq!(contents(&store), states.last().unwrap().1);
        assert_eq!(recovery.faults[0].kind, FaultKind::Torn);
        assert!(!recovery.is_damaged());
    }
}

/// Whether every sample was once appended, and every one that is not from the
/// damaged file is still there.
fn is_true(found: &Contents, all: &Contents, surely: &Contents) -> bool {
    let within = |part: &Contents, whole: &Contents| {
        part.iter().all(|(labels, samples)| {
            let have = whole.get(labels).map_or(&[][..], Vec::as_slice);
            samples.iter().all(|sample| have.contains(sample))
        })
    };
    within(found, all) && within(surely, found)
}

/// What is left of a damaged folder is soon whole again.
fn is_written_anew(store: Store, dir: &Path, settings: Settings) {
    let left = contents(&store);
    store.flush().unwrap();
    drop(store);
    let (store, recovery) = Store::open(dir, settings);
    assert!(!recovery.is_damaged(), "{recovery:?}");
    assert_eq!(contents(&store), left);
}

#[test]
fn a_bent_bit_in_a_segment_costs_that_segment_at_most_and_is_told() {
    let origin = TempDir::new().unwrap();
    fill(origin.path(), settings(250));
    let (store, _) = Store::open(origin.path(), settings(250));
    let all = contents(&store);
    drop(store);
    let middle = "log-00000002";
    let bytes = fs::read(file(origin.path(), middle)).unwrap();
    assert!(file(origin.path(), "log-00000003").exists());
    // Without the segment: what the others have by themselves.
    let without = with(origin.path(), middle, &[]);
    let surely = contents(&Store::open(without.path(), settings(250)).0);
    assert!(surely.len() == all.len() && surely != all);
    // At least one bit of each byte, another one each time.
    for bit in (0..bytes.len() * 8).step_by(7) {
        let mut bent = bytes.clone();
        bent[bit / 8] ^= 1 << (bit % 8);
        let dir = with(origin.path(), middle, &bent);
        let (store, recovery) = Store::open(dir.path(), settings(250));
        assert!(
            is_true(&contents(&store), &all, &surely),
            "bit {bit}: {recovery:?}"
        );
        assert_eq!(recovery.faults.len(), 1, "bit {bit}");
        assert_eq!(recovery.faults[0].file, middle);
        if bit % 5 == 0 {
            is_written_anew(store, dir.path(), settings(250));
        }
    }
}

#[test]
fn a_bad_snapshot_is_never_taken_for_a_good_one() {
    let origin = TempDir::new().unwrap();
    let folding = Settings {
        log_bytes: 0,
        ..settings(1 << 20)
    };
    fill(origin.path(), folding.clone());
    let (store, recovery) = Store::open(origin.path(), folding.clone());
    let all = contents(&store);
    assert!(recovery.snapshot_bytes > 0 && recovery.log_bytes == 0);
    drop(store);
    let bytes = fs::read(file(origin.path(), "snapshot")).unwrap();
    let judge = |bad: &[u8], what: String| {
        let dir = with(origin.path(), "snapshot", bad);
        let checked = check(dir.path());
        let (store, recovery) = Store::open(dir.path(), folding.clone());
        assert!(recovery.is_damaged(), "{what}");
        assert_eq!(checked, recovery);
        assert!(is_true(&contents(&store), &all, &Contents::new()), "{what}");
        if bad.len().is_multiple_of(17) {
            is_written_anew(store, dir.path(), folding.clone());
        }
    };
    for cut in 0..bytes.len() {
        judge(&bytes[..cut], format!("cut at {cut}"));
    }
    // At least one bit of each byte, another one each time.
    for bit in (0..bytes.len() * 8).step_by(7) {
        let mut bent = bytes.clone();
        bent[bit / 8] ^= 1 << (bit % 8);
        judge(&bent, format!("bit {bit}"));
    }
}

#[test]
fn checking_changes_nothing() {
    let origin = TempDir::new().unwrap();
    fill(origin.path(), settings(1 << 20));
    let bytes = fs::read(file(origin.path(), "log-00000001")).unwrap();
    let dir = with(origin.path(), "log-00000001", &bytes[..bytes.len() - 1]);
    fs::write(file(dir.path(), "snapshot.new"), "half").unwrap();
    assert_eq!(check(dir.path()).faults.len(), 1);
    let length = fs::metadata(file(dir.path(), "log-00000001"))
        .unwrap()
        .len();
    assert_eq!(length, bytes.len() as u64 - 1);
    assert!(file(dir.path(), "snapshot.new").exists());
}

#[test]
fn a_folder_that_is_not_there_is_an_empty_store() {
    let dir = TempDir::new().unwrap();
    assert_eq!(
        check(&dir.path().join("nowhere")),
        series::Recovery::default()
    );
    assert!(!dir.path().join("nowhere").exists());
}
