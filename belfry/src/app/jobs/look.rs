//! Looking at a job's targets: what they have, and what one of them lacks.

use std::time::Duration;

use backup::Job;
use backup::known::{Known, LastRun, look_up};

use super::perform::is_good;
use super::{Task, setup};
use crate::app::Watch;
use crate::config::Config;
use crate::state::{self, Last};

/// So many of a job's runs are shown.
const SHOWN: u32 = 50;

/// Brings the newest backups to a target that was down when they were made.
pub(super) async fn bring(watch: &Watch, job: &Job) {
    let newest = |known: &Known| {
        let targets = known.targets.iter().filter(|target| target.readable);
        let newest = targets.filter_map(|target| target.had.as_ref().map(|had| had.newest));
        newest.collect::<Vec<_>>()
    };
    let known = watch.jobs.of(&job.name).map(|known| newest(&known));
    let Some(known) = known.filter(|newest| newest.iter().any(Option::is_some)) else {
        return;
    };
    if known.windows(2).all(|pair| pair[0] == pair[1]) {
        return;
    }
    let setup = setup(&watch.config());
    match backup::replicate::replicate(&setup, job, &|_| {}).await {
        Ok(done) => {
            for (id, target) in &done.brought {
                tracing::info!(job = job.name, backup = id, target, "brought later");
            }
            for error in &done.errors {
                tracing::warn!(job = job.name, "a copy cannot be brought: {error}");
            }
            if !done.brought.is_empty() {
                look(watch, job).await;
            }
        }
        // Somebody is at work on it; there is another time.
        Err(err) => tracing::debug!(job = job.name, "copies are not brought now: {err}"),
    }
}

/// Looks at the targets, and at how the tasks went.
pub(super) async fn look(watch: &Watch, job: &Job) {
    let config = watch.config();
    sweep(&config, job).await;
    let before = watch.jobs.of(&job.name);
    let mut known = Box::pin(look_up(&setup(&config), job, before.as_ref())).await;
    let pool = &watch.state.pool;
    let first = state::first_run_ms(pool, &job.name).await;
    let read = (
        state::last_runs(pool).await,
        state::load_slots(pool).await,
        first,
    );
    let (last, slots) = match read {
        (Ok(last), Ok(slots), Ok(first)) => {
            known.first_run_ms = first;
            (last, slots)
        }
        (Err(err), ..) | (_, Err(err), _) | (.., Err(err)) => {
            watch.state_failed("backup runs", &err);
            // A failed run is not over because nobody can read of it.
            if let Some(before) = before {
                (known.runs, known.first_run_ms) = (before.runs, before.first_run_ms);
            }
            watch.jobs.put(known);
            return;
        }
    };
    match state::newest_runs(pool, &job.name, SHOWN).await {
        Ok(runs) => watch.jobs.ran(&job.name, runs),
        Err(err) => watch.state_failed("backup runs", &err),
    }
    for task in Task::ALL {
        let of_task = |run: &&Last| run.job == job.name && run.task == task.as_str();
        let last = last.iter().find(of_task).map(|run| {
            let took =
                Duration::from_millis(u64::try_from(run.finished_ms - run.started_ms).unwrap_or(0));
            (&*run.status, took.as_secs_f64())
        });
        let slot = slots
            .iter()
            .find(|(name, what, _)| *name == job.name && what == task.as_str());
        let scheduled = !task.line(job).is_empty();
        let next_ms = slot
            .filter(|_| scheduled)
            .and_then(|(_, _, slot)| slot.next_ms);
        if last.is_some() || next_ms.is_some() {
            let task = task.as_str().to_owned();
            known.runs.push(LastRun {
                task,
                next_ms,
                last: last.map(|(status, took)| (is_good(status), took)),
                partly: last.is_some_and(|(status, _)| status == "warn"),
            });
        }
    }
    watch.jobs.put(known);
}

/// Takes away what drills that were killed left, of all jobs and also where none is to
/// have a container any more: with the first job's look, so that it is once a round.
async fn sweep(config: &Config, job: &Job) {
    let jobs = &config.backup.jobs;
    let is_first = jobs.first().is_some_and(|first| first.name == job.name);
    // Elsewhere there may be no engine at all.
    if !is_first || jobs.iter().all(|job| job.container.is_empty()) {
        return;
    }
    if let Err(err) = backup::drill::sweep(&setup(config)).await {
        tracing::warn!("a drill's container stays: {err}");
    }
}
