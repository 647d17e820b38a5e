//! What was known before we began, and what dead runs and restores left.

use std::time::Duration;

use backup::{Job, Setup};
use tokio::time;

use super::Slots;
use crate::app::Watch;
use crate::state;

/// A disk that takes longer for what was known is reported as failing.
const DISK: Duration = Duration::from_secs(8);
/// How long what a dead restore left is tried to be put back.
const RECOVERY: Duration = Duration::from_secs(600);

/// What was known before. A disk that hangs does not keep jobs from being due.
pub(super) async fn begin(watch: &Watch) -> Slots {
    let pool = &watch.state.pool;
    match time::timeout(DISK, state::interrupt_runs(pool, watch.clock.now_ms())).await {
        Ok(Ok(0)) => {}
        Ok(Ok(count)) => {
            tracing::warn!(count, "backup runs were interrupted when Belfry last ended");
        }
        Ok(Err(err)) => watch.state_failed("backup runs", &err),
        Err(_) => watch.state_failed("backup runs", &"the disk does not answer"),
    }
    match time::timeout(DISK, state::load_slots(pool)).await {
        Ok(Ok(slots)) => {
            return slots
                .into_iter()
                .map(|(job, task, slot)| ((job, task), slot))
                .collect();
        }
        Ok(Err(err)) => watch.state_failed("backup slots", &err),
        Err(_) => watch.state_failed("backup slots", &"the disk does not answer"),
    }
    Slots::new()
}

/// What a restore left that was cut short.
pub(super) async fn put_back(setup: &Setup, job: &Job) {
    match time::timeout(RECOVERY, backup::restore::recover(setup, job)).await {
        Ok(Ok(None)) => {}
        Ok(Ok(Some(done))) => tracing::warn!(job = job.name, "{done}"),
        Ok(Err(err)) => tracing::error!(
            job = job.name,
            "an unfinished restore cannot be put back: {err}"
        ),
        Err(_) => tracing::error!(
            job = job.name,
            "an unfinished restore cannot be put back: the server does not answer"
        ),
    }
}

/// Containers that a run has stopped which was killed, be it ours or one at a
/// terminal.
pub(super) async fn start_again(setup: &Setup) {
    match backup::quiet::recover(setup).await {
        Ok(jobs) if jobs.is_empty() => {}
        Ok(jobs) => tracing::warn!(
            jobs = jobs.join(" "),
            "what a killed run had stopped is started again"
        ),
        Err(err) => tracing::error!("what a killed run had stopped is not started: {err}"),
    }
}
