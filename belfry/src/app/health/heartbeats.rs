//! Keeping heartbeats: what was heard is on the disk a moment later.

use std::time::{Duration, Instant};

use healthchecks::heartbeat::Book;
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::super::Watch;
use crate::config::Config;
use crate::state::{self, State};

/// How much a crash may lose of what was heard.
const EVERY: Duration = Duration::from_secs(2);
/// A disk that takes longer is reported as failing.
const DEADLINE: Duration = Duration::from_secs(5);
/// After a failure the next try waits so long.
const PAUSE: Duration = Duration::from_secs(5);

/// The heartbeats with what was kept of them.
pub(super) async fn restored(config: &Config, state: &State, now_ms: i64) -> Book {
    let kept = state::load_heartbeats(&state.pool)
        .await
        .unwrap_or_else(|err| {
            tracing::error!("cannot read what was kept of heartbeats, so they begin anew: {err}");
            Vec::new()
        });
    Book::new(&config.heartbeat, &config.timezone, kept, now_ms)
}

/// Writes what has changed until told to stop. The rest is written by who stops us.
pub(super) async fn run(watch: &Watch, stop: &CancellationToken) {
    let limit = (EVERY + DEADLINE + PAUSE) * 4;
    let beat = watch.liveness.watch("heartbeats", limit, Instant::now());
    loop {
        let pause = if write(watch).await { EVERY } else { PAUSE };
        beat.beat(Instant::now());
        tokio::select! {
            () = stop.cancelled() => return,
            () = time::sleep(pause) => {}
        }
    }
}

/// Writes what has changed; false if that failed, and it will be tried again.
pub(in crate::app) async fn write(watch: &Watch) -> bool {
    let (kept, gone) = watch.health.beats.changes();
    if kept.is_empty() && gone.is_empty() {
        return true;
    }
    let saving = state::save_heartbeats(&watch.state.pool, &kept, &gone);
    let failure = match time::timeout(DEADLINE, saving).await {
        Ok(Ok(())) => {
            watch.state_written();
            return true;
        }
        Ok(Err(err)) => err.to_string(),
        Err(_) => "the disk does not answer".to_owned(),
    };
    watch.state_failed("heartbeats", &failure);
    watch.health.beats.unwritten(&kept, gone);
    false
}
