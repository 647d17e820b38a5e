//! Exposition pages, in both formats.

use std::time::Duration;

use exposition::{Entry, Format};
use rules::{Intake, Page, Target};
use series::Store;

use crate::NOW;

/// Reads a page, and takes it in twice as that of a target.
///
/// # Panics
/// If a series that was read is not one, or the store has what no page said.
pub fn page(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for format in [Format::Text, Format::OpenMetrics] {
        let mut samples = 0;
        // What is no sample brings no series.
        for entry in format.parse(&text) {
            if let Ok(Entry::Sample(sample)) = entry {
                let pairs: Vec<_> = sample.labels.iter().collect();
                assert!(pairs.windows(2).all(|two| two[0].0 < two[1].0), "{pairs:?}");
                assert!(
                    pairs.iter().all(|(_, value)| !value.is_empty()),
                    "{pairs:?}"
                );
                samples += 1;
            }
        }
        let store = Store::new();
        let mut intake = Intake::new(Target::default());
        for round in 0..2 {
            let page = Page {
                text: &text,
                format,
            };
            let time = NOW + round * 15_000;
            intake.take(Ok(page), time, Duration::ZERO, &store);
        }
        let reports = 5;
        let most = samples + reports;
        let all = store.select(&[], i64::MIN, i64::MAX);
        assert!(
            all.len() <= most,
            "{} series of {samples} samples",
            all.len()
        );
    }
}

pub(crate) fn samples() -> Vec<Vec<u8>> {
    crate::texts(&[
        "# HELP x What \\\\ it\\n is.\n# TYPE x counter\nx{a=\"b\",c=\"d\\\"\\n\"} 1\nx 2 1700000000000\n\
         y{le=\"+Inf\",} NaN\nz\t-1e-3\n",
        "# TYPE h histogram\nh_bucket{le=\"1\"} 0\nh_bucket{le=\"+Inf\"} 3\nh_sum 4.5\nh_count 3\n",
        "# TYPE x counter\n# UNIT x seconds\n# HELP x Text \\\"quoted\\\".\nx_total{a=\"b\"} 1.0 1700000000.5 \
         # {trace_id=\"a\"} 0.5 1699999999.1\nx_created 1\n# TYPE s stateset\ns{s=\"on\"} 1\n# EOF\n",
        "# TYPE i info\ni_info{version=\"1.2\"} 1\n# TYPE g gaugehistogram\ng_bucket{le=\"0.5\"} 1\n# EOF\n",
        "{\"a.b\",\"l.x\"=\"v\"} 1\nup 1 2\n",
    ])
}
