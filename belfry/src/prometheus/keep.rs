//! What must be kept: series and the state of the rules, on the disk; and the
//! clock followed.

use std::sync::Arc;
use std::time::Duration;

use rules::Kept;
use series::{Flushed, RolledUp};
use tokio::{task, time};
use tokio_util::sync::CancellationToken;

use super::Shared;
use crate::memory;
use crate::state;

/// How much a crash may lose of the series.
const FLUSH: Duration = Duration::from_secs(15);
/// Retention and the memory cap need no more than this.
const MAINTAIN: u32 = 8;
/// A disk that takes longer is reported as failing.
const DEADLINE: Duration = Duration::from_secs(5);

/// Keeps until told to stop.
pub(super) async fn run(
    shared: Arc<Shared>,
    stop: CancellationToken,
) -> anyhow::Result<&'static str> {
    let mut states = shared.kept.subscribe();
    states.mark_changed();
    let mut ticks = time::interval(FLUSH);
    ticks.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    let mut round = 0_u32;
    let mut failing = false;
    let mut flushing: Option<task::JoinHandle<()>> = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok("keep"),
            changed = states.changed() => {
                changed?;
                let kept = states.borrow_and_update().clone();
                if let Some(kept) = kept && !write(&shared, &kept, &mut failing).await {
                    // Tried again with the next tick, or with what is newer by then.
                    tokio::select! {
                        () = stop.cancelled() => return Ok("keep"),
                        _ = ticks.tick() => {}
                    }
                    states.mark_changed();
                }
            }
            _ = ticks.tick() => {
                follow_clock(&shared);
                round = round.wrapping_add(1);
                // A disk that hangs costs one thread, however long it does.
                if flushing.as_ref().is_none_or(task::JoinHandle::is_finished) {
                    let on = Arc::clone(&shared);
                    flushing = Some(task::spawn_blocking(move || flush(&on)));
                }
                if round.is_multiple_of(MAINTAIN) || shared.store.is_pressed() {
                    for shed in shared.store.maintain(shared.clock.now_ms()).shed {
                        tracing::error!(
                            name = &*shed.name,
                            series = shed.series,
                            "a family of metrics was given up for want of memory"
                        );
                    }
                }
            }
        }
    }
}

/// Writes what is in memory, when all tasks have ended.
pub(super) async fn close(shared: &Arc<Shared>) {
    if let Some(folder) = &shared.state.folder {
        folder.remove_address();
    }
    let kept = shared.rules().snapshot();
    write(shared, &kept, &mut false).await;
    let on = Arc::clone(shared);
    let _ = task::spawn_blocking(move || flush(&on)).await;
    shared.state.pool.close().await;
}

fn flush(shared: &Shared) {
    match shared.store.flush() {
        Ok(Flushed::Recovered(_)) => {
            tracing::info!("the series are written to the disk again");
        }
        Ok(_) => {}
        Err(err) => tracing::error!("the series stay in memory: {err}"),
    }
    // After the samples: these come first where there is little room.
    match shared.store.roll_up(shared.clock.now_ms()) {
        Ok(RolledUp {
            recovered: true, ..
        }) => tracing::info!("roll-ups are written to the disk again"),
        Ok(_) => {}
        Err(err) => tracing::error!("{err}"),
    }
    match shared.store.put_away(shared.clock.now_ms()) {
        Ok(put) => {
            for fault in &put.lost {
                tracing::error!("samples are lost: {fault}");
            }
            if put.recovered {
                tracing::info!("samples are put away on the disk again");
            }
            if put.written > 0 {
                memory::give_back();
            }
        }
        Err(err) => tracing::error!("older samples stay in memory: {err}"),
    }
}

/// When the wall clock was stepped, everybody who keeps times is moved with it.
fn follow_clock(shared: &Shared) {
    if !shared.clock.is_stepped() {
        return;
    }
    let mut rules = shared.rules();
    let mut step = None;
    shared.scraping.shift_with(|| {
        step = shared.clock.follow();
        if let Some(delta_ms) = step {
            shared.store.shift(delta_ms);
        }
        step
    });
    if let Some(delta_ms) = step {
        tracing::warn!(
            delta_ms,
            "the wall clock was stepped; all kept times move with it"
        );
        rules.shift(delta_ms);
    }
}

async fn write(shared: &Shared, kept: &Kept, failing: &mut bool) -> bool {
    let body = match serde_json::to_string(kept) {
        Ok(body) => body,
        Err(err) => {
            tracing::error!("the state of the rules cannot be written: {err}");
            // Another try would fail alike.
            return true;
        }
    };
    let now_ms = shared.clock.now_ms();
    let saved = state::save_rules(&shared.state.pool, &body, now_ms);
    let reason = match time::timeout(DEADLINE, saved).await {
        Ok(Ok(())) => {
            *failing = false;
            return true;
        }
        Ok(Err(err)) => err.to_string(),
        Err(_) => "the disk does not answer".to_owned(),
    };
    if !std::mem::replace(failing, true) {
        tracing::error!("the state of the rules cannot be written: {reason}");
    }
    false
}
