//! One run of a job: from its source into its targets, committed by manifests.

mod database;
mod doubt;
mod globals;
mod last;
mod lock;
mod sink;
mod size;
mod tree;
mod turn;
mod unchanged;
mod work;

use std::sync::Mutex;

use tokio::time::Instant;

use crate::id::Id;
use crate::manifest::Manifest;
use crate::{Job, Setup};

pub(crate) use last::has_failed;
pub use lock::{Lock, Taken};
use sink::Sink;
pub(crate) use unchanged::mark as mark_unchanged;
use work::{Made, Work};

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Every target has it.
    Good,
    /// It is there, but a target lacks it, it is doubted, or what was stopped for it
    /// is not started again.
    Partly,
    /// There is nothing.
    Failed,
}

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Report {
    /// The backup's id.
    pub id: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What it is, if it is anywhere.
    pub manifest: Option<Manifest>,
    /// Whether it is an earlier one that holds just what is there: nothing was stored.
    pub unchanged: bool,
    /// What each target says, in the order of the configuration.
    pub targets: Vec<(String, Result<(), String>)>,
    /// Why it failed, in one line.
    pub error: Option<String>,
    /// What was stopped for it and is not started again, and commands after it that failed.
    pub left: Vec<String>,
}

/// Told what happens while it happens.
pub type Say<'a> = &'a (dyn Fn(String) + Send + Sync);

/// Runs a job. `now` tells the time in milliseconds since 1970.
///
/// # Errors
/// Only when another run of this job goes on, or its lock cannot be had; everything else
/// is in the report.
pub async fn run(
    setup: &Setup,
    job: &Job,
    now: &(dyn Fn() -> i64 + Send + Sync),
    say: Say<'_>,
) -> Result<Report, Taken> {
    let _lock = Lock::take(&setup.work, &job.name)?;
    last::begun(setup, &job.name);
    let started_ms = now();
    let mut report = Report {
        id: String::new(),
        outcome: Outcome::Failed,
        manifest: None,
        unchanged: false,
        targets: Vec::new(),
        error: None,
        left: Vec::new(),
    };
    let begun = Id::new(started_ms)
        .map_err(|err| err.to_string())
        .and_then(|id| Ok((id, setup.targets(job).map_err(|err| err.to_string())?)));
    let (id, targets) = match begun {
        Ok(begun) => begun,
        Err(err) => {
            report.error = Some(err);
            return Ok(report);
        }
    };
    report.id = id.to_string();
    let mut sinks: Vec<_> = targets
        .into_iter()
        .map(|target| Sink {
            target,
            failed: None,
            newest: None,
        })
        .collect();
    let work = Work {
        setup,
        job,
        id: &id,
        started_ms,
        now,
        say,
        deadline: Instant::now() + job.timeout,
        quiet: tokio::sync::Mutex::default(),
        keys: Mutex::default(),
        left: Mutex::default(),
    };
    match Box::pin(work.all(&mut sinks)).await {
        Ok(Made::New(manifest)) => report.manifest = Some(manifest),
        Ok(Made::Same(manifest)) => {
            report.id.clone_from(&manifest.id);
            report.unchanged = true;
            report.manifest = Some(manifest);
        }
        Err(err) => report.error = Some(err),
    }
    report.left = work.left.into_inner().unwrap_or_default();
    report.outcome = match &report.manifest {
        None => Outcome::Failed,
        Some(manifest)
            if manifest.doubt.is_none()
                && manifest.unreadable() == 0
                && report.left.is_empty()
                && sinks.iter().all(|sink| sink.failed.is_none()) =>
        {
            Outcome::Good
        }
        Some(_) => Outcome::Partly,
    };
    let failed = report.manifest.is_none();
    if !failed {
        last::made(setup, &job.name);
    }
    let told = sinks.into_iter().map(|sink| {
        let reason = sink
            .failed
            .or_else(|| failed.then(|| "given up".to_owned()));
        (sink.target.name().to_owned(), reason.map_or(Ok(()), Err))
    });
    report.targets = told.collect();
    Ok(report)
}
