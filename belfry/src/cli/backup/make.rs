//! `belfry backup run`: one run, told while it happens.

use backup::ping::{Told, ping};
use backup::prune::Manner;
use backup::replicate::Replicated;
use backup::run::{Outcome, Report, Taken};
use backup::{Job, Setup};
use serde_json::{Value, json};

use super::noted::noted;
use super::pin;
use crate::app::{backup_not_begun, backup_outcome, backup_zone};
use crate::config::Config;
use crate::exit::{self, Exit};
use crate::out;
use crate::state::Ended;

pub(super) async fn run(
    setup: &Setup,
    config: &Config,
    name: &str,
    pin: Option<(u32, &str)>,
    json: bool,
) -> Exit {
    let Some(job) = setup.config.job(name) else {
        return exit::USAGE;
    };
    let say = super::telling(json);
    let run = noted(
        config,
        (name, "backup"),
        Box::pin(backup::run::run(setup, job, &super::now_ms, &say)),
        |done| match done {
            Ok(report) => backup_outcome(report),
            Err(taken) => backup_not_begun(taken),
        },
    );
    // Nobody waits for who does not listen.
    let (done, ()) = tokio::join!(run, ping(job, Told::Start));
    match &done {
        Ok(report) if report.outcome == Outcome::Good => ping(job, Told::Success).await,
        // Another run of it tells for itself.
        Err(Taken::Held(_)) => {}
        Ok(_) | Err(Taken::Unable(_)) => ping(job, Told::Fail).await,
    }
    let report = match done {
        Ok(report) => report,
        Err(taken) => {
            out::error(format_args!("belfry: {taken}"));
            return if taken.is_held() {
                exit::WARNING
            } else {
                exit::CRITICAL
            };
        }
    };
    if json {
        out::line(value(&report));
    } else {
        for line in screen(&report) {
            out::line(line);
        }
    }
    let ended = match report.outcome {
        Outcome::Failed => return exit::CRITICAL,
        Outcome::Partly => exit::WARNING,
        Outcome::Good => exit::OK,
    };
    // Before retention sees it.
    let pinned = match pin {
        Some((days, why)) => pin::pin(setup, config, job, (&report.id, days, why))
            .await
            .map(Some),
        None => Ok(None),
    };
    let ended = match pinned {
        Ok(pinned) => {
            if let Some(pinned) = pinned.filter(|_| !json) {
                out::line(pinned.told(config));
            }
            ended
        }
        Err(err) => {
            out::error(format_args!("belfry: {} is not pinned: {err}", report.id));
            exit::WARNING
        }
    };
    match report.outcome {
        Outcome::Good => ended.max(retain(setup, config, job, json).await),
        _ => ended,
    }
}

/// Brings what targets lack.
pub(super) async fn replicate(setup: &Setup, config: &Config, name: &str, json: bool) -> Exit {
    let Some(job) = setup.config.job(name) else {
        return exit::USAGE;
    };
    let say = super::telling(json);
    let work = Box::pin(backup::replicate::replicate(setup, job, &say));
    let done = match noted(config, (name, "replicate"), work, replicated).await {
        Ok(done) => done,
        Err(taken) => return super::unable(&taken.to_string()),
    };
    for error in &done.errors {
        out::error(format_args!("belfry: {error}"));
    }
    if json {
        let brought = done.brought.iter();
        let brought: Vec<_> = brought
            .map(|(id, target)| json!({ "id": id, "target": target }))
            .collect();
        out::line(json!({ "brought": brought, "errors": done.errors }));
    } else if done.brought.is_empty() && done.errors.is_empty() {
        out::line("every target has the newest backups");
    }
    if done.errors.is_empty() {
        exit::OK
    } else {
        exit::WARNING
    }
}

/// What is written down of it: the newest that was brought.
fn replicated(done: &Result<Replicated, Taken>) -> Ended {
    match done {
        Err(taken) => backup_not_begun(taken),
        Ok(done) => Ended {
            status: if done.errors.is_empty() { "ok" } else { "warn" },
            backup: done
                .brought
                .first()
                .map_or_else(String::new, |(id, _)| id.clone()),
            error: done.errors.join("; "),
            ..Ended::default()
        },
    }
}

/// Only after a good run: a job that fails keeps all that it has.
async fn retain(setup: &Setup, config: &Config, job: &Job, json: bool) -> Exit {
    let manner = Manner {
        dry: false,
        force: false,
        zone: backup_zone(config, job),
    };
    let pruned = backup::prune::prune(setup, job, &manner, super::now_ms()).await;
    let mut code = exit::OK;
    for pruned in pruned.unwrap_or_default() {
        let stays = pruned
            .plan
            .iter()
            .filter(|verdict| !verdict.stays.is_empty())
            .count();
        if !json {
            let (target, gone) = (&pruned.target, pruned.deleted.len());
            out::line(format_args!(
                "keep    {target}: {stays} stay, {gone} removed"
            ));
        }
        for error in &pruned.errors {
            out::error(format_args!("belfry: {}: {error}", pruned.target));
            code = exit::WARNING;
        }
    }
    code
}

fn screen(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    if report.unchanged {
        lines.push(format!(
            "same    {} holds all that there is: nothing new is stored",
            report.id
        ));
    } else if let Some(manifest) = &report.manifest {
        let size = dashboards::amount::bytes;
        lines.push(format!(
            "seal    {} -> {}  zstd{}",
            size(manifest.raw_bytes()),
            size(manifest.stored_bytes()),
            if manifest
                .pieces
                .iter()
                .all(|piece| piece.recipients.is_empty())
            {
                ", NOT encrypted"
            } else {
                " + age"
            },
        ));
        lines.extend(
            manifest
                .warnings
                .iter()
                .map(|warning| format!("warn    {warning}")),
        );
        lines.extend(
            manifest
                .doubt
                .iter()
                .map(|doubt| format!("DOUBT   {doubt}: it does not count as a good one")),
        );
    }
    if let Some(error) = &report.error {
        lines.push(format!("FAILED  {error}"));
    }
    let missing = report
        .targets
        .iter()
        .filter(|(_, result)| result.is_err())
        .count();
    lines.push(match report.outcome {
        Outcome::Good => format!("good    {}", report.id),
        Outcome::Partly if missing > 0 && report.unchanged => {
            format!(
                "partly  {}: {missing} target(s) do not know of it",
                report.id
            )
        }
        Outcome::Partly if missing > 0 => {
            format!("partly  {}: {missing} target(s) lack it", report.id)
        }
        Outcome::Partly if !report.left.is_empty() => {
            format!("partly  {}: not all is as it was before", report.id)
        }
        Outcome::Partly => format!("partly  {}", report.id),
        Outcome::Failed => "nothing was backed up".to_owned(),
    });
    lines
}

fn value(report: &Report) -> Value {
    let outcome = match report.outcome {
        Outcome::Good => "good",
        Outcome::Partly => "partly",
        Outcome::Failed => "failed",
    };
    let targets: serde_json::Map<_, _> = report
        .targets
        .iter()
        .map(|(name, result)| (name.clone(), json!({ "error": result.as_ref().err() })))
        .collect();
    json!({
        "id": report.id,
        "outcome": outcome,
        "unchanged": report.unchanged,
        "error": report.error,
        "left": report.left,
        "targets": targets,
        "manifest": report.manifest,
    })
}
