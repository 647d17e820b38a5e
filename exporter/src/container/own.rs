//! Writes what containers are, stopped ones too, and how the engine fares:
//! our own names, for what cAdvisor does not tell.

use std::sync::Arc;

use exposition::{Kind, Spelled, Writer};

use super::EngineState;
use super::model::{Container, Health, State};

/// A family with one series for each container: name, help, kind, value.
type Family = (
    &'static str,
    &'static str,
    Kind,
    fn(&Container) -> Option<f64>,
);

const FAMILIES: [Family; 7] = [
    (
        "belfry_container_exit_code",
        "How it ended last.",
        Kind::Gauge,
        |container| Some(container.exit_code? as f64),
    ),
    (
        "belfry_container_restart_count",
        "Times the engine started it anew by its restart policy.",
        Kind::Gauge,
        |container| Some(container.restart_count as f64),
    ),
    (
        "belfry_container_oom_killed",
        "Whether it ended last because memory ran out.",
        Kind::Gauge,
        |container| Some(f64::from(u8::from(container.oom_killed))),
    ),
    (
        "belfry_container_oom_events_total",
        "Times memory ran out in it while we watched.",
        Kind::Counter,
        |container| Some(container.oom_events as f64),
    ),
    (
        "belfry_container_started_timestamp_seconds",
        "When it was started last, in seconds since 1970.",
        Kind::Gauge,
        |container| Some(container.started_ms? as f64 / 1e3),
    ),
    (
        "belfry_container_finished_timestamp_seconds",
        "When it ended last, in seconds since 1970.",
        Kind::Gauge,
        |container| Some(container.finished_ms? as f64 / 1e3),
    ),
    (
        "belfry_container_memory_limit_bytes",
        "Bytes of memory it may use; 0 is no limit.",
        Kind::Gauge,
        |container| Some(container.memory_limit as f64),
    ),
];

/// A container with the labels that all its series under our own names have.
pub(super) type Own<'a> = (&'a Container, Spelled);

/// Spells those labels once for a page.
pub(super) fn spell(containers: &[Arc<Container>]) -> Vec<Own<'_>> {
    containers
        .iter()
        .map(|container| (&**container, spelled(container)))
        .collect()
}

pub(super) fn encode(all: &[Own<'_>], engine: &EngineState, now_ms: i64, page: &mut Writer) {
    page.family(
        "belfry_container_state",
        "1 for what the container does, 0 for what it does not.",
        Kind::Gauge,
    );
    for (container, labels) in all {
        for state in State::ALL {
            let now = f64::from(u8::from(container.state == state));
            page.spelled("", labels, &[("state", state.as_str())], now);
        }
    }
    page.family(
        "belfry_container_health",
        "1 for what its health check says, 0 for what it does not.",
        Kind::Gauge,
    );
    for (container, labels) in all {
        for health in Health::ALL {
            let now = f64::from(u8::from(container.health == health));
            page.spelled("", labels, &[("health", health.as_str())], now);
        }
    }
    for (name, help, kind, value) in FAMILIES {
        page.family(name, help, kind);
        for (container, labels) in all {
            if let Some(value) = value(container) {
                page.spelled("", labels, &[], value);
            }
        }
    }
    page.family(
        "belfry_container_restart_policy_info",
        "When the engine starts it anew.",
        Kind::Gauge,
    );
    for (container, labels) in all {
        if !container.restart_policy.is_empty() {
            page.spelled("", labels, &[("policy", &container.restart_policy)], 1.0);
        }
    }
    page.family(
        "belfry_container_image_info",
        "What it was made from.",
        Kind::Gauge,
    );
    for (container, labels) in all {
        let image = [
            ("digest", container.image_digest.as_str()),
            ("image", &container.image),
            ("image_id", &container.image_id),
        ];
        page.spelled("", labels, &image, 1.0);
    }
    encode_engine(engine, now_ms, page);
}

fn encode_engine(engine: &EngineState, now_ms: i64, page: &mut Writer) {
    let up = f64::from(u8::from(engine.up));
    page.single(
        "belfry_engine_up",
        "Whether the container engine answers.",
        Kind::Gauge,
        up,
    );
    page.single(
        "belfry_engine_events_total",
        "Events heard from the engine.",
        Kind::Counter,
        engine.events as f64,
    );
    page.single(
        "belfry_engine_reconnects_total",
        "Connections to the engine after the first.",
        Kind::Counter,
        engine.reconnects as f64,
    );
    if engine.up {
        let latency = engine.latency.as_secs_f64();
        page.single(
            "belfry_engine_api_latency_seconds",
            "How long the engine took for its last answer.",
            Kind::Gauge,
            latency,
        );
    }
    if !engine.version.is_empty() {
        let labels = [
            ("api_version", engine.api_version.as_str()),
            ("version", &engine.version),
        ];
        page.family(
            "belfry_engine_info",
            "The engine, as it was when it answered last.",
            Kind::Gauge,
        )
        .sample(&labels, 1.0);
    }
    if let Some(listed_ms) = engine.listed_ms {
        // The clock may have been set back.
        let age = (now_ms - listed_ms).max(0) as f64 / 1e3;
        page.single(
            "belfry_engine_listing_age_seconds",
            "How old the last good listing of containers is.",
            Kind::Gauge,
            age,
        );
    }
}

fn spelled(container: &Container) -> Spelled {
    Spelled::new(&[
        ("name", container.name.as_str()),
        ("project", &container.project),
        ("service", &container.service),
    ])
}
