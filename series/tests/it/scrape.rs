//! A target's pages, one after the other.

use std::cell::Cell;

use exposition::{is_stale, parse_value};
use series::{Appender, Finished, Matcher, Rejected, Settings, Store};

use crate::{labels, named};

/// Scrapes a page of `key value` words; keys that start with `-` are dropped.
fn scrape(appender: &mut Appender, store: &Store, time: i64, page: &str) -> (Finished, usize) {
    let asked = Cell::new(0);
    let mut batch = appender.begin(store);
    let mut words = page.split_whitespace();
    while let (Some(key), Some(value)) = (words.next(), words.next()) {
        let _ = batch.add(key, time, parse_value(value).unwrap(), true, || {
            asked.set(asked.get() + 1);
            (!key.starts_with('-')).then(|| labels(key, &[("job", "x")]))
        });
    }
    (batch.finish(time), asked.get())
}

fn values(store: &Store, matchers: &[Matcher]) -> Vec<String> {
    let selected = store.select(matchers, i64::MIN, i64::MAX);
    let samples = selected.iter().flat_map(|one| &one.samples);
    samples
        .map(|(time, value)| match is_stale(*value) {
            true => format!("{time} stale"),
            false => format!("{time} {value}"),
        })
        .collect()
}

#[test]
fn a_repeated_page_asks_for_no_labels() {
    let (store, mut appender) = (Store::new(), Appender::new());
    let (first, asked) = scrape(&mut appender, &store, 1, "a 1 b 2 -c 3");
    assert_eq!(
        (first.scraped, first.kept, first.added, asked),
        (3, 2, 3, 3)
    );
    let (again, asked) = scrape(&mut appender, &store, 2, "a 1 b 2 -c 3");
    assert_eq!(
        (again.scraped, again.kept, again.added, asked),
        (3, 2, 0, 0)
    );
    assert_eq!(store.figures().appended, 4);
}

#[test]
fn a_series_that_is_missing_ends_once_and_may_return() {
    let (store, mut appender) = (Store::new(), Appender::new());
    let ended: Vec<usize> = ["a 1 b 2", "a 1", "a 1", "a 1 b 3", "", "", "b 4"]
        .iter()
        .zip(1..)
        .map(|(page, time)| scrape(&mut appender, &store, time, page).0.ended)
        .collect();
    assert_eq!(ended, [0, 1, 0, 0, 2, 0, 0]);
    assert_eq!(
        values(&store, &named("b")),
        ["1 2", "2 stale", "4 3", "5 stale", "7 4"]
    );
    assert_eq!(
        values(&store, &named("a")),
        ["1 1", "2 1", "3 1", "4 1", "5 stale"]
    );
}

#[test]
fn a_failed_scrape_forgets_no_series() {
    let (store, mut appender) = (Store::new(), Appender::new());
    scrape(&mut appender, &store, 1, "a 1");
    scrape(&mut appender, &store, 2, "");
    let (back, asked) = scrape(&mut appender, &store, 3, "a 1");
    assert_eq!((back.added, asked), (0, 0));
}

#[test]
fn samples_with_their_own_time_linger() {
    let (store, mut appender) = (Store::new(), Appender::new());
    let mut batch = appender.begin(&store);
    batch
        .add("a", 1, 1.0, false, || Some(labels("a", &[])))
        .unwrap();
    batch.finish(1);
    assert_eq!(appender.begin(&store).finish(2).ended, 0);
    assert_eq!(values(&store, &named("a")), ["1 1"]);
}

#[test]
fn of_a_series_named_twice_the_first_wins() {
    let (store, mut appender) = (Store::new(), Appender::new());
    let (finished, _) = scrape(&mut appender, &store, 1, "a 1 a 2");
    assert_eq!(
        (finished.scraped, finished.kept, finished.rejected),
        (2, 2, 1)
    );
    assert_eq!(values(&store, &named("a")), ["1 1"]);
}

#[test]
fn a_series_that_the_store_gave_up_is_begun_anew() {
    let (store, mut appender) = (Store::new(), Appender::new());
    scrape(&mut appender, &store, 1, "a 1");
    store.maintain(100_000_000);
    assert_eq!(store.figures().series, 0);
    scrape(&mut appender, &store, 100_000_000, "a 2");
    assert_eq!(values(&store, &named("a")), ["100000000 2"]);
}

#[test]
fn a_full_store_refuses_new_series_of_a_page() {
    let store = Store::in_memory(Settings {
        max_bytes: 0,
        ..Settings::default()
    });
    let mut batch = Appender::new();
    let mut batch = batch.begin(&store);
    let refused = batch.add("a", 1, 1.0, true, || Some(labels("a", &[])));
    assert_eq!(refused, Err(Rejected::Full));
    assert_eq!(batch.finish(1).rejected, 1);
}

#[test]
fn whatever_the_order_of_a_page_its_series_are_found_again() {
    let (store, mut appender) = (Store::new(), Appender::new());
    let names: Vec<String> = (0..60).map(|at| format!("a{{x=\"{at}\"}}")).collect();
    let all: Vec<usize> = (0..60).collect();
    let backwards: Vec<usize> = (0..60).rev().collect();
    let shuffled: Vec<usize> = (0..60).map(|at| at * 37 % 60).collect();
    let even: Vec<usize> = (0..60).step_by(2).collect();
    let pages = [
        (&all, 60, 0),
        (&all, 0, 0),
        (&backwards, 0, 0),
        (&backwards, 0, 0),
        (&shuffled, 0, 0),
        (&shuffled, 0, 0),
        (&even, 0, 30),
        (&backwards, 30, 0),
        (&all, 0, 0),
        (&even, 0, 30),
        (&shuffled, 30, 0),
    ];
    let mut last: &[usize] = &[];
    for (time, (page, added, ended)) in (1..).zip(pages) {
        let in_order = last == page.as_slice();
        last = page;
        let mut finder = appender.finder();
        let found: Vec<_> = page
            .iter()
            .map(|at| {
                let line = format!("{} 1", names[*at]);
                let expected = finder.expected(&line);
                assert!(!in_order || expected.is_some(), "{time} {line}");
                if let Some((_, end)) = expected {
                    assert_eq!(line[..end], names[*at]);
                }
                expected
                    .map(|(slot, _)| slot)
                    .or_else(|| finder.find(&names[*at]))
            })
            .collect();
        let mut batch = appender.begin(&store);
        for (at, found) in page.iter().zip(found) {
            let name = format!("{at:02}");
            let made = || Some(labels("a", &[("x", &name)]));
            let value = f64::from(u32::try_from(*at).unwrap());
            match found {
                Some(slot) => batch.add_known(slot, time, value, true, made).unwrap(),
                None => batch.add(&names[*at], time, value, true, made).unwrap(),
            }
        }
        let finished = batch.finish(time);
        assert_eq!(
            (finished.scraped, finished.kept, finished.rejected),
            (page.len(), page.len(), 0)
        );
        assert_eq!((finished.added, finished.ended), (added, ended), "{time}");
        assert_eq!(appender.len(), page.len());
        let stored = store.select(&named("a"), time, time);
        for series in stored.iter().filter(|one| !is_stale(one.samples[0].1)) {
            let value = format!("{:02}", series.samples[0].1);
            assert_eq!(series.labels.get("x"), value, "at {time}");
        }
    }
}
