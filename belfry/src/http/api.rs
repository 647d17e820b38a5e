//! Belfry's own API, under `/api/belfry/v1/`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::Value;

use crate::app::{self, Watch};

/// How this host is now: what the page shows, as JSON.
pub(crate) async fn status(State(watch): State<Arc<Watch>>) -> Json<Value> {
    Json(app::status(&watch).await)
}

/// Heartbeats as they are now.
pub(crate) async fn health(State(watch): State<Arc<Watch>>) -> Json<Value> {
    Json(app::health_page(&watch))
}
