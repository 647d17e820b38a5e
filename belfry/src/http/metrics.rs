//! Pages for a Prometheus beside us.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream;

use super::packed::{self, Packed};
use crate::app::{Job, Text, Watch};

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

#[derive(Clone)]
struct Metrics {
    watch: Arc<Watch>,
    packed: Arc<Packed>,
}

/// The pages below `/metrics`.
pub(super) fn router(watch: Arc<Watch>) -> Router {
    let packed = Arc::default();
    Router::new()
        .route("/metrics", get(all))
        .route("/metrics/{job}", get(job))
        .with_state(Metrics { watch, packed })
}

/// Everything on one page.
async fn all(State(metrics): State<Metrics>, headers: HeaderMap) -> Response {
    metrics.page(&Job::ALL, &headers).await
}

/// The page of one job.
async fn job(
    State(metrics): State<Metrics>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    match Job::ALL.into_iter().find(|job| job.as_str() == name) {
        Some(job) => metrics.page(&[job], &headers).await,
        None => {
            let names: Vec<_> = Job::ALL.iter().map(|job| job.as_str()).collect();
            let text = format!("no such page; there are: {}\n", names.join(", "));
            (StatusCode::NOT_FOUND, text).into_response()
        }
    }
}

impl Metrics {
    async fn page(&self, jobs: &[Job], headers: &HeaderMap) -> Response {
        let mut texts = Vec::with_capacity(jobs.len());
        for job in jobs {
            match job.page(&self.watch).await {
                Ok(text) => texts.push(text),
                // A page with a hole would look like series that have ended.
                Err(err) => {
                    let text = format!("{}: {err}\n", job.as_str());
                    return (StatusCode::INTERNAL_SERVER_ERROR, text).into_response();
                }
            }
        }
        let mut response = if packed::wanted(headers) {
            let body = self.packed.pack(&texts);
            ([(header::CONTENT_ENCODING, "gzip")], body).into_response()
        } else {
            plain(texts)
        };
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(TEXT));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        response
    }
}

/// The texts as they are: however many clients read them, they are in memory once.
fn plain(texts: Vec<Text>) -> Response {
    let length: usize = texts.iter().map(|text| text.len()).sum();
    let pieces = texts
        .into_iter()
        .map(|text| Ok::<_, Infallible>(Bytes::from_owner(Piece(text))));
    let body = Body::from_stream(stream::iter(pieces));
    ([(header::CONTENT_LENGTH, length)], body).into_response()
}

struct Piece(Text);

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}
