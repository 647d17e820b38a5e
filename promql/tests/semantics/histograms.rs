//! Classic histograms: quantiles, fractions, and broken buckets.

use super::{answer, check, store};

#[test]
fn quantiles_are_found_within_buckets() {
    let store = store(
        "h_bucket{le=\"1\"}: 2
         h_bucket{le=\"2\"}: 6
         h_bucket{le=\"+Inf\"}: 8
         low_bucket{le=\"-1\"}: 2
         low_bucket{le=\"1\"}: 4
         low_bucket{le=\"+Inf\"}: 4
         open_bucket{le=\"1\"}: 2
         open_bucket{le=\"2\"}: 6
         alone_bucket{le=\"+Inf\"}: 8
         empty_bucket{le=\"1\"}: 0
         empty_bucket{le=\"+Inf\"}: 0
         twice_bucket{le=\"1\"}: 1
         twice_bucket{le=\"1.0\"}: 1
         twice_bucket{le=\"2\"}: 4
         twice_bucket{le=\"+Inf\"}: 4",
    );
    check(
        &store,
        &[
            ("histogram_quantile(0.5, h_bucket)", 0, "{} 1.5"),
            ("histogram_quantile(0.125, h_bucket)", 0, "{} 0.5"),
            ("histogram_quantile(0, h_bucket)", 0, "{} 0"),
            ("histogram_quantile(0.9, h_bucket)", 0, "{} 2"),
            ("histogram_quantile(0.25, low_bucket)", 0, "{} -1"),
            ("histogram_quantile(0.75, low_bucket)", 0, "{} 0"),
            ("histogram_quantile(0.5, open_bucket)", 0, "{} NaN"),
            ("histogram_quantile(0.5, alone_bucket)", 0, "{} NaN"),
            ("histogram_quantile(0.5, empty_bucket)", 0, "{} NaN"),
            ("histogram_quantile(0.5, twice_bucket)", 0, "{} 1"),
            ("histogram_quantile(0.75, twice_bucket)", 0, "{} 1.5"),
            ("histogram_quantile(-1, h_bucket)", 0, "{} -Inf"),
            ("histogram_quantile(2, open_bucket)", 0, "{} +Inf"),
            (
                "histogram_quantile(0.5, {__name__=~\"h_bucket|low_bucket\"})",
                0,
                "vector cannot contain metrics with the same labelset",
            ),
            ("histogram_fraction(1, 2, h_bucket)", 0, "{} 0.5"),
            ("histogram_fraction(0, 0.5, h_bucket)", 0, "{} 0.125"),
            ("histogram_fraction(-3, 1, h_bucket)", 0, "{} 0.25"),
            ("histogram_fraction(2, Inf, h_bucket)", 0, "{} 0.25"),
            ("histogram_fraction(3, 4, h_bucket)", 0, "{} 0"),
            ("histogram_fraction(-2, -1, low_bucket)", 0, "{} 0"),
            ("histogram_fraction(-Inf, -1, low_bucket)", 0, "{} 0.5"),
            ("histogram_fraction(2, 1, h_bucket)", 0, "{} 0"),
            ("histogram_fraction(NaN, 1, h_bucket)", 0, "{} NaN"),
            ("histogram_fraction(0, 1, open_bucket)", 0, "{} NaN"),
        ],
    );
}

#[test]
fn falling_counts_are_forced_and_remarked_unless_they_are_rounding() {
    let store = store(
        "h_bucket{le=\"1\"}: 4
         h_bucket{le=\"2\"}: 2
         h_bucket{le=\"3\"}: 8
         h_bucket{le=\"+Inf\"}: 8
         r_bucket{le=\"1\"}: 4.0000000000001
         r_bucket{le=\"2\"}: 4
         r_bucket{le=\"+Inf\"}: 4",
    );
    let forced = answer(&store, "histogram_quantile(0.75, h_bucket)", 0).unwrap();
    assert_eq!(super::shown(&forced.value), "{} 2.5");
    assert!(forced.infos[0].starts_with(
        "PromQL info: input to histogram_quantile needed to be fixed for monotonicity"
    ));
    assert!(forced.infos[0].ends_with("\"h_bucket\" (1:26)"));
    let rounded = answer(&store, "histogram_quantile(0.5, r_bucket)", 0).unwrap();
    assert!(rounded.infos.is_empty());
}

#[test]
fn what_reads_native_histograms_alone_is_nothing_and_says_that_they_are_not_supported() {
    let store = store("h_bucket{le=\"1\"}: 4\nh_sum: 3\nplain: 1");
    for name in ["avg", "count", "stddev", "stdvar", "sum"] {
        for of in ["h_bucket", "plain", "none", "rate(h_sum[5m])"] {
            let query = format!("histogram_{name}({of})");
            // Prometheus, too, leaves out what is no native histogram.
            let found = answer(&store, &query, 0).unwrap();
            assert_eq!(super::shown(&found.value), "", "{query}");
            assert_eq!(
                found.infos,
                [format!(
                    "PromQL info: native histograms are not supported, and of other samples \
                     histogram_{name} makes nothing (1:1)"
                )]
            );
            assert!(found.warnings.is_empty(), "{query}");
        }
    }
}

#[test]
fn a_bucket_without_a_bound_is_left_out_with_a_warning() {
    let store = store(
        "h_bucket{le=\"1\"}: 4
         h_bucket{le=\"+Inf\"}: 8
         h_bucket: 8
         h_bucket{le=\"much\"}: 8",
    );
    let found = answer(&store, "histogram_quantile(0.25, h_bucket)", 0).unwrap();
    assert_eq!(super::shown(&found.value), "{} 0.5");
    assert_eq!(
        found.warnings,
        ["", "much"].map(|value| format!(
            "PromQL warning: bucket label \"le\" is missing or has a malformed value of \"{value}\" for metric name \"h_bucket\" (1:26)"
        ))
    );
}
