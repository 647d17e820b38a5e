//! Targets elsewhere that the configuration names, each in a rhythm of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rules::{Foreign, Intake};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Watch;

/// Sign of life while nothing happens.
const PULSE: Duration = Duration::from_secs(30);

/// Scrapes until told to stop; another configuration begins anew.
pub(super) async fn run(
    watch: Arc<Watch>,
    stop: CancellationToken,
) -> anyhow::Result<&'static str> {
    let beat = watch.liveness.watch("scrape", PULSE * 4, Instant::now());
    let client = reqwest::Client::builder()
        .user_agent(concat!("belfry/", env!("CARGO_PKG_VERSION")))
        .no_proxy()
        .build()?;
    let mut targets: Vec<Foreign> = Vec::new();
    let mut round = CancellationToken::new();
    let mut tasks = JoinSet::new();
    loop {
        let config = watch.config();
        let wanted = config.rules.foreign(config.interval);
        if wanted != targets {
            round.cancel();
            tasks.shutdown().await;
            round = stop.child_token();
            take_over(&watch, &targets, &wanted);
            targets = wanted;
            for target in targets.clone() {
                let (watch, client, round) = (Arc::clone(&watch), client.clone(), round.clone());
                tasks.spawn(async move { scrape(&watch, &client, &target, &round).await });
            }
        }
        beat.beat(Instant::now());
        tokio::select! {
            () = stop.cancelled() => break,
            () = watch.reloaded.notified() => {}
            () = tokio::time::sleep(PULSE) => {}
        }
    }
    tasks.shutdown().await;
    Ok("scrape")
}

async fn scrape(
    watch: &Watch,
    client: &reqwest::Client,
    target: &Foreign,
    stop: &CancellationToken,
) {
    let take = |page: Result<&str, &str>, took| {
        let now_ms = watch.clock.now_ms();
        let mut intakes = watch.intakes();
        if let Some(intake) = intakes.iter_mut().find(|intake| is(intake, target)) {
            intake.take(page, now_ms, took, &watch.store);
        }
    };
    target.run(client, stop, take).await;
}

/// Ends the series of targets that are gone, and makes room for new ones.
fn take_over(watch: &Watch, before: &[Foreign], now: &[Foreign]) {
    let now_ms = watch.clock.now_ms();
    let mut intakes = watch.intakes();
    intakes.retain_mut(|intake| {
        let was = before.iter().any(|target| is(intake, target));
        let stays = now.iter().any(|target| *intake.target() == target.target);
        if was && !stays {
            intake.end(now_ms, &watch.store);
        }
        !was || stays
    });
    for target in now {
        if !intakes.iter().any(|intake| is(intake, target)) {
            intakes.push(Intake::new(target.target.clone()));
        }
    }
}

fn is(intake: &Intake, target: &Foreign) -> bool {
    let have = intake.target();
    have.job == target.target.job && have.instance == target.target.instance
}
