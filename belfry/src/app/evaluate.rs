//! Evaluating: each group right after a collection, and when the `for:` of an
//! alert ends, whatever another group does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use healthchecks::readiness::Report;
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::Watch;
use super::watch::dependency;
use crate::evaluating::Evaluating;

/// Its name among those that must turn.
const LOOP: &str = "rules";
/// So many groups are evaluated at once, when all but one of them are slow.
const MOST: usize = 4;
/// What groups say within so long is told at once.
const TOGETHER: Duration = Duration::from_secs(2);

/// Evaluates until told to stop.
pub(super) async fn run(
    watch: Arc<Watch>,
    stop: CancellationToken,
) -> anyhow::Result<&'static str> {
    let limit = |watch: &Watch| watch.config().interval * 4 + Duration::from_secs(10);
    let mut needs = Vec::new();
    // Whether the last round has not been told as done.
    let mut owed = false;
    let on = Arc::clone(&watch);
    let mut evaluating = Evaluating::new(MOST, move |group, tell| {
        group.run(|| on.rules(), &on.store, &on.engine(), tell);
    });
    let beat = watch.liveness.watch(LOOP, limit(&watch), Instant::now());
    loop {
        // A collection brings the evaluation with it. Without one (a collector
        // hangs) the rules are due all the same, a little later.
        let late = watch.config().interval + Duration::from_secs(2);
        let cause = tokio::select! {
            () = stop.cancelled() => {
                hand_over(&watch, evaluating.finish().await).await;
                return Ok("rules");
            }
            // Of a group that is slow: the round that it began with is over.
            alerts = evaluating.next() => {
                let alerts = alerts?;
                let ended = alerts.is_empty();
                hand_over(&watch, alerts).await;
                // What is slow and comes to its end is no standstill.
                if ended && !is_stalled(&watch, &evaluating) {
                    beat.beat(Instant::now());
                    if std::mem::take(&mut owed) {
                        evaluated(&watch);
                    }
                }
                continue;
            }
            () = watch.evaluate_now.notified() => Cause::Data,
            () = time::sleep(late) => Cause::Data,
            () = time_to_fire(&watch) => Cause::Time,
        };
        tell_needs(&watch, &mut needs).await;
        round(&watch, &mut evaluating, cause).await?;
        beat.within(limit(&watch));
        let stalled = is_stalled(&watch, &evaluating);
        owed = stalled && cause == Cause::Data;
        if !stalled {
            beat.beat(Instant::now());
        }
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

/// Evaluates what is due and hands over what they say, all at once where it can be: of
/// groups that are slow, when they have it.
async fn round(watch: &Watch, evaluating: &mut Evaluating, cause: Cause) -> anyhow::Result<()> {
    let due: Vec<_> = {
        let mut rules = watch.rules();
        // Read under the lock: a step of the clock moves both or neither.
        let now_ms = watch.clock.now_ms();
        let due = match cause {
            // Right after a collection: nothing is told later than it could be known.
            Cause::Data => rules.due_on_data(now_ms),
            Cause::Time => rules.due_to_fire(now_ms),
        };
        due.into_iter().filter_map(|due| rules.begin(due)).collect()
    };
    // Of a group that was slow before nobody waits for the end.
    let before = evaluating.open();
    evaluating.add(due);
    let mut alerts = Vec::new();
    let end = time::Instant::now() + TOGETHER;
    while evaluating.open() > before {
        match time::timeout_at(end, evaluating.next()).await {
            Ok(more) => alerts.extend(more?),
            Err(_) => break,
        }
    }
    if cause == Cause::Data {
        match is_stalled(watch, evaluating) {
            true => not_evaluated(watch),
            false => evaluated(watch),
        }
    }
    hand_over(watch, alerts).await;
    Ok(())
}

/// Whether nobody watches: every thread, or every group, is at one that does not end.
fn is_stalled(watch: &Watch, evaluating: &Evaluating) -> bool {
    let groups = watch.rules().groups().len();
    evaluating.is_stuck() || (groups > 0 && evaluating.open() >= groups)
}

/// The rules were evaluated, but for groups that take longer.
fn evaluated(watch: &Watch) {
    let (took, reason) = how(watch);
    watch.own.evaluated(took);
    let report = Report {
        reason,
        ..Report::ok(Some(took))
    };
    let now_ms = watch.clock.now_ms();
    watch.readiness.report(dependency::RULES, report, now_ms);
}

/// No group comes to its end; for too long where the loop stands still.
fn not_evaluated(watch: &Watch) {
    let stalled = watch.liveness.stalled(Instant::now());
    let (_, reason) = how(watch);
    if stalled.iter().any(|of| of.name == LOOP) && !reason.is_empty() {
        let (report, now_ms) = (Report::failing(reason), watch.clock.now_ms());
        watch.readiness.report(dependency::RULES, report, now_ms);
    }
}

/// How long the groups took together, and which of them take too long.
fn how(watch: &Watch) -> (Duration, String) {
    let rules = watch.rules();
    (rules.took(), rules.behind(watch.clock.now_ms()))
}

/// Hands alerts over, and what the rules know to be written.
async fn hand_over(watch: &Watch, mut alerts: Vec<alert::Alert>) {
    let config = watch.config();
    alerts.retain(|alert| !is_watchdog(&alert.labels) || config.alerter.names(&alert.labels));
    let kept = watch.rules().snapshot_if_changed();
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
