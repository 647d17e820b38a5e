//! Pages for a Prometheus beside us.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::future::{self, BoxFuture};
use futures_util::stream;

use super::packed::Packed;
use super::wanted::{Coding, Form};
use crate::app::{Exporters, Job, Panicked, Text, Watch};

/// Where pages come from.
#[derive(Clone)]
pub(super) struct Source {
    /// The pages that there are.
    pub(super) jobs: Vec<Job>,
    /// Makes one.
    pub(super) page: Arc<dyn Fn(Job) -> BoxFuture<'static, Result<Text, Panicked>> + Send + Sync>,
}

#[derive(Clone)]
struct Metrics {
    source: Source,
    packed: Arc<Packed>,
}

/// The pages below `/metrics`.
pub(super) fn router(source: Source) -> Router {
    let packed = Arc::default();
    Router::new()
        .route("/metrics", get(all))
        .route("/metrics/{job}", get(job))
        .with_state(Metrics { source, packed })
}

/// The pages of the watch.
pub(super) fn of_watch(watch: Arc<Watch>) -> Source {
    let page = move |job: Job| {
        let watch = Arc::clone(&watch);
        Box::pin(async move { job.page(&watch).await }) as BoxFuture<'_, _>
    };
    Source {
        jobs: Job::ALL.to_vec(),
        page: Arc::new(page),
    }
}

/// The pages of the exporters alone.
pub(super) fn of_exporters(exporters: Arc<Exporters>) -> Source {
    let jobs = exporters.jobs().to_vec();
    let page = move |job: Job| {
        let exporters = Arc::clone(&exporters);
        Box::pin(exporters.page(job)) as BoxFuture<'_, _>
    };
    Source {
        jobs,
        page: Arc::new(page),
    }
}

/// Everything on one page.
async fn all(State(metrics): State<Metrics>, headers: HeaderMap) -> Response {
    metrics.page(&metrics.source.jobs, &headers).await
}

/// The page of one job.
async fn job(
    State(metrics): State<Metrics>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let jobs = &metrics.source.jobs;
    match jobs.iter().find(|job| job.as_str() == name) {
        Some(job) => metrics.page(&[*job], &headers).await,
        None => {
            let names: Vec<_> = jobs.iter().map(|job| job.as_str()).collect();
            let text = format!("no such page; there are: {}\n", names.join(", "));
            (StatusCode::NOT_FOUND, text).into_response()
        }
    }
}

impl Metrics {
    async fn page(&self, jobs: &[Job], headers: &HeaderMap) -> Response {
        let mut texts = Vec::with_capacity(jobs.len());
        // At once: a source that hangs holds up no other's page.
        let made = future::join_all(jobs.iter().map(|job| (self.source.page)(*job))).await;
        for (job, made) in jobs.iter().zip(made) {
            match made {
                Ok(text) => texts.push(text),
                // A page with a hole would look like series that have ended.
                Err(err) => {
                    let text = format!("{}: {err}\n", job.as_str());
                    return (StatusCode::INTERNAL_SERVER_ERROR, text).into_response();
                }
            }
        }
        let (form, coding) = (Form::wanted(headers), Coding::wanted(headers));
        let mut response = if (form, coding) == (Form::Classic, Coding::Plain) {
            plain(texts)
        } else {
            self.packed.pack(&texts, form, coding).into_response()
        };
        let headers = response.headers_mut();
        if let Some(name) = coding.name() {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(name));
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(form.kind()));
        headers.insert(
            header::VARY,
            HeaderValue::from_static("accept, accept-encoding"),
        );
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
