//! Asking the other Belfrys whether they live, and whom they see.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use healthchecks::peer::{Config, Peer, Sight};
use tokio::task::JoinSet;
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::super::Watch;

/// A reload is noticed by then.
const IDLE: Duration = Duration::from_secs(2);
/// An answer is shorter than this, in bytes.
const MOST: usize = 64 << 10;

/// Asks until told to stop.
pub(super) async fn run(watch: &Arc<Watch>, stop: &CancellationToken) {
    let beat = watch
        .liveness
        .watch("peers", Duration::from_secs(120), Instant::now());
    let mut asked: Option<Instant> = None;
    loop {
        beat.beat(Instant::now());
        tokio::select! {
            () = stop.cancelled() => return,
            () = time::sleep(IDLE.min(watch.config().peer.interval)) => {}
        }
        let config = watch.config();
        watch.health.peers().retain(&config.peer);
        let due = asked.is_none_or(|at| at.elapsed() >= config.peer.interval);
        if config.peer.peers.is_empty() || !due {
            continue;
        }
        asked = Some(Instant::now());
        let mut asking = JoinSet::new();
        for peer in config.peer.peers.clone() {
            // All are answered or given up before the next round.
            let patience = config.peer.interval.min(Duration::from_secs(10));
            asking.spawn(async move {
                let answer = time::timeout(patience, ask(&peer)).await;
                let answer = answer.unwrap_or_else(|_| Err(anyhow::anyhow!("no answer in time")));
                (peer, answer)
            });
        }
        while let Some(asked) = asking.join_next().await {
            let Ok((peer, answer)) = asked else { continue };
            let now_ms = watch.clock.now_ms();
            let mut peers = watch.health.peers();
            match answer {
                Ok(sight) => peers.answered(&peer.name, sight, now_ms),
                Err(err) => peers.silent(&peer.name, &format!("{err:#}")),
            }
        }
    }
}

async fn ask(peer: &Peer) -> anyhow::Result<Sight> {
    let client = reqwest::Client::builder().no_proxy();
    let url = format!("{}/health/peer", peer.url.trim_end_matches('/'));
    let answer = client.build()?.get(url).send().await;
    let mut answer = answer
        .and_then(reqwest::Response::error_for_status)
        .map_err(reqwest::Error::without_url)?;
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(reqwest::Error::without_url)? {
        body.extend_from_slice(&piece);
        anyhow::ensure!(body.len() <= MOST, "the answer is too long");
    }
    serde_json::from_slice(&body).context("this is no Belfry")
}

/// The name by which the others call this one.
pub(super) fn name(config: &Config, host: String) -> String {
    if config.name.is_empty() {
        host
    } else {
        config.name.clone()
    }
}
