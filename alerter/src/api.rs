//! Alertmanager's HTTP API, version 2: `/alerts`, `/alerts/groups`, `/silences`,
//! `/silence/{id}`, `/receivers`, `/status`.
//!
//! [`router`] serves them on a [`Handle`]; whoever mounts it chooses the address
//! (`/api/v2`) and who may reach it. Lists are written piece by piece while they
//! are sent, so that a long one needs no memory for the whole. Nothing here
//! decides about alerts.

mod alerts;
mod answer;
mod body;
mod groups;
mod origin;
mod pieces;
mod query;
mod silences;
mod status;

use std::sync::Arc;

use axum::Router;
use axum::extract::{OriginalUri, Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::middleware::from_fn;
use axum::response::Response;
use axum::routing::any;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Handle;
use answer::Failure;

/// GETs at a time, at least.
const GETS: usize = 8;

/// The API on a running alerter; its addresses begin with `/alerts` and the
/// like, so nest it under `/api/v2`.
pub fn router(handle: Handle) -> Router {
    let cores = std::thread::available_parallelism().map_or(GETS, usize::from);
    let limit = cores.max(GETS);
    let api = Api {
        handle,
        gets: Arc::new(Semaphore::new(limit)),
        limit,
    };
    let endpoint = |endpoint: Endpoint| {
        any(async move |State(api): State<Api>, request: Request| {
            api.serve(endpoint, request).await
        })
    };
    let silence = any(
        async |State(api): State<Api>, Path(id): Path<String>, request: Request| {
            api.serve(Endpoint::Silence(id), request).await
        },
    );
    let nowhere = |OriginalUri(uri): OriginalUri| async move {
        answer::framework(404, &format!("path {} was not found", uri.path()))
    };
    Router::new()
        .route("/alerts", endpoint(Endpoint::Alerts))
        .route("/alerts/groups", endpoint(Endpoint::Groups))
        .route("/silences", endpoint(Endpoint::Silences))
        .route("/silence/{id}", silence)
        .route("/receivers", endpoint(Endpoint::Receivers))
        .route("/status", endpoint(Endpoint::Status))
        .fallback(nowhere)
        .layer(from_fn(origin::allow))
        .with_state(api)
}

#[derive(Debug, Clone)]
enum Endpoint {
    Alerts,
    Groups,
    Silences,
    Silence(String),
    Receivers,
    Status,
}

impl Endpoint {
    fn methods(&self) -> &'static [Method] {
        match self {
            Self::Alerts | Self::Silences => &[Method::GET, Method::POST],
            Self::Silence(_) => &[Method::GET, Method::DELETE],
            Self::Groups | Self::Receivers | Self::Status => &[Method::GET],
        }
    }
}

#[derive(Clone)]
struct Api {
    handle: Handle,
    gets: Arc<Semaphore>,
    limit: usize,
}

impl Api {
    async fn serve(&self, endpoint: Endpoint, request: Request) -> Response {
        let methods = endpoint.methods();
        if !methods.contains(request.method()) {
            return answer::not_allowed(request.method(), methods);
        }
        let turn = match request.method() {
            &Method::GET => match Arc::clone(&self.gets).try_acquire_owned() {
                Ok(turn) => Some(turn),
                Err(_) => return answer::busy(self.limit),
            },
            _ => None,
        };
        let result = match turn {
            Some(turn) => self.get(endpoint, turn, request.into_parts().0).await,
            None => self.change(endpoint, request).await,
        };
        result.unwrap_or_else(Failure::into_response)
    }

    async fn get(
        &self,
        endpoint: Endpoint,
        turn: OwnedSemaphorePermit,
        request: Parts,
    ) -> Result<Response, Failure> {
        accepts(&request.headers)?;
        let query = query::Query::read(&request.uri);
        match endpoint {
            Endpoint::Alerts => alerts::list(&self.handle, &query, turn).await,
            Endpoint::Groups => groups::list(&self.handle, &query, turn).await,
            Endpoint::Silences => silences::list(&self.handle, &query, turn).await,
            Endpoint::Silence(id) => silences::one(&self.handle, &id).await,
            Endpoint::Receivers => status::receivers(&self.handle, &query).await,
            Endpoint::Status => status::status(&self.handle).await,
        }
    }

    async fn change(&self, endpoint: Endpoint, request: Request) -> Result<Response, Failure> {
        if let Endpoint::Silence(id) = endpoint {
            accepts(request.headers())?;
            return silences::end(&self.handle, &id).await;
        }
        body::is_json(request.headers())?;
        accepts(request.headers())?;
        match endpoint {
            Endpoint::Silences => silences::set(&self.handle, request).await,
            _ => alerts::post(&self.handle, request).await,
        }
    }
}

/// Whether the client takes JSON; one that does not say takes anything.
fn accepts(headers: &HeaderMap) -> Result<(), Failure> {
    let mut said = false;
    for value in headers.get_all(header::ACCEPT) {
        let Ok(value) = value.to_str() else { continue };
        for item in value.split(',') {
            let kind = item.split(';').next().unwrap_or("").trim();
            said |= !kind.is_empty();
            let kinds = ["*/*", "application/*", "application/json"];
            if kinds.iter().any(|known| kind.eq_ignore_ascii_case(known)) {
                return Ok(());
            }
        }
    }
    match said {
        false => Ok(()),
        true => Err(Failure::NotAcceptable),
    }
}
