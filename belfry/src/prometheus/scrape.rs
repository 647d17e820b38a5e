//! Keeps at what the configuration wants to have scraped.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Shared;
use crate::scraping::{Round, Wanted};

/// How often files and containers are looked at.
const PULSE: Duration = Duration::from_secs(5);

/// Scrapes until told to stop.
pub(super) async fn run(
    shared: Arc<Shared>,
    stop: CancellationToken,
) -> anyhow::Result<&'static str> {
    let rules = Arc::clone(&shared);
    let answered = Box::new(move |job: &str| rules.rules().answered(job));
    let mut round = Round::new(Arc::clone(&shared.scraping), answered, stop.clone());
    loop {
        let file = shared.file();
        let wanted = Wanted {
            containers: shared.containers(&file.jobs),
            jobs: file.jobs.clone(),
            every: file.scrape_interval,
            labelled: false,
        };
        round.look(wanted).await?;
        tokio::select! {
            () = stop.cancelled() => break,
            () = shared.reloaded[0].notified() => {}
            () = tokio::time::sleep(PULSE) => {}
        }
    }
    round.end().await;
    Ok("scrape")
}
