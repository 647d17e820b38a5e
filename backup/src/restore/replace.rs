//! Restoring where the disk has no room for two: the live database is dumped into our
//! own folder, dropped, and made anew from the backup. What goes wrong afterwards is
//! put back from that dump.
//!
//! It is closed before it is dumped: nobody writes what the dump would lack. It is
//! dropped only when both dumps, the one that comes and the one that is kept, were read
//! to their end, and under the name of what is ours to drop: whatever has that name may
//! be half of it. Its number tells after a crash whether it is still it.

use super::beside::{self, Fetched};
use super::{Names, dress, kept, room::Room, swap};
use crate::catalogue::Copy;
use crate::manifest::Postgres;
use crate::postgres::{Server, Session, literal};
use crate::run::Say;
use crate::{Job, Setup};

/// The number of a database, which no other ever has on its server; nothing where the
/// server was cut short in dropping it.
pub(super) async fn number(admin: &mut Session, name: &str) -> Result<Option<u64>, String> {
    let sql = format!(
        "SELECT oid FROM pg_database WHERE datname = {} AND datconnlimit <> -2",
        literal(name)
    );
    let found = admin.lines(&sql).await.map_err(|err| err.to_string())?;
    Ok(found.first().and_then(|line| line.parse().ok()))
}

/// What stands in the way of it.
pub(super) async fn free(
    setup: &Setup,
    job: &Job,
    admin: &mut Session,
    names: &Names,
) -> Result<(), String> {
    swap::drop(admin, &names.beside).await?;
    droppable(admin, &names.live).await?;
    let before = swap::kept(admin, &job.database).await?;
    let dumped = kept::find(setup, job)?.map(|_| "a dump".to_owned());
    match before.into_iter().chain(dumped).next() {
        None => Ok(()),
        Some(what) => Err(format!(
            "{what} is still kept of an earlier restore; confirm or undo that first"
        )),
    }
}

/// Whether the server would drop a database, found out while nobody had to leave it.
async fn droppable(admin: &mut Session, name: &str) -> Result<(), String> {
    let name = literal(name);
    let sql = format!(
        "SELECT 'the replication slot ' || slot_name FROM pg_replication_slots WHERE database = {name} \
         UNION ALL SELECT 'the subscription ' || subname FROM pg_subscription JOIN pg_database d ON d.oid = subdbid WHERE datname = {name} \
         UNION ALL SELECT 'the prepared transaction ' || gid FROM pg_prepared_xacts WHERE database = {name} \
         UNION ALL SELECT 'its mark as a template' FROM pg_database WHERE datname = {name} AND datistemplate"
    );
    let found = admin.lines(&sql).await.map_err(|err| err.to_string())?;
    match found.first() {
        None => Ok(()),
        Some(what) => Err(format!(
            "{what} keeps the server from dropping the live database"
        )),
    }
}

/// Keeps the live database as a dump, and drops it.
pub(super) async fn away(
    setup: &Setup,
    job: &Job,
    (server, admin): (&Server, &mut Session),
    copy: &Copy,
    names: &Names,
    say: Say<'_>,
) -> Result<(), String> {
    let told = |err: crate::postgres::Error| err.to_string();
    // Who goes on writing is cut off, and does not know the name that it has now.
    swap::rename(admin, &names.live, &names.before).await?;
    swap::open(admin, &names.before).await?;
    let kept = kept::keep(setup, job, (server, &names.before), copy, say)
        .await
        .map_err(|err| format!("{} cannot be dumped, and is not dropped: {err}", names.live))?;
    // The dump that comes is gone before the one that is kept is unpacked. What is
    // dropped leaves as much room as it takes when it is made anew, and no more.
    kept::unpackable(setup, kept, copy.manifest.raw_bytes())
        .map_err(|err| format!("{err}, and {} is not dropped", names.live))?;
    // What was just written may lie on the same disk.
    if let Some(room) = Room::of(server, &copy.manifest).await {
        let size = format!("SELECT pg_database_size({})", literal(&names.before));
        let size = admin.line(&size).await.map_err(told)?;
        if !room.with(size.parse().unwrap_or(0)) {
            return Err(format!(
                "{} bytes are free where the server keeps its data, and {} are needed even when {} is dropped",
                room.free, room.needed, names.live
            ));
        }
    }
    // Nobody can connect to it any more, and only then is it ours to drop.
    swap::rename(admin, &names.before, &names.beside).await?;
    swap::drop(admin, &names.beside).await?;
    say(format!("drop    {}", names.live));
    Ok(())
}

/// Makes a database of a dump under the name beside.
pub(super) async fn make(
    (server, admin): (&Server, &mut Session),
    dump: &Fetched,
    facts: &Postgres,
    names: &Names,
    say: Say<'_>,
) -> Result<(), String> {
    let told = |err: crate::postgres::Error| err.to_string();
    beside::create(admin, facts, &names.beside)
        .await
        .map_err(told)?;
    beside::fill(server, dump, facts, &names.beside, say).await?;
    dress::dress(admin, facts, &names.beside)
        .await
        .map_err(told)
}

/// Puts back what was there before: it is there still, or is made of its dump. The name
/// of what somebody made in its place meanwhile.
pub(super) async fn back(
    setup: &Setup,
    job: &Job,
    server: &Server,
    names: &Names,
    was: u64,
) -> Result<Option<String>, String> {
    let mut admin = Session::open(server).await.map_err(|err| err.to_string())?;
    let live = number(&mut admin, &names.live).await?;
    let before = number(&mut admin, &names.before).await?;
    let kept = kept::find(setup, job)?;
    // It is dropped only when its dump is kept, and that goes only when it is back.
    let there = [live, before].contains(&Some(was))
        || kept.is_none() && (live.is_some() || before.is_some());
    let mut aside = None;
    if there {
        // Ours never has the live name while what was there is kept whole.
        if live.is_some() && before == Some(was) {
            aside = Some(swap::aside(&mut admin, names).await?);
        }
        swap::back(&mut admin, names).await?;
        swap::drop(&mut admin, &names.beside).await?;
    } else {
        let kept = kept.ok_or("no dump is kept of what was there")?;
        // There is no room for it beside, and maybe none to unpack its dump either.
        swap::drop(&mut admin, &names.beside).await?;
        if live.is_some() {
            kept.read(server).await?;
            swap::rename(&mut admin, &names.live, &names.beside).await?;
            swap::drop(&mut admin, &names.beside).await?;
        }
        let (dump, facts) = kept.open(setup, job, &|_| {}).await?;
        make((server, &mut admin), &dump, facts, names, &|_| {}).await?;
        swap::swap(&mut admin, names).await?;
    }
    kept::forget(setup, job)?;
    Ok(aside)
}
