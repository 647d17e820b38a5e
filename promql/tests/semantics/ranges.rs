//! Range queries: one evaluation for each step, joined by labels.

use promql::{Engine, parse};

use super::{ask, ask_range, store};

#[test]
fn each_step_is_an_evaluation_and_gaps_stay_gaps() {
    let store = store("x{i=\"2\"}: 1 2 3\nx{i=\"1\"}: 5 stale 6");
    for (query, wanted) in [
        ("x", "x{i=\"1\"} 5@0 6@120; x{i=\"2\"} 1@0 2@60 3@120"),
        ("x > 2", "x{i=\"1\"} 5@0 6@120; x{i=\"2\"} 3@120"),
        ("sum(x)", "{} 6@0 2@60 9@120"),
        ("time()", "{} 0@0 60@60 120@120"),
        ("1 + 1", "{} 2@0 2@60 2@120"),
        ("topk(1, x)", "x{i=\"1\"} 5@0 6@120; x{i=\"2\"} 2@60"),
        (
            "topk(scalar(x{i=\"2\"}), x)",
            "x{i=\"1\"} 5@0 6@120; x{i=\"2\"} 2@60 3@120",
        ),
        (
            "count_values(\"v\", x > 4)",
            "{v=\"5\"} 1@0; {v=\"6\"} 1@120",
        ),
        ("absent(x{i=\"1\"})", "{i=\"1\"} 1@60"),
        ("x offset 1m", "x{i=\"1\"} 5@60; x{i=\"2\"} 1@60 2@120"),
        ("none", ""),
        ("scalar(x{i=\"1\"})", "{} 5@0 NaN@60 6@120"),
        ("x{i=\"1\"} / on() x{i=\"2\"}", "{} 5@0 2@120"),
        (
            "x{i=\"1\"} or on() x",
            "x{i=\"1\"} 5@0 6@120; x{i=\"2\"} 2@60",
        ),
        (
            "sum_over_time(x[2m:1m])",
            "{i=\"1\"} 5@0 5@60 6@120; {i=\"2\"} 1@0 3@60 5@120",
        ),
    ] {
        assert_eq!(ask_range(&store, query, 0, 120, 60), wanted, "{query}");
    }
    assert_eq!(
        ask_range(&store, "x{i=\"2\"}", 30, 100, 40),
        "x{i=\"2\"} 1@30 2@70"
    );
}

#[test]
fn series_that_become_equal_are_joined_unless_they_overlap() {
    let store = store("a: 1 _ _ _ _ _ _ _ 3\nb: _ _ _ _ _ _ 2");
    let query = "-{__name__=~\"a|b\"}";
    assert_eq!(ask_range(&store, query, 0, 360, 360), "{} -1@0 -2@360");
    assert_eq!(
        ask_range(&store, query, 0, 480, 480),
        "vector cannot contain metrics with the same labelset"
    );
    let query = "label_replace({__name__=~\"a|b\"}, \"__name__\", \"c\", \"\", \"\")";
    assert_eq!(ask_range(&store, query, 0, 360, 360), "c 1@0 2@360");
}

#[test]
fn one_sides_may_change_over_time() {
    let store =
        store("x{g=\"1\"}: 1 1 1 1\no{g=\"1\", v=\"a\"}: 1 stale\no{g=\"1\", v=\"b\"}: _ _ 2 2");
    assert_eq!(
        ask_range(&store, "x * on(g) group_left(v) o", 0, 180, 60),
        "{g=\"1\", v=\"a\"} 1@0; {g=\"1\", v=\"b\"} 2@120 2@180"
    );
    assert_eq!(
        ask_range(&store, "x * on(g) o", 0, 180, 60),
        "{g=\"1\"} 1@0 2@120 2@180"
    );
    assert_eq!(
        ask_range(&store, "o * on(g) x", 0, 180, 60),
        "{g=\"1\"} 1@0 2@120 2@180"
    );
}

#[test]
fn sorting_a_range_is_warned_of() {
    let store = store("x: 1 2");
    let engine = Engine::default();
    let expr = parse("sum(sort_desc(x))").unwrap();
    let warned = engine.range(&store, &expr, 0, 60_000, 60_000).unwrap();
    assert_eq!(
        warned.warnings,
        [
            "PromQL warning: sort is ineffective for range queries since results are always ordered by labels (1:5)"
        ]
    );
    assert!(
        engine
            .instant(&store, &expr, 0)
            .unwrap()
            .warnings
            .is_empty()
    );
}

#[test]
fn a_range_query_is_the_instant_queries_side_by_side() {
    let store = store(
        "x_total{i=\"1\", g=\"a\"}: 1 4 2 7 _ 9 stale 11 12
         x_total{i=\"2\", g=\"a\"}: 5 6 7 8 9 10 11 12 13
         x_total{i=\"3\", g=\"b\"}: _ _ 3 NaN 1 0 4 4 4",
    );
    for query in [
        "x_total",
        "rate(x_total[3m])",
        "sum by (g) (increase(x_total[150s]))",
        "max_over_time(sum(x_total)[4m:30s])",
        "quantile by (g) (0.3, x_total)",
        "x_total - x_total offset 90s",
        "x_total / on(g) group_left sum by (g) (x_total)",
        "bottomk(1, x_total) or x_total > 7",
        "avg_over_time(x_total[2m]) unless x_total == 4",
        "predict_linear(x_total[5m], 600)",
        "stddev(x_total) + scalar(count(x_total))",
        "timestamp(x_total) - time()",
        "label_join(x_total, \"j\", \"/\", \"g\", \"i\")",
        "last_over_time(x_total[2m] offset 1m)",
    ] {
        let (start, end, step) = (-30, 700, 37);
        let range = ask_range(&store, query, start, end, step);
        let mut seen: Vec<String> = Vec::new();
        for at in (start..=end).step_by(usize::try_from(step).unwrap()) {
            for line in ask(&store, query, at)
                .split("; ")
                .filter(|line| !line.is_empty())
            {
                let (labels, value) = line.rsplit_once(' ').unwrap();
                let point = format!("{value}@{at}");
                match seen
                    .iter_mut()
                    .find(|have| have.starts_with(&format!("{labels} ")))
                {
                    Some(have) => *have = format!("{have} {point}"),
                    None => seen.push(format!("{labels} {point}")),
                }
            }
        }
        seen.sort();
        let mut lines: Vec<&str> = range.split("; ").collect();
        lines.sort_unstable();
        assert_eq!(lines, seen, "{query}");
    }
}
