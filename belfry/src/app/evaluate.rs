//! Evaluating: each group right after a collection, and when the `for:` of an
//! alert ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time;
use tokio_util::sync::CancellationToken;

use super::Watch;

/// Evaluates until told to stop.
pub(super) async fn run(
    watch: Arc<Watch>,
    stop: CancellationToken,
) -> anyhow::Result<&'static str> {
    let limit = |watch: &Watch| watch.config().interval * 4 + Duration::from_secs(10);
    let mut needs = Vec::new();
    let beat = watch.liveness.watch("rules", limit(&watch), Instant::now());
    loop {
        // A collection brings the evaluation with it. Without one (a collector
        // hangs) the rules are due all the same, a little later.
        let late = watch.config().interval + Duration::from_secs(2);
        let cause = tokio::select! {
            () = stop.cancelled() => return Ok("rules"),
            () = watch.evaluate_now.notified() => Cause::Data,
            () = time::sleep(late) => Cause::Data,
            () = time_to_fire(&watch) => Cause::Time,
        };
        tell_needs(&watch, &mut needs).await;
        round(&watch, cause).await;
        beat.within(limit(&watch));
        beat.beat(Instant::now());
    }
}

/// Tells the alerter which services need which others, when that has changed.
async fn tell_needs(watch: &Watch, told: &mut Vec<alerter::Need>) {
    let needs = super::health::needs(watch);
    if needs == *told {
        return;
    }
    match watch.alerter.depend(needs.clone()).await {
        Ok(()) => *told = needs,
        Err(err) => tracing::error!("who needs whom was not taken: {err}"),
    }
}

/// Why rules are evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// There may be new samples.
    Data,
    /// The `for:` of an alert has ended.
    Time,
}

/// Waits until the `for:` of an alert ends; for ever while no alert is pending.
async fn time_to_fire(watch: &Watch) {
    let end_ms = watch.rules().next_to_fire_ms();
    let Some(end_ms) = end_ms else {
        return std::future::pending().await;
    };
    let wait_ms = u64::try_from(end_ms - watch.clock.now_ms()).unwrap_or(0);
    time::sleep(Duration::from_millis(wait_ms)).await;
}

/// Evaluates what is due and hands over what they say.
async fn round(watch: &Watch, cause: Cause) {
    let began = Instant::now();
    let (alerts, kept) = {
        let mut rules = watch.rules();
        // Read under the lock: a step of the clock moves both or neither.
        let now_ms = watch.clock.now_ms();
        let mut alerts = Vec::new();
        let due = match cause {
            // Right after a collection: nothing is told later than it could be known.
            Cause::Data => rules.due_on_data(now_ms),
            Cause::Time => rules.due_to_fire(now_ms),
        };
        for due in due {
            alerts.extend(rules.evaluate(due.group, due.at_ms, &watch.store, &watch.engine));
        }
        let config = watch.config();
        alerts.retain(|alert| !is_watchdog(&alert.labels) || config.alerter.names(&alert.labels));
        (alerts, rules.snapshot_if_changed())
    };
    if cause == Cause::Data {
        watch.evaluated(began.elapsed());
    }
    if !alerts.is_empty() {
        super::context::gather(watch, &alerts).await;
        let elsewhere = watch.elsewhere();
        if !elsewhere.alertmanagers.is_empty() {
            watch.outbox.put(alerts.clone(), &elsewhere.relabel);
        }
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
        watch.keeper.keep(kept);
    }
}

/// Whether this is the alert that always fires. It is for those who ask for it by
/// name: whoever gets all alerts by mail has no use for it, and no page is red for it.
pub(super) fn is_watchdog(labels: &alert::Set) -> bool {
    let is = |name: &str, value: &str| labels.get(name).is_some_and(|have| have == value);
    is("alertname", "Watchdog") && is("severity", "none")
}
