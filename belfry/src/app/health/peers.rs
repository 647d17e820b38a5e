//! Asking the other Belfrys whether they live, and whom they see.

mod kept;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use healthchecks::peer::{Config, Peer, Sight};
use healthchecks::probe::{self, Http, Protocol};
use tokio::task::JoinSet;
use tokio::time;
use tokio_util::sync::CancellationToken;

pub(super) use kept::restored;

use super::super::Watch;
use kept::Written;

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
    let mut written = Written::before(watch).await;
    loop {
        beat.beat(Instant::now());
        tokio::select! {
            () = stop.cancelled() => {
                written.keep(watch, true).await;
                return;
            }
            () = time::sleep(IDLE.min(watch.config().peer.interval)) => {}
        }
        let config = watch.config();
        watch.health.peers().retain(&config.peer);
        let due = asked.is_none_or(|at| at.elapsed() >= config.peer.interval);
        if config.peer.peers.is_empty() {
            watch.health.abroad.found(Vec::new(), watch.clock.now_ms());
            written.keep(watch, false).await;
            continue;
        }
        if !due {
            continue;
        }
        asked = Some(Instant::now());
        let me = name(&config.peer, config.host_name());
        watch
            .health
            .peers()
            .ask(&me, &config.peer, watch.clock.now_ms());
        let mut asking = JoinSet::new();
        for peer in config.peer.peers.clone() {
            // All are answered or given up before the next round.
            let patience = config.peer.interval.min(Duration::from_secs(10));
            let (me, token) = (me.clone(), config.peer.token.clone());
            asking.spawn(async move {
                let answer = ask(&peer, &me, &token, patience).await;
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
        written.keep(watch, false).await;
        let sites = match config.peer.look {
            true => watch.health.peers().targets(),
            false => Vec::new(),
        };
        watch.health.abroad.found(sites, watch.clock.now_ms());
        // Only then it is known what else there is to look at.
        watch.health.peers().asked();
    }
}

/// Asks a peer, in our name: it also tells how our sites look from there.
async fn ask(
    peer: &Peer,
    me: &str,
    token: &settings::Secret,
    patience: Duration,
) -> anyhow::Result<Sight> {
    let mut http = Http {
        preferred_ip_protocol: Protocol::Ip4,
        ..Http::default()
    };
    http.tls_config.ca_file.clone_from(&peer.ca_file);
    http.headers
        .insert("X-Belfry-Peer".to_owned(), me.to_owned());
    http.bearer_token.clone_from(token);
    let url = format!("{}/health/peer", peer.url.trim_end_matches('/'));
    let body = probe::fetch(&url, &http, patience, MOST).await;
    let body = body.map_err(|failure| anyhow::anyhow!("{failure}"))?;
    Sight::read(&body).context("this is no Belfry")
}

/// The name by which the others call this one.
pub(super) fn name(config: &Config, host: String) -> String {
    if config.name.is_empty() {
        host
    } else {
        config.name.clone()
    }
}
