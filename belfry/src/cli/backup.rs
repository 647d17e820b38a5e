//! `belfry backup`: what the configuration's jobs say is done here and now, with
//! or without a running Belfry. Runs of one job exclude each other by a lock in
//! the data folder, whoever begins them.

mod attest;
mod copies;
mod coverage;
pub(super) mod init;
mod list;
mod make;
mod noted;
mod pin;
mod prove;
mod prune;
pub(super) mod restore;

use std::time::{SystemTime, UNIX_EPOCH};

use backup::Setup;
use clap::{Args, Subcommand};

use super::Place;
use crate::app::backup_setup as setup;
use crate::config::{self, Config};
use crate::exit::{self, Exit};
use crate::out;

#[derive(Debug, Subcommand)]
pub(super) enum BackupCommand {
    /// Make a backup now
    Run {
        /// The job's name, as belfry.yml gives it
        job: String,
        /// Keep what it makes for so many days, whatever retention says: before an upgrade,
        /// a migration, a move
        #[arg(long, value_name = "DAYS")]
        pin: Option<u32>,
        /// With --pin: what for
        #[arg(long, value_name = "TEXT", requires = "pin")]
        reason: Option<String>,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// List the backups, in all targets at once
    List {
        /// Only of this job
        job: Option<String>,
        /// Print a JSON array
        #[arg(long)]
        json: bool,
    },
    /// Fetch a backup, open it and read it to its end
    Verify {
        #[command(flatten)]
        wanted: Wanted,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Restore a backup into a scratch place, compare it, and remove it again
    Drill {
        #[command(flatten)]
        wanted: Wanted,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Bring the newest backups to targets that lack them
    Replicate {
        /// The job's name, as belfry.yml gives it
        job: String,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Keep a backup for a while, whatever retention says
    Pin {
        /// The job's name, as belfry.yml gives it
        job: String,
        /// `latest`, an id of `belfry backup list`, or a time: the newest that is no younger
        #[arg(long, default_value = "latest")]
        from: String,
        /// For how many days from now
        #[arg(long, default_value_t = 30)]
        days: u32,
        /// What for
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Show that a key which is kept elsewhere opens what is encrypted here
    ///
    /// The key on this host is lost with it. Bring the other one, or type it in.
    Attest {
        /// The file of the key that is kept elsewhere; - reads it from standard input
        #[arg(long, value_name = "FILE", default_value = "-")]
        identity: std::path::PathBuf,
    },
    /// List every volume and database: backed up, excluded or unknown
    ///
    /// Databases are asked for with psql in the containers of PostgreSQL servers, and of the
    /// servers under exporter.postgres.servers.
    Coverage {
        /// Print a JSON array
        #[arg(long)]
        json: bool,
    },
    /// Delete what retention lets go, and say why the rest stays
    Prune {
        /// The job's name, as belfry.yml gives it
        job: String,
        /// Only say what would go
        #[arg(long)]
        dry_run: bool,
        /// Let more than half of the copies go at once, and also good ones go after a run that made nothing
        #[arg(long)]
        force: bool,
        /// Print a JSON array
        #[arg(long)]
        json: bool,
    },
}

/// Which copy of which backup.
#[derive(Debug, Args)]
pub(super) struct Wanted {
    /// The job's name, as belfry.yml gives it
    job: String,
    /// `latest`, an id of `belfry backup list`, or a time: the newest that is no younger
    #[arg(long, default_value = "latest")]
    from: String,
    /// The target to fetch from [default: one that survives this host, if there is one]
    #[arg(long)]
    target: Option<String>,
}

/// Does what was asked.
pub(super) fn run(place: &Place, command: &BackupCommand) -> Result<Exit, Exit> {
    let config = load(place)?;
    let setup = setup(&config);
    let job = match command {
        BackupCommand::Run { job, .. }
        | BackupCommand::Prune { job, .. }
        | BackupCommand::Replicate { job, .. }
        | BackupCommand::Pin { job, .. } => Some(job),
        BackupCommand::Verify { wanted, .. } | BackupCommand::Drill { wanted, .. } => {
            Some(&wanted.job)
        }
        BackupCommand::List { job, .. } => job.as_ref(),
        BackupCommand::Coverage { .. } | BackupCommand::Attest { .. } => None,
    };
    if let Some(name) = job {
        known(&setup, name)?;
    }
    wait(async {
        match command {
            BackupCommand::Run {
                job,
                pin,
                reason,
                json,
            } => {
                let why = reason.as_deref().unwrap_or_default();
                let pin = pin.map(|days| (days, why));
                make::run(&setup, &config, job, pin, *json).await
            }
            BackupCommand::List { job, json } => {
                list::run(&setup, &config, job.as_deref(), *json).await
            }
            BackupCommand::Verify { wanted, json } => {
                prove::verify(&setup, &config, wanted, *json).await
            }
            BackupCommand::Drill { wanted, json } => {
                prove::drill(&setup, &config, wanted, *json).await
            }
            BackupCommand::Replicate { job, json } => {
                make::replicate(&setup, &config, job, *json).await
            }
            BackupCommand::Pin {
                job,
                from,
                days,
                reason,
                json,
            } => {
                let why = reason.as_deref().unwrap_or_default();
                pin::run(&setup, &config, job, (from, *days, why), *json).await
            }
            BackupCommand::Coverage { json } => coverage::run(&setup, &config, *json).await,
            BackupCommand::Attest { identity } => attest::run(&setup, identity).await,
            BackupCommand::Prune {
                job,
                dry_run,
                force,
                json,
            } => prune::run(&setup, &config, job, (*dry_run, *force), *json).await,
        }
    })
}

fn known(setup: &Setup, name: &str) -> Result<(), Exit> {
    if setup.config.job(name).is_some() {
        return Ok(());
    }
    let known: Vec<_> = setup
        .config
        .jobs
        .iter()
        .map(|job| job.name.as_str())
        .collect();
    out::error(format_args!(
        "belfry: no backup job is named {name:?}; there are: {}",
        known.join(", ")
    ));
    Err(exit::USAGE)
}

/// Tells what happens while it does, unless a program wants to read the end.
fn telling(json: bool) -> impl Fn(String) + Sync {
    move |line| {
        if !json {
            out::line(line);
        }
    }
}

/// Says why it could not be done.
fn unable(err: &str) -> Exit {
    out::error(format_args!("belfry: {err}"));
    exit::CRITICAL
}

fn wait(work: impl Future<Output = Exit>) -> Result<Exit, Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = runtime.map_err(|err| {
        out::error(format_args!("belfry: cannot start: {err}"));
        exit::USAGE
    })?;
    let exit = runtime.block_on(async {
        tokio::select! {
            exit = work => exit,
            // Letting go of the work starts again what it had stopped.
            () = told_to_end() => {
                out::error("belfry: told to end; what was begun is given up");
                exit::CRITICAL
            }
        }
    });
    // A target that hangs must not hold up the end.
    runtime.shutdown_background();
    Ok(exit)
}

/// Ends when a signal says that we should.
async fn told_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    let wait = async |kind| match signal(kind) {
        Ok(mut signals) => {
            signals.recv().await;
        }
        Err(_) => std::future::pending().await,
    };
    tokio::select! {
        () = wait(SignalKind::interrupt()) => {}
        () = wait(SignalKind::terminate()) => {}
    }
}

/// A faulty configuration backs nothing up: half of it may be what is wrong.
fn load(place: &Place) -> Result<Config, Exit> {
    config::load(place)
        .map(|loaded| loaded.config)
        .map_err(|err| {
            out::error(format_args!(
                "{}\nbelfry: the configuration is at fault; nothing was done",
                out::told(&err, &std::io::stderr())
            ));
            exit::USAGE
        })
}

/// The wall clock, in milliseconds since 1970.
fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
