//! Rates and their extrapolation, labels, absence, dates.

use super::{answer, check, store};

#[test]
fn a_rate_is_extrapolated_to_near_ends_only() {
    let store = store(
        "late: _ _ _ _ 100 110 120
         from_zero: _ _ _ _ 1 61 121
         resets: 10 20 5 15 25
         falls: 5 4 3 2 1
         single: 1
         edge: 0 1 2 3 4",
    );
    check(
        &store,
        &[
            // Far from the start: half a distance is added there, nothing at the end.
            ("increase(late[6m])", 360, "{} 25"),
            ("delta(late[6m])", 360, "{} 25"),
            // Not to below zero, which it reaches a second before.
            ("increase(from_zero[6m])", 360, "{} 121"),
            // 65 s is less than 1.1 distances, 66 s is not.
            ("delta(late[185s])", 360, "{} 30.83333333"),
            ("delta(late[186s])", 360, "{} 25"),
            ("increase(resets[5m])", 240, "{} 43.75"),
            ("resets(resets[5m])", 240, "{} 1"),
            ("delta(falls[5m])", 240, "{} -5"),
            ("increase(falls[5m])", 240, "{} 12.5"),
            ("rate(edge[4m])", 240, "{} 0.01666666667"),
            ("rate(single[5m])", 60, ""),
            ("irate(resets[3m])", 240, "{} 0.1666666667"),
            ("irate(resets[3m])", 120, "{} 0.08333333333"),
            ("idelta(resets[3m])", 120, "{} -15"),
            ("irate(single[5m])", 60, ""),
            ("deriv(edge[5m])", 240, "{} 0.01666666667"),
            ("deriv(single[5m])", 60, ""),
            ("predict_linear(edge[5m], 60)", 240, "{} 5"),
            ("changes(resets[5m])", 240, "{} 4"),
            ("increase(edge[5m] @ 240)", 99_999, "{} 4"),
        ],
    );
}

#[test]
fn only_a_doubtful_counter_is_remarked() {
    let store = store("x: 1 2\nx_total: 1 2\nx_count: 1 2");
    let infos = |query| answer(&store, query, 60).unwrap().infos;
    let doubt = "PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"x\" (1:6)";
    assert_eq!(infos("rate(x[5m])"), [doubt]);
    for query in [
        "rate(x_total[5m])",
        "increase(x_count[5m])",
        "delta(x[5m])",
        "irate(x[5m])",
        "rate(x[1s])",
        "rate((x + 1)[2m:30s])",
    ] {
        assert!(infos(query).is_empty(), "{query}");
    }
}

#[test]
fn windows_are_measured_without_losing_small_values() {
    let store = store("x: 1 1e100 1 -1e100\ny: NaN 2 NaN 5\nz: 1.5 1.5 1.5");
    check(
        &store,
        &[
            ("sum_over_time(x[5m])", 180, "{} 2"),
            ("avg_over_time(x[5m])", 180, "{} 0.5"),
            ("min_over_time(y[5m])", 180, "{} 2"),
            ("max_over_time(y[5m])", 180, "{} 5"),
            ("max_over_time(y[1m])", 120, "{} NaN"),
            ("changes(y[5m])", 180, "{} 3"),
            ("present_over_time(y[1m])", 120, "{} 1"),
            ("stddev_over_time(z[5m])", 120, "{} 0"),
            ("quantile_over_time(0.5, z[5m])", 120, "{} 1.5"),
            ("count_over_time(y[90s])", 180, "{} 2"),
        ],
    );
}

#[test]
fn labels_are_replaced_as_go_expands() {
    let store = store("x{a=\"b-c\"}: 1");
    let same = "x{a=\"b-c\"} 1";
    for (arguments, wanted) in [
        (r#""d", "$1", "a", "(.*)-(.*)""#, r#"x{a="b-c", d="b"} 1"#),
        (
            r#""d", "${2}x", "a", "(.*)-(.*)""#,
            r#"x{a="b-c", d="cx"} 1"#,
        ),
        (r#""d", "$1x", "a", "(.*)-(.*)""#, same),
        (
            r#""d", "$n", "a", "(?P<n>.*)-.*""#,
            r#"x{a="b-c", d="b"} 1"#,
        ),
        (r#""d", "$$1", "a", ".*""#, r#"x{a="b-c", d="$1"} 1"#),
        (r#""d", "v", "a", "b""#, same),
        (r#""d", "v", "none", "()""#, r#"x{a="b-c", d="v"} 1"#),
        (r#""a", "", "a", ".*""#, "x 1"),
        (r#""d.e", "v", "", """#, r#"x{a="b-c", d.e="v"} 1"#),
        (
            r#""d", "v", "a", "(""#,
            "invalid regular expression in label_replace(): (",
        ),
        (
            r#""", "v", "a", ".*""#,
            "invalid destination label name in label_replace(): ",
        ),
    ] {
        check(
            &store,
            &[(&format!("label_replace(x, {arguments})"), 0, wanted)],
        );
    }
    check(
        &store,
        &[
            (
                r#"label_join(x, "d", "+", "a", "a")"#,
                0,
                r#"x{a="b-c", d="b-c+b-c"} 1"#,
            ),
            (r#"label_join(x, "a", "+")"#, 0, "x 1"),
            (
                r#"label_join(x, "d", "+", "")"#,
                0,
                "invalid source label name in label_join(): ",
            ),
        ],
    );
}

#[test]
fn absence_has_the_labels_that_were_asked_for() {
    let store = store("x: 1");
    check(
        &store,
        &[
            ("absent(x)", 0, ""),
            ("absent(x)", 300, "{} 1"),
            ("absent(y{a=\"1\", b=~\"2\", c!=\"3\"})", 0, "{a=\"1\"} 1"),
            ("absent(y{a=\"1\", a=\"2\"})", 0, "{} 1"),
            ("absent((y{a=\"1\"}))", 0, "{a=\"1\"} 1"),
            ("absent(sum(y{a=\"1\"}))", 0, "{} 1"),
            ("absent_over_time(y{a=\"1\"}[5m])", 0, "{a=\"1\"} 1"),
            ("absent_over_time(x[5m])", 299, ""),
            ("absent_over_time(x[5m])", 300, "{} 1"),
            ("absent_over_time(y{a=\"1\"}[5m:])", 0, "{} 1"),
        ],
    );
}

#[test]
fn scalars_vectors_and_dates_come_from_the_time() {
    let store = store("x{i=\"1\"}: 1\nx{i=\"2\"}: -2.5\nt{i=\"1\"}: 951782400");
    check(
        &store,
        &[
            ("scalar(x)", 0, "NaN"),
            ("scalar(x{i=\"1\"})", 0, "1"),
            ("scalar(none)", 0, "NaN"),
            ("vector(time())", 90, "{} 90"),
            ("time()", 90, "90"),
            ("minute()", 150, "{} 2"),
            ("hour(vector(NaN)) + hour(vector(-Inf))", 0, "{} 30"),
            ("day_of_week(vector(-1))", 0, "{} 3"),
            ("day_of_month(t)", 0, "{i=\"1\"} 29"),
            ("days_in_month(t) + year(t)", 0, "{i=\"1\"} 2029"),
            ("round(x)", 0, "{i=\"1\"} 1; {i=\"2\"} -2"),
            ("round(x, 5)", 0, "{i=\"1\"} 0; {i=\"2\"} 0"),
            ("clamp(x, 2, 1)", 0, ""),
            ("clamp_min(x, 0)", 0, "{i=\"1\"} 1; {i=\"2\"} 0"),
            ("clamp_max(x, NaN)", 0, "{i=\"1\"} NaN; {i=\"2\"} NaN"),
            ("sgn(x)", 0, "{i=\"1\"} 1; {i=\"2\"} -1"),
            ("'a' ", 0, "a"),
            ("(\"b\")", 0, "b"),
            ("histogram_count(x)", 0, ""),
        ],
    );
}
