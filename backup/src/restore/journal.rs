//! What is under way, on the disk before it begins. Who starts next puts back
//! what a dead restore left.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::timeout;

use super::{Names, Recovered, oneoff, replace, swap, tree};
use crate::postgres::{Server, Session};
use crate::run::Lock;
use crate::{Job, Setup, note};

/// How long what a dead restore left is tried to be put back, at least.
const RECOVERY: Duration = Duration::from_secs(600);

/// A whole dump may have to be restored, for which a run of the job is the measure.
pub(super) fn patience(job: &Job) -> Duration {
    RECOVERY.max(job.timeout)
}

/// Puts back what a restore of this job left, for as long as that may take.
///
/// # Errors
/// When it cannot be put back, or took longer.
pub async fn in_time(
    job: &Job,
    recovering: impl Future<Output = Result<Recovered, String>>,
) -> Result<Recovered, String> {
    let limit = patience(job);
    let done = match timeout(limit, recovering).await {
        Ok(done) => done,
        Err(_) => Err(format!(
            "it took longer than {}",
            settings::format_duration(limit)
        )),
    };
    done.map_err(|err| format!("an unfinished restore cannot be put back: {err}"))
}

fn file(setup: &Setup, job: &Job) -> PathBuf {
    setup.work.join(format!("restore-{}.json", job.name))
}

pub(super) fn write(setup: &Setup, job: &Job, names: &Names) -> Result<(), String> {
    note::write(&setup.work, &file(setup, job), names)
}

pub(super) fn clear(setup: &Setup, job: &Job) -> Result<(), String> {
    note::remove(&setup.work, &file(setup, job))
}

/// Puts back what a restore of this job left that was cut short. A disk that does not
/// answer is found out before anything is renamed on it; of one that hangs in the middle
/// of that it is told, and nobody else touches the folder until it goes on.
///
/// # Errors
/// When another run of the job goes on, or the server or the disk does not answer.
pub async fn recover(setup: &Setup, job: &Job) -> Result<Recovered, String> {
    if !is_unfinished(setup, job) {
        return Ok(None);
    }
    let _lock = Lock::take(&setup.work, &job.name).map_err(|taken| taken.to_string())?;
    recover_held(setup, job).await
}

/// Whether a restore of this job was cut short, and nobody is at work on it now.
#[must_use]
pub fn is_left(setup: &Setup, job: &Job) -> bool {
    is_unfinished(setup, job) && Lock::take(&setup.work, &job.name).is_ok()
}

/// Whether a restore of this job goes on, was cut short, or is put back now.
pub(crate) fn is_unfinished(setup: &Setup, job: &Job) -> bool {
    match job.kind() {
        "postgres" => file(setup, job).exists(),
        _ => tree::is_left(setup, job),
    }
}

/// The same as [`recover`], by who holds the lock and may have no server yet.
pub(crate) async fn recover_held(setup: &Setup, job: &Job) -> Result<Recovered, String> {
    if !is_unfinished(setup, job) {
        return Ok(None);
    }
    if job.kind() != "postgres" {
        return tree::recover_held(setup, job).await;
    }
    let prepared = setup.admin(job)?.prepared().await;
    let (server, _) = prepared.map_err(|err| err.to_string())?;
    recover_locked(setup, job, &server).await
}

/// The same, by who holds the lock.
pub(super) async fn recover_locked(
    setup: &Setup,
    job: &Job,
    server: &Server,
) -> Result<Recovered, String> {
    let Ok(text) = std::fs::read(file(setup, job)) else {
        return Ok(None);
    };
    oneoff::ended(setup, job).await?;
    let names = serde_json::from_slice::<Names>(&text).ok();
    let mut aside = None;
    if let Some((names, was)) = names.as_ref().and_then(|names| Some((names, names.was?))) {
        aside = Box::pin(replace::back(setup, job, server, names, was)).await?;
    } else if let Some(names) = names {
        let mut admin = Session::open(server).await.map_err(|err| err.to_string())?;
        // What never had the live name is ours to drop; once it had, somebody may
        // have written into it. It never gets the name of what did not, so that a
        // recovery that is cut short too does not make the next one drop it.
        let unused = swap::exists(&mut admin, &names.beside).await?;
        if !unused
            && swap::exists(&mut admin, &names.before).await?
            && swap::exists(&mut admin, &names.live).await?
        {
            aside = Some(swap::aside(&mut admin, &names).await?);
        }
        let back = async {
            // Nobody was told that it is done, so what was there before is there again.
            swap::back(&mut admin, &names).await?;
            match unused {
                true => swap::drop(&mut admin, &names.beside).await,
                false => Ok(()),
            }
        };
        aside = telling(back.await, aside)?;
    }
    ended(clear(setup, job), aside)
}

/// What came of putting back, when its journal was removed.
pub(super) fn ended(
    cleared: Result<(), String>,
    aside: Option<String>,
) -> Result<Recovered, String> {
    let aside = telling(cleared, aside)?;
    let done = "what an unfinished restore left was put back";
    Ok(Some(match aside {
        Some(aside) => format!("{done}; what had taken its place is {aside}"),
        None => done.to_owned(),
    }))
}

/// What was set aside. A failure tells it too: who tries again finds nothing to set aside,
/// and nobody would look for it.
pub(super) fn telling(
    done: Result<(), String>,
    aside: Option<String>,
) -> Result<Option<String>, String> {
    match (done, aside) {
        (Err(err), Some(aside)) => Err(format!("{err}; what had taken its place is {aside}")),
        (done, aside) => done.map(|()| aside),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_database_has_as_long_to_be_put_back_as_a_run_of_its_job() {
        let job = |seconds| Job {
            timeout: Duration::from_secs(seconds),
            ..Job::default()
        };
        for (timeout, limit) in [(60, 600), (600, 600), (6 * 3600, 6 * 3600)] {
            assert_eq!(patience(&job(timeout)), Duration::from_secs(limit));
        }
    }
}
