//! Appending, selecting, listing, the clock and the retention.

use std::sync::Arc;
use std::time::Duration;

use exposition::stale;
use series::{Op, Rejected, Settings, Store, TooMany};

use crate::{labels, matcher, named};

const ALL: (i64, i64) = (i64::MIN, i64::MAX);
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

fn shop() -> Store {
    let store = Store::new();
    for (name, job, instance) in [
        ("up", "api", "b"),
        ("up", "api", "a"),
        ("up", "db", ""),
        ("load", "host", "a"),
    ] {
        let labels = labels(name, &[("job", job), ("instance", instance)]);
        store.append(&labels, 1000, 1.0).unwrap();
    }
    store
}

#[test]
fn chunks_are_counted_open_ones_too() {
    let store = shop();
    assert_eq!(store.chunks(), 4);
    let up = labels("up", &[("job", "db")]);
    for step in 1..1000 {
        store.append(&up, 1000 + step * 15_000, 1.0).unwrap();
    }
    let grown = store.chunks();
    assert!((8..=20).contains(&grown), "{grown}");
}

#[test]
fn samples_come_in_order_or_not_at_all() {
    let store = Store::new();
    let up = labels("up", &[]);
    assert_eq!(store.append(&up, 1000, 1.0), Ok(()));
    assert_eq!(store.append(&up, 1000, 1.0), Ok(()));
    assert_eq!(store.append(&up, 1000, 2.0), Err(Rejected::Duplicate));
    assert_eq!(store.append(&up, 1000, stale()), Err(Rejected::Duplicate));
    assert_eq!(store.append(&up, 999, 1.0), Err(Rejected::OutOfOrder));
    assert_eq!(store.append(&up, 1001, f64::NAN), Ok(()));
    assert_eq!(store.append(&up, 1001, f64::NAN), Ok(()));
    let figures = store.figures();
    assert_eq!(
        (figures.appended, figures.duplicates, figures.out_of_order),
        (2, 2, 1)
    );
}

#[test]
fn ranges_take_both_their_ends_across_chunks() {
    let store = Store::new();
    let up = labels("up", &[]);
    for at in 0..1000 {
        store.append(&up, at * 15, at as f64).unwrap();
    }
    for (from, to) in [
        (0, 0),
        (15, 14_985),
        (1801, 9000),
        (3600, 3615),
        (1, 14),
        (14_985, 99_999),
    ] {
        let expected: Vec<(i64, f64)> = (0..1000)
            .map(|at| (at * 15, at as f64))
            .filter(|(time, _)| (from..=to).contains(time))
            .collect();
        let newest = store.newest(&named("up"), from, to);
        let newest: Vec<_> = newest.iter().map(|one| (one.time_ms, one.value)).collect();
        assert_eq!(newest.first(), expected.last(), "{from}..={to}");
        let selected = store.select(&named("up"), from, to);
        assert_eq!(selected.len(), usize::from(!expected.is_empty()));
        let samples: Vec<_> = selected.into_iter().flat_map(|one| one.samples).collect();
        assert_eq!(samples, expected, "{from}..={to}");
    }
}

#[test]
fn matchers_choose_series_in_the_order_of_their_labels() {
    let store = shop();
    let (ab, b, db) = (
        [
            r#"up{instance="a", job="api"}"#,
            r#"up{instance="b", job="api"}"#,
        ],
        r#"up{instance="b", job="api"}"#,
        r#"up{job="db"}"#,
    );
    let host = r#"load{instance="a", job="host"}"#;
    let cases = [
        (
            vec![matcher("__name__", Op::Equal, "up")],
            vec![ab[0], ab[1], db],
        ),
        (vec![matcher("instance", Op::Equal, "")], vec![db]),
        (
            vec![matcher("instance", Op::NotEqual, "")],
            vec![host, ab[0], ab[1]],
        ),
        (
            vec![matcher("instance", Op::Regex, "a|b")],
            vec![host, ab[0], ab[1]],
        ),
        (vec![matcher("instance", Op::Regex, "b?")], vec![b, db]),
        (vec![matcher("instance", Op::NotRegex, "a|")], vec![b]),
        (vec![matcher("job", Op::Equal, "nobody")], vec![]),
        (
            vec![matcher("nothing", Op::Equal, "")],
            vec![host, ab[0], ab[1], db],
        ),
        (
            vec![
                matcher("job", Op::Equal, "api"),
                matcher("instance", Op::Equal, "b"),
            ],
            vec![b],
        ),
        (
            vec![
                matcher("__name__", Op::Equal, "up"),
                matcher("job", Op::NotEqual, "api"),
            ],
            vec![db],
        ),
    ];
    for (matchers, expected) in cases {
        let selected = store.select(&matchers, ALL.0, ALL.1);
        let mut found: Vec<String> = selected.iter().map(|one| one.labels.to_string()).collect();
        let sorted = selected.is_sorted_by_key(|one| one.labels.clone());
        assert!(sorted, "{matchers:?}");
        found.sort();
        assert_eq!(found, expected, "{matchers:?}");
    }
}

#[test]
fn names_values_and_series_are_listed_with_and_without_matchers() {
    let store = shop();
    let list = |found: Vec<Arc<str>>| found.join(" ");
    assert_eq!(list(store.labels(&[])), "__name__ instance job");
    assert_eq!(
        list(store.labels(&[matcher("job", Op::Equal, "db")])),
        "__name__ job"
    );
    assert_eq!(list(store.values("job", &[])), "api db host");
    assert_eq!(list(store.values("job", &named("up"))), "api db");
    assert_eq!(list(store.values("instance", &named("up"))), "a b");
    assert_eq!(list(store.values("nothing", &[])), "");
    assert_eq!(store.series(&named("up"), 0, 2000).len(), 3);
    assert_eq!(store.series(&named("up"), 1001, 2000).len(), 0);
    assert_eq!(store.widest()[0], ("up".into(), 3));
}

#[test]
fn a_reader_who_cannot_take_many_samples_is_told_so() {
    let store = shop();
    assert_eq!(store.select_most(&named("up"), 0, 2000, 2), Err(TooMany(2)));
    assert_eq!(
        store.select_most(&named("up"), 0, 2000, 3).unwrap().len(),
        3
    );
}

#[test]
fn a_stepped_clock_moves_all_that_is_stored() {
    let store = Store::new();
    let up = labels("up", &[]);
    for at in 0..1000 {
        store.append(&up, at * 15_000, at as f64).unwrap();
    }
    for (step, now) in [
        (-HOUR, 999 * 15_000 - HOUR),
        (5 * HOUR, 999 * 15_000 + 4 * HOUR),
    ] {
        store.shift(step);
        let newest = &store.newest(&named("up"), now - 1, now)[0];
        assert_eq!((newest.time_ms, newest.value), (now, 999.0));
        let samples = &store.select(&named("up"), ALL.0, ALL.1)[0].samples;
        assert_eq!(samples.len(), 1000);
        assert_eq!(samples[500], (now - 499 * 15_000, 500.0));
    }
    let now = 999 * 15_000 + 4 * HOUR;
    assert_eq!(store.append(&up, now - 1, 1.0), Err(Rejected::OutOfOrder));
    assert_eq!(store.append(&up, now + 15_000, 1.0), Ok(()));
}

#[test]
fn what_is_older_than_the_retention_leaves() {
    let store = Store::in_memory(Settings {
        retention: Duration::from_secs(3600),
        ..Settings::default()
    });
    let (short, long) = (labels("short", &[("id", "1")]), labels("long", &[]));
    for at in 0..2000 {
        let now = at * 15_000;
        if at < 500 {
            store.append(&short, now, 1.0).unwrap();
        }
        store.append(&long, now, at as f64 * 1.1).unwrap();
        store.maintain(now);
    }
    assert_eq!(store.figures().series, 1);
    assert!(store.values("id", &[]).is_empty());
    let samples = &store.select(&named("long"), ALL.0, ALL.1)[0].samples;
    // What is kept beyond the hour is no more than one chunk.
    assert!((240..=480).contains(&samples.len()), "{}", samples.len());
    assert_eq!(samples.last(), Some(&(1999 * 15_000, 1999.0 * 1.1)));
    // The series may come back, even where it was before.
    assert_eq!(store.append(&short, 0, 1.0), Ok(()));
}

#[test]
fn a_sample_from_far_ahead_does_not_block_its_series_for_ever() {
    let store = Store::new();
    let up = labels("up", &[]);
    store.append(&up, i64::MAX, 1.0).unwrap();
    assert_eq!(store.append(&up, HOUR, 1.0), Err(Rejected::OutOfOrder));
    assert_eq!(store.maintain(HOUR).expired, 1);
    assert_eq!(store.append(&up, HOUR, 1.0), Ok(()));
}

#[test]
fn threads_append_read_and_expire_at_once() {
    let store = Store::in_memory(Settings {
        retention: Duration::from_secs(60),
        ..Settings::default()
    });
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let store = &store;
            scope.spawn(move || {
                for at in 0..20_000_i64 {
                    let id = (at / 50 + thread) % 200;
                    let labels = labels("churn", &[("id", &id.to_string())]);
                    // Threads write the same series: some samples are refused.
                    let _ = store.append(&labels, at * 1000, at as f64);
                    if at % 100 == 0 {
                        store.maintain(at * 1000);
                        let selected = store.select(&named("churn"), ALL.0, ALL.1);
                        assert!(
                            selected
                                .iter()
                                .all(|one| one.samples.is_sorted_by(|a, b| a.0 < b.0))
                        );
                    }
                }
            });
        }
    });
    store.maintain(i64::MAX / 2);
    let figures = store.figures();
    assert_eq!(
        (figures.series, figures.chunk_bytes, figures.index_bytes),
        (0, 0, 0)
    );
}
