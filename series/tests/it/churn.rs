//! A container that comes and goes for a month: what those that have ended take of memory.

use std::collections::BTreeSet;
use std::time::Duration;

use exposition::{Labels, stale};
use series::{Settings, Store, Summary};
use tempfile::TempDir;

use crate::{labels, named};

const STEP: i64 = 5 * 60_000;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// A midnight.
const START: i64 = 19_700 * DAY;
/// Families of a container, about as many as cAdvisor's without those for each disk.
const FAMILIES: i64 = 40;

/// A series of the container that lives in an hour, as cAdvisor labels it.
fn guest(family: i64, hour: i64) -> Labels {
    let id = format!("/docker/{hour:064x}");
    labels(
        &format!("container_family_{family}"),
        &[
            ("id", &id),
            ("image", "registry.example/shop/worker:2026.11"),
            ("instance", "vps1"),
            ("job", "container"),
            ("name", &format!("shop-worker-run-{hour:x}")),
        ],
    )
}

fn stays() -> Labels {
    labels("up", &[("job", "container")])
}

fn counted(store: &Store) -> u64 {
    let figures = store.figures();
    figures.chunk_bytes + figures.index_bytes
}

/// Lives through a month with containers of so many `families`; `each` is shown the store
/// at each midnight.
fn month(store: &Store, families: i64, mut each: impl FnMut(&Store)) {
    for at in 1..=30 * DAY / STEP {
        let now = START + at * STEP;
        let hour = at * STEP / HOUR;
        let last = (at + 1) * STEP / HOUR > hour;
        store.append(&stays(), now, 1.0).unwrap();
        for family in 0..families {
            let value = match last {
                true => stale(),
                false => at as f64 * 1000.0,
            };
            store.append(&guest(family, hour), now, value).unwrap();
        }
        if at % 6 == 0 {
            store.flush().unwrap();
            store.roll_up(now).unwrap();
            assert_eq!(store.maintain(now).shed, []);
            store.put_away(now).unwrap();
        }
        if at * STEP % DAY == 0 {
            each(store);
        }
    }
}

#[test]
fn a_container_that_comes_and_goes_for_a_month_takes_no_more_memory_than_in_two_days() {
    let dir = TempDir::new().unwrap();
    let (store, _) = Store::open(dir.path(), Settings::default());
    let mut days = Vec::new();
    month(&store, FAMILIES / 4, |store| days.push(counted(store)));
    let (second, most) = (days[1], days.iter().max().unwrap());
    assert!(*most <= second + second / 10, "{days:?}");
    // What the documentation says of each that has ended.
    let figures = store.figures();
    let each = counted(&store) / figures.series as u64;
    assert!((300..450).contains(&each), "{each} bytes");
}

#[test]
fn with_a_long_retention_those_that_ended_first_make_room_before_any_family_is_shed() {
    let dir = TempDir::new().unwrap();
    let settings = Settings {
        retention: Duration::from_secs(30 * 86_400),
        max_bytes: 2 << 20,
        ..Settings::default()
    };
    let (store, _) = Store::open(dir.path(), settings);
    let mut most = 0;
    month(&store, FAMILIES, |store| most = most.max(counted(store)));
    assert!((1 << 20..2 << 20).contains(&most), "{most} bytes");
    let all = (START, START + 30 * DAY);
    // Who lives has each of its samples.
    let up = store.select(&named("up"), all.0, all.1);
    assert_eq!(up[0].samples.len() as i64, 30 * DAY / STEP);
    // Those that ended lately have theirs, and those that ended before are in the roll-ups.
    let hours = 30 * DAY / HOUR;
    let name = named("container_family_7");
    let exact = store.select(&name, all.0, all.1);
    let exact: BTreeSet<_> = exact.into_iter().map(|one| one.labels).collect();
    assert!(
        (24..hours as usize / 2).contains(&exact.len()),
        "{}",
        exact.len()
    );
    assert!((hours - 24..hours).all(|hour| exact.contains(&guest(7, hour))));
    let mut told = BTreeSet::new();
    let each = |labels: &Labels, samples: &mut Vec<(i64, f64)>| {
        // The last one has just begun.
        let whole = samples.len() >= 10 || *labels == guest(7, hours);
        assert!(whole, "{labels} {}", samples.len());
        told.insert(labels.clone());
        Ok::<_, ()>(())
    };
    let used = store.visit_history(&name, all.0, all.1, Summary::Last, each);
    assert_eq!(used, Ok(true));
    assert!((0..hours).all(|hour| told.contains(&guest(7, hour))));
}

#[test]
fn who_has_ended_stays_as_long_as_no_roll_up_has_what_it_was() {
    let dir = TempDir::new().unwrap();
    let settings = Settings {
        retention: Duration::from_secs(30 * 86_400),
        max_bytes: 2 << 20,
        rollup_keep: Duration::ZERO,
        ..Settings::default()
    };
    let (store, _) = Store::open(dir.path(), settings);
    let mut at = 0;
    while !store.is_pressed() {
        at += 1;
        for family in 0..FAMILIES {
            let now = START + at * HOUR;
            store.append(&guest(family, at), now, 1.0).unwrap();
        }
    }
    store.flush().unwrap();
    let maintained = store.maintain(START + (at + 4) * HOUR);
    assert_eq!(maintained.expired, 0);
    assert!(!maintained.shed.is_empty(), "a family is told of");
}
