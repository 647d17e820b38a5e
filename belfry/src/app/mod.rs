//! The program as a value: [`App::start`], [`App::address`], [`App::stop`].
//!
//! [`App::start`] is the wiring: one straight function that makes each part and
//! hands it what it needs. What the parts share at run time is [`Watch`].

pub(crate) mod backed_up;
mod backups;
mod beats;
mod collect;
mod context;
mod counts;
mod desk;
mod discovery;
mod early;
mod engine;
mod evaluate;
mod exporters;
mod facts;
mod families;
mod foreign;
pub(crate) mod former;
mod health;
mod jobs;
mod keeper;
mod letter;
pub(crate) mod logs;
mod notices;
mod now;
mod own;
mod pages;
pub(crate) mod people;
mod query;
mod readers;
mod reload;
mod samples;
mod servers;
pub(crate) mod supervise;
mod through;
mod ticket;
pub(crate) mod unmatched;
mod upkeep;
mod watch;
mod watched;
pub(crate) mod why;

pub(crate) use beats::faults as beat_faults;
pub(crate) use collect::Job;
pub(crate) use desk::{Desk, Site};
pub(crate) use engine::{
    socket as engine_socket, unheeded as engine_unheeded, version as engine_version,
};
pub(crate) use exporters::Exporters;
pub(crate) use health::{
    Doubt, compare_certificate, discover_faults, doubt, evidence_faults, page as health_page,
    services, sight, with_evidence,
};
pub(crate) use jobs::{
    drilled as backup_drilled, faults as job_faults, not_begun as backup_not_begun,
    outcome as backup_outcome, setup as backup_setup, verified as backup_verified,
    zone as backup_zone,
};
pub(crate) use letter::test_letter;
pub(crate) use notices::{Notices, Wants};
pub(crate) use now::{status, view};
pub(crate) use own::{process as process_figures, write_series as series_figures};
pub(crate) use pages::{Panicked, Text};
pub(crate) use query::source as query_source;
pub(crate) use ticket::Tickets;
pub(crate) use watch::Watch;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use readers::Readers;

use crate::cli::Place;
use crate::config::Loaded;
use crate::state::{self, State};
use crate::{http, scraping, sending, silence};

/// For writing what is in memory there is at least so long, whatever draining took.
const LEAST_REST: Duration = Duration::from_secs(1);

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

        for remark in &loaded.remarks {
            tracing::warn!("{remark}");
        }
        let (lack, silent) = (loaded.lack(), loaded.silent.clone());
        if let Some(reason) = engine::unheeded(config) {
            tracing::warn!("{reason}");
        }
        let dir = data_folder(config);
        let state = State::open(&dir).await?;
        if let Some(reason) = &state.in_memory {
            tracing::error!(
                "the data folder cannot be used, so a restart will forget everything: {reason}"
            );
        }
        let stop = CancellationToken::new();
        let watch = Arc::new(Box::pin(Watch::new(loaded, place, state, address)).await?);
        watch.restore_counts().await;
        if let Some(lack) = lack {
            tracing::error!("{lack}");
            watch.own.reloaded(Some(lack), watch.clock.now_ms());
            let of = Arc::clone(&watch);
            let reload = move || {
                let of = Arc::clone(&of);
                async move { of.reload().await }
            };
            let of = Arc::clone(&watch);
            let applied_ms = move || of.own.reloaded_ms();
            tokio::spawn(silence::follow(silent, reload, applied_ms, stop.clone()));
        }
        // Not before: who reads it finds somebody there.
        if let Some(folder) = &watch.state.folder
            && let Err(err) = folder.write_address(address)
        {
            tracing::warn!("cannot write down the address: {err}");
        }

        let mut tasks = JoinSet::new();
        tasks.spawn(collect::run(Arc::clone(&watch), stop.clone()));
        // Who sends ends after who evaluates, and so tells what that said last.
        let told = CancellationToken::new();
        let (of, until, last) = (Arc::clone(&watch), stop.clone(), told.clone().drop_guard());
        tasks.spawn(async move {
            let _last = last;
            evaluate::run(of, until).await
        });
        tasks.spawn(upkeep::run(Arc::clone(&watch), stop.clone()));
        tasks.spawn(discovery::run(Arc::clone(&watch), stop.clone()));
        tasks.spawn(foreign::run(Arc::clone(&watch), stop.clone()));
        let (of, at) = (Arc::clone(&watch), Arc::clone(&watch));
        tasks.spawn(sending::run(
            Arc::clone(&watch.outbox),
            move || of.elsewhere().alertmanagers.clone(),
            move |_| scraping::containers(&at.containers),
            told,
        ));
        tasks.spawn(keeper::run(Arc::clone(&watch), stop.clone()));
        tasks.spawn(notices::run(Arc::clone(&watch), stop.clone()));
        tasks.spawn(jobs::run(Arc::clone(&watch), stop.clone()));
        tasks.spawn(health::run(Arc::clone(&watch), stop.clone()));
        let (alerter, alerter_stop) = (watch.alerter.clone(), stop.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = alerter_stop.cancelled() => Ok("alerter"),
                () = alerter.ended() => anyhow::bail!("the alerter has ended, nobody would be paged"),
            }
        });
        let (containers, events_stop) = (watch.containers.clone(), stop.clone());
        tasks.spawn(async move {
            containers.run(events_stop).await;
            Ok("engine events")
        });
        for job in Readers::JOBS {
            let (watch, stop) = (Arc::clone(&watch), stop.clone());
            tasks.spawn(async move {
                watch.readers.run(job, stop).await;
                Ok(job.as_str())
            });
        }
        tasks.spawn(counts::run(Arc::clone(&watch), stop.clone()));
        tasks.spawn(servers::run(watch.ground(), stop.clone()));
        let router = http::router(Arc::clone(&watch));
        tasks.spawn(http::serve(listener, router, None, stop.clone()));

        let (closing, closing_stop) = (Arc::clone(&watch), stop.clone());
        let ended = tokio::spawn(async move {
            let grace = || closing.config().shutdown_grace;
            let (result, drained) = supervise::supervise(tasks, closing_stop, grace).await;
            // What draining took is gone; a little is left in any case.
            let rest = grace().saturating_sub(drained).max(LEAST_REST);
            closing.close(rest).await;
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
        ack_link: None,
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
