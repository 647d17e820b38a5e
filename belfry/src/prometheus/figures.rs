//! The page of own metrics: under Prometheus' names where they mean the same.

use std::sync::atomic::Ordering;

use exposition::{Kind, Writer};

use super::Shared;
use crate::app;

/// The page at `/metrics`.
pub(super) fn page(shared: &Shared) -> String {
    let mut page = Writer::new();
    app::process_figures(&mut page, shared.started_ms);
    page.family(
        "prometheus_build_info",
        "The version of Prometheus whose API is served.",
        Kind::Gauge,
    )
    .sample(&[("version", &query_api::Build::default().version)], 1.0);
    let reload = shared.reload_state();
    let figures = shared.store.figures();
    for (name, help, kind, value) in [
        (
            "prometheus_ready",
            "Whether queries are answered.",
            Kind::Gauge,
            1.0,
        ),
        (
            "prometheus_config_last_reload_successful",
            "Whether the last reload was applied.",
            Kind::Gauge,
            f64::from(u8::from(!reload.refused)),
        ),
        (
            "prometheus_config_last_reload_success_timestamp_seconds",
            "When the configuration in force was read.",
            Kind::Gauge,
            reload.at_ms as f64 / 1e3,
        ),
        (
            "prometheus_tsdb_head_series",
            "Series in the store.",
            Kind::Gauge,
            figures.series as f64,
        ),
        (
            "prometheus_tsdb_head_samples_appended_total",
            "Samples taken.",
            Kind::Counter,
            figures.appended as f64,
        ),
    ] {
        page.single(name, help, kind, value);
    }
    app::series_figures(&mut page, &figures);
    let rules = shared.rules();
    // Read under the lock: a step of the clock moves both or neither.
    rules.write_figures(shared.clock.now_ms(), &mut page);
    drop(rules);
    rules::write_target_figures(shared.scraping.refused(), &mut page);
    notifications(&mut page, shared);
    page.finish()
}

fn notifications(page: &mut Writer, shared: &Shared) {
    let outbox = &shared.outbox;
    let recipients = outbox.recipients();
    let longest = recipients.iter().map(|one| one.waiting()).max();
    for (name, help, kind, value) in [
        (
            "prometheus_notifications_alertmanagers_discovered",
            "Alertmanagers that are told.",
            Kind::Gauge,
            recipients.len() as f64,
        ),
        (
            "prometheus_notifications_queue_capacity",
            "Alerts that may wait for one Alertmanager.",
            Kind::Gauge,
            outbox.capacity() as f64,
        ),
        (
            "prometheus_notifications_queue_length",
            "Alerts in the longest queue.",
            Kind::Gauge,
            longest.unwrap_or(0) as f64,
        ),
        (
            "prometheus_notifications_dropped_total",
            "Alerts dropped for want of room, or of anybody to tell.",
            Kind::Counter,
            outbox.dropped() as f64,
        ),
    ] {
        page.single(name, help, kind, value);
    }
    page.family(
        "prometheus_notifications_sent_total",
        "Alerts that an Alertmanager took.",
        Kind::Counter,
    );
    for one in &recipients {
        let sent = one.sent.load(Ordering::Relaxed) as f64;
        page.sample(&[("alertmanager", &one.target.url)], sent);
    }
    page.family(
        "prometheus_notifications_errors_total",
        "Alerts that an Alertmanager did not take.",
        Kind::Counter,
    );
    for one in &recipients {
        let failed = one.failed.load(Ordering::Relaxed) as f64;
        page.sample(&[("alertmanager", &one.target.url)], failed);
    }
}
