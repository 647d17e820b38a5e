//! How often something took how long.

use serde::{Deserialize, Serialize};

use crate::pieces::Family;

/// Upper bounds in seconds: from what a fast task takes to what a stuck queue
/// makes one wait.
pub(super) const BOUNDS: [f64; 17] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0,
    1800.0, 3600.0,
];

/// Counts by duration.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Histogram {
    /// Those up to each bound, and not up to the one before.
    counts: [u64; BOUNDS.len()],
    total: u64,
    sum: f64,
}

impl Histogram {
    pub(super) fn add(&mut self, seconds: f64) {
        if !seconds.is_finite() {
            return;
        }
        let seconds = seconds.max(0.0);
        if let Some(at) = BOUNDS.iter().position(|bound| seconds <= *bound) {
            self.counts[at] += 1;
        }
        self.total += 1;
        self.sum += seconds;
    }

    pub(super) fn encode(&self, labels: &[(&str, &str)], family: &mut Family<'_>) {
        let with = |le: &str, count: u64, family: &mut Family<'_>| {
            let mut all = labels.to_vec();
            all.push(("le", le));
            family.suffixed("_bucket", &all, count as f64);
        };
        let mut count = 0;
        for (bound, here) in BOUNDS.iter().zip(self.counts) {
            count += here;
            with(&exposition::format_value(*bound), count, family);
        }
        with("+Inf", self.total, family);
        family.suffixed("_sum", labels, self.sum);
        family.suffixed("_count", labels, self.total as f64);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use exposition::Kind;

    use super::*;
    use crate::pieces::{Sheet, page};

    #[test]
    fn buckets_count_everything_below_them() {
        let mut histogram = Histogram::default();
        for seconds in [0.001, 0.02, 0.02, 9999.0, -1.0, f64::NAN] {
            histogram.add(seconds);
        }
        let mut sheet = Sheet::new(&"".into());
        histogram.encode(&[], &mut sheet.family("a", "A.", Kind::Histogram));
        let text = page(&[Arc::new(sheet.finish())]);
        for line in [
            "a_bucket{le=\"0.005\"} 2\n",
            "a_bucket{le=\"0.025\"} 4\n",
            "a_bucket{le=\"3600\"} 4\n",
            "a_bucket{le=\"+Inf\"} 5\n",
            "a_sum 9999.041\n",
            "a_count 5\n",
        ] {
            assert!(text.contains(line), "{line} {text}");
        }
    }
}
