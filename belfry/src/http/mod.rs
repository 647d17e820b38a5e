//! What is served: one listener, all of it read from memory.

mod ack;
pub(crate) mod api;
mod bounce;
pub(crate) mod guard;
mod health;
mod metrics;
mod packed;
mod pages;
mod people;
mod ping;
mod probe;
pub(crate) mod room;
mod seats;
mod serve;
mod service;
mod wanted;

pub(crate) use probe::unknown_modules;
pub(crate) use serve::serve;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::{any, get, post};

use crate::app::{self, Desk, Exporters, Watch};
use room::Room;

/// The longest body that is read; what may be longer has a limit of its own.
const BODY: usize = 64 << 10;

/// Everything that is served.
pub(crate) fn router(watch: Arc<Watch>) -> Router {
    Router::new()
        .route("/", get(pages::now))
        .route("/runbooks/{name}", get(pages::runbook))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/health/peer", get(health::peer))
        .route("/health/live/{service}", get(service::live))
        .route("/health/ready/{service}", get(service::ready))
        .route("/-/healthy", get(health::healthy))
        .route("/-/ready", get(health::is_ready))
        .route("/-/reload", post(reload).put(reload))
        .route("/api/belfry/v1/status", get(api::status))
        .route("/api/belfry/v1/health", get(api::health))
        .route("/ping/{*path}", any(ping::take))
        .route("/api/belfry/v1/logs", get(api::logs))
        .route("/api/belfry/v1/backups", get(api::backups))
        .route("/api/belfry/v1/rules/unmatched", get(api::unmatched))
        .route("/api/belfry/v1/runbooks", get(api::runbooks))
        .route("/api/belfry/v1/runbooks/{name}", get(api::runbook))
        .fallback(ping::or_absent)
        .with_state(Arc::clone(&watch))
        .merge(desk(Desk::of_watch(&watch)))
        .merge(metrics::router(metrics::of_watch(Arc::clone(&watch))))
        .merge(probe::router(probes_of(Arc::clone(&watch))))
        .merge(query_api::router(app::query_source(&watch)))
        .nest("/api/v2", alerter::api::router(watch.alerter.clone()))
        .layer(DefaultBodyLimit::max(BODY))
        .layer(from_fn_with_state(Arc::clone(&watch), guard::check))
        .layer(from_fn_with_state(
            Room::with_pings(move |path| watch.health.beats.takes_bare(path)),
            room::enter,
        ))
}

/// What people and programs ask of the alerter.
pub(crate) fn desk(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/assets/{*path}", get(pages::asset))
        .route("/ack/{id}", get(ack::of_alert).post(ack::of_alert_done))
        .route(
            "/ack/mail/{ticket}",
            get(ack::of_mail).post(ack::of_mail_done),
        )
        .route("/api/belfry/v1/alerts", get(people::alerts))
        .route("/api/belfry/v1/history", get(people::history))
        .route("/api/belfry/v1/why/{alert}", get(people::why))
        .route("/api/belfry/v1/ack", post(people::acknowledge))
        .route(
            "/api/belfry/v1/bounce",
            post(bounce::take).layer(DefaultBodyLimit::max(bounce::BODY)),
        )
        .with_state(desk)
}

/// What the exporters alone serve.
pub(crate) fn exporters(exporters: Arc<Exporters>, address: SocketAddr) -> Router {
    let list: String = exporters
        .jobs()
        .iter()
        .map(|job| format!("/metrics/{}\n", job.as_str()))
        .collect();
    let index =
        format!("Belfry's exporters, at {address}:\n/metrics\n{list}/probe?target=&module=\n");
    Router::new()
        .route("/", get(move || async move { index }))
        .route("/-/healthy", get(|| async { "healthy\n" }))
        .merge(metrics::router(metrics::of_exporters(Arc::clone(
            &exporters,
        ))))
        .merge(probe::router(probes_alone(exporters)))
        .layer(from_fn_with_state(Room::without_pings(), room::enter))
}

fn probes_of(watch: Arc<Watch>) -> probe::Known {
    let of = Arc::clone(&watch);
    probe::Known {
        loaded: Arc::new(move || Arc::new(of.health.probes.loaded())),
        compare: Arc::new(move |module, certificate| {
            let root = &watch.config().exporter.host.rootfs;
            app::compare_certificate(&watch.containers, root, module, certificate);
        }),
    }
}

fn probes_alone(exporters: Arc<Exporters>) -> probe::Known {
    let of = Arc::clone(&exporters);
    probe::Known {
        loaded: Arc::new(move || of.probes()),
        compare: Arc::new(move |module, certificate| exporters.compare(module, certificate)),
    }
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
