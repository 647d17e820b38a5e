//! Evaluating each group in its own slots, evenly spaced, whatever is scraped when
//! and however long another group takes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rules::Evaluation;
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::Shared;
use crate::evaluating::Evaluating;

/// Where there is no group, and after a step of the clock, one looks again so soon.
const LOOK: Duration = Duration::from_secs(5);

/// So many groups are evaluated at once, when questions may be asked so fast: there must
/// be threads left for these.
const MOST: usize = 8;

/// Evaluates until told to stop.
pub(super) async fn run(
    shared: Arc<Shared>,
    stop: CancellationToken,
) -> anyhow::Result<&'static str> {
    let mut since = Instant::now();
    let on = Arc::clone(&shared);
    let most = shared.flags.query_concurrency.min(MOST);
    let mut evaluating = Evaluating::new(most, move |group, tell| {
        group.run(|| on.rules(), &on.store, &on.engine(), tell);
    });
    loop {
        let now_ms = shared.clock.now_ms();
        let next_ms = shared.rules().next_due_ms(now_ms);
        let wait = next_ms.map_or(LOOK, |next_ms| {
            Duration::from_millis(u64::try_from(next_ms - now_ms).unwrap_or(0)).min(LOOK)
        });
        tokio::select! {
            () = stop.cancelled() => {
                let alerts = evaluating.finish().await;
                shared.outbox.put(alerts, &shared.file().alert_relabel);
                return Ok("rules");
            }
            () = shared.reloaded[1].notified() => {
                since = Instant::now();
                continue;
            }
            alerts = evaluating.next() => {
                let alerts = alerts?;
                // Once for a group, not for each of its rules.
                let ended = alerts.is_empty();
                shared.outbox.put(alerts, &shared.file().alert_relabel);
                if ended {
                    keep(&shared);
                }
            }
            () = time::sleep(wait) => {}
        }
        evaluating.add(due(&shared, since));
    }
}

/// Takes up what is due. A new group begins with its next slot: of the one before it no
/// sample is there. The moment since when it is new does not move with the clock.
fn due(shared: &Shared, since: Instant) -> Vec<Evaluation> {
    let mut rules = shared.rules();
    // Read under the lock: a step of the clock moves both or neither.
    let now_ms = shared.clock.now_ms();
    let age_ms = i64::try_from(since.elapsed().as_millis()).unwrap_or(i64::MAX);
    let since_ms = now_ms.saturating_sub(age_ms);
    let mut due = rules.due(now_ms);
    due.retain(|due| {
        due.at_ms >= since_ms || rules.groups()[due.group].last_evaluation_ms.is_some()
    });
    due.into_iter().filter_map(|due| rules.begin(due)).collect()
}

fn keep(shared: &Shared) {
    if let Some(kept) = shared.rules().snapshot_if_changed() {
        shared.kept.send_replace(Some(Arc::new(kept)));
    }
}
