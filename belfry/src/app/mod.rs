//! The program as a value: [`App::start`], [`App::address`], [`App::stop`].
//!
//! [`App::start`] is the wiring: one straight function that makes each part and
//! hands it what it needs. What the parts share at run time is [`Watch`].

mod backups;
mod collect;
mod discovery;
mod engine;
mod evaluate;
mod facts;
mod foreign;
mod letter;
mod now;
mod own;
mod reload;
mod rule_files;
mod supervise;
mod upkeep;
mod watch;

pub(crate) use collect::Job;
pub(crate) use engine::{socket as engine_socket, version as engine_version};
pub(crate) use letter::test_letter;
pub(crate) use now::{status, view};
pub(crate) use rule_files::load as load_rules;
pub(crate) use watch::Watch;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::cli::Place;
use crate::config::Loaded;
use crate::http;
use crate::state::{self, State};

/// A Belfry at work.
pub(crate) struct App {
    address: SocketAddr,
    watch: Arc<Watch>,
    stop: CancellationToken,
    ended: JoinHandle<anyhow::Result<()>>,
}

impl App {
    /// Starts everything, or fails before anything runs.
    pub(crate) async fn start(loaded: Loaded, place: Place) -> anyhow::Result<Self> {
        let config = &loaded.config;
        let listener = TcpListener::bind(config.listen)
            .await
            .with_context(|| format!("cannot listen on {}", config.listen))?;
        let address = listener.local_addr()?;

        let dir = data_folder(config);
        let state = State::open(&dir).await?;
        if let Some(reason) = &state.in_memory {
            tracing::error!(
                "the data folder cannot be used, so a restart will forget everything: {reason}"
            );
        }
        if let Some(folder) = &state.folder
            && let Err(err) = folder.write_address(address)
        {
            tracing::warn!("cannot write down the address: {err}");
        }

        let grace = config.shutdown_grace;
        let stop = CancellationToken::new();
        let watch = Arc::new(Watch::new(loaded, place, state, address).await?);

        let mut tasks = JoinSet::new();
        tasks.spawn(collect::run(Arc::clone(&watch), stop.clone()));
        tasks.spawn(evaluate::run(Arc::clone(&watch), stop.clone()));
        tasks.spawn(upkeep::run(Arc::clone(&watch), stop.clone()));
        tasks.spawn(discovery::run(Arc::clone(&watch), stop.clone()));
        tasks.spawn(foreign::run(Arc::clone(&watch), stop.clone()));
        let (containers, events_stop) = (watch.containers.clone(), stop.clone());
        tasks.spawn(async move {
            containers.run(events_stop).await;
            Ok("engine events")
        });
        let served = axum::serve(listener, http::router(Arc::clone(&watch)))
            .with_graceful_shutdown(stop.clone().cancelled_owned());
        tasks.spawn(async move {
            served.await.context("the HTTP server failed")?;
            Ok("http")
        });

        let supervised = supervise::supervise(tasks, stop.clone(), grace);
        let closing = Arc::clone(&watch);
        let ended = tokio::spawn(async move {
            let result = supervised.await;
            closing.close(grace).await;
            result
        });
        Ok(Self {
            address,
            watch,
            stop,
            ended,
        })
    }

    /// What is served; the real port where port 0 was asked for.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the parts share.
    pub(crate) fn watch(&self) -> &Arc<Watch> {
        &self.watch
    }

    /// Waits until it ends without having been told to, and says why.
    pub(crate) async fn ended(&mut self) -> anyhow::Result<()> {
        (&mut self.ended).await?
    }

    /// Stops in order: no new work, what runs may finish within the grace
    /// period, then the state is written.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.ended().await
    }
}

/// An alerter that keeps nothing, for a look at the mail servers.
pub(crate) async fn alerter_alone(
    config: &crate::config::Config,
) -> anyhow::Result<alerter::Handle> {
    let parts = alerter::Parts {
        config: config.alerter.clone(),
        mail: config.mail.clone(),
        external_url: config.external_url.clone(),
        pool: state::memory().await?,
        render: Arc::new(|_| alerter::Rendered {
            subject: String::new(),
            text: String::new(),
            html: String::new(),
        }),
        clock: Arc::new(|| jiff::Timestamp::now().as_millisecond()),
    };
    Ok(alerter::Alerter::start(parts).await?)
}

/// Where the running or coming Belfry keeps its data.
pub(crate) fn data_folder(config: &crate::config::Config) -> std::path::PathBuf {
    if config.data.as_os_str().is_empty() {
        state::default_folder()
    } else {
        config.data.clone()
    }
}
