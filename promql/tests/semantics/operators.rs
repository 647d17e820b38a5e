//! Arithmetic, comparison, matching, sets, and what becomes of names.

use super::{ask, check, store};

#[test]
fn numbers_follow_ieee_and_go() {
    let store = store("x: NaN");
    check(
        &store,
        &[
            ("1 / 0", 0, "+Inf"),
            ("-1 / 0", 0, "-Inf"),
            ("0 / 0", 0, "NaN"),
            ("-5 % 3", 0, "-2"),
            ("1 % 0", 0, "NaN"),
            ("2 ^ 3 ^ 2", 0, "512"),
            ("-2 ^ 2", 0, "-4"),
            ("2 ^ -1", 0, "0.5"),
            ("NaN ^ 0", 0, "1"),
            ("1 ^ NaN", 0, "1"),
            ("1 atan2 1 * 4", 0, "3.141592654"),
            ("NaN == bool NaN", 0, "0"),
            ("NaN != bool NaN", 0, "1"),
            ("x == x", 0, ""),
            ("x != x", 0, "x NaN"),
            ("1h30m - 30m", 0, "3600"),
            ("Inf > bool 1e308", 0, "1"),
        ],
    );
}

#[test]
fn names_go_when_values_change_and_stay_when_they_are_filtered() {
    let store = store("x{a=\"1\"}: 4\ny{a=\"1\"}: 3");
    check(
        &store,
        &[
            ("+x", 0, "x{a=\"1\"} 4"),
            ("-x", 0, "{a=\"1\"} -4"),
            ("x + 0", 0, "{a=\"1\"} 4"),
            ("0 + x", 0, "{a=\"1\"} 4"),
            ("x > 3", 0, "x{a=\"1\"} 4"),
            ("3 < x", 0, "x{a=\"1\"} 4"),
            ("x > bool 3", 0, "{a=\"1\"} 1"),
            ("x > y", 0, "x{a=\"1\"} 4"),
            ("x > on(a) y", 0, "{a=\"1\"} 4"),
            ("x > ignoring(a) y", 0, "x 4"),
            ("x > ignoring() y", 0, "x{a=\"1\"} 4"),
            ("x > on(a) group_left y", 0, "x{a=\"1\"} 4"),
            ("y < on(a) group_right x", 0, "x{a=\"1\"} 3"),
            ("x and y", 0, "x{a=\"1\"} 4"),
            ("x or y", 0, "x{a=\"1\"} 4"),
            ("abs(x)", 0, "{a=\"1\"} 4"),
            ("last_over_time(x[1m])", 0, "x{a=\"1\"} 4"),
            ("first_over_time(x[1m])", 0, "x{a=\"1\"} 4"),
            ("max_over_time(x[1m])", 0, "{a=\"1\"} 4"),
            ("sort(x)", 0, "x{a=\"1\"} 4"),
            ("topk(1, x)", 0, "x{a=\"1\"} 4"),
            ("sum by (__name__) (x)", 0, "x 4"),
            ("sum by (__name__) (-x)", 0, "{} -4"),
            (
                "label_replace(-x, \"__name__\", \"z\", \"\", \"\")",
                0,
                "z{a=\"1\"} -4",
            ),
            (
                "label_replace(-x, \"n\", \"$1\", \"__name__\", \"(.+)\")",
                0,
                "{a=\"1\", n=\"x\"} -4",
            ),
            (
                "-{a=\"1\"}",
                0,
                "vector cannot contain metrics with the same labelset",
            ),
            ("timestamp(x)", 0, "{a=\"1\"} 0"),
            ("clamp(x, 0, 1)", 0, "{a=\"1\"} 1"),
        ],
    );
}

#[test]
fn matching_needs_unique_groups_on_one_side() {
    let store = store(
        "many{g=\"1\", i=\"a\"}: 1
         many{g=\"1\", i=\"b\"}: 2
         many{g=\"2\", i=\"c\"}: 3
         one{g=\"1\", info=\"x\"}: 10
         one{g=\"3\", info=\"y\"}: 30",
    );
    let implicit = "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)";
    let duplicate = |side: &str| {
        format!(
            "found duplicate series for the match group {{g=\"1\"}} on the {side} hand-side of the operation: [{{__name__=\"many\", g=\"1\", i=\"a\"}}, {{__name__=\"many\", g=\"1\", i=\"b\"}}];many-to-many matching not allowed: matching labels must be unique on one side"
        )
    };
    check(
        &store,
        &[
            ("many * on(g) one", 0, implicit),
            // Even when the comparison would leave none.
            ("many > on(g) one", 0, implicit),
            ("one * on(g) many", 0, &duplicate("right")),
            ("many * on(g) group_right one", 0, &duplicate("left")),
            (
                "many * on(g) group_left one",
                0,
                "{g=\"1\", i=\"a\"} 10; {g=\"1\", i=\"b\"} 20",
            ),
            (
                "one * on(g) group_right many",
                0,
                "{g=\"1\", i=\"a\"} 10; {g=\"1\", i=\"b\"} 20",
            ),
            (
                "one - on(g) group_right many",
                0,
                "{g=\"1\", i=\"a\"} 9; {g=\"1\", i=\"b\"} 8",
            ),
            (
                "many * on(g) group_left(info) one",
                0,
                "{g=\"1\", i=\"a\", info=\"x\"} 10; {g=\"1\", i=\"b\", info=\"x\"} 20",
            ),
            // What the one side lacks is taken away.
            (
                "many * on(g) group_left(i) one",
                0,
                "multiple matches for labels: grouping labels must ensure unique matches",
            ),
            ("many{i=\"a\"} * on(g) group_left(i) one", 0, "{g=\"1\"} 10"),
            ("many{i=\"c\"} + many{i=\"c\"}", 0, "{g=\"2\", i=\"c\"} 6"),
            ("many{i=\"a\"} + ignoring(i, info) one", 0, "{g=\"1\"} 11"),
            // Nothing can collide with nothing.
            ("none * on(g) many", 0, ""),
            ("many * on(h) none", 0, ""),
        ],
    );
    assert!(ask(&store, "many{g=\"2\"} * on(h) many", 0).starts_with("found duplicate"));
}

#[test]
fn sets_compare_labels_and_keep_whole_series() {
    let store = store(
        "a{l=\"1\"}: 1
         a{l=\"2\"}: 2
         b{l=\"2\", m=\"x\"}: 3
         b{l=\"3\"}: 4",
    );
    check(
        &store,
        &[
            ("a and b", 0, ""),
            ("a and on(l) b", 0, "a{l=\"2\"} 2"),
            ("a unless on(l) b", 0, "a{l=\"1\"} 1"),
            ("a unless ignoring(m) b", 0, "a{l=\"1\"} 1"),
            (
                "a or on(l) b",
                0,
                "a{l=\"1\"} 1; a{l=\"2\"} 2; b{l=\"3\"} 4",
            ),
            ("a and on() vector(1)", 0, "a{l=\"1\"} 1; a{l=\"2\"} 2"),
            ("a unless on() vector(1)", 0, ""),
            ("a and on() (vector(1) > 2)", 0, ""),
            ("a > 1 or a", 0, "a{l=\"2\"} 2; a{l=\"1\"} 1"),
        ],
    );
}
