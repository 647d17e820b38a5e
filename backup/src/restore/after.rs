//! After a restore: what was there before is removed, when somebody confirms what took
//! its place, or is put back.

use super::{Names, Recovered, around, journal, kept, pin, replace, swap, tree};
use crate::postgres::{Server, Session};
use crate::quiet;
use crate::run::Lock;
use crate::{Job, Setup};

const NOTHING: &str = "nothing is kept of globals: roles are made, and none is taken away";

/// Drops what was there before a restore: it is confirmed.
///
/// # Errors
/// When the server refuses, or an unfinished restore was found and put back first.
pub async fn confirm(setup: &Setup, job: &Job) -> Result<Vec<String>, String> {
    if job.kind() == "globals" {
        return Err(NOTHING.to_owned());
    }
    if job.kind() != "postgres" {
        return tree::confirm(setup, job).await;
    }
    let (_lock, _, mut admin) = at(setup, job).await?;
    let mut kept = swap::kept(&mut admin, &job.database).await?;
    for name in &kept {
        swap::drop(&mut admin, name).await?;
    }
    kept.extend(kept::forget(setup, job)?);
    pin::release(setup, job).await;
    Ok(kept)
}

/// Puts what was there before the last restore back in its place; the name of what was
/// restored, unless it had to make room.
///
/// # Errors
/// When the server refuses, nothing was kept, or an unfinished restore was found and
/// put back first.
pub async fn undo(setup: &Setup, job: &Job) -> Result<Option<String>, String> {
    if job.kind() == "globals" {
        return Err(NOTHING.to_owned());
    }
    if job.kind() != "postgres" {
        return Box::pin(tree::undo(setup, job)).await.map(Some);
    }
    let (_lock, server, mut admin) = at(setup, job).await?;
    Box::pin(quiet::recover_locked(setup, &job.name)).await?;
    let kept = swap::kept(&mut admin, &job.database).await?;
    let say = |_| {};
    let Some(before) = kept.last() else {
        let at = (&server, &mut admin);
        Box::pin(undone(setup, job, at)).await?;
        pin::release(setup, job).await;
        return Ok(None);
    };
    let tail = before.rsplit('_').next().unwrap_or_default();
    let names = Names {
        before: before.clone(),
        ..Names::new(&job.database, tail)
    };
    let mut hushed = Box::pin(around::hushed(setup, job, &say)).await?;
    swap::back(&mut admin, &names).await?;
    hushed.end(&say).await?;
    pin::release(setup, job).await;
    Ok(Some(names.beside))
}

/// Says what was found unfinished and is put back now: what is kept, and what has the
/// live name, may be other than whoever asked has seen.
pub(super) async fn looked(setup: &Setup, job: &Job, done: Recovered) -> Result<(), String> {
    let Some(done) = done else {
        return Ok(());
    };
    Box::pin(quiet::recover_locked(setup, &job.name)).await?;
    Err(format!("{done}; look at it, and say it again"))
}

/// Makes what was there before anew from its dump.
async fn undone(
    setup: &Setup,
    job: &Job,
    (server, admin): (&Server, &mut Session),
) -> Result<(), String> {
    if kept::find(setup, job)?.is_none() {
        return Err("nothing was kept of a database before".to_owned());
    }
    let names = Names {
        // Whatever is there now is not it.
        was: Some(0),
        made: replace::number(admin, &job.database).await?,
        ..Names::new(&job.database, "undo")
    };
    let mut hushed = around::hushed(setup, job, &|_| {}).await?;
    journal::write(setup, job, &names)?;
    journal::recover_locked(setup, job, server).await?;
    hushed.end(&|_| {}).await
}

async fn at(setup: &Setup, job: &Job) -> Result<(Lock, Server, Session), String> {
    let lock = Lock::take(&setup.work, &job.name).map_err(|taken| taken.to_string())?;
    let (server, _) = setup
        .admin(job)?
        .prepared()
        .await
        .map_err(|err| err.to_string())?;
    let done = Box::pin(journal::recover_locked(setup, job, &server)).await?;
    looked(setup, job, done).await?;
    let admin = Session::open(&server)
        .await
        .map_err(|err| err.to_string())?;
    Ok((lock, server, admin))
}
