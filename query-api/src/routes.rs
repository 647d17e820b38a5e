//! The addresses, and the way of every question through the gate.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};

use crate::answer::Answer;
use crate::ask::Ask;
use crate::failure::Failure;
use crate::form::Form;
use crate::gate::{Gate, Room, aside};
use crate::pack::{self, Pieces};
use crate::{
    Source, federate, graph, listing, metadata, query, rules, status, targets, tsdb, write,
};

/// What all handlers share.
pub(crate) struct Api {
    pub(crate) source: Source,
    gate: Gate,
    pub(crate) writes: Gate,
    /// For bodies that are being received.
    pub(crate) room: Room,
}

/// Answers one kind of question; runs where blocking is allowed.
type Work = fn(&Api, &Ask) -> Result<Answer, Failure>;

/// The API below `/api/v1/`, `/federate`, and `/graph` for people. It has no fallback, so it can be
/// merged with other routers.
pub fn router(source: Source) -> Router {
    let limits = &source.limits;
    let api = Api {
        gate: Gate::new(limits.concurrency, limits.waiting),
        writes: Gate::new(limits.writes, limits.waiting),
        room: Room::new(limits.write_bytes * limits.writes.max(1)),
        source,
    };
    Router::new()
        .route("/api/v1/query", both(query::instant))
        .route("/api/v1/query_range", both(query::range))
        .route("/api/v1/query_exemplars", both(query::exemplars))
        .route("/api/v1/format_query", both(query::format))
        .route("/api/v1/parse_query", both(query::tree))
        .route("/api/v1/series", both(listing::series))
        .route("/api/v1/labels", both(listing::names))
        .route("/api/v1/label/{name}/values", get(values))
        .route("/api/v1/metadata", only(metadata::families))
        .route("/api/v1/targets", only(targets::targets))
        .route("/api/v1/targets/metadata", only(metadata::by_target))
        .route("/api/v1/scrape_pools", only(targets::pools))
        .route("/api/v1/alertmanagers", only(targets::alertmanagers))
        .route("/api/v1/rules", only(rules::rules))
        .route("/api/v1/alerts", only(rules::alerts))
        .route("/api/v1/status/config", only(status::config))
        .route("/api/v1/status/flags", only(status::flags))
        .route("/api/v1/status/runtimeinfo", only(status::runtime))
        .route("/api/v1/status/buildinfo", only(status::build))
        .route("/api/v1/status/walreplay", only(status::replay))
        .route("/api/v1/status/tsdb", only(tsdb::status))
        .route("/api/v1/write", post(write::receive))
        .route("/federate", get(page))
        .route("/graph", get(picture))
        .with_state(Arc::new(api))
}

fn only(work: Work) -> MethodRouter<Arc<Api>> {
    get(move |State(api): State<Arc<Api>>, request: Request| {
        json(api, request, String::new(), work)
    })
}

fn both(work: Work) -> MethodRouter<Arc<Api>> {
    only(work).post(move |State(api): State<Arc<Api>>, request: Request| {
        json(api, request, String::new(), work)
    })
}

async fn values(
    State(api): State<Arc<Api>>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    json(api, request, name, listing::values).await
}

async fn json(api: Arc<Api>, request: Request, name: String, work: Work) -> Response {
    let answer = serve(api, request, name, work).await;
    answer.unwrap_or_else(IntoResponse::into_response)
}

async fn page(State(api): State<Arc<Api>>, request: Request) -> Response {
    let answer = serve(api, request, String::new(), federate::page).await;
    answer.unwrap_or_else(|failure| failure.plain())
}

async fn picture(State(api): State<Arc<Api>>, request: Request) -> Response {
    let form = Form::read(&[], request.uri().query().unwrap_or_default());
    let answer = serve(api, request, String::new(), graph::page).await;
    let form = form.unwrap_or_default();
    graph::guarded(answer.unwrap_or_else(|failure| graph::refused(&form, &failure)))
}

async fn serve(
    api: Arc<Api>,
    request: Request,
    name: String,
    work: Work,
) -> Result<Response, Failure> {
    let mut ask = Ask::read(request, name, &api.source.limits).await?;
    let came = Instant::now();
    let turn = api.gate.enter(ask.deadline).await?;
    ask.waited = came.elapsed();
    let timeout = api.source.limits.timeout;
    let cancel = ask.cancel.clone();
    let answer = aside(cancel, move || {
        let answer = work(&api, &ask)?;
        let Answer::Body { content_type, fill } = answer else {
            return Ok::<_, Failure>(None);
        };
        let mut pieces = Pieces::new(fill, ask.gzip);
        let first = pieces.next();
        Ok(Some((content_type, first, pieces, turn)))
    });
    let Some((content_type, first, pieces, turn)) = answer.await?? else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let packed = pieces.packed();
    let body = match pieces.done() {
        true => Body::from(first),
        false => pack::stream(first, pieces, turn, Instant::now() + timeout),
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if packed {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(response)
}
