//! What is known of peers, on the disk: a restart forgets no host that is dead.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use healthchecks::peer::{Config, Kept, Peers};
use tokio::time;

use super::super::super::Watch;
use crate::state::{self, State};

/// It is written so often, and at once where a peer comes or goes.
const EVERY: Duration = Duration::from_secs(60);
/// A disk that takes longer is reported as failing.
const DEADLINE: Duration = Duration::from_secs(5);

/// The peers with what was kept of them.
pub(in super::super) async fn restored(config: &Config, state: &State, now_ms: i64) -> Peers {
    let mut peers = Peers::default();
    match state::load_peers(&state.pool).await {
        Ok(kept) => peers.restore(kept, config, now_ms),
        Err(err) => tracing::error!("cannot read what was kept of peers, so all are new: {err}"),
    }
    peers.retain(config);
    peers
}

/// What was written, and when.
pub(super) struct Written {
    peers: BTreeMap<String, Kept>,
    at: Option<Instant>,
}

impl Written {
    /// What is on the disk at the start.
    pub(super) async fn before(watch: &Watch) -> Self {
        let loaded = time::timeout(DEADLINE, state::load_peers(&watch.state.pool)).await;
        Self {
            peers: loaded.ok().and_then(Result::ok).unwrap_or_default(),
            at: None,
        }
    }

    /// Writes what is known where it is time for that, or all of it if `last`.
    pub(super) async fn keep(&mut self, watch: &Watch, last: bool) {
        let peers = {
            let config = watch.config();
            let me = super::name(&config.peer, config.host_name());
            let peers = watch.health.peers();
            peers.kept(&me, &config.peer, watch.clock.now_ms())
        };
        if peers == self.peers || !(last || self.is_due(&peers)) {
            return;
        }
        // What cannot be written now is tried again with the next round.
        match time::timeout(DEADLINE, state::save_peers(&watch.state.pool, &peers)).await {
            Ok(Ok(())) => {
                watch.state_written();
                *self = Self {
                    peers,
                    at: Some(Instant::now()),
                };
            }
            Ok(Err(err)) => watch.state_failed("peers", &err),
            Err(_) => watch.state_failed("peers", &"the disk does not answer"),
        }
    }

    /// Whether somebody came or went, or changed otherwise than by answering, or it was long ago.
    fn is_due(&self, peers: &BTreeMap<String, Kept>) -> bool {
        let like = |(name, kept): (&String, &Kept)| {
            let before = self.peers.get(name);
            before.is_some_and(|before| {
                (before.seen, before.ours, &before.standing)
                    == (kept.seen, kept.ours, &kept.standing)
            })
        };
        peers.len() != self.peers.len()
            || !peers.iter().all(like)
            || self.at.is_none_or(|at| at.elapsed() >= EVERY)
    }
}
