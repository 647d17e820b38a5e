//! The series a rule writes, and the markers for those it writes no more.

use exposition::{Labels, stale};
use series::Store;

/// What a rule wrote at its last evaluation.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outputs(Vec<Labels>);

impl Outputs {
    /// Stores `series` and ends those of the evaluation before that are not
    /// among them. Returns how many samples the store did not take.
    pub(crate) fn write(
        &mut self,
        series: Vec<(Labels, f64)>,
        time_ms: i64,
        store: &Store,
    ) -> usize {
        let mut refused = 0;
        let mut written = Vec::with_capacity(series.len());
        for (labels, value) in series {
            match store.append(&labels, time_ms, value) {
                Ok(()) => written.push(labels),
                Err(_) => refused += 1,
            }
        }
        written.sort_unstable();
        let before = std::mem::replace(&mut self.0, written);
        let gone = before
            .into_iter()
            .filter(|labels| self.0.binary_search(labels).is_err());
        end(gone, time_ms, store);
        refused
    }

    /// Gives up the list, for a rule that is no more.
    pub(crate) fn take(&mut self) -> Vec<Labels> {
        std::mem::take(&mut self.0)
    }
}

/// Writes a marker for each series.
pub(crate) fn end(series: impl IntoIterator<Item = Labels>, time_ms: i64, store: &Store) {
    for labels in series {
        // A series that has a newer sample already needs no end.
        let _ = store.append(&labels, time_ms, stale());
    }
}
