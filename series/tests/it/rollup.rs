//! A month on the disk: what is rolled up, how it is read, and what breaks it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use exposition::{Labels, stale};
use series::{ROLLUP_MS, Settings, Store, Summary, check};
use tempfile::TempDir;

use crate::{labels, matcher, named};

const STEP: i64 = 15_000;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// A midnight.
const START: i64 = 19_700 * DAY;

fn settings() -> Settings {
    Settings {
        retention: Duration::from_secs(4 * 3600),
        ..Settings::default()
    }
}

fn wave(at: i64) -> f64 {
    (at as f64 * 0.37).sin()
}

/// Everything each series ever had.
type Past = BTreeMap<Labels, Vec<(i64, f64)>>;

/// Lives through `hours` from `from` on: a gauge, a counter, a limit, and a
/// container that comes and goes every few hours.
fn live(store: &Store, from: i64, hours: i64, past: &mut Past) {
    for at in from / STEP..(from + hours * HOUR) / STEP {
        let time = at * STEP + 777;
        let mut add = |labels: Labels, value: f64| {
            store.append(&labels, time, value).unwrap();
            past.entry(labels).or_default().push((time, value));
        };
        add(labels("gauge", &[("a", "1")]), wave(at));
        add(
            labels("count_total", &[("a", "1")]),
            (at - START / STEP) as f64,
        );
        add(labels("limit", &[("a", "1")]), 42.0);
        let guest = time / (3 * HOUR);
        add(
            labels("guest", &[("id", &guest.to_string())]),
            if (time + STEP) / (3 * HOUR) == guest {
                wave(at)
            } else {
                stale()
            },
        );
        if at % 40 == 39 {
            store.roll_up(time).unwrap();
            store.maintain(time);
            store.flush().unwrap();
        }
    }
}

fn history(store: &Store, name: &str, summary: Summary, from: i64, to: i64) -> Past {
    let mut out = Past::new();
    let each = |labels: &Labels, samples: &mut Vec<(i64, f64)>| {
        out.insert(labels.clone(), samples.clone());
        Ok::<_, ()>(())
    };
    store
        .visit_history(&named(name), from, to, summary, each)
        .unwrap();
    out
}

/// What a month has to show of `past`: points where memory does not reach, then
/// its samples.
fn expected(past: &Past, name: &str, memory: &Past, fold: fn(&[f64]) -> f64) -> Past {
    let of_name = past.iter().filter(|(labels, _)| labels.name() == name);
    let all = of_name.map(|(labels, samples)| {
        let kept = memory.get(labels).cloned().unwrap_or_default();
        let begins = kept.first().map_or(i64::MAX, |sample| sample.0);
        let mut windows: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
        for (time, value) in samples
            .iter()
            .filter(|sample| !exposition::is_stale(sample.1))
        {
            let end = (time + ROLLUP_MS - 1) / ROLLUP_MS * ROLLUP_MS;
            windows.entry(end).or_default().push(*value);
        }
        let points = windows.into_iter().filter(|(at, _)| *at < begins);
        let mut all: Vec<_> = points.map(|(at, values)| (at, fold(&values))).collect();
        all.extend(kept);
        (labels.clone(), all)
    });
    all.collect()
}

fn memory(store: &Store) -> Past {
    let all = store.select(&[], i64::MIN, i64::MAX).into_iter();
    all.map(|one| (one.labels, one.samples)).collect()
}

fn last(values: &[f64]) -> f64 {
    *values.last().unwrap()
}

fn parts(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir.join("series/rollup")).unwrap();
    let mut parts: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    parts.sort();
    parts
}

#[test]
fn what_memory_gave_up_is_charted_from_the_disk() {
    let dir = TempDir::new().unwrap();
    let (store, _) = Store::open(dir.path(), settings());
    let mut past = Past::new();
    live(&store, START, 60, &mut past);
    let (end, kept) = (START + 60 * HOUR, memory(&store));
    assert!(kept.values().all(|samples| samples[0].0 > end - 6 * HOUR));
    let same = |name: &str, summary, fold| {
        let (have, want) = (
            history(&store, name, summary, START, end),
            expected(&past, name, &kept, fold),
        );
        assert_eq!(
            have.keys().collect::<Vec<_>>(),
            want.keys().collect::<Vec<_>>()
        );
        for (labels, samples) in have {
            let bits = |samples: &[(i64, f64)]| -> Vec<_> {
                samples
                    .iter()
                    .map(|(time, value)| (*time, value.to_bits()))
                    .collect()
            };
            assert_eq!(bits(&samples), bits(&want[&labels]), "{labels} {summary:?}");
        }
    };
    for name in ["gauge", "count_total", "limit", "guest"] {
        same(name, Summary::Last, last);
    }
    same("gauge", Summary::Max, |all| {
        all.iter().copied().fold(f64::MIN, f64::max)
    });
    same("gauge", Summary::Min, |all| {
        all.iter().copied().fold(f64::MAX, f64::min)
    });
    same("gauge", Summary::Sum, |all| all.iter().sum());
    same("limit", Summary::Sum, |all| all.iter().sum());
    same("gauge", Summary::Mean, |all| {
        all.iter().sum::<f64>() / all.len() as f64
    });
    same("count_total", Summary::Mean, last);
    // Each instant in the past has its one point.
    for at in (START + HOUR..end - 6 * HOUR).step_by(1_234_567) {
        let from = at - ROLLUP_MS + 1;
        let (newest, rolled_up) = store.newest_history(&named("count_total"), from, at);
        assert_eq!((newest.len(), rolled_up), (1, true));
        let behind = (at - newest[0].time_ms, newest[0].value);
        assert!((0..ROLLUP_MS).contains(&behind.0), "{behind:?}");
    }
    // The guests that are long gone are found by who asks for their time.
    let guests = named("guest");
    assert_eq!(store.series(&guests, START, START + HOUR), []);
    assert_eq!(store.series_history(&guests, START, START + HOUR).len(), 1);
    assert_eq!(store.series_history(&guests, START, end).len(), 20);
    // What memory has is answered by memory alone.
    let recent = history(&store, "gauge", Summary::Last, end - HOUR, end);
    let (_, samples) = recent.first_key_value().unwrap();
    assert_eq!(samples.len() as i64, HOUR / STEP);
    let none = [matcher("a", series::Op::Equal, "2")];
    assert_eq!(store.series_history(&none, START, end), []);
}

#[test]
fn a_restart_goes_on_where_the_last_hour_ended() {
    let dir = TempDir::new().unwrap();
    let mut past = Past::new();
    for (hour, hours) in [(0, 5), (5, 1), (6, 30), (36, 3)] {
        let (store, recovery) = Store::open(dir.path(), settings());
        assert!(!recovery.is_damaged());
        live(&store, START + hour * HOUR, hours, &mut past);
    }
    let (store, _) = Store::open(dir.path(), settings());
    let (end, kept) = (START + 39 * HOUR, memory(&store));
    for name in ["gauge", "count_total", "guest"] {
        let have = history(&store, name, Summary::Last, START, end);
        assert_eq!(have.len(), expected(&past, name, &kept, last).len());
        let whole = have.iter().all(|(labels, samples)| {
            samples.len() == expected(&past, name, &kept, last)[labels].len()
        });
        assert!(whole, "{name}");
    }
}

#[test]
fn a_file_cut_anywhere_costs_what_was_cut_and_nothing_else() {
    let dir = TempDir::new().unwrap();
    let mut past = Past::new();
    let (store, _) = Store::open(dir.path(), settings());
    live(&store, START, 30, &mut past);
    let whole = history(&store, "gauge", Summary::Last, START, START + 20 * HOUR);
    let whole = &whole.first_key_value().unwrap().1[..];
    drop(store);
    let part = &parts(dir.path())[0];
    let bytes = fs::read(part).unwrap();
    for cut in (0..=bytes.len()).step_by(bytes.len() / 97) {
        fs::write(part, &bytes[..cut]).unwrap();
        let (store, recovery) = Store::open(dir.path(), settings());
        assert!(!recovery.is_damaged(), "{recovery:?}");
        store.maintain(START + 30 * HOUR);
        let have = history(&store, "gauge", Summary::Last, START, START + 20 * HOUR);
        let have = have.first_key_value().map(|(_, samples)| samples.clone());
        assert!(whole.starts_with(&have.unwrap_or_default()), "cut at {cut}");
    }
    // A byte that has gone bad is found, and costs its record.
    let mut bad = bytes.clone();
    bad[bytes.len() / 2] ^= 1;
    fs::write(part, &bad).unwrap();
    assert!(check(dir.path()).is_damaged());
    let (store, _) = Store::open(dir.path(), settings());
    store.maintain(START + 30 * HOUR);
    let have = history(&store, "gauge", Summary::Last, START, START + 20 * HOUR);
    let (_, samples) = have.first_key_value().unwrap();
    assert!(samples.len() > whole.len() / 4);
    assert!(samples.iter().all(|sample| whole.contains(sample)));
}

#[test]
fn old_days_and_too_many_bytes_are_given_up() {
    let dir = TempDir::new().unwrap();
    let mut past = Past::new();
    let days = |settings: Settings, from: i64, hours, past: &mut Past| {
        let (store, _) = Store::open(dir.path(), settings);
        live(&store, from, hours, past);
        let figures = store.figures();
        assert_eq!(figures.rollup_error, None);
        (parts(dir.path()).len(), figures)
    };
    let month = Settings {
        rollup_keep: Duration::from_secs(3 * 24 * 3600),
        ..settings()
    };
    let (count, figures) = days(month, START, 6 * 24, &mut past);
    assert_eq!(count, 4);
    assert_eq!(figures.rollup_oldest_ms, Some(START + 2 * DAY));
    let small = Settings {
        rollup_bytes: figures.rollup_bytes / 2,
        ..settings()
    };
    let (count, figures) = days(small.clone(), START + 6 * DAY, 30, &mut past);
    assert!(count < 4, "{count}");
    assert!(figures.rollup_bytes <= small.rollup_bytes);
    let off = Settings {
        rollup_keep: Duration::ZERO,
        ..settings()
    };
    let (same, figures) = days(off, START + 8 * DAY, 3, &mut past);
    assert_eq!((same, figures.rollup_bytes), (count, 0));
}

#[test]
fn thirty_days_are_kept_where_nothing_else_is_said() {
    let dir = TempDir::new().unwrap();
    let (store, _) = Store::open(dir.path(), settings());
    let end = START + 33 * DAY;
    for time in (START..end).step_by(300_000) {
        store
            .append(&labels("gauge", &[]), time, (time / 300_000) as f64)
            .unwrap();
        if (time + 300_000) % HOUR == 0 {
            store.roll_up(time).unwrap();
            store.maintain(time);
        }
    }
    let kept = history(&store, "gauge", Summary::Last, START, end);
    let (_, samples) = kept.first_key_value().unwrap();
    let days = (end - samples[0].0) / DAY;
    assert!((30..=31).contains(&days), "{days} days");
    let whole: Vec<i64> = samples.iter().map(|(time, _)| time / 300_000).collect();
    assert!(
        whole.windows(2).all(|two| two[1] == two[0] + 1),
        "none is missing"
    );
    assert!(
        samples
            .iter()
            .all(|(time, value)| (time / 300_000) as f64 == *value)
    );
}

#[test]
fn a_folder_that_is_removed_is_begun_anew() {
    let dir = TempDir::new().unwrap();
    let (store, _) = Store::open(dir.path(), settings());
    let mut past = Past::new();
    live(&store, START, 3, &mut past);
    fs::remove_dir_all(dir.path().join("series/rollup")).unwrap();
    live(&store, START + 3 * HOUR, 3, &mut past);
    assert_eq!(parts(dir.path()).len(), 1);
    live(&store, START + 6 * HOUR, 9, &mut past);
    let have = history(&store, "gauge", Summary::Last, START, START + 6 * HOUR);
    let (_, samples) = have.first_key_value().unwrap();
    assert!(samples[0].0 > START + 2 * HOUR, "{}", samples[0].0);
    assert!(samples.len() as i64 > 3 * HOUR / ROLLUP_MS);
}

#[test]
fn a_clock_that_is_set_back_leaves_points_in_order() {
    let dir = TempDir::new().unwrap();
    let (store, _) = Store::open(dir.path(), settings());
    let mut past = Past::new();
    live(&store, START, 12, &mut past);
    store.shift(-6 * HOUR);
    live(&store, START + 6 * HOUR, 20, &mut past);
    let have = history(&store, "gauge", Summary::Last, 0, i64::MAX);
    let (_, samples) = have.first_key_value().unwrap();
    assert!(samples.windows(2).all(|two| two[0].0 < two[1].0));
    assert!(samples.len() as i64 > 20 * HOUR / ROLLUP_MS);
}
