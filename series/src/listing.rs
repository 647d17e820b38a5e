//! What there is: label names, values, series, families.

use std::collections::BTreeSet;
use std::sync::Arc;

use exposition::{Labels, NAME};

use crate::{Matcher, Store};

impl Store {
    /// The label names of all series that satisfy all matchers, sorted.
    #[must_use]
    pub fn labels(&self, matchers: &[Matcher]) -> Vec<Arc<str>> {
        let index = self.read();
        let names: BTreeSet<Arc<str>> = if matchers.is_empty() {
            index.names().cloned().collect()
        } else {
            let found = index.find(matchers);
            let pairs = found.iter().flat_map(|series| series.labels.shared());
            pairs.map(|(name, _)| name.clone()).collect()
        };
        names.into_iter().collect()
    }

    /// The values of a label in all series that satisfy all matchers, sorted.
    #[must_use]
    pub fn values(&self, name: &str, matchers: &[Matcher]) -> Vec<Arc<str>> {
        let index = self.read();
        let values: BTreeSet<Arc<str>> = if matchers.is_empty() {
            index.values(name).map(|(value, _)| value.clone()).collect()
        } else {
            let found = index.find(matchers);
            let pairs = found.iter().flat_map(|series| series.labels.shared());
            pairs
                .filter(|(have, _)| &**have == name)
                .map(|(_, value)| value.clone())
                .collect()
        };
        values.into_iter().collect()
    }

    /// The series that satisfy all matchers and have samples in
    /// `from_ms..=to_ms`, sorted.
    #[must_use]
    pub fn series(&self, matchers: &[Matcher], from_ms: i64, to_ms: i64) -> Vec<Labels> {
        let (_, from, to) = self.kept_range(from_ms, to_ms);
        let found = self.read().find(matchers);
        let latest = self.latest(&found, from, to);
        let has_some = found.iter().zip(latest);
        has_some
            .filter(|(_, latest)| latest.is_some())
            .map(|(series, _)| series.labels.clone())
            .collect()
    }

    /// How many chunks the samples in memory are in.
    #[must_use]
    pub fn chunks(&self) -> usize {
        let all = self.read().find(&[]);
        all.iter().map(|series| series.lock().chunks()).sum()
    }

    /// How many series each family of metrics has, the widest first.
    #[must_use]
    pub fn widest(&self) -> Vec<(Arc<str>, usize)> {
        let index = self.read();
        let mut families: Vec<(Arc<str>, usize)> = index
            .values(NAME)
            .map(|(name, count)| (name.clone(), count))
            .collect();
        families.sort_unstable_by(|one, two| two.1.cmp(&one.1).then_with(|| one.0.cmp(&two.0)));
        families
    }
}
