//! Puts series in the order of their labels.
//!
//! Thousands of series have some hundred labels between them, which they share: these
//! are put in order once, and the series are compared by the places of theirs.

use std::sync::Arc;

use exposition::Label;
use hashbrown::HashTable;

use crate::index::Found;
use crate::samples::Series;

/// So few are compared as they are.
const FEW: usize = 32;

/// Sorts series of the index by their labels.
pub(crate) fn sorted(mut found: Vec<Arc<Series>>) -> Found {
    if found.len() < FEW {
        found.sort_unstable_by(|one, two| one.labels.cmp(&two.labels));
        return found.into();
    }
    let mut seen = Seen::default();
    let mut numbers = Vec::with_capacity(found.iter().map(|series| series.labels.len()).sum());
    let mut before: Vec<(usize, u32)> = Vec::new();
    for series in &found {
        for (at, label) in series.labels.shared().iter().enumerate() {
            // As a rule some are those of the series before.
            let address = label.address();
            let number = match before.get_mut(at) {
                Some((same, number)) if *same == address => *number,
                Some(last) => {
                    *last = (address, seen.number(label));
                    last.1
                }
                None => {
                    before.push((address, seen.number(label)));
                    before[at].1
                }
            };
            numbers.push(number);
        }
    }
    let places = seen.places();
    // From 1 on, so that a set comes after the one that it only adds to.
    let width = (places.len() + 1)
        .next_power_of_two()
        .trailing_zeros()
        .max(1);
    let fit = (u128::BITS / width) as usize;
    let mut rest = numbers.as_slice();
    let keyed = found.into_iter().map(|series| {
        let (own, behind) = rest.split_at(series.labels.len());
        rest = behind;
        let key = own
            .iter()
            .take(fit)
            .enumerate()
            .fold(0, |key, (at, number)| {
                let place = u128::from(places[*number as usize]);
                key | place << (u128::BITS - width * (at as u32 + 1))
            });
        (key, series)
    });
    let mut keyed: Vec<(u128, Arc<Series>)> = keyed.collect();
    keyed.sort_unstable_by(|(key, one), (other, two)| {
        // Equal where not all places fit.
        key.cmp(other).then_with(|| one.labels.cmp(&two.labels))
    });
    keyed.into_iter().map(|(_, series)| series).collect()
}

/// Labels in the order in which they were seen.
#[derive(Default)]
struct Seen {
    labels: Vec<Label>,
    by_address: HashTable<u32>,
}

impl Seen {
    fn number(&mut self, label: &Label) -> u32 {
        let labels = &self.labels;
        let address = label.address();
        let is = |number: &u32| labels[*number as usize].address() == address;
        let hash = |number: &u32| hash(labels[*number as usize].address());
        let entry = self.by_address.entry(self::hash(address), is, hash);
        let next = self.labels.len() as u32;
        let number = *entry.or_insert(next).get();
        if number == next {
            self.labels.push(label.clone());
        }
        number
    }

    /// The place in order of each, from 1 on.
    fn places(&self) -> Vec<u32> {
        let mut order: Vec<u32> = (0..self.labels.len() as u32).collect();
        order.sort_unstable_by(|one, two| {
            let (one, two) = (*one as usize, *two as usize);
            self.labels[one].cmp(&self.labels[two])
        });
        let mut places = vec![0; order.len()];
        for (place, number) in (1..).zip(order) {
            places[number as usize] = place;
        }
        places
    }
}

fn hash(address: usize) -> u64 {
    let product = u128::from(address as u64) * 0x9e37_79b9_7f4a_7c15;
    (product >> 64) as u64 ^ product as u64
}

#[cfg(test)]
mod tests {
    use exposition::{Labels, NAME};

    use super::*;
    use crate::{Matcher, Op, Store};

    #[test]
    fn series_are_in_order_however_many_and_whatever_their_labels() {
        for (count, values) in [(FEW - 1, 3), (FEW, 3), (400, 5), (3000, 3000)] {
            let store = Store::new();
            let mut all = Vec::new();
            for at in 0..count {
                let mut labels = vec![(NAME.to_owned(), format!("m{}", at % 3))];
                // Of some so many that not all of them find room in a key.
                for label in 0..(at * 7) % 24 {
                    labels.push((format!("l{label}"), format!("{}", at * 31 % values)));
                }
                labels.push(("id".to_owned(), format!("{}", count - at)));
                let labels = Labels::from_pairs(labels);
                store.append(&labels, 1, 1.0).unwrap();
                all.push(labels);
            }
            all.sort_unstable();
            let any = [Matcher::new(NAME, Op::Regex, "m.*").unwrap()];
            assert_eq!(store.series(&any, 0, 1), all, "{count}");
            assert_eq!(store.series(&[], 0, 1), all, "{count}");
        }
    }
}
