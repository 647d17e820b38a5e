//! Evaluating each group in its own slots, evenly spaced, whatever is scraped when.

use std::sync::Arc;
use std::time::Duration;

use tokio::{task, time};
use tokio_util::sync::CancellationToken;

use super::Shared;

/// Where there is no group, and after a step of the clock, one looks again so soon.
const LOOK: Duration = Duration::from_secs(5);

/// Evaluates until told to stop.
pub(super) async fn run(
    shared: Arc<Shared>,
    stop: CancellationToken,
) -> anyhow::Result<&'static str> {
    // A group begins with its next slot: of the one before it no sample is there.
    let mut since_ms = shared.started_ms;
    loop {
        let now_ms = shared.clock.now_ms();
        let next_ms = shared.rules().next_due_ms(now_ms);
        let wait = next_ms.map_or(LOOK, |next_ms| {
            Duration::from_millis(u64::try_from(next_ms - now_ms).unwrap_or(0)).min(LOOK)
        });
        tokio::select! {
            () = stop.cancelled() => return Ok("rules"),
            () = shared.reloaded[1].notified() => {
                since_ms = shared.clock.now_ms();
                continue;
            }
            () = time::sleep(wait) => {}
        }
        let on = Arc::clone(&shared);
        // Not on a worker: rules may take seconds.
        task::spawn_blocking(move || round(&on, since_ms)).await?;
    }
}

/// Evaluates what is due and hands over what they say.
fn round(shared: &Shared, since_ms: i64) {
    let due = {
        let rules = shared.rules();
        // Read under the lock: a step of the clock moves both or neither.
        rules.due(shared.clock.now_ms())
    };
    for due in due.iter().filter(|due| due.at_ms >= since_ms) {
        // One group at a time: whoever asks for the rules does not wait for all.
        let alerts = {
            let mut rules = shared.rules();
            rules.evaluate(due.group, due.at_ms, &shared.store, &shared.engine)
        };
        shared.outbox.put(alerts, &shared.file().alert_relabel);
    }
    if let Some(kept) = shared.rules().snapshot_if_changed() {
        shared.kept.send_replace(Some(Arc::new(kept)));
    }
}
