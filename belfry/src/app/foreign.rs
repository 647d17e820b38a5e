//! What the watch scrapes elsewhere: the jobs of its configuration, and the
//! containers that it knows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::Watch;
use crate::scraping::{self, Round, Wanted};

/// How often files are looked at, and the sign of life while nothing happens.
const PULSE: Duration = Duration::from_secs(5);

/// Scrapes until told to stop.
pub(super) async fn run(
    watch: Arc<Watch>,
    stop: CancellationToken,
) -> anyhow::Result<&'static str> {
    let beat = watch.liveness.watch("scrape", PULSE * 24, Instant::now());
    let mut changes = watch.containers.changes();
    let rules = Arc::clone(&watch);
    let answered = Box::new(move |job: &str| rules.rules().answered(job));
    let scraping = Arc::clone(&watch.scraping);
    let mut round = Round::new(scraping, answered, stop.clone());
    loop {
        let config = watch.config();
        let wanted = Wanted {
            jobs: config.rules.scrape.clone(),
            containers: scraping::containers(&watch.containers),
            every: config.interval,
            labelled: config.rules.scrape_labelled,
        };
        round.look(wanted).await?;
        beat.beat(Instant::now());
        tokio::select! {
            () = stop.cancelled() => break,
            () = watch.reloaded.notified() => {}
            Ok(()) = changes.changed() => {}
            () = tokio::time::sleep(PULSE) => {}
        }
    }
    round.end().await;
    Ok("scrape")
}
