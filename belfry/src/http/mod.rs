//! What is served: one listener, all of it read from memory.

mod api;
mod health;
mod metrics;
mod pages;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};

use crate::app::Watch;

/// Everything that is served.
pub(crate) fn router(watch: Arc<Watch>) -> Router {
    Router::new()
        .route("/", get(pages::now))
        .route("/assets/{*path}", get(pages::asset))
        .route("/runbooks/{name}", get(pages::runbook))
        .route("/metrics", get(metrics::all))
        .route("/metrics/{job}", get(metrics::job))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/-/healthy", get(health::healthy))
        .route("/-/ready", get(health::is_ready))
        .route("/-/reload", post(reload).put(reload))
        .route("/api/belfry/v1/status", get(api::status))
        .fallback(absent)
        .with_state(watch)
}

async fn absent() -> impl IntoResponse {
    (
        StatusCode::NOT_FOUND,
        "not found; the status page is at /\n",
    )
}

/// Reads the configuration again. The answer says what was refused and why.
async fn reload(State(watch): State<Arc<Watch>>) -> impl IntoResponse {
    match watch.reload().await {
        Ok(()) => (StatusCode::OK, "reloaded\n".to_owned()),
        Err(reason) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("failed to reload config: {reason}\n"),
        ),
    }
}
