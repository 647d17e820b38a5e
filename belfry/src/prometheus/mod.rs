//! `belfry prometheus`: scraping, store, rules and query API alone, with
//! Prometheus' flags and its `prometheus.yml`, alerts going to any Alertmanager.
//!
//! [`Alone::start`] is the wiring; what the parts share at run time is [`Shared`].

mod evaluate;
mod figures;
mod flags;
mod keep;
mod parsed;
mod scrape;
mod serve;
mod shared;
mod sift;
mod source;

pub(crate) use flags::Flags;
pub(crate) use sift::sift;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::app::supervise;
use crate::state::State;
use crate::web::Door;
use crate::{http, sending, silence};
use shared::Shared;
pub(crate) use shared::{Setup, lines};

/// How long a stop may take before what still runs is cut off.
const GRACE: Duration = Duration::from_secs(10);
/// For writing what is in memory there is so long.
const LAST: Duration = Duration::from_secs(5);

/// A Belfry in Prometheus' place, at work.
pub(crate) struct Alone {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: CancellationToken,
    ended: JoinHandle<anyhow::Result<()>>,
}

impl Alone {
    /// Starts everything, or fails before anything runs.
    pub(crate) async fn start(
        flags: Flags,
        setup: Setup,
        door: Option<Arc<Door>>,
    ) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(flags.listen_address)
            .await
            .with_context(|| format!("cannot listen on {}", flags.listen_address))?;
        let address = listener.local_addr()?;
        let setup = if flags.listen_address.port() == address.port() {
            setup
        } else {
            // Only now it is known which address the links in alerts have.
            let (flags, port) = (flags.clone(), address.port());
            tokio::task::spawn_blocking(move || Setup::load(&flags, port))
                .await?
                .map_err(|faults| anyhow::anyhow!(lines(&faults)))?
        };
        let silent = setup.silent.clone();
        let state = State::open(&flags.storage_path).await?;
        if let Some(reason) = &state.in_memory {
            tracing::error!(
                "the data folder cannot be used, so a restart will forget everything: {reason}"
            );
        }
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared::new(flags, setup, state, address, stop.clone()).await);
        if let Some(lack) = silence::told(&silent) {
            tracing::error!("{lack}");
            let of = Arc::clone(&shared);
            let reload = move || {
                let of = Arc::clone(&of);
                async move { of.reload().await }
            };
            let of = Arc::clone(&shared);
            let applied_ms = move || of.reload_state().at_ms;
            tokio::spawn(silence::follow(silent, reload, applied_ms, stop.clone()));
        }
        // Not before: who reads it finds somebody there.
        if let Some(folder) = &shared.state.folder
            && let Err(err) = folder.write_address(address)
        {
            tracing::warn!("cannot write down the address: {err}");
        }
        let mut tasks = JoinSet::new();
        tasks.spawn(scrape::run(Arc::clone(&shared), stop.clone()));
        // Who sends ends after who evaluates, and so tells what that said last.
        let told = CancellationToken::new();
        let (of, until, last) = (Arc::clone(&shared), stop.clone(), told.clone().drop_guard());
        tasks.spawn(async move {
            let _last = last;
            evaluate::run(of, until).await
        });
        let (of, at) = (Arc::clone(&shared), Arc::clone(&shared));
        tasks.spawn(sending::run(
            Arc::clone(&shared.outbox),
            move || of.file().alertmanagers.clone(),
            move |jobs| at.containers(jobs),
            told,
        ));
        tasks.spawn(keep::run(Arc::clone(&shared), stop.clone()));
        let router = serve::router(&shared);
        tasks.spawn(http::serve(listener, router, door, stop.clone()));
        let (closing, closing_stop) = (Arc::clone(&shared), stop.clone());
        let ended = tokio::spawn(async move {
            let (result, _) = supervise::supervise(tasks, closing_stop, || GRACE).await;
            if tokio::time::timeout(LAST, keep::close(&closing))
                .await
                .is_err()
            {
                tracing::error!("stopped before everything was written: the disk does not answer");
            }
            result
        });
        Ok(Self {
            address,
            shared,
            stop,
            ended,
        })
    }

    /// What is served; the real port where port 0 was asked for.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the parts share.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Waits until it ends: because it was told so over HTTP, or by a fault.
    pub(crate) async fn ended(&mut self) -> anyhow::Result<()> {
        (&mut self.ended).await?
    }

    /// Stops in order: no new work, what runs may finish, then what is in memory
    /// is written.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.ended().await
    }
}
