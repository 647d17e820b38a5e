//! Belfry's own API, under `/api/belfry/v1/`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use tokio::task;

use super::service::allowed;
use crate::app::{self, Watch};
use crate::runbooks;

/// The most lines that are told of one service.
const LINES: usize = 200;

/// How this host is now: what the page shows, as JSON.
pub(crate) async fn status(State(watch): State<Arc<Watch>>) -> Json<Value> {
    Json(app::status(&watch).await)
}

/// The health of others as it is now, reasons and last outputs with it: for those who may
/// see more than pass or fail.
pub(crate) async fn health(State(watch): State<Arc<Watch>>, headers: HeaderMap) -> Response {
    if !allowed(&watch, &headers) {
        let text = "this is for those who show health.token\n";
        return (StatusCode::FORBIDDEN, text).into_response();
    }
    Json(app::health_page(&watch)).into_response()
}

/// What is known of backups.
pub(crate) async fn backups(State(watch): State<Arc<Watch>>) -> Json<Value> {
    Json(app::backed_up::page(&watch))
}

/// The last lines of what labels that are given as parameters name, such as
/// `name=shop-api-1`, as `lines`; without any, of every service that is read.
pub(crate) async fn logs(
    State(watch): State<Arc<Watch>>,
    Query(labels): Query<alert::Set>,
) -> (StatusCode, Json<Value>) {
    if labels.is_empty() {
        return (StatusCode::OK, Json(app::logs::page(&watch)));
    }
    match app::logs::about(&watch, &labels, LINES) {
        Some(lines) => (StatusCode::OK, Json(json!({ "lines": lines }))),
        None => (
            StatusCode::NOT_FOUND,
            Json(json!({ "error": "no log of this is read; see exporter.logs" })),
        ),
    }
}

/// The rules that can never fire here, and what they lack.
pub(crate) async fn unmatched(State(watch): State<Arc<Watch>>) -> (StatusCode, Json<Value>) {
    unmatched_by(move || {
        let (reads, now_ms) = (watch.rules().reads(), watch.clock.now_ms());
        app::unmatched::page(&reads, &watch.store, &watch.engine(), now_ms)
    })
    .await
}

/// The same, of whoever has rules and a store.
pub(crate) async fn unmatched_by(
    page: impl FnOnce() -> Value + Send + 'static,
) -> (StatusCode, Json<Value>) {
    match task::spawn_blocking(page).await {
        Ok(page) => (StatusCode::OK, Json(page)),
        Err(err) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            Json(json!({ "error": err.to_string() })),
        ),
    }
}

/// The runbooks in force, without their texts.
pub(crate) async fn runbooks(State(watch): State<Arc<Watch>>) -> Json<Value> {
    Json(runbooks::list(&watch.shelf.all()))
}

/// One runbook, filled for this host and for the labels given as parameters.
pub(crate) async fn runbook(
    State(watch): State<Arc<Watch>>,
    Path(name): Path<String>,
    Query(labels): Query<alert::Set>,
) -> (StatusCode, Json<Value>) {
    match watch.shelf.whole(&name, &labels) {
        Some((runbook, text)) => (
            StatusCode::OK,
            Json(runbooks::one(&name, &runbook, Some(&text))),
        ),
        None => (
            StatusCode::NOT_FOUND,
            Json(json!({ "error": format!("there is no runbook {name:?}") })),
        ),
    }
}
