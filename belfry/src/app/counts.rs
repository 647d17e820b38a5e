//! Keeping what was counted of Celery's tasks over a restart: their events are
//! told once.

use std::sync::Arc;
use std::time::Duration;

use tokio::time;
use tokio_util::sync::CancellationToken;

use super::Watch;
use crate::state;

/// A crash may lose so much.
const EVERY: Duration = Duration::from_secs(30);
/// A disk that takes longer is reported as failing.
const DEADLINE: Duration = Duration::from_secs(5);

impl Watch {
    /// Goes on with what an earlier process counted.
    pub(super) async fn restore_counts(&self) {
        let kept = state::load_celery(&self.state.pool).await;
        let restored = kept
            .map_err(|err| err.to_string())
            .and_then(|kept| kept.map_or(Ok(()), |kept| self.readers.celery.restore(&kept)));
        if let Err(err) = restored {
            tracing::error!("cannot read what was counted of Celery, so it begins anew: {err}");
        }
    }

    /// Writes the counts, unless they are as they were. Returns what is kept.
    pub(super) async fn keep_counts(&self, before: Option<String>) -> Option<String> {
        let counts = self.readers.celery.snapshot();
        let Some(body) = counts.filter(|counts| before.as_ref() != Some(counts)) else {
            return before;
        };
        let saved = state::save_celery(&self.state.pool, &body);
        match time::timeout(DEADLINE, saved).await {
            Ok(Ok(())) => {
                self.state_written();
                Some(body)
            }
            Ok(Err(err)) => {
                self.state_failed("counts of Celery", &err);
                before
            }
            Err(_) => {
                self.state_failed("counts of Celery", &"the disk does not answer");
                before
            }
        }
    }
}

/// Writes now and then until told to stop. The last time is up to who stops us.
pub(super) async fn run(
    watch: Arc<Watch>,
    stop: CancellationToken,
) -> anyhow::Result<&'static str> {
    let mut kept = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok("counts"),
            () = time::sleep(EVERY) => {}
        }
        kept = watch.keep_counts(kept).await;
    }
}
