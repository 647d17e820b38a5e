//! What is served: Prometheus' API, its own metrics, its health and its life.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};

use super::{Shared, figures, source};
use crate::app;
use crate::http::api;
use crate::http::guard;
use crate::http::room::{self, Room};

/// Everything, below the prefix of the flags.
pub(super) fn router(shared: &Arc<Shared>) -> Router {
    let prefix = shared.flags.prefix();
    let inner = Router::new()
        .route("/", get(root))
        .route("/metrics", get(metrics))
        .route("/version", get(version))
        .route(
            "/-/healthy",
            get(|| async { "Prometheus Server is Healthy.\n" }),
        )
        .route(
            "/-/ready",
            get(|| async { "Prometheus Server is Ready.\n" }),
        )
        .route("/-/reload", post(reload).put(reload).get(only_post))
        .route("/-/quit", post(quit).put(quit).get(only_post))
        .with_state(Arc::clone(shared))
        .merge(query_api::router(source::source(shared)));
    let all = if prefix.is_empty() {
        inner
    } else {
        let home = format!("{prefix}/");
        Router::new()
            .route("/", get(move || async move { Redirect::to(&home) }))
            .nest(&prefix, inner)
    };
    // Where `belfry rules unmatched` asks, which knows of no prefix.
    let own = Router::new()
        .route("/api/belfry/v1/rules/unmatched", get(unmatched))
        .with_state(Arc::clone(shared));
    all.merge(own)
        .layer(from_fn_with_state(Arc::clone(shared), check))
        .layer(from_fn_with_state(Room::without_pings(), room::enter))
}

async fn check(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let loopback = shared.address.ip().is_loopback();
    guard::guarded(request, next, loopback, &shared.flags.external_url).await
}

async fn root() -> &'static str {
    "Belfry in Prometheus' place. Its query API is under api/v1/, its own metrics are at metrics.\n"
}

/// As `/api/v1/status/buildinfo` says it, for those who look no further.
async fn version() -> Json<query_api::Build> {
    Json(query_api::Build::default())
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    // It waits for an evaluation that is under way.
    let page = tokio::task::spawn_blocking(move || figures::page(&shared)).await;
    match page {
        Ok(page) => ([(header::CONTENT_TYPE, kind)], page).into_response(),
        Err(err) => {
            tracing::error!("the page of own metrics could not be made: {err}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// The rules that can never fire here, and what they lack.
async fn unmatched(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    api::unmatched_by(move || {
        let (reads, now_ms) = (shared.rules().reads(), shared.clock.now_ms());
        app::unmatched::page(&reads, &shared.store, &shared.engine(), now_ms)
    })
    .await
}

async fn only_post() -> impl IntoResponse {
    (
        StatusCode::METHOD_NOT_ALLOWED,
        "Only POST or PUT requests allowed",
    )
}

const CLOSED: (StatusCode, &str) = (StatusCode::FORBIDDEN, "Lifecycle API is not enabled.");

/// Reads the configuration again. The answer says what was refused and why.
async fn reload(State(shared): State<Arc<Shared>>) -> Response {
    if !shared.flags.lifecycle {
        return CLOSED.into_response();
    }
    match shared.reload().await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(reason) => {
            let text = format!("failed to reload config: {reason}\n");
            (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
        }
    }
}

async fn quit(State(shared): State<Arc<Shared>>) -> Response {
    if !shared.flags.lifecycle {
        return CLOSED.into_response();
    }
    shared.stop.cancel();
    "Requesting termination... Goodbye!\n".into_response()
}
