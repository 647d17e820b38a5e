//! Keeping what collectors counted over a restart: Celery's events are told
//! once, and the lines of a log are read once.

use std::fmt::Display;
use std::time::Duration;

use std::sync::Arc;

use tokio::time;
use tokio_util::sync::CancellationToken;

use super::Watch;
use crate::state;

/// A crash may lose so much of Celery's counts; those of logs are made up for.
const EVERY: Duration = Duration::from_secs(30);
/// A disk that takes longer is reported as failing.
const DEADLINE: Duration = Duration::from_secs(5);

/// What is kept of each part.
#[derive(Default)]
pub(super) struct Kept {
    celery: Option<String>,
    api: Option<String>,
    log: Option<String>,
}

/// The names of parts in the table.
const API: &str = "api";
const LOG: &str = "log";

impl Watch {
    /// Goes on with what an earlier process counted.
    pub(super) async fn restore_counts(&self) {
        let pool = &self.state.pool;
        let readers = &self.readers;
        let celery = state::load_celery(pool).await;
        restore("Celery", celery, |kept| readers.celery.restore(kept));
        let api = state::load_counts(pool, API).await;
        restore("access logs", api, |kept| readers.api.restore(kept));
        let log = state::load_counts(pool, LOG).await;
        restore("logs", log, |kept| readers.logs.restore(kept));
    }

    /// Writes the counts, unless they are as they were. Returns what is kept.
    pub(super) async fn keep_counts(&self, before: Kept) -> Kept {
        let pool = &self.state.pool;
        let celery = fresh(self.readers.celery.snapshot(), &before.celery);
        let api = fresh(self.readers.api.snapshot(), &before.api);
        let log = fresh(self.readers.logs.snapshot(), &before.log);
        let mut kept = before;
        if let Some(body) = celery
            && self
                .kept("counts of Celery", state::save_celery(pool, &body))
                .await
        {
            kept.celery = Some(body);
        }
        if let Some(body) = api
            && self
                .kept(
                    "counts of access logs",
                    state::save_counts(pool, API, &body),
                )
                .await
        {
            kept.api = Some(body);
        }
        if let Some(body) = log
            && self
                .kept("counts of logs", state::save_counts(pool, LOG, &body))
                .await
        {
            kept.log = Some(body);
        }
        kept
    }

    async fn kept(
        &self,
        what: &'static str,
        saved: impl Future<Output = sqlx::Result<()>>,
    ) -> bool {
        match time::timeout(DEADLINE, saved).await {
            Ok(Ok(())) => {
                self.state_written();
                return true;
            }
            Ok(Err(err)) => self.state_failed(what, &err),
            Err(_) => self.state_failed(what, &"the disk does not answer"),
        }
        false
    }
}

/// The counts, where they are not as they were.
fn fresh(counts: Option<String>, before: &Option<String>) -> Option<String> {
    counts.filter(|counts| before.as_ref() != Some(counts))
}

fn restore<E: Display>(
    what: &str,
    kept: Result<Option<String>, E>,
    take: impl FnOnce(&str) -> Result<(), String>,
) {
    let restored = kept
        .map_err(|err| err.to_string())
        .and_then(|kept| kept.map_or(Ok(()), |kept| take(&kept)));
    if let Err(err) = restored {
        tracing::error!("cannot read what was counted of {what}, so it begins anew: {err}");
    }
}

/// Writes now and then until told to stop. The last time is up to who stops us.
pub(super) async fn run(
    watch: Arc<Watch>,
    stop: CancellationToken,
) -> anyhow::Result<&'static str> {
    let mut kept = Kept::default();
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok("counts"),
            () = time::sleep(EVERY) => {}
        }
        kept = watch.keep_counts(kept).await;
    }
}
