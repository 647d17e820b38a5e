//! Look-back, windows, staleness, `offset`, `@`, subqueries.

use super::{ask, ask_range, check, store};

#[test]
fn a_sample_is_seen_for_less_than_five_minutes() {
    let store = store("x: 7");
    check(
        &store,
        &[
            ("x", -1, ""),
            ("x", 0, "x 7"),
            ("x", 299, "x 7"),
            ("x", 300, ""),
            ("x offset 1m", 359, "x 7"),
            ("x offset -1m", -60, "x 7"),
        ],
    );
}

#[test]
fn a_marker_ends_a_series_and_is_never_seen() {
    let store = store("x: 1 stale _ 2 NaN");
    check(
        &store,
        &[
            ("x", 59, "x 1"),
            ("x", 60, ""),
            ("x", 179, ""),
            ("x", 180, "x 2"),
            ("x", 240, "x NaN"),
            ("count_over_time(x[2m])", 179, ""),
            ("count_over_time(x[4m])", 180, "{} 2"),
            ("x[5m]", 240, "x 1@0 2@180 NaN@240"),
            ("timestamp(x)", 200, "{} 180"),
        ],
    );
}

#[test]
fn windows_are_open_on_the_left() {
    let store = store("x: 1 2 3 4");
    check(
        &store,
        &[
            ("x[1m]", 120, "x 3@120"),
            ("x[2m]", 120, "x 2@60 3@120"),
            ("x[120]", 120, "x 2@60 3@120"),
            ("x[1m1s]", 120, "x 2@60 3@120"),
            ("x[1m]", 119, "x 2@60"),
            ("rate(x[1m])", 120, ""),
            ("x[1m:30s]", 120, "x 2@90 3@120"),
        ],
    );
}

#[test]
fn offset_and_at_come_in_any_order_and_at_goes_first() {
    let store = store("x: 1 2 3 4 5 6");
    for query in ["x @ 240 offset 1m", "x offset 1m @ 240", "x offset 60 @ 4m"] {
        for seconds in [0, 600, 10_000] {
            assert_eq!(ask(&store, query, seconds), "x 4", "{query} at {seconds}");
        }
    }
    check(
        &store,
        &[
            ("x @ start()", 120, "x 3"),
            ("x @ end() offset 1m", 120, "x 2"),
            ("x @ -60 offset -2m", 0, "x 2"),
            ("sum_over_time(x[2m] @ 120)", 0, "{} 5"),
            ("timestamp(x @ 150)", 0, "{} 120"),
            ("timestamp(timestamp(x @ 150))", 33, "{} 33"),
        ],
    );
    assert_eq!(
        ask_range(&store, "x @ start()", 60, 120, 60),
        "x 2@60 2@120"
    );
    assert_eq!(ask_range(&store, "x @ end()", 60, 120, 60), "x 3@60 3@120");
}

#[test]
fn subquery_steps_are_multiples_of_the_step_since_1970() {
    let store = store("x: 1 2 3 4 5 6");
    check(
        &store,
        &[
            ("x[2m:1m]", 185, "x 3@120 4@180"),
            ("x[2m:1m]", 180, "x 3@120 4@180"),
            ("x[2m:50s]", 185, "x 2@100 3@150"),
            ("x[2m:]", 185, "x 3@120 4@180"),
            ("(-x)[1m:30s]", 185, "{} -3@150 -4@180"),
            ("x[2m:1m] offset 3s", 185, "x 3@120 4@180"),
            ("x[2m:1m] @ 120", 185, "x 2@60 3@120"),
            ("x[1m:1m] @ -30", 0, ""),
            ("last_over_time(x[1m:])", 185, "x 4"),
            ("sum_over_time(vector(1)[2m:1m])", 10, "{} 2"),
            ("max_over_time(max_over_time(x[2m:1m])[3m:1m])", 240, "{} 5"),
        ],
    );
}

#[test]
fn matchers_treat_an_absent_label_as_empty() {
    let store = store(
        "x{a=\"1\"}: 1
         x{b=\"2\"}: 2
         x{a=\"line\\nbreak\"}: 3",
    );
    check(
        &store,
        &[
            ("x{a=\"\"}", 0, "x{b=\"2\"} 2"),
            ("sum(x{a!=\"1\"})", 0, "{} 5"),
            ("x{a=~\"|1\",b=\"\"}", 0, "x{a=\"1\"} 1"),
            ("count(x{a=~\"line.break\"})", 0, "{} 1"),
            ("count(x{a=~\"line\"})", 0, ""),
            ("x{a=~\"\\\\Q1\\\\E\"}", 0, "x{a=\"1\"} 1"),
            ("x{a=~`\\d`}", 0, "x{a=\"1\"} 1"),
            ("count({__name__=~\"x|y\"})", 0, "{} 3"),
            ("count({\"x\", a!~\"1|\"})", 0, "{} 1"),
        ],
    );
}
