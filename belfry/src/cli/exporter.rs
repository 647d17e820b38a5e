//! `belfry exporter`: the exporters alone, until a signal or a fault ends it.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::Place;
use crate::app::{Exporters, Job};
use crate::config::{self, Loaded};
use crate::daemon::{self, Signals};
use crate::exit::{self, Exit};
use crate::web::{self, Door};
use crate::{log, out};

/// Which exporters.
#[derive(Debug, Args)]
pub(super) struct Exporter {
    /// Run these collectors and no others, parted by commas: host, container,
    /// api, log, postgres, redis, celery
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = collector)]
    only: Vec<Job>,
    /// Run all but these
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = collector)]
    without: Vec<Job>,
    /// How the pages are served: TLS, logins and header fields, in the form of
    /// Prometheus' exporters
    #[arg(long = "web.config.file", value_name = "FILE")]
    web_config: Option<PathBuf>,
}

fn collector(name: &str) -> Result<Job, String> {
    let mut all = Exporters::JOBS.into_iter();
    all.find(|job| job.as_str() == name).ok_or_else(|| {
        let names = Exporters::JOBS.map(Job::as_str);
        format!("there are: {}", names.join(", "))
    })
}

impl Exporter {
    fn collectors(&self, config: &config::Config) -> Vec<Job> {
        let all = Exporters::JOBS.into_iter();
        all.filter(|job| self.only.is_empty() || self.only.contains(job))
            .filter(|job| !self.without.contains(job) && !config.exporter.leaves_out(*job))
            .collect()
    }
}

/// Runs; a configuration that is at fault ends it before anything starts.
pub(super) fn run(place: &Place, which: &Exporter) -> Exit {
    if place.data.is_some() {
        out::error("belfry: the exporters alone keep no data; leave --data out");
        return exit::USAGE;
    }
    let loaded = match config::load(place) {
        Ok(loaded) => loaded,
        Err(err) => {
            out::error(format_args!(
                "{}\nbelfry: the configuration is at fault; nothing was started",
                out::told(&err, &std::io::stderr())
            ));
            return exit::USAGE;
        }
    };
    let door = match web::door(which.web_config.as_deref()) {
        Ok(door) => door,
        Err(reason) => {
            out::error(reason);
            return exit::USAGE;
        }
    };
    let log = log::start(loaded.config.log.level, log::Form::Text);
    let collectors = which.collectors(&loaded.config);
    daemon::run(&log, 16, serve(loaded, place.clone(), collectors, door))
}

async fn serve(
    loaded: Loaded,
    place: Place,
    collectors: Vec<Job>,
    door: Option<Arc<Door>>,
) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let stop = CancellationToken::new();
    let (tell, told) = oneshot::channel();
    let scheme = web::scheme(door.as_ref());
    let shown = (collectors, door);
    let running = Exporters::run(loaded, place, shown, stop.clone(), move |address, here| {
        out::line(format_args!(
            "belfry {} exports\npages  {scheme}://{address}/metrics",
            env!("CARGO_PKG_VERSION")
        ));
        for job in here.jobs() {
            let name = job.as_str();
            out::line(format_args!("       {scheme}://{address}/metrics/{name}"));
        }
        let _ = tell.send(here);
    });
    let mut running = tokio::spawn(running);
    let exporters = tokio::select! {
        here = told => here.ok(),
        () = signals.end() => return Ok(()),
    };
    loop {
        tokio::select! {
            _ = signals.terminate.recv() => break,
            _ = signals.interrupt.recv() => break,
            _ = signals.hangup.recv() => {
                let Some(exporters) = exporters.as_ref().map(Arc::clone) else { continue };
                // Not awaited here: a file that cannot be read must not hold up
                // the signals.
                tokio::spawn(async move {
                    match exporters.reload().await {
                        Ok(()) => tracing::info!("configuration reloaded"),
                        Err(reason) => {
                            tracing::error!("the configuration was refused, the old one stays: {reason}");
                        }
                    }
                });
            }
            ended = &mut running => return ended.context("the exporters failed")?,
        }
    }
    tracing::info!("stopping; a second signal ends at once");
    stop.cancel();
    tokio::select! {
        ended = &mut running => ended.context("the exporters failed")?,
        () = signals.end() => Err(anyhow::anyhow!("ended at once by a second signal")),
    }
}
