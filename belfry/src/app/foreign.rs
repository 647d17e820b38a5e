//! What the watch scrapes elsewhere: the jobs of its configuration, and the
//! containers that it knows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rules::{Container, Network, Port};
use tokio_util::sync::CancellationToken;

use super::Watch;
use crate::scraping::{Round, Wanted};

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
            containers: containers(&watch),
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

/// The containers that run, as far as they may be scraped.
fn containers(watch: &Watch) -> Vec<Container> {
    let all = watch.containers.inventory();
    let running = all.iter().filter(|one| one.state.has_processes());
    let of = |one: &exporter::container::Container| Container {
        id: one.id.clone(),
        name: one.name.clone(),
        service: one.service.clone(),
        labels: one
            .labels
            .iter()
            .chain(&one.wishes)
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        network_mode: one.network_mode.clone(),
        networks: one
            .networks
            .iter()
            .map(|name| Network {
                name: name.clone(),
                address: one.addresses.get(name).cloned().unwrap_or_default(),
            })
            .collect(),
        ports: one
            .ports
            .iter()
            .filter(|port| port.protocol == "tcp")
            .map(|port| Port {
                private: port.private,
                public: port.published.clone(),
            })
            .collect(),
    };
    running.map(|one| of(one)).collect()
}
