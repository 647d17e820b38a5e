//! Where samples are kept.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use exposition::Labels;

use crate::Matcher;

/// Recent samples of all series. Shared between threads behind an `Arc`.
#[derive(Debug, Default)]
pub struct Store {
    series: RwLock<BTreeMap<Labels, Vec<(i64, f64)>>>,
}

/// One series of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Selected {
    /// The series.
    pub labels: Labels,
    /// Its samples in time order, staleness markers included.
    pub samples: Vec<(i64, f64)>,
}

/// Why a sample was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// It is older than the newest sample of its series.
    #[error("out of order")]
    OutOfOrder,
    /// There is another value at the same time.
    #[error("duplicate sample for the same time")]
    Duplicate,
}

impl Store {
    /// An empty store in memory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one sample. The same value at the same time again is no error.
    pub fn append(&self, labels: &Labels, time_ms: i64, value: f64) -> Result<(), Rejected> {
        let mut series = self.series.write().unwrap_or_else(PoisonError::into_inner);
        let samples = series.entry(labels.clone()).or_default();
        if let Some(&(last, have)) = samples.last() {
            if time_ms < last {
                return Err(Rejected::OutOfOrder);
            }
            if time_ms == last {
                let same = have.to_bits() == value.to_bits();
                return if same {
                    Ok(())
                } else {
                    Err(Rejected::Duplicate)
                };
            }
        }
        samples.push((time_ms, value));
        Ok(())
    }

    /// All series that satisfy all matchers and have samples in `from_ms..=to_ms`,
    /// sorted by labels.
    #[must_use]
    pub fn select(&self, matchers: &[Matcher], from_ms: i64, to_ms: i64) -> Vec<Selected> {
        let series = self.series.read().unwrap_or_else(PoisonError::into_inner);
        series
            .iter()
            .filter(|(labels, _)| matchers.iter().all(|matcher| matcher.matches(labels)))
            .filter_map(|(labels, samples)| {
                let from = samples.partition_point(|(time, _)| *time < from_ms);
                let to = samples.partition_point(|(time, _)| *time <= to_ms);
                (from < to).then(|| Selected {
                    labels: labels.clone(),
                    samples: samples[from..to].to_vec(),
                })
            })
            .collect()
    }
}
