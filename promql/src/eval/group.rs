//! Grouping of label sets by some of their labels, without building new sets.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;

use exposition::{Label, Labels, NAME};

use super::Table;

/// The labels that count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key<'a> {
    /// Whether `names` are the ones that count, or the ones that do not.
    pub(crate) by: bool,
    pub(crate) names: &'a [String],
    /// Whether the metric name counts when all but `names` do.
    pub(crate) with_name: bool,
}

impl Key<'_> {
    /// Every label, the name too.
    pub(crate) const ALL: Self = Self {
        by: false,
        names: &[],
        with_name: true,
    };

    pub(crate) fn takes(&self, label: &str) -> bool {
        let listed = self.names.iter().any(|name| name == label);
        if self.by {
            listed
        } else {
            !listed && (self.with_name || label != NAME)
        }
    }

    /// The set without the labels that do not count.
    pub(crate) fn of(&self, labels: &Labels) -> Labels {
        if self.by && self.names.is_empty() {
            return Labels::empty();
        }
        if labels.iter().all(|(name, _)| self.takes(name)) {
            return labels.clone();
        }
        labels.edit().retain(|name| self.takes(name)).build()
    }
}

/// Numbers the groups in order of appearance.
pub(crate) struct Grouper<'a> {
    key: Key<'a>,
    first: HashMap<u64, usize, BuildHasherDefault<Ready>>,
    groups: Vec<Group>,
    /// The labels that count of one set of each group, and behind them those of the set
    /// in hand.
    labels: Vec<&'a Label>,
    /// The group of the set before.
    last: usize,
}

/// A group of a [`Grouper`], of which there may be one for each series.
struct Group {
    /// Where its labels are.
    labels: Range<u32>,
    /// The next group with the same hash, or [`NONE`].
    next: u32,
}

const NONE: u32 = u32::MAX;

impl<'a> Grouper<'a> {
    pub(crate) fn new(key: Key<'a>) -> Self {
        Self {
            key,
            first: HashMap::default(),
            groups: Vec::new(),
            labels: Vec::new(),
            last: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.groups.len()
    }

    /// The group of a set, opened if need be.
    pub(crate) fn id(&mut self, labels: &'a Labels) -> usize {
        let start = self.labels.len();
        let all = labels.shared().iter();
        let key = self.key;
        self.labels
            .extend(all.filter(|label| key.takes(label.name())));
        self.last = self.of_labels_from(start);
        self.last
    }

    /// The group of each row.
    pub(crate) fn ids(&mut self, table: &'a Table) -> Vec<usize> {
        let rows = table.rows.iter();
        rows.map(|row| self.id(&row.labels)).collect()
    }

    /// The group of the labels from a place on, which stay there if they open it.
    fn of_labels_from(&mut self, start: usize) -> usize {
        let (known, own) = self.labels.split_at(start);
        let is = |group: &Group| {
            let Range { start, end } = group.labels;
            known[start as usize..end as usize] == *own
        };
        // Sets come in order, so that it often is the one before.
        if self.groups.get(self.last).is_some_and(is) {
            self.labels.truncate(start);
            return self.last;
        }
        let hash = own
            .iter()
            .fold(0, |hash, label| exposition::mix(hash, label.hashed()));
        let opened = self.groups.len();
        let mut at = *self.first.entry(hash).or_insert(opened);
        while let Some(group) = self.groups.get_mut(at) {
            if is(group) {
                self.labels.truncate(start);
                return at;
            }
            if group.next == NONE {
                group.next = opened as u32;
            }
            at = group.next as usize;
        }
        self.groups.push(Group {
            labels: start as u32..self.labels.len() as u32,
            next: NONE,
        });
        opened
    }
}

/// A hasher for what is a hash already.
#[derive(Default)]
pub(crate) struct Ready(u64);

impl Hasher for Ready {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(exposition::mix(self.0, u64::from(*byte)));
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_grouped_by_the_labels_that_count() {
        let sets = [
            [(NAME, "m"), ("a", "1"), ("b", "1")],
            [(NAME, "n"), ("a", "1"), ("b", "2")],
            [(NAME, "m"), ("a", "2"), ("b", "1")],
        ]
        .map(Labels::from_pairs);
        let names = ["a".to_owned()];
        for (by, names, with_name, groups) in [
            (true, &names[..], false, [0, 0, 1]),
            (false, &names[..], false, [0, 1, 0]),
            (false, &[][..], false, [0, 1, 2]),
            (true, &[][..], false, [0, 0, 0]),
        ] {
            let mut grouper = Grouper::new(Key {
                by,
                names,
                with_name,
            });
            assert_eq!(sets.each_ref().map(|set| grouper.id(set)), groups);
        }
    }

    #[test]
    fn values_do_not_run_into_each_other() {
        let sets = [
            [("a", "aa"), ("b", "bb")],
            [("a", "a"), ("b", "abb")],
            [("a", "aa"), ("b", "bb")],
        ]
        .map(Labels::from_pairs);
        let mut grouper = Grouper::new(Key::ALL);
        assert_eq!(sets.each_ref().map(|set| grouper.id(set)), [0, 1, 0]);
        assert_eq!(grouper.len(), 2);
    }
}
