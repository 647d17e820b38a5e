//! What is known of backups, as data for a page or a program: of each job where its
//! newest copies are, what is proven of them, how its tasks went, what is due, and its
//! last runs.

use backup::known::{Known, KnownTarget, LastRun};
use serde_json::{Value, json};

use super::Watch;
use crate::state::Noted;

pub(crate) fn page(watch: &Watch) -> Value {
    let config = watch.config();
    let known = watch.jobs.known(&config);
    let of = |known: &Known| job(known, &watch.jobs.runs(&known.job));
    let jobs: Vec<_> = known.iter().map(of).collect();
    let left = watch.jobs.left().into_iter();
    let stopped: Vec<_> = left
        .filter(|(_, container)| !container.is_empty())
        .map(|(job, container)| json!({ "job": job, "container": container }))
        .collect();
    json!({
        "now_ms": watch.clock.now_ms(),
        "jobs": jobs,
        "stopped": stopped,
        "key_attested_ms": watch.jobs.attested_ms(),
    })
}

fn job(known: &Known, runs: &[Noted]) -> Value {
    json!({
        "job": known.job,
        "max_age_s": known.max_age.as_secs(),
        "newest_ms": known.newest().map(|(at_ms, _)| at_ms),
        "newest_bytes": known.newest().map(|(_, bytes)| bytes),
        "can_be_drilled": !known.no_drill,
        "targets": known.targets.iter().map(target).collect::<Vec<_>>(),
        "tasks": known.runs.iter().map(task).collect::<Vec<_>>(),
        "runs": runs.iter().map(run).collect::<Vec<_>>(),
    })
}

/// Of a target that was never listed nothing is known but that.
fn target(known: &KnownTarget) -> Value {
    let had = known.had.as_ref();
    json!({
        "target": known.name,
        "readable": known.readable,
        "copies": had.map(|had| had.copies),
        "unsound": had.map(|had| had.unsound),
        "bytes": had.map(|had| had.bytes),
        "newest_ms": had.and_then(|had| had.newest).map(|(at_ms, _)| at_ms),
        "verified_ms": had.and_then(|had| had.verified_ms),
        "drilled_ms": had.and_then(|had| had.drilled_ms),
    })
}

fn task(run: &LastRun) -> Value {
    json!({
        "task": run.task,
        "next_ms": run.next_ms,
        "good": run.last.map(|(good, _)| good),
        "incomplete": run.partly,
        "seconds": run.last.map(|(_, seconds)| seconds),
    })
}

/// One that was begun by hand was never due.
fn run(run: &Noted) -> Value {
    json!({
        "task": run.task,
        "scheduled_ms": (run.scheduled_ms > 0).then_some(run.scheduled_ms),
        "started_ms": run.started_ms,
        "finished_ms": run.finished_ms,
        "status": run.status,
        "backup": run.backup,
        "bytes": run.bytes,
        "error": run.error,
    })
}
