use std::sync::mpsc;
use std::thread;

use exposition::Labels;
use tempfile::TempDir;

use super::*;
use crate::{Settings, Summary};

const STEP: i64 = 15_000;
const HOUR: i64 = BLOCK_MS;

#[test]
fn an_hour_waits_for_an_archive_that_hangs_instead_of_being_rolled_up_with_a_hole() {
    let dir = TempDir::new().unwrap();
    let (store, _) = Store::open(dir.path(), Settings::default());
    let labels = Labels::from_pairs([("__name__", "gauge")]);
    let start = 19_700 * DAY_MS;
    for at in 0..4 * 240 {
        let now = start + at * STEP;
        store.append(&labels, now + 1, at as f64).unwrap();
        store.maintain(now);
        store.put_away(now).unwrap();
    }
    let archive = store.archive.as_ref().unwrap();
    assert!(archive.bytes() > 0, "some of it has left memory");
    let now = start + 4 * HOUR + 2 * GRACE_MS;
    let (answer, disk) = mpsc::channel::<()>();
    archive.stuck_behind(thread::spawn(move || {
        let _ = disk.recv();
    }));
    let err = store.roll_up(now).unwrap_err();
    assert!(err.to_string().contains("does not answer"), "{err}");
    assert_eq!(store.rollups().unwrap().status().done_ms, None);
    drop(answer);
    // It is tried again after some calls.
    let hours = (0..1000).map(|_| {
        thread::yield_now();
        store.roll_up(now).unwrap().hours
    });
    assert_eq!(hours.sum::<usize>(), 4);
    // Once memory and archive have given the hours up, the points are all there.
    store.maintain(now + 2 * DAY_MS);
    store.put_away(now + 2 * DAY_MS).unwrap();
    let mut values = Vec::new();
    let all = store.visit_history(&[], start, now, Summary::Last, |_, samples| {
        values.extend(samples.iter().map(|sample| sample.1));
        Ok::<_, ()>(())
    });
    assert_eq!(all, Ok(true));
    let expected: Vec<f64> = (1..=48).map(|window| f64::from(window * 20 - 1)).collect();
    assert_eq!(values, expected);
}
