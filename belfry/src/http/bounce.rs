//! Mails that came back: `POST /api/belfry/v1/bounce`.
//!
//! Who may ask for this may tell lies, but no harmful ones: see the alerter.

use std::sync::Arc;

use alerter::{Bounce, BounceError, Fate, Laid};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::app::Desk;

/// The longest body, in bytes: a hundred recipients, with what servers said of each.
pub(super) const BODY: usize = 512 << 10;

/// Takes it; the answer says whom it was about.
pub(super) async fn take(State(desk): State<Arc<Desk>>, Json(bounce): Json<Bounce>) -> Response {
    match desk.alerter.bounce(bounce).await {
        Ok(laid) => {
            let recipients: Vec<Value> = laid.iter().map(one).collect();
            Json(json!({ "recipients": recipients })).into_response()
        }
        Err(err) => {
            let (status, stranger) = match &err {
                BounceError::Stranger => (StatusCode::NOT_FOUND, true),
                BounceError::NotStored | BounceError::Stopped(_) => {
                    (StatusCode::SERVICE_UNAVAILABLE, false)
                }
                BounceError::Store(source) => {
                    tracing::error!("a mail that came back cannot be told: {err}: {source}");
                    (StatusCode::INTERNAL_SERVER_ERROR, false)
                }
            };
            let body = json!({ "error": err.to_string(), "stranger": stranger });
            (status, Json(body)).into_response()
        }
    }
}

fn one(laid: &Laid) -> Value {
    let Laid {
        to,
        fate,
        said,
        known,
    } = laid;
    match (known, fate) {
        (true, _) => {}
        (false, Fate::Failed) => tracing::warn!(to, "a mail came back: {said}"),
        (false, Fate::Delayed) => tracing::info!(to, "a mail has not arrived yet: {said}"),
    }
    json!({ "to": to, "fate": fate.as_str(), "said": said, "known": known })
}
