//! Restoring where the disk has no room for two: the live database is dumped into our
//! own folder, dropped, and made anew from the backup. What goes wrong afterwards is
//! put back from that dump.
//!
//! It is closed before it is dumped: nobody writes what the dump would lack. It is
//! dropped only when both dumps, the one that comes and the one that is kept, were read
//! to their end, and under the name of what is ours to drop: whatever has that name may
//! be half of it. Numbers tell after a crash whether it is still it, and whether what has
//! the live name is what we made: no other database is ever dropped.

use super::beside::{self, Purpose};
use super::fetched::Fetched;
use super::{Names, dress, journal, kept, kept::Kept, room::Room, swap};
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
    create(admin, facts, names).await?;
    filled((server, admin), dump, facts, names, say).await
}

async fn create(admin: &mut Session, facts: &Postgres, names: &Names) -> Result<(), String> {
    beside::create(admin, facts, &names.beside)
        .await
        .map_err(|err| err.to_string())
}

async fn filled(
    (server, admin): (&Server, &mut Session),
    dump: &Fetched,
    facts: &Postgres,
    names: &Names,
    say: Say<'_>,
) -> Result<(), String> {
    let told = |err: crate::postgres::Error| err.to_string();
    // Another revision of the schema is told, and its rows are all there.
    beside::fill(
        (server, &mut *admin),
        dump,
        facts,
        &names.beside,
        Purpose::Use,
        say,
    )
    .await?;
    dress::dress(admin, facts, &names.beside)
        .await
        .map_err(told)
}

/// Gives what was made beside the live name. Whoever missed the one that was dropped may
/// have made another meanwhile: that is not ours, and the name that it has now.
pub(super) async fn place(admin: &mut Session, names: &Names) -> Result<Option<String>, String> {
    let mut aside = None;
    if swap::exists(admin, &names.live).await? {
        aside = Some(swap::aside(admin, names).await?);
    }
    let renamed = async {
        swap::rename(admin, &names.beside, &names.live).await?;
        swap::open(admin, &names.live).await
    };
    journal::telling(renamed.await, aside)
}

/// Makes what was there before anew of its dump, in the place of what is ours there. The
/// name of what somebody else made there meanwhile.
async fn remade(
    setup: &Setup,
    job: &Job,
    (server, admin): (&Server, &mut Session),
    kept: &Kept,
    names: &Names,
    ours: bool,
) -> Result<Option<String>, String> {
    // There is no room for it beside, and maybe none to unpack its dump either.
    swap::drop(admin, &names.beside).await?;
    if ours {
        kept.read(server).await?;
        swap::rename(admin, &names.live, &names.beside).await?;
        swap::drop(admin, &names.beside).await?;
    }
    // Unpacking takes its time, and may fail: what gets the live name is not ours.
    create(admin, kept.facts()?, names).await?;
    let (dump, facts) = kept.open(setup, job, &|_| {}).await?;
    filled((server, admin), &dump, facts, names, &|_| {}).await?;
    // From here on this is what was there: who comes next, and finds it with the live
    // name and somebody at work in it, must not make it anew.
    let made = number(admin, &names.beside).await?;
    let names = Names {
        was: Some(made.ok_or("what was made anew is gone")?),
        ..names.clone()
    };
    journal::write(setup, job, &names)?;
    place(admin, &names).await
}

/// Puts back what was there before: it is there still, or is made of its dump. The names
/// of what somebody made in its place meanwhile.
pub(super) async fn back(
    setup: &Setup,
    job: &Job,
    server: &Server,
    names: &Names,
    was: u64,
) -> Result<Option<String>, String> {
    let mut aside = Vec::new();
    let done = returned(setup, job, server, (names, was), &mut aside).await;
    journal::telling(done, (!aside.is_empty()).then(|| aside.join(" and ")))
}

async fn returned(
    setup: &Setup,
    job: &Job,
    server: &Server,
    (names, was): (&Names, u64),
    aside: &mut Vec<String>,
) -> Result<(), String> {
    let mut admin = Session::open(server).await.map_err(|err| err.to_string())?;
    let live = number(&mut admin, &names.live).await?;
    let before = number(&mut admin, &names.before).await?;
    let kept = kept::find(setup, job)?;
    // It is dropped only when its dump is kept, and that goes only when it is back.
    let there = [live, before].contains(&Some(was))
        || kept.is_none() && (live.is_some() || before.is_some());
    if there {
        // Ours never has the live name while what was there is kept whole.
        if live.is_some() && before == Some(was) {
            aside.push(swap::aside(&mut admin, names).await?);
        }
        swap::back(&mut admin, names).await?;
        swap::drop(&mut admin, &names.beside).await?;
    } else {
        let kept = kept.ok_or("no dump is kept of what was there")?;
        // Whatever else has the live name was made by somebody who missed it.
        let ours = live.is_some() && live == names.made;
        if live.is_some() && !ours {
            aside.push(swap::aside(&mut admin, names).await?);
        }
        aside.extend(remade(setup, job, (server, &mut admin), &kept, names, ours).await?);
    }
    kept::forget(setup, job).map(drop)
}
