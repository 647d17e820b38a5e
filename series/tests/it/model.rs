//! The store against a plain map, through everything that can happen to it.

use std::time::Duration;

use exposition::{Labels, stale};
use proptest::prelude::*;
use series::{Fsync, Op, Rejected, Settings, Store};
use tempfile::TempDir;

use crate::{Contents, contents, labels, matcher};

const RETENTION: i64 = 3_600_000;

#[derive(Debug, Clone)]
enum Step {
    /// Time passes and the series of a mask get a sample each.
    Scrape(i64, u8, u32),
    /// So many scrapes, 15 s apart.
    Live(u8, u8),
    /// One sample, at some distance from now.
    Append(u8, i64, u64),
    Maintain,
    Shift(i64),
    Flush,
    /// What the program does each 15 s: flush, then put away.
    PutAway,
    /// The process ends as it should, or is killed.
    Reopen,
    Kill,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let bits = prop_oneof![any::<u64>(), Just(stale().to_bits()), Just(0)];
    let step = prop_oneof![
        12 => (prop_oneof![Just(15_000_i64), 1_i64..200_000], any::<u8>(), any::<u32>())
            .prop_map(|(pass, mask, value)| Step::Scrape(pass, mask, value)),
        4 => (0..12_u8, -40_000_i64..40_000, bits)
            .prop_map(|(series, ahead, bits)| Step::Append(series, ahead, bits)),
        3 => Just(Step::Maintain),
        1 => (-5_000_000_i64..5_000_000).prop_map(Step::Shift),
        4 => Just(Step::Flush),
        2 => any::<(u8, u8)>().prop_map(|(count, mask)| Step::Live(count, mask)),
        3 => Just(Step::PutAway),
        1 => Just(Step::Reopen),
        1 => Just(Step::Kill),
    ];
    prop::collection::vec(step, 1..120)
}

fn series_of(number: u8) -> Labels {
    let job = ["api", "db"][usize::from(number % 2)];
    let id = format!("{:040}", number / 4);
    let name = ["up", "requests_total", "load"][usize::from(number % 3)];
    labels(name, &[("job", job), ("id", &id)])
}

/// What must be in the store.
#[derive(Debug, Clone)]
struct Model {
    now: i64,
    series: Contents,
    /// What is older may be gone or not.
    horizon: i64,
}

impl Model {
    fn append(&mut self, labels: Labels, time: i64, bits: u64) -> Result<(), Rejected> {
        let samples = self.series.entry(labels).or_default();
        match samples.last() {
            Some(last) if time < last.0 => Err(Rejected::OutOfOrder),
            Some(last) if time == last.0 && bits != last.1 => Err(Rejected::Duplicate),
            Some(last) if time == last.0 => Ok(()),
            _ => {
                samples.push((time, bits));
                Ok(())
            }
        }
    }

    fn maintain(&mut self) {
        let horizon = self.now - RETENTION;
        self.horizon = self.horizon.max(horizon);
        let kept = horizon..=self.now + RETENTION;
        self.series.retain(|_, samples| {
            let newest = samples.last();
            newest.is_some_and(|(time, _)| kept.contains(time))
        });
    }

    fn shift(&mut self, delta: i64) {
        self.now += delta;
        self.horizon += delta;
        let samples = self.series.values_mut().flatten();
        samples.for_each(|(time, _)| *time += delta);
    }

    fn recent(&self, mut contents: Contents) -> Contents {
        for samples in contents.values_mut() {
            samples.retain(|(time, _)| *time >= self.horizon);
        }
        contents.retain(|_, samples| !samples.is_empty());
        contents
    }
}

fn settings() -> Settings {
    Settings {
        retention: Duration::from_millis(RETENTION as u64),
        fsync: Fsync::EachSegment,
        segment_bytes: 2000,
        log_bytes: 8000,
        recent: Duration::from_secs(300),
        ..Settings::default()
    }
}

fn agree(store: &Store, model: &Model) {
    assert_eq!(
        model.recent(contents(store)),
        model.recent(model.series.clone())
    );
    for (from, to) in [
        (model.now - 300_000, model.now),
        (model.now - 2_100_000, model.now - 1_800_000),
    ] {
        agree_on_newest(store, model, from, to);
    }
}

fn agree_on_newest(store: &Store, model: &Model, from: i64, to: i64) {
    let some = [
        matcher("job", Op::Equal, "api"),
        matcher("__name__", Op::Regex, "up|l.*"),
    ];
    let newest: Vec<_> = store
        .newest(&some, from, to)
        .into_iter()
        .map(|one| (one.labels, one.time_ms, one.value.to_bits()))
        .collect();
    let expected: Vec<_> = model
        .series
        .iter()
        .filter(|(labels, _)| some.iter().all(|matcher| matcher.matches(labels)))
        .filter_map(|(labels, samples)| {
            let last = samples.iter().rfind(|(time, _)| *time <= to)?;
            (last.0 >= from).then(|| (labels.clone(), last.0, last.1))
        })
        .collect();
    assert_eq!(newest, expected);
}

fn run(steps: Vec<Step>) {
    let dir = TempDir::new().unwrap();
    let (mut store, recovery) = Store::open(dir.path(), settings());
    assert_eq!(recovery, series::Recovery::default());
    let mut model = Model {
        now: 1_700_000_000_000,
        series: Contents::new(),
        horizon: i64::MIN / 2,
    };
    let mut durable = model.clone();
    for step in steps {
        match step {
            Step::Scrape(pass, mask, value) => {
                model.now += pass;
                for number in (0..8).filter(|number| mask >> number & 1 == 1) {
                    let value = f64::from(value) * f64::from(number) / 8.0;
                    let series = series_of(number);
                    let taken = store.append(&series, model.now, value);
                    assert_eq!(taken, model.append(series, model.now, value.to_bits()));
                }
            }
            Step::Live(count, mask) => {
                for at in 0..count {
                    model.now += 15_000;
                    for number in (0..8).filter(|number| mask >> number & 1 == 1) {
                        let value = f64::from(at) * f64::from(number) / 8.0;
                        let series = series_of(number);
                        let taken = store.append(&series, model.now, value);
                        assert_eq!(taken, model.append(series, model.now, value.to_bits()));
                    }
                }
            }
            Step::Append(number, ahead, bits) => {
                let (series, time) = (series_of(number), model.now + ahead);
                let taken = store.append(&series, time, f64::from_bits(bits));
                assert_eq!(taken, model.append(series, time, bits));
            }
            Step::Maintain => {
                store.maintain(model.now);
                model.maintain();
                assert_eq!(store.figures().series, model.series.len());
            }
            Step::Shift(delta) => {
                store.shift(delta);
                model.shift(delta);
            }
            Step::Flush => {
                store.flush().unwrap();
                durable = model.clone();
            }
            Step::PutAway => {
                store.flush().unwrap();
                durable = model.clone();
                store.maintain(model.now);
                model.maintain();
                store.put_away(model.now).unwrap();
                // Files that were too old are gone at once.
                durable.horizon = model.horizon;
            }
            Step::Reopen | Step::Kill => {
                if matches!(step, Step::Reopen) {
                    store.flush().unwrap();
                    durable = model;
                }
                drop(store);
                let recovery;
                (store, recovery) = Store::open(dir.path(), settings());
                assert!(!recovery.is_damaged(), "{recovery:?}");
                assert_eq!(recovery.series, durable.series.len());
                model = durable.clone();
            }
        }
        agree(&store, &model);
    }
    assert_eq!(store.figures().archive_unreadable, 0);
    assert!(store.figures().log_bytes < 20_000);
    store.maintain(model.now + 10 * RETENTION);
    store.put_away(model.now + 10 * RETENTION).unwrap();
    let figures = store.figures();
    assert_eq!((figures.chunk_bytes, figures.index_bytes), (0, 0));
    assert_eq!(figures.archive_bytes, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 60 } else { 600 }))]

    #[test]
    fn the_store_is_a_map_of_samples_whatever_happens(steps in steps()) {
        run(steps);
    }
}
