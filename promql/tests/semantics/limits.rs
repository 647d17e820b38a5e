//! Queries that cost too much, questions that make no sense, and their ends.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use exposition::Labels;
use promql::{Engine, Error, Limits, parse};
use series::Store;

use super::store;

fn wide(series: usize) -> Store {
    let store = Store::new();
    for at in 0..series {
        let labels = Labels::from_pairs([("__name__", "x".into()), ("i", at.to_string())]);
        for minute in 0..10 {
            store.append(&labels, minute * 60_000, 1.0).unwrap();
        }
    }
    store
}

fn limited(limits: Limits, store: &Store, query: &str) -> Result<(), Error> {
    let expr = parse(query).unwrap();
    Engine::new(limits).instant(store, &expr, 540_000).map(drop)
}

#[test]
fn too_many_samples_end_a_query() {
    let store = wide(100);
    let limits = |samples| Limits {
        samples,
        ..Limits::default()
    };
    // Samples under a window are there for one series at a time.
    for (query, needed) in [
        ("x", 100),
        ("sum_over_time(x[10m])", 100),
        ("x[10m]", 1_000),
        ("x + on(i) x", 200),
        ("sum(x)", 101),
    ] {
        let refused = limited(limits(needed - 1), &store, query).unwrap_err();
        assert_eq!(refused.kind(), "execution", "{query}");
        assert!(refused.to_string().contains("too many samples"), "{query}");
        limited(limits(needed * 3), &store, query).unwrap();
    }
}

#[test]
fn bombs_end_by_limits_before_they_fill_memory() {
    let store = wide(50);
    for query in [
        "sum_over_time(vector(1)[1000000d:1ms])",
        "max_over_time((x + x)[100y:1ms])",
        "sum_over_time(sum_over_time(sum_over_time(x[9y:1s])[9y:1s])[9y:1s])",
        "count_over_time(time()[1d:1s])",
    ] {
        let Ok(expr) = parse(query) else { continue };
        let refused = Engine::default()
            .instant(&store, &expr, 540_000)
            .unwrap_err();
        assert_eq!(refused.kind(), "execution", "{query}");
    }
    let expr = parse("x").unwrap();
    let refused = Engine::default()
        .range(&store, &expr, 0, i64::MAX, 1)
        .unwrap_err();
    assert_eq!(refused.kind(), "execution");
    for call in [
        "label_join(#, \"i\", \"\", \"i\", \"i\")",
        "label_replace(#, \"i\", \"$1$1\", \"i\", \"(.*)\")",
    ] {
        let doubling = (0..150).fold("x".to_owned(), |inner, _| call.replace('#', &inner));
        let limits = Limits {
            samples: 1_000_000,
            ..Limits::default()
        };
        let refused = limited(limits, &store, &doubling).unwrap_err();
        assert!(refused.to_string().contains("too many samples"), "{call}");
    }
}

#[test]
fn time_and_cancellation_end_a_query() {
    let store = wide(1);
    let late = Limits {
        timeout: Duration::ZERO,
        ..Limits::default()
    };
    assert_eq!(limited(late, &store, "x + 1"), Err(Error::Timeout));
    // One series alone can be the work of hours.
    let soon = Limits {
        timeout: Duration::from_millis(50),
        ..Limits::default()
    };
    let long = "sum_over_time(sum_over_time(vector(1)[400d:1m])[400d:1m])";
    assert_eq!(limited(soon, &store, long), Err(Error::Timeout));
    let cancelled = Limits {
        cancel: Some(Arc::new(AtomicBool::new(true))),
        ..Limits::default()
    };
    let err = limited(cancelled, &store, "x + 1").unwrap_err();
    assert_eq!((err.clone(), err.kind()), (Error::Canceled, "canceled"));
}

#[test]
fn look_back_and_subquery_step_can_be_set() {
    let store = store("x: 1");
    let limits = Limits {
        lookback: Duration::from_secs(30),
        subquery_step: Duration::from_secs(10),
        ..Limits::default()
    };
    let engine = Engine::new(limits);
    let ask = |query: &str, time| {
        let expr = parse(query).unwrap();
        super::shown(&engine.instant(&store, &expr, time).unwrap().value)
    };
    assert_eq!(ask("x", 29_999), "x 1");
    assert_eq!(ask("x", 30_000), "");
    assert_eq!(ask("count_over_time(x[1m:])", 29_999), "{} 3");
}

#[test]
fn senseless_range_queries_are_bad_data() {
    let store = store("x: 1");
    let engine = Engine::default();
    for (query, end, step) in [("x[5m]", 1, 1), ("\"a\"", 1, 1), ("x", 1, 0), ("x", -1, 1)] {
        let expr = parse(query).unwrap();
        let err = engine.range(&store, &expr, 0, end, step).unwrap_err();
        assert_eq!(err.kind(), "bad_data", "{query}");
    }
}

#[test]
fn the_deepest_trees_fit_the_stack() {
    let store = wide(2);
    for (head, open, close, tail) in [
        ("", "(", ")", ""),
        ("", "abs(", ")", ""),
        ("", "-(", ")", ""),
        ("", "max by (i) (", ")", ""),
        ("", "max_over_time(", "[1m:1m])", ""),
        ("", "label_replace(", ", \"a\", \"b\", \"c\", \".*\")", ""),
        ("", "histogram_quantile(0.5, ", ")", ""),
        ("", "(1 + ", ")", ""),
        ("", "(x or ", ")", ""),
        ("x", "", " + x", ""),
        ("x", "", " or x", ""),
        ("", "x + on(i) (", ")", ""),
        ("", "topk(3, ", ")", ""),
        ("", "vector(scalar(", "))", ""),
    ] {
        let deepest = (1..=200).rev().find_map(|depth| {
            let core = if head.is_empty() { "x" } else { head };
            let query = format!("{}{core}{}{tail}", open.repeat(depth), close.repeat(depth));
            Some((depth, parse(&query).ok()?))
        });
        let (depth, expr) = deepest.unwrap();
        assert!(depth > 50, "{open}");
        let _ = Engine::default().instant(&store, &expr, 540_000);
        let _ = expr.to_string();
    }
}
