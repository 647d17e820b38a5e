//! A day on the disk: what is put away is read as if it were still in memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use exposition::{Labels, stale};
use series::{Settings, Store, check};
use tempfile::TempDir;

use crate::{Contents, contents, labels, named};

mod room;

const STEP: i64 = 15_000;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const START: i64 = 1_700_000_000_000;

fn settings() -> Settings {
    Settings {
        retention: Duration::from_secs(12 * 3600),
        ..Settings::default()
    }
}

/// The same, with all of it in memory.
fn in_memory() -> Store {
    Store::in_memory(settings())
}

fn gauge(id: i64) -> Labels {
    labels("gauge", &[("id", &id.to_string())])
}

/// What the program does each minute.
fn tend(store: &Store, now: i64) {
    store.flush().unwrap();
    store.maintain(now);
    store.put_away(now).unwrap();
}

/// Lives through `from..to`, steps of 15 s since the start: gauges, a counter, a
/// series that seldom comes, and guests of some hours.
fn live(stores: &[&Store], from: i64, to: i64) {
    for at in from..to {
        let now = START + at * STEP;
        let add = |labels: Labels, value: f64| {
            for store in stores {
                store.append(&labels, now, value).unwrap();
            }
        };
        for id in 0..6 {
            add(gauge(id), (at as f64 * 0.37 + id as f64).sin());
        }
        add(labels("count_total", &[]), at as f64);
        if at % 100 == 7 {
            add(labels("seldom", &[]), at as f64);
        }
        let (guest, hours) = (at / 720, at % 720);
        let value = if hours == 719 { stale() } else { 1.5 };
        add(labels("guest", &[("id", &guest.to_string())]), value);
        if at % 4 == 0 {
            stores.iter().for_each(|store| tend(store, now));
        }
    }
}

fn end(steps: i64) -> i64 {
    START + steps * STEP
}

/// Two contents of which a difference is to be told in a few words.
fn have_the_same(one: &Contents, two: &Contents) {
    let outline = |all: &Contents| -> Vec<_> {
        let all = all.iter();
        all.map(|(labels, samples)| {
            let ends = samples.first().zip(samples.last());
            let times = ends.map(|(first, last)| (first.0 - START, last.0 - START));
            (labels.to_string(), samples.len(), times)
        })
        .collect()
    };
    assert_eq!(outline(one), outline(two));
    assert!(one == two, "other times or values");
}

/// What is within the retention: a little more may be there or not.
fn kept(store: &Store, now: i64) -> Contents {
    let mut all = contents(store);
    for samples in all.values_mut() {
        samples.retain(|(time, _)| *time >= now - 12 * HOUR);
    }
    all.retain(|_, samples| !samples.is_empty());
    all
}

/// Both answer everything alike.
fn are_alike(one: &Store, two: &Store, now: i64) {
    have_the_same(&kept(one, now), &kept(two, now));
    let bits = |store: &Store, from, to| -> Vec<_> {
        let newest = store.newest(&[], from, to).into_iter();
        newest
            .map(|one| (one.labels, one.time_ms, one.value.to_bits()))
            .collect()
    };
    for back in (0..9 * HOUR).step_by(2_234_567) {
        for length in [MINUTE, 5 * MINUTE, 3 * HOUR] {
            let (from, to) = (now - back - length, now - back);
            assert!(
                bits(one, from, to) == bits(two, from, to),
                "{back} {length}"
            );
            assert_eq!(one.series(&[], from, to), two.series(&[], from, to));
            let select = |store: &Store| store.select(&named("gauge"), from, to);
            assert!(select(one) == select(two), "{back} {length}");
        }
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir.join("series/archive")).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}

#[test]
fn half_a_day_lives_on_the_disk_and_is_read_as_one() {
    let dir = TempDir::new().unwrap();
    let (mut store, _) = Store::open(dir.path(), settings());
    let memory = in_memory();
    let hours = 16 * 240;
    for from in (0..hours).step_by(960) {
        live(&[&store, &memory], from, from + 960);
        are_alike(&store, &memory, end(from + 960));
        // The clock is stepped, and the program started again.
        for store in [&store, &memory] {
            store.shift(-HOUR);
        }
        let earlier = end(from + 960) - HOUR;
        have_the_same(&kept(&store, earlier), &kept(&memory, earlier));
        for store in [&store, &memory] {
            store.shift(HOUR);
        }
        store.flush().unwrap();
        drop(store);
        store = Store::open(dir.path(), settings()).0;
        store.maintain(end(from + 956));
        are_alike(&store, &memory, end(from + 960));
    }
    let (ours, all) = (store.figures(), memory.figures());
    assert!(ours.chunk_bytes < all.chunk_bytes / 3, "{ours:?} {all:?}");
    assert!(ours.archive_bytes > all.chunk_bytes / 2);
    assert_eq!((ours.archive_unreadable, ours.archive_error), (0, None));
    // A file an hour, and those go that are older than the retention.
    assert!((8..=16).contains(&files(dir.path()).len()));
    assert_eq!(check(dir.path()).faults, []);
}

#[test]
fn a_crash_while_samples_are_put_away_loses_and_doubles_nothing() {
    let (dir, before) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (store, _) = Store::open(dir.path(), settings());
    live(&[&store], 0, 700);
    store.flush().unwrap();
    let had = files(dir.path()).len();
    copy(dir.path(), before.path());
    let later = end(700) + 2 * HOUR;
    store.maintain(later);
    assert!(store.put_away(later).unwrap().written > 0);
    let all = contents(&store);
    let new = files(dir.path())[had..].to_vec();
    assert_eq!(new.len(), 1);
    let bytes = fs::read(&new[0]).unwrap();
    let name = new[0].file_name().unwrap().to_str().unwrap();
    let archive = before.path().join("series/archive");
    // Half of it under its first name.
    for part in [0, bytes.len() / 2, bytes.len()] {
        let unfinished = archive.join(format!("{name}.new"));
        fs::write(&unfinished, &bytes[..part]).unwrap();
        let (store, recovery) = Store::open(before.path(), settings());
        assert!(!recovery.is_damaged());
        have_the_same(&contents(&store), &all);
        assert!(!unfinished.exists());
    }
    // The file is there, and log and snapshot are those from before it.
    fs::write(archive.join(name), &bytes).unwrap();
    let (store, recovery) = Store::open(before.path(), settings());
    assert!(!recovery.is_damaged());
    have_the_same(&contents(&store), &all);
    // What is in memory again is put away again.
    store.maintain(later);
    assert!(store.put_away(later).unwrap().written > 0);
    have_the_same(&contents(&store), &all);
    live(&[&store], 720, 1500);
    let all = contents(&store);
    store.flush().unwrap();
    drop(store);
    have_the_same(&contents(&Store::open(before.path(), settings()).0), &all);
}

#[test]
fn a_file_that_is_torn_or_bent_is_never_taken_for_a_good_one() {
    let origin = TempDir::new().unwrap();
    let (store, _) = Store::open(origin.path(), settings());
    live(&[&store], 0, 1000);
    store.flush().unwrap();
    let all = contents(&store);
    drop(store);
    let path = files(origin.path())[1].clone();
    let bytes = fs::read(&path).unwrap();
    let dir = TempDir::new().unwrap();
    copy(origin.path(), dir.path());
    let path = dir.path().join(path.strip_prefix(origin.path()).unwrap());
    let judge = |bad: &[u8], what: &str| {
        fs::write(&path, bad).unwrap();
        assert!(!check(dir.path()).faults.is_empty(), "{what}");
        let (store, recovery) = Store::open(dir.path(), settings());
        let found = contents(&store);
        assert_eq!(found.len(), all.len());
        for (labels, samples) in found {
            assert!(samples.is_sorted_by(|one, two| one.0 < two.0));
            let true_ones = &all[&labels];
            let is_true = |sample| true_ones.binary_search(sample).is_ok();
            assert!(samples.iter().all(is_true), "{what}: {labels}");
            assert_eq!(samples.last(), true_ones.last());
        }
        let lost = !path.exists();
        assert!(lost == recovery.is_damaged(), "{what}: {recovery:?}");
        assert!(lost || store.figures().archive_unreadable > 0, "{what}");
        lost
    };
    for cut in (0..bytes.len()).step_by(257).chain([bytes.len() - 1]) {
        assert!(judge(&bytes[..cut], &format!("cut at {cut}")));
    }
    let mut pages = 0;
    for bit in (8 * 8..bytes.len() * 8).step_by(1331) {
        let mut bent = bytes.clone();
        bent[bit / 8] ^= 1 << (bit % 8);
        pages += usize::from(!judge(&bent, &format!("bit {bit}")));
    }
    assert!(pages > 5);
    fs::write(&path, &bytes).unwrap();
    have_the_same(&contents(&Store::open(dir.path(), settings()).0), &all);
    assert_eq!(check(dir.path()).faults.first(), None);
}

#[test]
fn an_unreadable_snapshot_gives_no_archived_samples_to_other_series() {
    let dir = TempDir::new().unwrap();
    let (store, _) = Store::open(dir.path(), settings());
    live(&[&store], 0, 1000);
    drop(store);
    for entry in fs::read_dir(dir.path().join("series")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::remove_file(path).unwrap();
        }
    }
    // The newest file knows the clock, and which ids have been used.
    let (store, recovery) = Store::open(dir.path(), settings());
    assert_eq!((recovery.series, recovery.faults), (0, vec![]));
    let now = end(1000);
    for id in 0..20 {
        let labels = labels("other", &[("id", &id.to_string())]);
        store.append(&labels, now, 1.0).unwrap();
    }
    let selected = store.select(&[], i64::MIN, i64::MAX);
    assert!(selected.iter().all(|one| one.samples == [(now, 1.0)]));
    assert_eq!(selected.len(), 20);
    assert_eq!(store.figures().archive_unreadable, 0);
}
