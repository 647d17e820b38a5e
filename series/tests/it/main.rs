//! The store as its users see it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod archive;
mod cap;
mod churn;
mod damage;
mod faults;
mod fold;
mod kill;
mod late;
mod model;
mod rollup;
mod scrape;
mod store;

use std::collections::BTreeMap;

use exposition::{Labels, NAME};
use series::{Matcher, Op, Store};

/// A label set from a name and pairs.
fn labels(name: &str, pairs: &[(&str, &str)]) -> Labels {
    let pairs = pairs.iter().copied();
    Labels::from_pairs(pairs.chain([(NAME, name)]))
}

fn matcher(name: &str, op: Op, value: &str) -> Matcher {
    Matcher::new(name, op, value).unwrap()
}

fn named(name: &str) -> Vec<Matcher> {
    vec![matcher(NAME, Op::Equal, name)]
}

/// All samples of a store, values as their bits.
type Contents = BTreeMap<Labels, Vec<(i64, u64)>>;

fn contents(store: &Store) -> Contents {
    let selected = store.select(&[], i64::MIN, i64::MAX).into_iter();
    let bits = |(time, value): (i64, f64)| (time, value.to_bits());
    selected
        .map(|one| (one.labels, one.samples.into_iter().map(bits).collect()))
        .collect()
}
