//! The rules that are easy to get wrong, each as a table of questions and answers.

#![expect(
    clippy::unwrap_used,
    reason = "what is loaded and asked here is known to be well formed"
)]

mod aggregations;
mod functions;
mod histograms;
mod limits;
mod operators;
mod ranges;
mod selectors;

use exposition::{Labels, parse_value, stale};
use promql::{Answer, Engine, Error, Value, parse};
use series::{Matcher, Op, Store};

/// A store with a sample each minute from 0: `x{a="b"}: 1 2 _ stale NaN`.
fn store(lines: &str) -> Store {
    let store = Store::new();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (series, values) = line.split_once(": ").unwrap();
        let expr = parse(series).unwrap();
        let labels = expr.selectors()[0]
            .matchers()
            .iter()
            .filter(|matcher: &&Matcher| matcher.op == Op::Equal)
            .map(|matcher| (matcher.name.clone(), matcher.value.clone()));
        let labels = Labels::from_pairs(labels);
        for (minute, value) in (0..).zip(values.split_whitespace()) {
            let value = match value {
                "_" => continue,
                "stale" => stale(),
                number => parse_value(number).unwrap(),
            };
            store.append(&labels, minute * 60_000, value).unwrap();
        }
    }
    store
}

fn answer(store: &Store, query: &str, seconds: i64) -> Result<Answer, Error> {
    let expr = parse(query).unwrap_or_else(|err| panic!("{query}: {err}"));
    Engine::default().instant(store, &expr, seconds * 1000)
}

/// The answer in one line, or the error.
fn ask(store: &Store, query: &str, seconds: i64) -> String {
    answer(store, query, seconds).map_or_else(|err| err.to_string(), |answer| shown(&answer.value))
}

fn ask_range(store: &Store, query: &str, start: i64, end: i64, step: i64) -> String {
    let expr = parse(query).unwrap_or_else(|err| panic!("{query}: {err}"));
    Engine::default()
        .range(store, &expr, start * 1000, end * 1000, step * 1000)
        .map_or_else(|err| err.to_string(), |answer| shown(&answer.value))
}

fn shown(value: &Value) -> String {
    let lines: Vec<String> = match value {
        Value::Scalar(value) => return number(*value),
        Value::String(text) => return text.clone(),
        Value::Vector(vector) => vector
            .iter()
            .map(|(labels, value)| format!("{labels} {}", number(*value)))
            .collect(),
        Value::Matrix(matrix) => matrix
            .iter()
            .map(|(labels, points)| {
                let points: Vec<String> = points
                    .iter()
                    .map(|(time, value)| format!("{}@{}", number(*value), time / 1000))
                    .collect();
                format!("{labels} {}", points.join(" "))
            })
            .collect(),
    };
    lines.join("; ")
}

/// Ten digits: enough to tell rules apart, too few to see rounding.
fn number(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return exposition::format_value(value);
    }
    let digits = 9 - value.abs().log10().floor() as i32;
    let scale = 10f64.powi(digits);
    exposition::format_value((value * scale).round() / scale)
}

/// Asks each question at its time and compares.
fn check(store: &Store, table: &[(&str, i64, &str)]) {
    for (query, seconds, wanted) in table {
        assert_eq!(&ask(store, query, *seconds), wanted, "{query} at {seconds}");
    }
}
