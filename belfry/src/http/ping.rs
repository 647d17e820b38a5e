//! `/ping/...`, and the same as hc-ping.com has it: jobs tell that they ran. The sign of
//! life counts however slowly its body comes, and however long that is; of the body only
//! the start is read.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Extension, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use healthchecks::heartbeat::{Ping, Refusal};
use serde::Deserialize;
use tokio::time;

use super::seats::Seat;
use crate::app::Watch;

/// A body that takes longer is cut.
const PATIENCE: Duration = Duration::from_secs(10);

/// What may stand behind the question mark.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Extra {
    token: String,
    rid: String,
    create: String,
}

/// A ping without `/ping` in front; nothing else is there.
pub(crate) async fn or_absent(
    State(watch): State<Arc<Watch>>,
    seat: Option<Extension<Arc<Seat>>>,
    extra: Result<Query<Extra>, axum::extract::rejection::QueryRejection>,
    request: Request,
) -> Response {
    if watch.health.beats.takes_bare(bare(request.uri().path())) {
        return take(State(watch), seat, extra, request).await;
    }
    (
        StatusCode::NOT_FOUND,
        "not found; the status page is at /\n",
    )
        .into_response()
}

/// What a path says, with or without `/ping` in front.
fn bare(path: &str) -> &str {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.strip_prefix("ping/").unwrap_or(path)
}

/// Takes a ping.
pub(crate) async fn take(
    State(watch): State<Arc<Watch>>,
    seat: Option<Extension<Arc<Seat>>>,
    extra: Result<Query<Extra>, axum::extract::rejection::QueryRejection>,
    request: Request,
) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD | Method::POST) {
        let allow = [(header::ALLOW, "GET, HEAD, POST")];
        return (StatusCode::METHOD_NOT_ALLOWED, allow, "GET, HEAD or POST\n").into_response();
    }
    // A word that cannot be read is left out; the sign of life counts all the same.
    let extra = extra.map(|Query(extra)| extra).unwrap_or_default();
    let now_ms = watch.clock.now_ms();
    let most = watch.health.beats.most_body();
    let (parts, body) = request.into_parts();
    let body = start_of(body, most, seat.as_ref().map(|Extension(seat)| &**seat)).await;
    let ping = Ping {
        path: bare(parts.uri.path()),
        token: bearer(&parts.headers).unwrap_or(&extra.token),
        run: &extra.rid,
        create: extra.create == "1",
        body: &body,
    };
    let mut response = match watch.health.beats.ping(&ping, now_ms) {
        Ok(taken) if taken.made => (StatusCode::CREATED, "Created").into_response(),
        Ok(_) => "OK".into_response(),
        Err(refusal) => (status(refusal), format!("{refusal}\n")).into_response(),
    };
    if let Ok(most) = HeaderValue::from_str(&most.to_string()) {
        response.headers_mut().insert("ping-body-limit", most);
    }
    response
}

fn status(refusal: Refusal) -> StatusCode {
    match refusal {
        Refusal::Unknown => StatusCode::NOT_FOUND,
        Refusal::Token => StatusCode::FORBIDDEN,
        Refusal::Invalid => StatusCode::BAD_REQUEST,
        Refusal::Full => StatusCode::TOO_MANY_REQUESTS,
    }
}

/// The token of an `Authorization: Bearer` header.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// So much of a body, or what of it comes in time.
async fn start_of(body: Body, most: usize, seat: Option<&Seat>) -> Vec<u8> {
    let mut start = Vec::new();
    let mut pieces = body.into_data_stream();
    let reading = async {
        while start.len() < most {
            let Some(Ok(piece)) = pieces.next().await else {
                return;
            };
            start.extend_from_slice(&piece[..piece.len().min(most - start.len())]);
        }
    };
    let in_time = async {
        let _ = time::timeout(PATIENCE, reading).await;
    };
    match seat {
        Some(seat) => seat.reading(in_time).await,
        None => in_time.await,
    }
    start
}
