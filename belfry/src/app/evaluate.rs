//! Evaluating: each group when it is due, right after a collection where one is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time;
use tokio_util::sync::CancellationToken;

use super::Watch;
use crate::state;

/// Evaluates until told to stop.
pub(super) async fn run(
    watch: Arc<Watch>,
    stop: CancellationToken,
) -> anyhow::Result<&'static str> {
    let beat = watch.liveness.watch(
        "rules",
        watch.config().interval * 4 + Duration::from_secs(10),
        Instant::now(),
    );
    loop {
        // A collection brings the evaluation with it. Without one (a collector
        // hangs) the rules are due all the same, a little later.
        let late = watch.config().interval + Duration::from_secs(2);
        tokio::select! {
            () = stop.cancelled() => return Ok("rules"),
            () = watch.evaluate_now.notified() => {}
            () = time::sleep(late) => {}
        }
        round(&watch).await;
        beat.beat(Instant::now());
    }
}

/// Evaluates what is due and hands over what they say.
async fn round(watch: &Watch) {
    let began = Instant::now();
    let now_ms = watch.clock.now_ms();
    let (alerts, kept) = {
        let mut rules = watch.rules();
        let mut alerts = Vec::new();
        // Right after a collection: nothing is told later than it could be known.
        for due in rules.due_on_data(now_ms) {
            alerts.extend(rules.evaluate(due.group, due.at_ms, &watch.store, &watch.engine));
        }
        (alerts, rules.snapshot_if_changed())
    };
    watch.evaluated(began.elapsed());
    if !alerts.is_empty() {
        match watch.alerter.put(alerts).await {
            Ok(refused) => {
                for refusal in refused {
                    tracing::warn!("an alert was refused: {refusal:?}");
                }
            }
            Err(err) => tracing::error!("alerts were not taken: {err}"),
        }
    }
    if let Some(kept) = kept {
        keep(watch, &kept, now_ms).await;
    }
}

/// Writes down what the rules know. A failure costs only what a restart could
/// have continued; it is reported, and the next change tries again.
async fn keep(watch: &Watch, kept: &rules::Kept, now_ms: i64) {
    let body = match serde_json::to_string(kept) {
        Ok(body) => body,
        Err(err) => return watch.state_failed("rule state", &err),
    };
    match state::save_rules(&watch.state.pool, &body, now_ms).await {
        Ok(()) => watch.state_written(),
        Err(err) => watch.state_failed("rule state", &err),
    }
}
