//! What the rules knew before this start.

use rules::RuleSet;

use super::Job;
use crate::config::Config;
use crate::state::{self, State};

/// The rules with what they knew before this start.
pub(super) async fn restored(
    mut rules: RuleSet,
    state: &State,
    config: &Config,
    now_ms: i64,
) -> RuleSet {
    let kept = match state::load_rules(&state.pool).await {
        Ok(None) => return rules,
        Ok(Some((saved_ms, body))) => serde_json::from_str(&body)
            .map(|kept| (saved_ms, kept))
            .map_err(anyhow::Error::from),
        Err(err) => Err(err.into()),
    };
    match kept {
        Ok((saved_ms, kept)) => {
            let foreign = config.rules.scrape.iter().map(|job| job.name().to_owned());
            let own = Job::ALL.iter().map(|job| job.as_str().to_owned());
            rules.restore(kept, own.chain(foreign));
            // The clock was set back while nobody watched.
            if saved_ms > now_ms {
                rules.shift(now_ms - saved_ms);
            }
        }
        Err(err) => {
            tracing::error!("cannot read what the rules knew, so they begin anew: {err:#}");
        }
    }
    rules
}
