//! `/graph`: where the links in alerts lead. An expression and what it gives now,
//! as text; a picture of it is for Grafana.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use exposition::{Labels, format_value};
use promql::{Engine, Limits, Value};
use series::Store;
use tokio::task;

use crate::clock::Clock;

/// A link is opened by a person, who waits no longer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most values that it may hold at once.
const SAMPLES: usize = 5_000_000;
/// So many series are shown.
const MOST: usize = 500;

#[derive(Clone)]
struct Graph {
    store: Arc<Store>,
    clock: Arc<Clock>,
}

/// The page, answered from this store.
pub(crate) fn router(store: Arc<Store>, clock: Arc<Clock>) -> Router {
    let graph = Graph { store, clock };
    Router::new().route("/graph", get(show)).with_state(graph)
}

async fn show(
    State(graph): State<Graph>,
    Query(words): Query<BTreeMap<String, String>>,
) -> Response {
    let Some(expr) = words.get("g0.expr").cloned() else {
        let text = "give an expression: /graph?g0.expr=up\n";
        return (StatusCode::BAD_REQUEST, text).into_response();
    };
    let work = move || page(&graph.store, &expr, graph.clock.now_ms());
    let (status, text) = task::spawn_blocking(work).await.unwrap_or_else(|err| {
        tracing::error!("an expression could not be shown: {err}");
        let text = "it could not be shown, see the log\n".to_owned();
        (StatusCode::INTERNAL_SERVER_ERROR, text)
    });
    // Labels are other people's words: a browser must not take them for a page.
    (status, [("x-content-type-options", "nosniff")], text).into_response()
}

fn page(store: &Store, text: &str, now_ms: i64) -> (StatusCode, String) {
    let expr = match promql::parse(text) {
        Ok(expr) => expr,
        Err(err) => return (StatusCode::BAD_REQUEST, format!("{text}\n\n{err}\n")),
    };
    let engine = Engine::new(Limits {
        samples: SAMPLES,
        timeout: PATIENCE,
        ..Limits::default()
    });
    match engine.instant(store, &expr, now_ms) {
        Ok(answer) => (StatusCode::OK, format!("{text}\n\n{}", told(&answer.value))),
        Err(err) => (
            StatusCode::UNPROCESSABLE_ENTITY,
            format!("{text}\n\n{err}\n"),
        ),
    }
}

fn told(value: &Value) -> String {
    match value {
        Value::Scalar(number) => format!("{}\n", format_value(*number)),
        Value::String(text) => format!("{text}\n"),
        Value::Vector(vector) => {
            let last = vector.iter().map(|(labels, value)| (labels, Some(*value)));
            table(last, vector.len())
        }
        Value::Matrix(matrix) => {
            let last = |points: &Vec<(i64, f64)>| points.last().map(|(_, value)| *value);
            let all = matrix.iter().map(|(labels, points)| (labels, last(points)));
            table(all, matrix.len())
        }
    }
}

fn table<'a>(rows: impl Iterator<Item = (&'a Labels, Option<f64>)>, count: usize) -> String {
    let mut out = String::new();
    for (labels, value) in rows.take(MOST) {
        let value = value.map(format_value).unwrap_or_default();
        let _ = writeln!(out, "{labels}  {value}");
    }
    let _ = match count {
        0 => writeln!(out, "no series fits now"),
        count if count > MOST => writeln!(out, "and {} more", count - MOST),
        _ => Ok(()),
    };
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_shown_with_what_it_gives_now() {
        let store = Store::new();
        for (part, value) in [("a", 1.0), ("b<", 2.5)] {
            let labels = Labels::from_pairs([("__name__", "x"), ("part", part)]);
            store.append(&labels, 1000, value).unwrap();
        }
        for (expr, status, text) in [
            ("x", 200, "x{part=\"a\"}  1\nx{part=\"b<\"}  2.5\n"),
            ("sum(x)", 200, "{}  3.5\n"),
            ("x > 9", 200, "no series fits now\n"),
            ("1 + 1", 200, "2\n"),
            ("x[5m]", 200, "x{part=\"a\"}  1\nx{part=\"b<\"}  2.5\n"),
            ("\"a\"", 200, "a\n"),
        ] {
            let shown = page(&store, expr, 2000);
            assert_eq!(
                (shown.0.as_u16(), shown.1),
                (status, format!("{expr}\n\n{text}"))
            );
        }
        let (status, text) = page(&store, "sum(x", 2000);
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(text.starts_with("sum(x\n\n"), "{text}");
    }
}
