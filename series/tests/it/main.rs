//! The store as its users see it.

mod cap;
mod scrape;
mod store;

use exposition::{Labels, NAME};
use series::{Matcher, Op};

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
