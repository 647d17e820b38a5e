//! Health of others: heartbeats that come in, kept over restarts.

mod heartbeats;

use std::sync::Arc;

use healthchecks::heartbeat::Book;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

pub(super) use heartbeats::write as write_heartbeats;

use super::Watch;
use crate::config::Config;
use crate::state::State;

/// What is known of the health of others.
#[derive(Debug)]
pub(crate) struct Health {
    /// The heartbeats.
    pub beats: Book,
}

impl Health {
    /// With what was kept.
    pub(super) async fn new(config: &Config, state: &State, now_ms: i64) -> Self {
        Self {
            beats: heartbeats::restored(config, state, now_ms).await,
        }
    }

    /// Puts another configuration in force.
    pub(super) fn configure(&self, config: &Config, now_ms: i64) {
        self.beats
            .configure(&config.heartbeat, &config.timezone, now_ms);
    }

    /// Moves all kept times: the wall clock was stepped.
    pub(super) fn shift(&self, delta_ms: i64) {
        self.beats.shift(delta_ms);
    }
}

/// Does what must be done in the background until told to stop.
pub(super) async fn run(
    watch: Arc<Watch>,
    stop: CancellationToken,
) -> anyhow::Result<&'static str> {
    heartbeats::run(&watch, &stop).await;
    Ok("health")
}

/// All of it for programs.
pub(crate) fn page(watch: &Watch) -> Value {
    let now_ms = watch.clock.now_ms();
    json!({
        "now_ms": now_ms,
        "heartbeats": watch.health.beats.views(now_ms),
    })
}
