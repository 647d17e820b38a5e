//! Pages for people.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use super::wanted::Coding;
use crate::app::{self, Watch};

/// The page `/`.
pub(crate) async fn now(State(watch): State<Arc<Watch>>) -> Response {
    let mut response = match dashboards::page::render(&app::view(&watch).await) {
        Ok(page) => page.into_response(),
        Err(err) => {
            tracing::error!("the page cannot be written: {err:#}");
            let text = "the page cannot be written; /health/ready and /api/belfry/v1/status still answer\n";
            return (StatusCode::INTERNAL_SERVER_ERROR, text).into_response();
        }
    };
    secure(response.headers_mut());
    response
}

/// A runbook as Markdown; what runs on this host is filled in, and what the
/// labels name that are given as parameters.
pub(crate) async fn runbook(
    State(watch): State<Arc<Watch>>,
    Path(name): Path<String>,
    Query(labels): Query<alert::Set>,
) -> Response {
    let Some((_, text)) = watch.shelf.whole(&name, &labels) else {
        return (
            StatusCode::NOT_FOUND,
            format!("there is no runbook {name:?}\n"),
        )
            .into_response();
    };
    let mut response = text.into_response();
    secure(response.headers_mut());
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}

/// A style, script or picture; its address changes with its content.
pub(crate) async fn asset(uri: Uri, headers: HeaderMap) -> Response {
    let Some(asset) = dashboards::assets::get(uri.path()) else {
        return (StatusCode::NOT_FOUND, "not found\n").into_response();
    };
    let mut response = match asset.gzip {
        Some(packed) if Coding::wanted(&headers) == Coding::Gzip => {
            ([(header::CONTENT_ENCODING, "gzip")], packed).into_response()
        }
        _ => asset.bytes.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(asset.content_type),
    );
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    let keep = if asset.immutable {
        "public, max-age=31536000, immutable"
    } else {
        "no-store"
    };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    response
}

pub(super) fn secure(headers: &mut HeaderMap) {
    for (name, value) in dashboards::page::headers() {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
}
