//! Memory has a cap, and churn does not fill it.

use std::time::Duration;

use series::{Rejected, Settings, Store};

use crate::{labels, named};

const STEP: i64 = 15_000;

fn small(max_bytes: u64) -> Store {
    Store::in_memory(Settings {
        max_bytes,
        ..Settings::default()
    })
}

fn counted(store: &Store) -> u64 {
    let figures = store.figures();
    figures.chunk_bytes + figures.index_bytes
}

#[test]
fn a_hundred_thousand_short_lives_leave_memory_as_it_was() {
    let store = Store::in_memory(Settings {
        retention: Duration::from_secs(600),
        ..Settings::default()
    });
    let mut most = 0;
    for born in 0..100_000_i64 {
        let now = born * STEP / 10;
        let id = format!("{born:064x}");
        let series = labels("container_state", &[("id", &id), ("name", "job")]);
        store.append(&series, now, 1.0).unwrap();
        store.append(&series, now + STEP, 0.0).unwrap();
        if born % 40 == 0 {
            store.maintain(now);
            most = most.max(counted(&store));
        }
    }
    // Some 440 of them are within the retention or not yet swept.
    assert!(most < 600 * 1024, "{most} bytes");
    store.maintain(i64::MAX / 2);
    assert_eq!(counted(&store), 0);
    assert!(store.labels(&[]).is_empty());
}

#[test]
fn short_memory_costs_old_samples_first() {
    let store = small(400_000);
    let mut cut = None;
    for at in 0..5760 {
        for id in 0..20 {
            let series = labels("noisy", &[("id", &id.to_string())]);
            let value = (f64::from(at) * 0.7 + f64::from(id)).sin();
            store.append(&series, i64::from(at) * STEP, value).unwrap();
        }
        let maintained = store.maintain(i64::from(at) * STEP);
        assert_eq!(maintained.shed, []);
        cut = maintained.cut_to_ms.or(cut);
        assert!(counted(&store) <= 400_000);
    }
    let cut = cut.unwrap();
    assert!((3_600_000..86_400_000).contains(&cut), "{cut}");
    assert_eq!(store.figures().series, 20);
}

#[test]
fn short_memory_that_costs_no_sample_hides_none() {
    let store = small(400_000);
    let hour = 3_600_000;
    // None of it fills a chunk.
    for at in 0..36 {
        store
            .append(&labels("up", &[]), at * hour / 6, 1.0)
            .unwrap();
    }
    let wide = |id: i32| labels("requests", &[("path", &format!("/{id}"))]);
    let full = (0..100_000).any(|id| store.append(&wide(id), 6 * hour, 1.0).is_err());
    let maintained = store.maintain(6 * hour);
    assert!(full && maintained.cut_to_ms.is_some(), "{maintained:?}");
    assert_eq!(maintained.shed.len(), 1);
    store.maintain(6 * hour);
    assert_eq!(store.select(&named("up"), 0, hour)[0].samples.len(), 7);
    assert_eq!(store.floor_ms(), 0);
}

#[test]
fn too_many_series_cost_the_widest_family_and_nothing_else() {
    let store = small(1_000_000);
    let up = labels("up", &[]);
    store.append(&up, 0, 1.0).unwrap();
    let wide = |id: i32| labels("requests", &[("path", &format!("/{id}"))]);
    let refused = (0..100_000)
        .filter(|id| store.append(&wide(*id), 0, 1.0) == Err(Rejected::Full))
        .count();
    assert!(counted(&store) < 1_001_000);
    let maintained = store.maintain(0);
    let [shed] = maintained.shed.as_slice() else {
        panic!("{maintained:?}");
    };
    assert_eq!(&*shed.name, "requests");
    assert_eq!(shed.series + refused, 100_000);
    assert_eq!(store.figures().shed, shed.series as u64);
    assert_eq!(store.figures().series, 1);
    assert!(counted(&store) < 2000);

    // It stays out for a while, then may try again.
    assert_eq!(store.append(&wide(1), STEP, 1.0), Err(Rejected::Full));
    store.append(&labels("other", &[]), STEP, 1.0).unwrap();
    store.append(&up, STEP, 1.0).unwrap();
    store.maintain(11 * 60_000);
    assert_eq!(store.append(&wide(1), STEP, 1.0), Ok(()));
    assert_eq!(store.select(&named("up"), 0, STEP)[0].samples.len(), 2);
}

#[test]
fn a_full_store_still_takes_samples_of_what_it_has() {
    let store = small(2000);
    let up = labels("up", &[]);
    store.append(&up, 0, 1.0).unwrap();
    while store
        .append(
            &labels("x", &[("id", &store.figures().series.to_string())]),
            0,
            1.0,
        )
        .is_ok()
    {}
    assert_eq!(store.append(&up, STEP, 1.0), Ok(()));
}
