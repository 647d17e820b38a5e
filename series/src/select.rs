//! Reading samples.

use exposition::Labels;

use crate::archive::TOGETHER;
use crate::{Matcher, Store};

/// One series of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Selected {
    /// The series.
    pub labels: Labels,
    /// Its samples in time order, staleness markers included.
    pub samples: Vec<(i64, f64)>,
}

/// The newest sample of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct Newest {
    /// The series.
    pub labels: Labels,
    /// When, in milliseconds since 1970.
    pub time_ms: i64,
    /// The value, which may be a staleness marker.
    pub value: f64,
}

/// An answer would have more samples than its reader wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more than {0} samples")]
pub struct TooMany(pub usize);

impl Store {
    /// All series that satisfy all matchers and have samples in `from_ms..=to_ms`,
    /// sorted by labels.
    #[must_use]
    pub fn select(&self, matchers: &[Matcher], from_ms: i64, to_ms: i64) -> Vec<Selected> {
        self.select_most(matchers, from_ms, to_ms, usize::MAX)
            .unwrap_or_default()
    }

    /// As [`Store::select`], but gives up once there are more than `most`
    /// samples, before they fill memory.
    pub fn select_most(
        &self,
        matchers: &[Matcher],
        from_ms: i64,
        to_ms: i64,
        most: usize,
    ) -> Result<Vec<Selected>, TooMany> {
        let mut selected = Vec::new();
        let mut count = 0;
        self.visit(matchers, from_ms, to_ms, |labels, samples| {
            count += samples.len();
            if count > most {
                return Err(TooMany(most));
            }
            selected.push(Selected {
                labels: labels.clone(),
                samples: samples.clone(),
            });
            Ok(())
        })?;
        Ok(selected)
    }

    /// Shows `each` what [`Store::select`] would answer, one series after the
    /// other, so that only one of them is unpacked at a time. Ends at its first
    /// error. May wait for a disk where the range begins before the last hour.
    pub fn visit<E>(
        &self,
        matchers: &[Matcher],
        from_ms: i64,
        to_ms: i64,
        mut each: impl FnMut(&Labels, &mut Vec<(i64, f64)>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (clock, from, to) = self.kept_range(from_ms, to_ms);
        let found = self.read().find(matchers);
        let (mut reading, mut samples) = (self.reading(from, to), Vec::new());
        for some in found.chunks(TOGETHER) {
            reading.expect(some.iter());
            for series in some {
                samples.clear();
                reading.read(series, &mut samples);
                if clock != 0 {
                    for (time, _) in &mut samples {
                        *time = time.wrapping_add(clock);
                    }
                }
                if !samples.is_empty() {
                    each(&series.labels, &mut samples)?;
                }
            }
        }
        Ok(())
    }

    /// Of all series that satisfy all matchers the newest sample in
    /// `from_ms..=to_ms`, sorted by labels: what an instant selector looks at,
    /// without unpacking what it does not.
    #[must_use]
    pub fn newest(&self, matchers: &[Matcher], from_ms: i64, to_ms: i64) -> Vec<Newest> {
        let (clock, from, to) = self.kept_range(from_ms, to_ms);
        let found = self.read().find(matchers);
        let latest = self.latest(&found, from, to);
        let newest = found.iter().zip(latest).filter_map(|(series, latest)| {
            let (time, value) = latest?;
            Some(Newest {
                labels: series.labels.clone(),
                time_ms: time.wrapping_add(clock),
                value,
            })
        });
        newest.collect()
    }
}
