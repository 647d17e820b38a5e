//! One run of a task: what is done, and what is written down of it.

use std::sync::Arc;

use backup::ping::{Told, ping};
use backup::prune::Manner;
use backup::restore::pick_to_try;
use backup::run::{Outcome, Report, Taken};
use backup::verify::Error;
use backup::{Job, Setup, catalogue, drill};

use super::{Task, setup, zone};
use crate::app::Watch;
use crate::config::Config;
use crate::state::{self, Ended};

pub(super) async fn perform(
    watch: &Watch,
    config: &Config,
    job: &Job,
    task: Task,
    scheduled_ms: i64,
) {
    let id = note(watch, job, task, scheduled_ms).await;
    let setup = setup(config);
    let done = match task {
        Task::Backup => {
            ping(job, Told::Start).await;
            let done = back_up(watch, config, &setup, job).await;
            match &done {
                Ok(done) if is_good(done.status) => ping(job, Told::Success).await,
                // Another run of it tells for itself.
                Ok(done) if done.status == "skipped" => {}
                _ => ping(job, Told::Fail).await,
            }
            done
        }
        Task::Verify => Box::pin(verify(watch, &setup, job)).await,
        Task::Drill => Box::pin(restored(watch, &setup, job)).await,
    };
    let done = done.unwrap_or_else(|err| ended("failed", &err));
    match done.status {
        status if is_good(status) => tracing::info!(
            job = job.name,
            task = task.as_str(),
            backup = done.backup,
            status,
            "done"
        ),
        status => tracing::error!(
            job = job.name,
            task = task.as_str(),
            backup = done.backup,
            status,
            "{}",
            done.error
        ),
    }
    end(watch, id, &done).await;
}

/// There is an earlier backup of just what is there.
const UNCHANGED: &str = "unchanged";

/// Whether a run that ended so was a good one.
pub(super) fn is_good(status: &str) -> bool {
    ["ok", UNCHANGED].contains(&status)
}

async fn back_up(
    watch: &Watch,
    config: &Config,
    setup: &Setup,
    job: &Job,
) -> Result<Ended, String> {
    let clock = Arc::clone(&watch.clock);
    let now = move || clock.now_ms();
    let report = match Box::pin(backup::run::run(setup, job, &now, &|_| {})).await {
        Ok(report) => report,
        Err(taken) => return Ok(not_begun(&taken)),
    };
    // Only after a good run: a job that fails keeps all that it has.
    if report.outcome == Outcome::Good {
        let manner = Manner {
            dry: false,
            force: false,
            zone: zone(config, job),
        };
        let pruned = Box::pin(backup::prune::prune(
            setup,
            job,
            &manner,
            watch.clock.now_ms(),
        ))
        .await;
        // The backup is good whatever becomes of older ones.
        let pruned = pruned.unwrap_or_else(|err| {
            tracing::warn!(job = job.name, "retention: {err}");
            Vec::new()
        });
        for pruned in pruned {
            for error in &pruned.errors {
                tracing::warn!(job = job.name, target = pruned.target, "retention: {error}");
            }
        }
    }
    Ok(outcome(&report))
}

/// What is written down of a run that was not begun: that somebody else is at work on the
/// job is no failure, and a disk that takes no lock is one.
pub(crate) fn not_begun(taken: &Taken) -> Ended {
    let status = if taken.is_held() { "skipped" } else { "failed" };
    ended(status, &taken.to_string())
}

/// What is written down of a trial of a copy.
pub(crate) fn verified(copy: &catalogue::Copy, result: &Result<(), Error>) -> Ended {
    match result {
        Err(Error::Taken(taken)) => not_begun(taken),
        result => Ended {
            status: if result.is_ok() { "ok" } else { "failed" },
            backup: copy.manifest.id.clone(),
            bytes: copy.manifest.stored_bytes(),
            error: match result {
                Ok(()) => String::new(),
                Err(err) => err.to_string(),
            },
        },
    }
}

/// What is written down of a drill.
pub(crate) fn drilled(result: &Result<drill::Report, Taken>) -> Ended {
    match result {
        Err(taken) => not_begun(taken),
        Ok(report) => Ended {
            status: if report.passed { "ok" } else { "failed" },
            backup: report.backup.clone(),
            bytes: report.raw_bytes,
            error: report.error.clone().unwrap_or_default(),
        },
    }
}

/// What is written down of a run.
pub(crate) fn outcome(report: &Report) -> Ended {
    let failed = report
        .targets
        .iter()
        .filter_map(|(name, result)| Some(format!("{name}: {}", result.as_ref().err()?)));
    let mut partly: Vec<_> = failed.collect();
    if let Some(manifest) = &report.manifest {
        partly.extend(manifest.doubt.clone());
        match manifest.unreadable() {
            0 => {}
            count => partly.push(format!("{count} files could not be read")),
        }
        partly.extend(report.left.clone());
    }
    let why = report.error.clone().unwrap_or_else(|| partly.join("; "));
    let mut done = Ended {
        status: if report.unchanged { UNCHANGED } else { "ok" },
        backup: report.id.clone(),
        bytes: report
            .manifest
            .as_ref()
            .filter(|_| !report.unchanged)
            .map_or(0, backup::manifest::Manifest::stored_bytes),
        error: String::new(),
    };
    match report.outcome {
        Outcome::Failed => (done.status, done.error) = ("failed", why),
        Outcome::Partly => (done.status, done.error) = ("warn", why),
        Outcome::Good => {}
    }
    done
}

/// That there is nothing to try is for the rules about the age of backups.
const NOTHING: &str = "there is no good backup yet";

/// The newest good backup to be tried; nothing where there is none yet.
async fn newest(
    setup: &Setup,
    job: &Job,
) -> Result<Option<(backup::target::Target, catalogue::Copy)>, String> {
    let mut targets = setup.targets(job).map_err(|err| err.to_string())?;
    targets.sort_by_key(|target| !target.is_elsewhere());
    let mut listings = Vec::new();
    let (mut names, mut elsewhere) = (Vec::new(), Vec::new());
    for target in &targets {
        if let Ok(listing) =
            catalogue::list(target, &setup.shelf(job).prefix(), &setup.kept()).await
        {
            names.push(target.name().to_owned());
            if target.is_elsewhere() {
                elsewhere.push(target.name().to_owned());
            }
            listings.push((target.name().to_owned(), listing));
        }
    }
    let backups = catalogue::merge(&listings);
    if !names.is_empty() && !backups.iter().any(catalogue::Backup::is_good) {
        return Ok(None);
    }
    let (name, copy) = pick_to_try(&backups, &elsewhere, &names)?;
    let target = targets.iter().find(|target| target.name() == name);
    let target = target.ok_or("no target can be listed")?;
    Ok(Some((target.clone(), copy.clone())))
}

async fn verify(watch: &Watch, setup: &Setup, job: &Job) -> Result<Ended, String> {
    let Some((target, copy)) = newest(setup, job).await? else {
        return Ok(ended("skipped", NOTHING));
    };
    let done =
        backup::verify::verify(setup, job, &target, &copy, watch.clock.now_ms(), &|_| {}).await;
    Ok(verified(&copy, &done))
}

async fn restored(watch: &Watch, setup: &Setup, job: &Job) -> Result<Ended, String> {
    let Some((target, copy)) = newest(setup, job).await? else {
        return Ok(ended("skipped", NOTHING));
    };
    let now_ms = watch.clock.now_ms();
    let done = drill::drill(setup, job, &target, &copy, now_ms, &|_| {}).await;
    Ok(drilled(&done))
}

pub(super) fn ended(status: &'static str, error: &str) -> Ended {
    Ended {
        status,
        error: error.to_owned(),
        ..Ended::default()
    }
}

pub(super) async fn note(watch: &Watch, job: &Job, task: Task, scheduled_ms: i64) -> Option<i64> {
    let begun = state::begin_run(
        &watch.state.pool,
        &job.name,
        task.as_str(),
        scheduled_ms,
        watch.clock.now_ms(),
    );
    match begun.await {
        Ok(id) => Some(id),
        Err(err) => {
            watch.state_failed("backup runs", &err);
            None
        }
    }
}

pub(super) async fn end(watch: &Watch, id: Option<i64>, ended: &Ended) {
    if let Some(id) = id
        && let Err(err) = state::end_run(&watch.state.pool, id, watch.clock.now_ms(), ended).await
    {
        watch.state_failed("backup runs", &err);
    }
}
