//! What an archive costs and is given up for: its own limit, short memory, bursts of
//! series and samples that lie far ahead.

use series::{Rejected, Summary};

use super::*;

#[test]
fn the_archive_has_a_limit_and_can_be_turned_off() {
    let dir = TempDir::new().unwrap();
    let (store, _) = Store::open(dir.path(), settings());
    live(&[&store], 0, 2000);
    store.flush().unwrap();
    let all = contents(&store);
    let half = store.figures().archive_bytes / 2;
    drop(store);
    let small = Settings {
        archive_bytes: half,
        ..settings()
    };
    let (store, _) = Store::open(dir.path(), small);
    let given_up = store.put_away(end(2000)).unwrap().given_up;
    assert!(given_up > 1);
    assert!(store.figures().archive_bytes <= half);
    for (labels, samples) in contents(&store) {
        assert!(all[&labels].ends_with(&samples), "{labels}");
    }
    let first = store.select(&named("count_total"), START, end(2000))[0].samples[0].0;
    assert!((START + HOUR..end(2000) - HOUR).contains(&first));
    let (all, bytes) = (contents(&store), store.figures().archive_bytes);
    drop(store);
    let off = Settings {
        archive_bytes: 0,
        ..settings()
    };
    let (store, _) = Store::open(dir.path(), off);
    have_the_same(&contents(&store), &all);
    live(&[&store], 2000, 3000);
    let count = contents(&store)[&gauge(1)].len();
    assert!((all[&gauge(1)].len() + 1000..=3000).contains(&count));
    assert!(store.figures().archive_bytes <= bytes);
    // It is read until it is too old.
    tend(&store, end(3000) + 13 * HOUR);
    assert_eq!(store.figures().archive_bytes, 0);
}

#[test]
fn short_memory_is_relieved_by_the_disk_before_history_is_given_up() {
    let dir = TempDir::new().unwrap();
    let small = Settings {
        max_bytes: 100_000,
        retention: Duration::from_secs(12 * 3600),
        ..Settings::default()
    };
    let (store, _) = Store::open(dir.path(), small);
    let steps = 10 * 240;
    for at in 0..steps {
        let now = START + at * STEP;
        for id in 0..20 {
            let value = (at as f64 * 0.7 + id as f64).sin();
            store.append(&gauge(id), now, value).unwrap();
        }
        store.flush().unwrap();
        if at % 4 == 0 || store.is_pressed() {
            let maintained = store.maintain(now);
            assert_eq!((maintained.cut_to_ms, maintained.shed), (None, vec![]));
        }
        store.put_away(now).unwrap();
        let figures = store.figures();
        assert!(figures.chunk_bytes + figures.index_bytes <= 100_000);
    }
    let all = contents(&store);
    assert_eq!(all.len(), 20);
    assert!(all.values().all(|samples| samples.len() as i64 == steps));
}

#[test]
fn a_burst_of_series_costs_no_archived_sample() {
    let dir = TempDir::new().unwrap();
    let tight = Settings {
        max_bytes: 400_000,
        ..settings()
    };
    let (store, _) = Store::open(dir.path(), tight);
    live(&[&store], 0, 2400);
    let old = |store: &Store| {
        let mut all = contents(store);
        all.retain(|labels, _| labels.name() != "requests");
        for samples in all.values_mut() {
            samples.retain(|(time, _)| *time < end(2400) - 3 * HOUR);
        }
        all.retain(|_, samples| !samples.is_empty());
        all
    };
    let before = old(&store);
    let long = before.values().filter(|samples| samples.len() > 1000);
    // Gauges and the counter; the one that seldom comes, and three guests.
    assert_eq!((before.len(), long.count()), (11, 7));
    for id in 0..10_000 {
        let wide = labels("requests", &[("path", &id.to_string())]);
        let _ = store.append(&wide, end(2400), 1.0);
    }
    let maintained = store.maintain(end(2400));
    assert!(
        maintained.cut_to_ms.is_some() && maintained.shed.len() == 1,
        "{maintained:?}"
    );
    store.put_away(end(2400)).unwrap();
    have_the_same(&old(&store), &before);
    // What is known of a guest that left long ago is when that was.
    let guest = labels("guest", &[("id", "0")]);
    let late = store.append(&guest, START, 1.0);
    assert_eq!(late, Err(Rejected::OutOfOrder));
}

#[test]
fn what_short_memory_costs_a_disk_that_fails_is_read_from_roll_ups() {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("series")).unwrap();
    fs::write(dir.path().join("series/archive"), "in the way").unwrap();
    let tight = Settings {
        max_bytes: 200_000,
        // Folded now and then, so that what was cut is not in the log.
        log_bytes: 40_000,
        ..settings()
    };
    let (store, _) = Store::open(dir.path(), tight.clone());
    let mut cut = None;
    for at in 0..8 * 240 {
        let now = START + at * STEP;
        for id in 0..20 {
            let value = (at as f64 * 0.7 + id as f64).sin();
            store.append(&gauge(id), now, value).unwrap();
        }
        // It has no full chunk to give up, and so reaches back to the start.
        if at % 40 == 0 {
            store.append(&labels("seldom", &[]), now, 1.0).unwrap();
        }
        if at % 4 == 0 {
            store.flush().unwrap();
            let maintained = store.maintain(now);
            assert_eq!(maintained.shed, []);
            cut = maintained.cut_to_ms.or(cut);
            let _ = store.put_away(now);
            store.roll_up(now).unwrap();
        }
    }
    assert!(cut.is_some() && store.figures().archive_error.is_some());
    has_the_rest_from_roll_ups(&store);
    drop(store);
    let (store, recovery) = Store::open(dir.path(), tight);
    assert!(recovery.snapshot_bytes > 0);
    has_the_rest_from_roll_ups(&store);
}

fn has_the_rest_from_roll_ups(store: &Store) {
    let now = end(8 * 240);
    let gauges = store.select(&named("gauge"), START, now);
    let first = gauges.iter().map(|one| one.samples[0].0).max().unwrap();
    assert!(first > START + HOUR);
    let seldom = store.select(&named("seldom"), START, now);
    assert_eq!(seldom[0].samples[0].0, START);
    assert!((first..now).contains(&store.floor_ms()), "{first}");
    let mut earliest = Vec::new();
    let each = |_: &Labels, samples: &mut Vec<(i64, f64)>| {
        earliest.push(samples[0].0);
        Ok::<_, ()>(())
    };
    let rolled = store.visit_history(&named("gauge"), START, now, Summary::Last, each);
    assert_eq!((rolled, earliest.len()), (Ok(true), 20));
    assert!(earliest.iter().all(|time| *time < START + HOUR));
}

#[test]
fn a_sample_from_far_ahead_costs_no_archived_one() {
    let dir = TempDir::new().unwrap();
    let (store, _) = Store::open(dir.path(), settings());
    live(&[&store], 0, 1000);
    let all = contents(&store);
    store
        .append(&labels("ahead", &[]), i64::MAX / 4, 1.0)
        .unwrap();
    store.flush().unwrap();
    drop(store);
    let (store, _) = Store::open(dir.path(), settings());
    for _ in 0..2 {
        tend(&store, end(1000));
    }
    have_the_same(&contents(&store), &all);
}
