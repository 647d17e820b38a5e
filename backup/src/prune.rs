//! Pruning one target of one job by its plan: manifest first, so that what is
//! half deleted is no backup, then the rest. Every deletion is written down.
//!
//! Nothing is deleted on a listing that is incomplete, lacks what is known to be there,
//! or holds what cannot be read; no good copy after a run that made nothing.

use std::io::Write;
use std::path::Path;

use jiff::tz::TimeZone;

use crate::catalogue::{self, Listing};
use crate::id::{self, Id, Shelf};
use crate::marks::{Kind, Mark};
use crate::retain::{Held, Proof, Refusal, Verdict, plan};
use crate::run::{Lock, Taken, has_failed};
use crate::target::Target;
use crate::{Job, Setup};

/// What pruning a target came to.
#[derive(Debug, Clone)]
pub struct Pruned {
    /// The target.
    pub target: String,
    /// What was planned, newest first.
    pub plan: Vec<Verdict>,
    /// What is gone.
    pub deleted: Vec<String>,
    /// What could not be deleted, or why nothing was.
    pub errors: Vec<String>,
}

/// How it is to be done.
#[derive(Debug, Clone)]
pub struct Manner {
    /// Only plan.
    pub dry: bool,
    /// Let more than half go, and good copies after a run that failed.
    pub force: bool,
    /// The zone of days, weeks and months.
    pub zone: TimeZone,
}

/// What nobody committed is swept when it is so old.
const STRAY_MS: i64 = 86_400_000;

/// Prunes all targets of a job.
///
/// # Errors
/// When another run of the job goes on, its lock cannot be had, or its settings are at fault.
pub async fn prune(
    setup: &Setup,
    job: &Job,
    manner: &Manner,
    now_ms: i64,
) -> Result<Vec<Pruned>, Taken> {
    let _lock = Lock::take(&setup.work, &job.name)?;
    prune_locked(setup, job, manner, now_ms).await
}

/// The same, by a run that holds the job's lock.
pub(crate) async fn prune_locked(
    setup: &Setup,
    job: &Job,
    manner: &Manner,
    now_ms: i64,
) -> Result<Vec<Pruned>, Taken> {
    let shelf = setup.shelf(job);
    let mut all = Vec::new();
    let targets = setup.targets(job);
    for target in targets.map_err(|err| Taken::Unable(err.to_string()))? {
        all.push(one(setup, job, &shelf, &target, manner, now_ms).await);
    }
    Ok(all)
}

async fn one(
    setup: &Setup,
    job: &Job,
    shelf: &Shelf,
    target: &Target,
    manner: &Manner,
    now_ms: i64,
) -> Pruned {
    let mut pruned = Pruned {
        target: target.name().to_owned(),
        plan: Vec::new(),
        deleted: Vec::new(),
        errors: Vec::new(),
    };
    let listing = match catalogue::list(target, &shelf.prefix(), &setup.kept()).await {
        Ok(listing) => listing,
        Err(err) => {
            pruned.errors.push(format!(
                "nothing is deleted, since it cannot be listed: {err}"
            ));
            return pruned;
        }
    };
    if let Err(why) = catalogue::whole(target, &shelf.prefix(), &listing, &setup.kept()).await {
        pruned.errors.push(format!(
            "nothing is deleted, since the listing is not whole: {why}"
        ));
        return pruned;
    }
    if let Some((key, why)) = listing.unreadable.first() {
        pruned.errors.push(format!(
            "nothing is deleted, since a manifest cannot be read: {key}: {why}"
        ));
        return pruned;
    }
    match planned(&listing, job, manner, now_ms) {
        Ok(plan) => pruned.plan = plan,
        Err(refusal) => {
            pruned.errors.push(format!("nothing is deleted: {refusal}"));
            return pruned;
        }
    }
    let mut going: Vec<_> = pruned
        .plan
        .iter()
        .filter(|verdict| verdict.stays.is_empty())
        .cloned()
        .collect();
    // What nobody could use is swept all the same.
    if !manner.force && has_failed(setup, &job.name) {
        let all = going.len();
        going.retain(|verdict| !is_good(&listing, &verdict.id));
        if going.len() < all {
            let job = &job.name;
            pruned.errors.push(format!(
                "no good copy is deleted, since the last run of {job} has made nothing; --force lifts that, and lets more than half of the copies go as well"
            ));
        }
    }
    if manner.dry {
        return pruned;
    }
    for verdict in going {
        match delete(setup, shelf, target, &listing, &verdict.id).await {
            Ok(()) => {
                note(&setup.work, now_ms, target.name(), &job.name, &verdict.id);
                pruned.deleted.push(verdict.id);
            }
            Err(err) => pruned.errors.push(format!("{}: {err}", verdict.id)),
        }
    }
    for stray in &listing.strays {
        let ours = stray.key.starts_with(&shelf.prefix()) && now_ms - stray.modified_ms > STRAY_MS;
        if ours && target.delete(&stray.key).await.is_ok() {
            note(&setup.work, now_ms, target.name(), &job.name, &stray.key);
        }
    }
    pruned
}

fn planned(
    listing: &Listing,
    job: &Job,
    manner: &Manner,
    now_ms: i64,
) -> Result<Vec<Verdict>, Refusal> {
    let held: Vec<_> = listing
        .copies
        .iter()
        .map(|copy| Held {
            id: copy.manifest.id.clone(),
            started_ms: copy.manifest.started_ms,
            good: copy.is_good(),
            pinned_until_ms: copy.last(Kind::Pinned),
            proof: match (copy.last(Kind::Verified), copy.last(Kind::Drilled)) {
                (_, Some(_)) => Proof::Drilled,
                (Some(_), None) => Proof::Verified,
                (None, None) => Proof::None,
            },
        })
        .collect();
    plan(&held, &job.keep, &manner.zone, now_ms, manner.force)
}

fn is_good(listing: &Listing, id: &str) -> bool {
    let mut copies = listing.copies.iter();
    copies.any(|copy| copy.manifest.id == id && copy.is_good())
}

async fn delete(
    setup: &Setup,
    shelf: &Shelf,
    target: &Target,
    listing: &Listing,
    id: &str,
) -> Result<(), String> {
    let copy = listing.copies.iter().find(|copy| copy.manifest.id == id);
    let (Some(copy), Some(id)) = (copy, Id::parse(id)) else {
        return Err("it is not in the listing".to_owned());
    };
    let manifest = shelf.manifest(&id);
    target
        .delete(&manifest)
        .await
        .map_err(|err| err.to_string())?;
    catalogue::forget(target, &manifest, &setup.kept());
    let pieces = copy.manifest.pieces.iter().map(|piece| piece.key.clone());
    let marks = copy
        .marks
        .iter()
        .map(|mark: &Mark| shelf.key(&id, &mark.ending()));
    for key in pieces.chain(marks) {
        // A manifest could name anything.
        if id::parse(&key).is_some_and(|(on, of, _)| on == *shelf && of == id) {
            target.delete(&key).await.map_err(|err| err.to_string())?;
        }
    }
    Ok(())
}

/// Writes a deletion down: who asks later finds it.
fn note(work: &Path, now_ms: i64, target: &str, job: &str, what: &str) {
    let line =
        serde_json::json!({ "at_ms": now_ms, "target": target, "job": job, "deleted": what });
    let file = std::fs::File::options()
        .create(true)
        .append(true)
        .open(work.join("deleted.jsonl"));
    if let Err(err) = file.and_then(|mut file| writeln!(file, "{line}")) {
        tracing::warn!(
            target,
            job,
            what,
            "cannot write down what was deleted: {err}"
        );
    }
}
