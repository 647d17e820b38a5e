//! Grouping of label sets by some of their labels, without building new sets.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use exposition::{Label, Labels, NAME};

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

    fn hash(&self, labels: &Labels) -> u64 {
        let taken = labels.shared().iter();
        let taken = taken.filter(|label| self.takes(label.name()));
        taken.fold(0, |hash, label| exposition::mix(hash, label.hashed()))
    }

    fn same(&self, left: &Labels, right: &Labels) -> bool {
        fn taken<'a>(key: &Key<'_>, labels: &'a Labels) -> impl Iterator<Item = &'a Label> {
            let all = labels.shared().iter();
            all.filter(|label| key.takes(label.name()))
        }
        taken(self, left).eq(taken(self, right))
    }
}

/// Numbers the groups in order of appearance.
pub(crate) struct Grouper<'a> {
    key: Key<'a>,
    first: HashMap<u64, usize, BuildHasherDefault<Ready>>,
    /// One set of each group, and the next group with the same hash.
    groups: Vec<(Labels, Option<usize>)>,
}

impl<'a> Grouper<'a> {
    pub(crate) fn new(key: Key<'a>) -> Self {
        Self {
            key,
            first: HashMap::default(),
            groups: Vec::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.groups.len()
    }

    /// The group of a set, opened if need be.
    pub(crate) fn id(&mut self, labels: &Labels) -> usize {
        let opened = self.groups.len();
        if self.key.by && self.key.names.is_empty() {
            // Everything is one group.
            if opened == 0 {
                self.groups.push((labels.clone(), None));
            }
            return 0;
        }
        let hash = self.key.hash(labels);
        let mut group = *self.first.entry(hash).or_insert(opened);
        while let Some((example, next)) = self.groups.get_mut(group) {
            if self.key.same(example, labels) {
                return group;
            }
            group = *next.get_or_insert(opened);
        }
        self.groups.push((labels.clone(), None));
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
        let mut grouper = Grouper::new(Key::ALL);
        let first = grouper.id(&Labels::from_pairs([("a", "aa"), ("b", "bb")]));
        let second = grouper.id(&Labels::from_pairs([("a", "a"), ("b", "abb")]));
        assert_ne!(first, second);
    }
}
