//! Keeping what the rules know: the latest state, written by a task of its own.
//!
//! A disk that hangs delays this task and nothing else. What could not be
//! written is written when that is possible again, unless there is something
//! newer by then.

use std::sync::Arc;
use std::time::Duration;

use rules::Kept;
use tokio::sync::watch;
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::Watch;
use crate::state;

/// A disk that takes longer is reported as failing.
const DEADLINE: Duration = Duration::from_secs(5);
/// After a failure the next try waits so long.
const PAUSE: Duration = Duration::from_secs(5);

/// Where evaluations leave what is to be kept.
#[derive(Debug)]
pub(crate) struct Keeper(watch::Sender<Option<Arc<Kept>>>);

impl Default for Keeper {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Keeper {
    /// Leaves the newest state here; it takes the place of an older one.
    pub(super) fn keep(&self, kept: Kept) {
        self.0.send_replace(Some(Arc::new(kept)));
    }
}

/// Writes until told to stop. The last state is written by who stops us.
pub(super) async fn run(
    watch: Arc<Watch>,
    stop: CancellationToken,
) -> anyhow::Result<&'static str> {
    let mut states = watch.keeper.0.subscribe();
    // What was left before we listened counts as well.
    states.mark_changed();
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok("keeper"),
            changed = states.changed() => changed?,
        }
        let Some(kept) = states.borrow_and_update().clone() else {
            continue;
        };
        if !write(&watch, &kept).await {
            states.mark_changed();
            tokio::select! {
                () = stop.cancelled() => return Ok("keeper"),
                () = time::sleep(PAUSE) => {}
            }
        }
    }
}

/// Writes one state; a failure is reported.
pub(super) async fn write(watch: &Watch, kept: &Kept) -> bool {
    let body = match serde_json::to_string(kept) {
        Ok(body) => body,
        Err(err) => {
            watch.state_failed("rule state", &err);
            // Another try would fail alike.
            return true;
        }
    };
    let now_ms = watch.clock.now_ms();
    match time::timeout(
        DEADLINE,
        state::save_rules(&watch.state.pool, &body, now_ms),
    )
    .await
    {
        Ok(Ok(())) => watch.state_written(),
        Ok(Err(err)) => {
            watch.state_failed("rule state", &err);
            return false;
        }
        Err(_) => {
            watch.state_failed("rule state", &"the disk does not answer");
            return false;
        }
    }
    true
}
