//! `belfry backup prune`: what retention keeps, why, and what goes.

use backup::Setup;
use backup::prune::{Manner, Pruned};
use backup::run::Taken;
use serde_json::{Value, json};

use super::noted::noted;
use crate::app::{backup_not_begun, backup_zone};
use crate::config::Config;
use crate::exit::{self, Exit};
use crate::out;
use crate::state::Ended;

pub(super) async fn run(
    setup: &Setup,
    config: &Config,
    name: &str,
    (dry, force): (bool, bool),
    json: bool,
) -> Exit {
    let Some(job) = setup.config.job(name) else {
        return exit::USAGE;
    };
    let manner = Manner {
        dry,
        force,
        zone: backup_zone(config, job),
    };
    let work = Box::pin(backup::prune::prune(setup, job, &manner, super::now_ms()));
    // What is only planned is no run.
    let done = match dry {
        true => work.await,
        false => noted(config, (name, "prune"), work, ended).await,
    };
    let pruned = match done {
        Ok(pruned) => pruned,
        Err(taken) => return super::unable(&taken.to_string()),
    };
    if json {
        out::line(Value::from(pruned.iter().map(value).collect::<Vec<_>>()));
    } else {
        for pruned in &pruned {
            tell(pruned, manner.dry);
        }
    }
    let well = pruned.iter().all(|pruned| pruned.errors.is_empty());
    if well { exit::OK } else { exit::WARNING }
}

/// What is written down of it.
fn ended(done: &Result<Vec<Pruned>, Taken>) -> Ended {
    let pruned = match done {
        Err(taken) => return backup_not_begun(taken),
        Ok(pruned) => pruned,
    };
    let errors = pruned.iter().flat_map(|pruned| {
        let told = |error: &String| format!("{}: {error}", pruned.target);
        pruned.errors.iter().map(told)
    });
    let errors: Vec<_> = errors.collect();
    Ended {
        status: if errors.is_empty() { "ok" } else { "warn" },
        error: errors.join("; "),
        ..Ended::default()
    }
}

fn tell(pruned: &Pruned, dry: bool) {
    out::line(format_args!("{}:", pruned.target));
    for verdict in &pruned.plan {
        let reasons: Vec<_> = verdict.stays.iter().map(|reason| reason.as_str()).collect();
        let what = match reasons.is_empty() {
            false => format!("stays  {}", reasons.join(", ")),
            true if dry => "would go".to_owned(),
            true if pruned.deleted.contains(&verdict.id) => "gone".to_owned(),
            true => "NOT DELETED".to_owned(),
        };
        out::line(format_args!("  {}  {what}", verdict.id));
    }
    for error in &pruned.errors {
        out::line(format_args!("  {error}"));
    }
}

fn value(pruned: &Pruned) -> Value {
    let plan: Vec<_> = pruned
        .plan
        .iter()
        .map(|verdict| {
            let stays: Vec<_> = verdict.stays.iter().map(|reason| reason.as_str()).collect();
            json!({ "id": verdict.id, "stays": stays })
        })
        .collect();
    json!({ "target": pruned.target, "plan": plan, "deleted": pruned.deleted, "errors": pruned.errors })
}
