//! Grouping of label sets by some of their labels, without building new sets.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::sync::OnceLock;

use exposition::{Labels, NAME};

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
        let mut hash = seed();
        for (name, value) in labels.iter() {
            if self.takes(name) {
                hash = fold(fold(hash, name.as_bytes()), value.as_bytes());
            }
        }
        hash
    }

    fn same(&self, left: &Labels, right: &Labels) -> bool {
        let taken = |labels| Labels::iter(labels).filter(|(name, _)| self.takes(name));
        taken(left).eq(taken(right))
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
        self.0 = fold(self.0, bytes);
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// Differs from process to process, so that nobody can choose labels that collide.
fn seed() -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    *SEED.get_or_init(|| RandomState::new().hash_one(0))
}

fn fold(hash: u64, bytes: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, word: u64| {
        let product = u128::from(hash ^ word ^ FACTOR) * u128::from(FACTOR | 1);
        (product >> 64) as u64 ^ product as u64
    };
    let (words, rest) = bytes.as_chunks::<8>();
    let hash = words
        .iter()
        .fold(hash, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let hash = mix(hash, u64::from_le_bytes(last));
    mix(hash.rotate_left(23), bytes.len() as u64)
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
