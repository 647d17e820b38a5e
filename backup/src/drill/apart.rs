//! A drill with a database in a container of its own: its roles first, as on an empty
//! host, then all that any other drill does.

use tokio::time::{Instant, timeout_at};

use super::container::Apart;
use super::{Report, Scratch, Trouble, around, facts, late, limits, sort};
use crate::catalogue::Copy;
use crate::manifest::Postgres;
use crate::postgres::{Server, Session};
use crate::restore::Room;
use crate::restore::asked::ask;
use crate::restore::beside::{self, Purpose};
use crate::restore::fetched::{Fetched, fetched};
use crate::restore::globals;
use crate::run::Say;
use crate::target::Target;
use crate::{Job, Setup};

/// Asks how many bytes its server has. No engine has a limit for a disk that works everywhere.
const SIZE: &str = "SELECT (SELECT sum(pg_database_size(oid)) FROM pg_database)::bigint \
    + (SELECT coalesce(sum(size), 0) FROM pg_ls_waldir())::bigint";

pub(super) async fn drill(
    setup: &Setup,
    job: &Job,
    (target, copy): (&Target, &Copy),
    report: &mut Report,
    say: Say<'_>,
) -> Result<(), Trouble> {
    let deadline = Instant::now() + job.timeout;
    let facts = facts(copy)?;
    let identities = setup.identities().map_err(Trouble::Around)?;
    let folder = setup.scratch(job).map_err(Trouble::Around)?;
    let ready = async {
        let dump = fetched(target, copy, &identities, &folder, say).await;
        let dump = dump.map_err(|err| sort(copy, err))?;
        let roles = globals::text(target, copy, &identities).await;
        let roles = roles.map_err(|err| sort(copy, err))?;
        Ok::<_, Trouble>((dump, roles))
    };
    let (dump, roles) = timeout_at(deadline, ready).await.map_err(|_| late(job))??;
    let preload = facts.preload.as_deref().unwrap_or_default();
    let begun = timeout_at(deadline, Apart::begin(setup, job, preload)).await;
    let apart = begun.map_err(|_| late(job))?.map_err(Trouble::Around)?;
    say(format!("begun   a server of {}'s image", job.container));
    let most = limits::disk(job, facts, copy);
    let parts = (&dump, roles.as_str());
    let filling = Box::pin(filled(
        &apart.server,
        (job, copy, facts),
        parts,
        report,
        say,
    ));
    let done = async {
        tokio::select! {
            done = filling => done,
            size = limits::grows_beyond(&apart.server, SIZE, most) => Err(limits::outgrown(size, most)),
        }
    };
    let done = timeout_at(deadline, done).await;
    let done = done.unwrap_or_else(|_| Err(late(job)));
    let gone = apart.end().await.map_err(Trouble::Around);
    done.and(gone)
}

async fn filled(
    server: &Server,
    (job, copy, facts): (&Job, &Copy, &Postgres),
    (dump, roles): (&Fetched, &str),
    report: &mut Report,
    say: Say<'_>,
) -> Result<(), Trouble> {
    let mut admin = Session::open(server).await.map_err(around)?;
    let version = admin.version().await.map_err(around)?;
    let applied = globals::applied(server, roles).await;
    let applied = applied.map_err(Trouble::Around)?;
    for failed in &applied.failed {
        say(format!("warn    {failed}"));
    }
    beside::preflight(&mut admin, facts, version)
        .await
        .map_err(Trouble::Around)?;
    if let Some(room) = Room::of(server, &copy.manifest).await
        && !room.is_enough()
    {
        return Err(Trouble::Around(format!(
            "{} bytes are free where containers keep their data, and it needs {}",
            room.free, room.needed
        )));
    }
    let name = Scratch::new("alone", job, &copy.manifest.id).name;
    beside::create(&mut admin, facts, &name)
        .await
        .map_err(around)?;
    // It has none but the disk that it is on.
    let schema = beside::fill(
        (server, &mut admin),
        dump,
        facts,
        &name,
        Purpose::Proof { elsewhere: true },
        say,
    )
    .await;
    report.compared(schema.map_err(|err| sort(copy, err))?)?;
    report.checks = ask(server, &name, job).await.map_err(around)?;
    Ok(())
}
