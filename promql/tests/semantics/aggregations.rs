//! Aggregations: groups, parameters, and values that are no numbers.

use super::{answer, check, store};

#[test]
fn groups_are_made_by_the_labels_named() {
    let store = store(
        "x{a=\"1\", b=\"1\"}: 1
         x{a=\"1\", b=\"2\"}: 2
         x{a=\"2\"}: 4",
    );
    check(
        &store,
        &[
            ("sum(x)", 0, "{} 7"),
            ("sum by (a) (x)", 0, "{a=\"1\"} 3; {a=\"2\"} 4"),
            ("sum by (none) (x)", 0, "{} 7"),
            ("sum without (b) (x)", 0, "{a=\"1\"} 3; {a=\"2\"} 4"),
            (
                "sum without () (x)",
                0,
                "{a=\"1\", b=\"1\"} 1; {a=\"1\", b=\"2\"} 2; {a=\"2\"} 4",
            ),
            ("count by (a) (x)", 0, "{a=\"1\"} 2; {a=\"2\"} 1"),
            ("group(x)", 0, "{} 1"),
            ("avg(x)", 0, "{} 2.333333333"),
            ("stdvar by (a) (x)", 0, "{a=\"1\"} 0.25; {a=\"2\"} 0"),
            ("stddev(x)", 0, "{} 1.247219129"),
            ("quantile(0.5, x)", 0, "{} 2"),
            ("sum(none)", 0, ""),
            ("count(none) or vector(0)", 0, "{} 0"),
        ],
    );
}

#[test]
fn nan_and_infinity_take_part_as_they_do_there() {
    let store = store(
        "x{i=\"1\"}: NaN\nx{i=\"2\"}: 2\nx{i=\"3\"}: 3\ny{i=\"1\"}: Inf\ny{i=\"2\"}: 1\nz: NaN",
    );
    check(
        &store,
        &[
            ("max(x)", 0, "{} 3"),
            ("min(x)", 0, "{} 2"),
            ("max(z)", 0, "{} NaN"),
            ("sum(x)", 0, "{} NaN"),
            ("stddev(x)", 0, "{} NaN"),
            ("stddev(y)", 0, "{} NaN"),
            ("avg(y)", 0, "{} +Inf"),
            ("quantile(0, x)", 0, "{} NaN"),
            ("quantile(1, x)", 0, "{} 3"),
            ("topk(2, x)", 0, "x{i=\"3\"} 3; x{i=\"2\"} 2"),
            (
                "topk(3, x)",
                0,
                "x{i=\"3\"} 3; x{i=\"2\"} 2; x{i=\"1\"} NaN",
            ),
            (
                "bottomk(3, x)",
                0,
                "x{i=\"2\"} 2; x{i=\"3\"} 3; x{i=\"1\"} NaN",
            ),
            ("sort(x)", 0, "x{i=\"2\"} 2; x{i=\"3\"} 3; x{i=\"1\"} NaN"),
            (
                "sort_desc(x)",
                0,
                "x{i=\"3\"} 3; x{i=\"2\"} 2; x{i=\"1\"} NaN",
            ),
        ],
    );
}

#[test]
fn parameters_are_cut_checked_and_warned_of() {
    let store = store("x{i=\"1\"}: 1\nx{i=\"2\"}: 2");
    check(
        &store,
        &[
            ("topk(1.9, x)", 0, "x{i=\"2\"} 2"),
            ("topk(0.9, x)", 0, ""),
            ("topk(-1, x)", 0, ""),
            ("topk(1e300, x)", 0, "Scalar value 1e+300 overflows int64"),
            ("topk(NaN, none)", 0, "Parameter value is NaN"),
            ("quantile(-1, x)", 0, "{} -Inf"),
            ("quantile(2, x)", 0, "{} +Inf"),
            ("quantile(NaN, x)", 0, "{} NaN"),
        ],
    );
    let warnings = |query| answer(&store, query, 0).unwrap().warnings;
    let outside = |text: &str, place: &str| {
        vec![format!(
            "PromQL warning: quantile value should be between 0 and 1, got {text} ({place})"
        )]
    };
    assert_eq!(warnings("quantile(1.5, none)"), outside("1.5", "1:10"));
    assert_eq!(
        warnings("\n histogram_quantile(NaN, none)"),
        outside("NaN", "2:21")
    );
    assert_eq!(
        warnings("quantile_over_time(-1, x[1m])"),
        outside("-1", "1:20")
    );
    assert!(warnings("quantile_over_time(-1, none[1m])").is_empty());
    assert!(warnings("quantile(1, x) + quantile(0, x)").is_empty());
}

#[test]
fn counted_values_print_without_exponents() {
    let store = store(
        "x{i=\"1\"}: 1e22\nx{i=\"2\"}: 0.0000001\nx{i=\"3\"}: NaN\nx{i=\"4\"}: -Inf\nx{i=\"5\"}: 0.0000001",
    );
    check(
        &store,
        &[
            (
                "count_values(\"v\", x)",
                0,
                "{v=\"10000000000000000000000\"} 1; {v=\"0.0000001\"} 2; {v=\"NaN\"} 1; {v=\"-Inf\"} 1",
            ),
            (
                "count_values by (i) (\"i\", x > 1)",
                0,
                "{i=\"10000000000000000000000\"} 1",
            ),
            (
                "count_values without (i) (\"\", x)",
                0,
                "invalid label name \"\"",
            ),
        ],
    );
}
