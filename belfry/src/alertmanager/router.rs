//! What is served, at the paths where Alertmanager serves it.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{any, get, post};

use super::{Shared, metrics, page};
use crate::http::{self, guard};

/// The longest body that is read; the API has limits of its own.
const BODY: usize = 64 << 10;

const OLD: &str = r#"{"status":"deprecated","error":"The Alertmanager v1 API was deprecated in version 0.16.0 and is removed as of version 0.27.0 - please use the equivalent route in the v2 API"}"#;

/// Everything that is served.
pub(super) fn router(shared: &Arc<Shared>) -> Router {
    let router = Router::new()
        .route("/", get(page::page))
        .route("/-/healthy", get(async || "OK"))
        .route("/-/ready", get(async || "OK"))
        .route("/-/reload", post(reload))
        .route("/metrics", get(figures))
        .route("/api/v1/{*path}", any(old))
        .with_state(Arc::clone(shared))
        .merge(desk(shared))
        .nest("/api/v2", alerter::api::router(shared.alerter.clone()))
        .layer(DefaultBodyLimit::max(BODY));
    match shared.flags.prefix(&shared.external_url) {
        prefix if prefix.is_empty() => router,
        prefix => {
            let home = format!("{prefix}/");
            let to = home.clone();
            // A router that is nested at `/x` has its `/` at `/x` and not at `/x/`.
            let slash = Router::new()
                .route(&home, get(page::page))
                .with_state(Arc::clone(shared));
            Router::new()
                .nest(&prefix, router)
                .merge(slash)
                .route("/", get(async move || Redirect::to(&to)))
        }
    }
}

/// What Alertmanager has not: taking alerts on, their history, and why somebody was
/// told. Pages of other sites cannot do it in a person's name.
fn desk(shared: &Arc<Shared>) -> Router {
    let check = async |State(shared): State<Arc<Shared>>, request: Request, next: Next| {
        guard::guarded(request, next, shared.loopback, &shared.external_url).await
    };
    http::desk(Arc::clone(&shared.desk)).layer(from_fn_with_state(Arc::clone(shared), check))
}

async fn reload(State(shared): State<Arc<Shared>>) -> Response {
    match shared.reload().await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(reason) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("failed to reload config: {reason}\n"),
        )
            .into_response(),
    }
}

async fn figures(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], metrics::page(&shared).await)
}

async fn old() -> impl IntoResponse {
    let json = [(header::CONTENT_TYPE, "application/json")];
    (StatusCode::GONE, json, OLD)
}
