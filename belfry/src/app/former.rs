//! What a former run left: its series, and what its rules knew.

use rules::{Outage, RuleSet};
use series::Store;

use crate::state::{self, State};

/// The series on the disk, or none where it cannot be read, with the time of their newest
/// sample; what is lost is told.
pub(crate) fn open_series(
    state: &State,
    settings: series::Settings,
    now_ms: i64,
) -> (Store, Option<i64>) {
    let Some(folder) = &state.folder else {
        return (Store::in_memory(settings), None);
    };
    let (store, found) = Store::open(folder.path(), settings);
    if let Some(err) = &found.error {
        tracing::error!("the series cannot be kept on the disk: {err}");
    }
    for fault in &found.faults {
        tracing::warn!("of the series on the disk a part is lost: {fault}");
    }
    // The clock was set back while nobody watched.
    if let Some(newest_ms) = found.newest_ms.filter(|newest_ms| *newest_ms > now_ms) {
        store.shift(now_ms - newest_ms);
    }
    (store, found.newest_ms)
}

/// When the program was seen last, when it has come back, and what that means to alerts
/// that were pending.
pub(crate) struct Away {
    /// The time of the newest sample.
    pub newest_ms: Option<i64>,
    /// That of the start.
    pub now_ms: i64,
    /// What becomes of alerts.
    pub outage: Outage,
}

/// The rules with what they knew before this start; until each of `jobs` has
/// answered, its silence proves nothing.
pub(crate) async fn restored(
    mut rules: RuleSet,
    state: &State,
    jobs: Vec<String>,
    away: Away,
) -> RuleSet {
    let now_ms = away.now_ms;
    let kept = match state::load_rules(&state.pool).await {
        Ok(None) => return rules,
        Ok(Some((saved_ms, body))) => serde_json::from_str(&body)
            .map(|kept| (saved_ms, kept))
            .map_err(anyhow::Error::from),
        Err(err) => Err(err.into()),
    };
    match kept {
        Ok((saved_ms, kept)) => {
            rules.restore(kept, jobs);
            // The clock was set back while nobody watched.
            if saved_ms > now_ms {
                rules.shift(now_ms - saved_ms);
            } else {
                // What rules know is written when it changes, samples are all the time.
                let down_ms = away.newest_ms.unwrap_or(saved_ms).max(saved_ms);
                rules.resume(down_ms.min(now_ms), now_ms, away.outage);
            }
        }
        Err(err) => {
            tracing::error!("cannot read what the rules knew, so they begin anew: {err:#}");
        }
    }
    rules
}
