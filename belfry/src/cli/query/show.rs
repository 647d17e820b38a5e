//! An answer of the query API as lines for a person: what all series have in
//! common once, then a line for each.

use std::collections::BTreeMap;

use dashboards::fact::{Trend, Unit};
use dashboards::spark;
use serde_json::Value;

use super::text;

/// So wide is a line at most.
const WIDTH: usize = 80;
/// A label column is never narrower than this.
const LEAST: usize = 16;
/// Blocks of a course.
const BLOCKS: usize = 30;

/// Why there is no answer, as the API tells it.
pub(super) fn refusal(answer: &Value) -> String {
    let (kind, error) = (text(answer, "errorType"), text(answer, "error"));
    match kind {
        "" => "the answer is not one of Prometheus' API".to_owned(),
        "bad_data" => error.to_owned(),
        kind => format!("{kind}: {error}"),
    }
}

/// What is shown of the data of an answer.
pub(super) fn lines(data: &Value) -> Vec<String> {
    match text(data, "resultType") {
        "scalar" => vec![number(&data["result"][1])],
        "string" => vec![data["result"][1].as_str().unwrap_or_default().to_owned()],
        "vector" => table(data, |series| number(&series["value"][1])),
        "matrix" => table(data, course),
        _ => vec![data.to_string()],
    }
}

fn table(data: &Value, shown: impl Fn(&Value) -> String) -> Vec<String> {
    let none = Vec::new();
    let all = data["result"].as_array().unwrap_or(&none);
    let labels: Vec<_> = all.iter().map(|series| labels(&series["metric"])).collect();
    let common = common(&labels);
    let mut lines = Vec::new();
    if !common.is_empty() && all.len() > 1 {
        lines.push(cut(&named(&common), WIDTH));
    }
    let rows: Vec<_> = all
        .iter()
        .zip(labels)
        .map(|(series, mut own)| {
            if all.len() > 1 {
                own.retain(|name, _| !common.contains_key(name));
            }
            (named(&own), shown(series))
        })
        .collect();
    let count = |text: &str| text.chars().count();
    let values = rows
        .iter()
        .map(|(_, value)| count(value))
        .max()
        .unwrap_or(0);
    let names = rows.iter().map(|(name, _)| count(name)).max().unwrap_or(0);
    let names = names.min(WIDTH.saturating_sub(values + 2).max(LEAST));
    for (name, value) in rows {
        let name = cut(&name, names);
        lines.push(format!("{name:<names$}  {value:>values$}"));
    }
    match all.len() {
        0 => lines.push("no series fits at this time".to_owned()),
        1 => {}
        count => lines.push(format!("{count} series")),
    }
    lines
}

/// The course of a series: blocks, the least, the greatest, and the last value.
fn course(series: &Value) -> String {
    let none = Vec::new();
    let points: Vec<(f64, f64)> = series["values"]
        .as_array()
        .unwrap_or(&none)
        .iter()
        .filter_map(|point| Some((point[0].as_f64()?, value(&point[1])?)))
        .collect();
    let Some(last) = points.last() else {
        return String::new();
    };
    let steps = points.windows(2).map(|pair| pair[1].0 - pair[0].0);
    let step = steps.fold(f64::INFINITY, f64::min);
    let mut even = Vec::new();
    for (time, value) in &points {
        // A gap in the values is one in the line.
        let at = ((time - points[0].0) / step).round();
        while step.is_finite() && (even.len() as f64) < at && even.len() < 11_000 {
            even.push(f64::NAN);
        }
        even.push(*value);
    }
    let known = points.iter().map(|(_, value)| *value);
    let least = known.clone().fold(f64::NAN, f64::min);
    let most = known.fold(f64::NAN, f64::max);
    let line = spark::blocks(
        &Trend {
            name: String::new(),
            points: even,
            end_ms: 0,
            step_ms: 1,
            limit: None,
            unit: Unit::None,
        },
        BLOCKS,
    );
    format!(
        "{line} {:>8} {:>8} {:>8}",
        short(least),
        short(most),
        short(last.1)
    )
}

fn labels(metric: &Value) -> BTreeMap<String, String> {
    let none = serde_json::Map::new();
    let all = metric.as_object().unwrap_or(&none).iter();
    all.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect()
}

fn common(all: &[BTreeMap<String, String>]) -> BTreeMap<String, String> {
    let Some((first, others)) = all.split_first() else {
        return BTreeMap::new();
    };
    let mut common = first.clone();
    common.retain(|name, value| others.iter().all(|other| other.get(name) == Some(value)));
    common
}

/// `name{label="value"}`
fn named(labels: &BTreeMap<String, String>) -> String {
    let name = labels.get("__name__").map_or("", String::as_str);
    let rest: Vec<_> = labels
        .iter()
        .filter(|(name, _)| *name != "__name__")
        .map(|(name, value)| format!("{name}={value:?}"))
        .collect();
    if rest.is_empty() && !name.is_empty() {
        return name.to_owned();
    }
    format!("{name}{{{}}}", rest.join(","))
}

fn value(value: &Value) -> Option<f64> {
    exposition::parse_value(value.as_str()?)
}

fn number(said: &Value) -> String {
    value(said).map_or_else(String::new, short)
}

/// Six digits say enough to a person.
fn short(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() || value == value.trunc() && size < 1e15 {
        return exposition::format_value(value);
    }
    let digits = if size >= 1e6 {
        0
    } else if size >= 1.0 {
        5 - size.log10().floor() as usize
    } else if size >= 1e-4 {
        6
    } else {
        return format!("{value:.3e}");
    };
    let text = format!("{value:.digits$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars()
        .take(width.saturating_sub(1))
        .chain(['…'])
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_series_share_is_said_once() {
        let data = json!({ "resultType": "vector", "result": [
            { "metric": { "__name__": "up", "job": "a", "instance": "x:1" }, "value": [1, "1"] },
            { "metric": { "__name__": "up", "job": "a", "instance": "longer:2" }, "value": [1, "0.333333333"] },
        ]});
        assert_eq!(
            lines(&data),
            [
                "up{job=\"a\"}",
                "{instance=\"x:1\"}              1",
                "{instance=\"longer:2\"}  0.333333",
                "2 series",
            ]
        );
        let one = json!({ "resultType": "vector", "result": [
            { "metric": { "__name__": "up" }, "value": [1, "NaN"] },
        ]});
        assert_eq!(lines(&one), ["up  NaN"]);
        let none = json!({ "resultType": "vector", "result": [] });
        assert_eq!(lines(&none), ["no series fits at this time"]);
        let scalar = json!({ "resultType": "scalar", "result": [1, "2.5"] });
        assert_eq!(lines(&scalar), ["2.5"]);
        let string = json!({ "resultType": "string", "result": [1, "a b"] });
        assert_eq!(lines(&string), ["a b"]);
    }

    #[test]
    fn a_course_is_a_line_with_its_gaps_and_ends() {
        let data = json!({ "resultType": "matrix", "result": [{
            "metric": { "x": "y" },
            "values": [[0, "0"], [10, "4"], [40, "8"], [50, "2"]],
        }]});
        let shown = lines(&data);
        assert_eq!(shown.len(), 1);
        assert!(shown[0].starts_with("{x=\"y\"}  ▁"), "{shown:?}");
        assert!(shown[0].contains("  █"), "the gap is left open: {shown:?}");
        assert!(
            shown[0].ends_with("        0        8        2"),
            "{shown:?}"
        );
    }

    #[test]
    fn lines_fit_a_terminal() {
        let wide = "w".repeat(200);
        let data = json!({ "resultType": "vector", "result": [
            { "metric": { "a": wide, "b": "1" }, "value": [1, "1.25"] },
            { "metric": { "a": wide, "b": "2" }, "value": [1, "123456789.5"] },
            { "metric": { "a": "x", "b": wide }, "value": [1, "0.00001234"] },
        ]});
        for line in lines(&data) {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
    }

    #[test]
    fn refusals_are_the_apis_own() {
        let bad =
            json!({ "status": "error", "errorType": "bad_data", "error": "1:3: unexpected end" });
        assert_eq!(refusal(&bad), "1:3: unexpected end");
        let slow = json!({ "status": "error", "errorType": "timeout", "error": "query timed out" });
        assert_eq!(refusal(&slow), "timeout: query timed out");
    }
}
