//! Health of others: heartbeats that come in, kept over restarts, and probes.

mod asking;
mod deadman;
mod discover;
mod echo;
mod evidence;
mod heartbeats;
mod peers;
mod probes;
mod services;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use exposition::Writer;
use healthchecks::deadman::Told;
use healthchecks::heartbeat::Book;
use healthchecks::peer::{self, Peers, Sight, Standing, View};
use healthchecks::probe::{Board, Loaded, shipped};
use serde_json::{Value, json};
use tokio::time;
use tokio_util::sync::CancellationToken;

pub(crate) use discover::faults as discover_faults;
pub(crate) use evidence::faults as evidence_faults;
pub(super) use heartbeats::write as write_heartbeats;
pub(crate) use probes::compare as compare_certificate;
pub(crate) use services::{Doubt, answers, doubt, needs, services, with_evidence};

use super::Watch;
use crate::config::Config;
use crate::state::State;

/// A peer that asks how we are waits no longer for what fires here.
const PATIENCE: Duration = Duration::from_millis(500);

/// What is known of the health of others.
#[derive(Debug)]
pub(crate) struct Health {
    /// The heartbeats.
    pub beats: Book,
    /// The probes.
    pub probes: Board,
    /// What URLs elsewhere were told.
    pub told: Told,
    /// The sites of the peers, as they look from here.
    pub abroad: Board,
    /// Targets that stand in somebody else's configuration.
    pub discovered: discover::Discovered,
    /// What came of the expressions that must hold for services.
    pub proofs: evidence::Proofs,
    /// Whether it is known what else asks to be looked at, beside the configuration.
    targets_known: AtomicBool,
    peers: Mutex<Peers>,
}

impl Health {
    /// With what was kept.
    pub(super) async fn new(config: &Config, state: &State, now_ms: i64) -> Self {
        let health = Self {
            beats: heartbeats::restored(config, state, now_ms).await,
            probes: Board::default(),
            told: Told::default(),
            abroad: Board::default(),
            discovered: discover::Discovered::restored(&config.probe.discover, state).await,
            proofs: evidence::Proofs::default(),
            targets_known: AtomicBool::new(false),
            peers: Mutex::new(peers::restored(&config.peer, state, now_ms).await),
        };
        health.configure_probes(config, now_ms);
        health
    }

    /// Puts another configuration in force.
    pub(super) fn configure(&self, config: &Config, now_ms: i64) {
        self.beats
            .configure(&config.heartbeat, &config.timezone, now_ms);
        self.configure_probes(config, now_ms);
    }

    /// The other Belfrys.
    pub(super) fn peers(&self) -> MutexGuard<'_, Peers> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is known what there is to be looked at.
    fn targets_known(&self) -> bool {
        self.targets_known.load(Ordering::Relaxed)
    }

    /// Whether all was looked at once that is on the page of probes: what was not says nothing.
    pub(super) fn all_looked_at(&self, config: &Config) -> bool {
        self.targets_known()
            && self.probes.all_looked_at()
            && self.abroad.all_looked_at()
            && self.peers().were_asked(&config.peer)
    }

    fn configure_probes(&self, config: &Config, now_ms: i64) {
        match config.probe.load() {
            Ok(loaded) => {
                let abroad = Loaded {
                    modules: shipped(),
                    ..Loaded::default()
                };
                let every = config.interval.max(config.peer.interval);
                self.abroad.configure(abroad, every, now_ms);
                self.probes.configure(loaded, config.interval, now_ms);
            }
            // It could be read a moment ago.
            Err(faults) => tracing::error!("the modules of probes cannot be read: {faults:?}"),
        }
    }

    /// Moves all kept times: the wall clock was stepped.
    pub(super) fn shift(&self, delta_ms: i64) {
        self.beats.shift(delta_ms);
        self.probes.shift(delta_ms);
        self.told.shift(delta_ms);
        self.abroad.shift(delta_ms);
        self.peers().shift(delta_ms);
    }
}

/// Does what must be done in the background until told to stop.
pub(super) async fn run(
    watch: Arc<Watch>,
    stop: CancellationToken,
) -> anyhow::Result<&'static str> {
    tokio::join!(
        heartbeats::run(&watch, &stop),
        probes::run(&watch, &stop),
        deadman::run(&watch, &stop),
        peers::run(&watch, &stop),
        evidence::run(&watch, &stop),
        discover::run(&watch, &stop),
    );
    Ok("health")
}

/// All of it for programs.
pub(crate) fn page(watch: &Watch) -> Value {
    let now_ms = watch.clock.now_ms();
    json!({
        "now_ms": now_ms,
        "heartbeats": watch.health.beats.views(now_ms),
        "services": answers(watch),
        "engine": doubt(watch),
        "deadman": watch.health.told.views(),
        "peers": peers(watch),
        "peer_sites": watch.health.abroad.views(now_ms),
        "probes": watch.health.probes.views(now_ms),
        "sites": watch.health.probes.verdicts().into_iter().collect::<std::collections::BTreeMap<_, _>>(),
    })
}

/// The page `/metrics/probe`: probes, and services and peers beside them.
pub(super) fn metrics(watch: &Watch) -> String {
    let mut page = Writer::new();
    write_metrics(watch, &mut page);
    page.finish()
}

/// Adds what stands on that page.
pub(super) fn write_metrics(watch: &Watch, page: &mut Writer) {
    let now_ms = watch.clock.now_ms();
    watch.health.probes.write(now_ms, page);
    healthchecks::service::write(page, &answers(watch));
    let config = watch.config();
    let me = peers::name(&config.peer, config.host_name());
    watch.health.discovered.write(page);
    let looks = watch.health.abroad.views(now_ms);
    let peers = watch.health.peers();
    peers.write(&me, &config.peer, now_ms, page);
    peers.write_sites(&me, &config.peer, &looks, now_ms, page);
}

/// The page `/metrics/heartbeat`: heartbeats that come in, and those that go out.
pub(super) fn heartbeat_metrics(watch: &Watch) -> String {
    let mut page = watch.health.beats.page(watch.clock.now_ms());
    let mut out = Writer::new();
    watch.health.told.write(&mut out);
    page.push_str(&out.finish());
    page
}

/// Whom this Belfry sees, for the others; for the one who asks, how its sites
/// look from here.
pub(crate) async fn sight(watch: &Watch, asker: &str) -> Sight {
    let config = watch.config();
    let me = peers::name(&config.peer, config.host_name());
    let now_ms = watch.clock.now_ms();
    let standing = standing(watch).await;
    let looks = watch.health.abroad.views(now_ms);
    let peers = watch.health.peers();
    Sight {
        sites: peer::shared(&config.peer, &watch.health.probes.loaded()),
        seen: peers.seen(asker, &looks),
        standing,
        ..peers.sight(&me, &config.peer, now_ms)
    }
}

/// How this Belfry is, for those who may have to tell of it.
async fn standing(watch: &Watch) -> Standing {
    // To be slow is not to be dead: who asks is answered without it.
    let alerts = time::timeout(PATIENCE, watch.alerter.alerts()).await;
    let mut firing: Vec<_> = alerts
        .map(Result::unwrap_or_default)
        .unwrap_or_default()
        .iter()
        .filter(|alert| !super::evaluate::is_watchdog(&alert.labels))
        .map(|alert| {
            let name = alert.labels.get("alertname").cloned();
            (super::now::severity(alert), name.unwrap_or_default())
        })
        .collect();
    firing.sort();
    firing.dedup();
    Standing {
        ready: watch.readiness.verdict().ready,
        firing: firing.into_iter().map(|(_, name)| name).collect(),
    }
}

/// What is to be thought of each peer.
pub(super) fn peers(watch: &Watch) -> Vec<View> {
    let config = watch.config();
    let me = peers::name(&config.peer, config.host_name());
    let now_ms = watch.clock.now_ms();
    watch.health.peers().views(&me, &config.peer, now_ms)
}
