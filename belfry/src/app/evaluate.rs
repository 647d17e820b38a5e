//! Evaluating: each group when it is due, right after a collection where one is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time;
use tokio_util::sync::CancellationToken;

use super::Watch;
use crate::state;
use rules::RuleSet;

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

/// The groups to evaluate now. Those of the usual interval go with each
/// collection, since there is something new to see; slower ones when they are due.
fn due(rules: &RuleSet, now_ms: i64) -> Vec<usize> {
    let usual_ms = rules
        .groups()
        .iter()
        .map(|group| group.interval_ms)
        .min()
        .unwrap_or_default();
    let groups = rules.groups().iter().enumerate();
    groups
        .filter(|(_, group)| {
            let slack_ms = group.interval_ms / 10;
            let last = group.last_evaluation_ms;
            group.interval_ms <= usual_ms
                || last.is_none_or(|last| now_ms - last >= group.interval_ms - slack_ms)
        })
        .map(|(at, _)| at)
        .collect()
}

/// Evaluates what is due and hands over what they say.
async fn round(watch: &Watch) {
    let began = Instant::now();
    let now_ms = watch.clock.now_ms();
    let (alerts, kept) = {
        let mut rules = watch.rules();
        let mut alerts = Vec::new();
        for group in due(&rules, now_ms) {
            alerts.extend(rules.evaluate(group, now_ms, &watch.store, &watch.engine));
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
