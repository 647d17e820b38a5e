//! Alerts for programs and for the command line: `/api/belfry/v1/alerts`,
//! `/history` and `/ack`.

use std::sync::Arc;

use alerter::{AckError, AckOf, AckRequest, FindError, HistoryFilter};
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::{self, Desk};

/// What fires.
pub(super) async fn alerts(State(desk): State<Arc<Desk>>) -> Json<Value> {
    Json(app::people::alerts(&desk).await)
}

/// Which part of the history is asked for.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    /// A fingerprint.
    alert: Option<String>,
    /// A rule's name.
    name: Option<String>,
    #[serde(default)]
    since_ms: i64,
    #[serde(default = "hundred")]
    limit: u32,
}

fn hundred() -> u32 {
    100
}

/// What became of alerts.
pub(super) async fn history(State(desk): State<Arc<Desk>>, Query(asked): Query<Asked>) -> Response {
    let fingerprint = match asked.alert.as_deref().map(fingerprint) {
        Some(None) => {
            let message = "alert: a fingerprint of 16 hexadecimal digits is wanted".to_owned();
            return refused(StatusCode::BAD_REQUEST, message);
        }
        Some(found) => found,
        None => None,
    };
    let wanted = HistoryFilter {
        fingerprint,
        name: asked.name,
        since_ms: asked.since_ms,
        limit: asked.limit,
    };
    match app::people::history(&desk, wanted).await {
        Ok(answer) => Json(answer).into_response(),
        Err(err) => {
            tracing::error!("the history cannot be read: {err:#}");
            let message = "the history cannot be read; the log says why".to_owned();
            refused(StatusCode::INTERNAL_SERVER_ERROR, message)
        }
    }
}

/// Why somebody was told of an alert, or nobody was: by its fingerprint, or by the name of
/// a rule that has raised none.
pub(super) async fn why(State(desk): State<Arc<Desk>>, Path(alert): Path<String>) -> Response {
    let found = match fingerprint(&alert) {
        Some(fingerprint) => app::why::alert(&desk, fingerprint).await,
        None => Ok(app::why::named(&desk, &alert)),
    };
    match found {
        Ok(Some(answer)) => Json(answer).into_response(),
        Ok(None) => {
            let message = "no alert of that fingerprint is known, and no rule is called so";
            refused(StatusCode::NOT_FOUND, message.to_owned())
        }
        Err(err) => {
            tracing::error!("the history cannot be read: {err:#}");
            let message = "the history cannot be read; the log says why".to_owned();
            refused(StatusCode::INTERNAL_SERVER_ERROR, message)
        }
    }
}

/// Sixteen hexadecimal digits.
fn fingerprint(text: &str) -> Option<u64> {
    let digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    digits.then(|| u64::from_str_radix(text, 16).ok()).flatten()
}

/// Takes alerts on, or takes that back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Taken {
    alert: String,
    #[serde(default)]
    group: bool,
    #[serde(default)]
    by: String,
    #[serde(default)]
    note: String,
    #[serde(default)]
    undo: bool,
    /// Only says which it would be.
    #[serde(default)]
    dry_run: bool,
}

/// Takes alerts on; the answer says which.
pub(super) async fn acknowledge(
    State(desk): State<Arc<Desk>>,
    Json(taken): Json<Taken>,
) -> Response {
    if taken.dry_run {
        return match desk.alerter.find(&taken.alert, taken.group).await {
            Ok(found) => told(false, &found),
            Err(err) => refused(status(&err), err.to_string()),
        };
    }
    let undo = taken.undo;
    let request = AckRequest {
        of: AckOf::Text(taken.alert),
        group: taken.group,
        only: None,
        by: taken.by,
        note: taken.note,
        undo,
    };
    match desk.alerter.acknowledge(request).await {
        Ok(done) => told(!undo, &done),
        Err(err) => refused(status(&err), err.to_string()),
    }
}

fn told(acknowledged: bool, alerts: &[alerter::Episode]) -> Response {
    let list: Vec<Value> = alerts.iter().map(app::people::episode).collect();
    Json(json!({ "acknowledged": acknowledged, "alerts": list })).into_response()
}

/// What a refusal is called over HTTP.
pub(super) fn status(err: &AckError) -> StatusCode {
    match err {
        AckError::Nobody | AckError::TooLong(_) => StatusCode::BAD_REQUEST,
        AckError::Find(FindError::Nothing(_)) => StatusCode::NOT_FOUND,
        AckError::Find(FindError::Ambiguous { .. }) => StatusCode::CONFLICT,
        AckError::Over => StatusCode::GONE,
        AckError::NotStored | AckError::Stopped(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn refused(status: StatusCode, message: String) -> Response {
    (status, Json(json!({ "error": message }))).into_response()
}
