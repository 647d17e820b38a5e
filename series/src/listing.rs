//! What there is: label names, values, series, families.

use std::collections::BTreeSet;
use std::sync::Arc;

use exposition::{Label, Labels, NAME};

use crate::{Matcher, Store};

impl Store {
    /// The label names of all series that satisfy all matchers, sorted.
    #[must_use]
    pub fn labels(&self, matchers: &[Matcher]) -> Vec<Arc<str>> {
        let index = self.read();
        let found = match matchers.is_empty() {
            true => Arc::default(),
            false => index.find(matchers),
        };
        let names: BTreeSet<&str> = match matchers.is_empty() {
            true => index.names().map(AsRef::as_ref).collect(),
            false => {
                let labels = found.iter().flat_map(|series| series.labels.shared());
                labels.map(Label::name).collect()
            }
        };
        names.into_iter().map(Arc::from).collect()
    }

    /// The values of a label in all series that satisfy all matchers, sorted.
    #[must_use]
    pub fn values(&self, name: &str, matchers: &[Matcher]) -> Vec<Arc<str>> {
        let index = self.read();
        let found = match matchers.is_empty() {
            true => Arc::default(),
            false => index.find(matchers),
        };
        let values: BTreeSet<&str> = match matchers.is_empty() {
            true => index.values(name).map(|(value, _)| value).collect(),
            false => {
                let values = found.iter().map(|series| series.labels.get(name));
                values.filter(|value| !value.is_empty()).collect()
            }
        };
        values.into_iter().map(Arc::from).collect()
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
            .map(|(name, count)| (name.into(), count))
            .collect();
        families.sort_unstable_by(|one, two| two.1.cmp(&one.1).then_with(|| one.0.cmp(&two.0)));
        families
    }
}
