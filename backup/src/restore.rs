//! Restoring a database: beside the live one, then in its place, by two renames.
//!
//! Nothing is touched before the backup was fetched, opened and read through. The
//! live database is kept under another name until somebody confirms; a failure at
//! any step puts it back. What was under way when we died stands in a journal.
//! Where the disk has no room for two, a dump of it is kept instead: see `replace`.

mod after;
mod around;
pub(crate) mod asked;
pub mod beside;
mod dress;
pub mod fetched;
pub mod globals;
mod haste;
mod journal;
mod kept;
mod loss;
mod moving;
mod newer;
mod oneoff;
mod paths;
mod pin;
pub(crate) mod progress;
mod replace;
mod room;
mod schema;
mod swap;
pub mod table;
pub mod tree;
mod users;

use serde::{Deserialize, Serialize};

use crate::catalogue::{Backup, Copy};
use crate::manifest::Manifest;
use crate::postgres::Session;
use crate::quiet;
use crate::run::{Lock, Say};
use crate::setup::short;
use crate::target::Target;
use crate::{Job, Setup};

pub use after::{confirm, undo};
pub(crate) use around::CONTAINER;
pub use journal::{in_time, is_left, recover};
pub(crate) use journal::{is_unfinished, recover_held};
pub use loss::{of_database as loss, of_tree as tree_loss};
pub(crate) use moving::over;
pub use newer::Newer;
pub use paths::Paths;
pub(crate) use pin::RESTORED;
pub use room::Room;
pub use schema::{Schema, schema};

/// What was done, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// The database.
    pub live: String,
    /// What is restored, before it takes its place.
    pub beside: String,
    /// What was there before, afterwards.
    pub before: String,
    /// The number of the live database, where it is dropped before the backup is in
    /// its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<u64>,
    /// The number of what was made in its place, noted before it gets the live name:
    /// only what has it there is ours to drop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<u64>,
}

/// What recovering found to do, in words; nothing where nothing was unfinished.
pub type Recovered = Option<String>;

/// Which backup is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    /// The newest good one.
    Latest,
    /// This one.
    Id(String),
    /// The newest good one that was begun no later, in milliseconds since 1970.
    Time(i64),
}

/// How a backup is put in the place of what is live.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manner {
    /// Whether the live database is dropped before the backup is in its place, where the
    /// disk has no room for two: it is dumped into our own folder first. Where none is
    /// there, it is as any other restore.
    pub replace: bool,
    /// What was told that would be lost: asked again before it is. Nothing: not asked.
    pub newer: Option<Newer>,
    /// Whether the backup stays, whatever retention says, until this is confirmed.
    pub pin: bool,
}

/// Picks a backup and the copy of it that is nearest; `targets` in the order in
/// which they are asked.
///
/// # Errors
/// When there is none.
pub fn pick<'a>(
    backups: &'a [Backup],
    from: &From,
    targets: &[String],
) -> Result<(&'a str, &'a Copy), String> {
    // A newer one that these targets lack, or have in part, is no reason to give up.
    let good = |backup: &Backup| {
        let mut copies = targets.iter().filter_map(|name| backup.copies.get(name));
        copies.any(Copy::is_good)
    };
    let wanted = |backup: &&Backup| match from {
        From::Latest => good(backup),
        From::Time(at_ms) => good(backup) && backup.manifest.started_ms <= *at_ms,
        From::Id(id) => backup.manifest.id == *id,
    };
    let backup = backups
        .iter()
        .rev()
        .find(wanted)
        .ok_or_else(|| match from {
            From::Latest => "there is no good backup".to_owned(),
            From::Time(_) => "there is no good backup that is so old".to_owned(),
            From::Id(id) => format!("there is no backup {id}"),
        })?;
    let copy = |name: &String| {
        backup
            .copies
            .get_key_value(name)
            .filter(|(_, copy)| copy.broken.is_none())
    };
    let sound = targets
        .iter()
        .filter_map(copy)
        .find(|(_, copy)| copy.is_good());
    let (name, copy) = sound
        .or_else(|| targets.iter().find_map(copy))
        .ok_or("no copy of it is whole")?;
    Ok((name, copy))
}

/// Picks the newest good backup to be tried: of the targets that survive this host, as
/// long as one of them has any, since on them all depends when it is lost.
///
/// # Errors
/// When there is none.
pub fn pick_to_try<'a>(
    backups: &'a [Backup],
    elsewhere: &[String],
    targets: &[String],
) -> Result<(&'a str, &'a Copy), String> {
    pick(backups, &From::Latest, elsewhere).or_else(|_| pick(backups, &From::Latest, targets))
}

impl Names {
    /// The names of a restore of this backup.
    #[must_use]
    pub fn new(live: &str, id: &str) -> Self {
        let tail = id.rsplit('-').next().unwrap_or(id);
        let short = short(live);
        Self {
            live: live.to_owned(),
            beside: format!("{short}__restore_{tail}"),
            before: format!("{short}__before_{tail}"),
            was: None,
            made: None,
        }
    }
}

/// Restores a copy in place of the live database.
///
/// # Errors
/// With the step that failed, after everything was put back.
pub async fn restore(
    setup: &Setup,
    job: &Job,
    target: &Target,
    copy: &Copy,
    say: Say<'_>,
) -> Result<Names, String> {
    let manner = Manner::default();
    Box::pin(in_place(setup, job, (target, copy), &manner, say)).await
}

/// The same, in one manner or another.
///
/// # Errors
/// With the step that failed, after everything was put back: from the dump, where the
/// live database was dropped.
pub async fn in_place(
    setup: &Setup,
    job: &Job,
    from: (&Target, &Copy),
    manner: &Manner,
    say: Say<'_>,
) -> Result<Names, String> {
    let _lock = Lock::take(&setup.work, &job.name).map_err(|taken| taken.to_string())?;
    let placing = Box::pin(placed(setup, job, from, manner, say));
    pin::around((setup, job), from, manner, placing, say).await
}

/// The room that a job's server has for a backup; nothing where nobody can tell.
pub async fn room(setup: &Setup, job: &Job, manifest: &Manifest) -> Option<Room> {
    let (server, _) = setup.admin(job).ok()?.prepared().await.ok()?;
    Room::of(&server, manifest).await
}

async fn placed(
    setup: &Setup,
    job: &Job,
    (target, copy): (&Target, &Copy),
    manner: &Manner,
    say: Say<'_>,
) -> Result<Names, String> {
    let replace = manner.replace;
    let facts = copy
        .manifest
        .postgres
        .as_ref()
        .ok_or("it is no backup of a database")?;
    let identities = setup.identities()?;
    let (server, version) = setup
        .admin(job)?
        .prepared()
        .await
        .map_err(|err| err.to_string())?;
    journal::recover_locked(setup, job, &server).await?;
    // Whoever a dead one had stopped is started before anybody is stopped anew.
    quiet::recover_locked(setup, &job.name).await?;
    let mut admin = Session::open(&server)
        .await
        .map_err(|err| err.to_string())?;
    beside::preflight(&mut admin, facts, version).await?;
    let mut names = Names::new(&job.database, &copy.manifest.id);
    if replace {
        names.was = replace::number(&mut admin, &names.live).await?;
    }
    if names.was.is_none()
        && let Some(room) = Room::of(&server, &copy.manifest).await
        && !room.is_enough()
    {
        // Who asked for that already has no live one.
        let hint = if replace {
            ""
        } else {
            "; --replace drops the live one first"
        };
        return Err(format!(
            "{} bytes are free where the server keeps its data, and a second database needs {}{hint}",
            room.free, room.needed
        ));
    }
    let dump = fetched::fetched(target, copy, &identities, &setup.scratch(job)?, say).await?;
    say(format!(
        "fetch   {} from {}: whole",
        copy.manifest.id,
        target.name()
    ));
    if replace {
        replace::free(setup, job, &mut admin, &names).await?;
    }
    journal::write(setup, job, &names)?;
    let mut hushed = None;
    let live = newer::Live::Database(facts);
    let done = async {
        if names.was.is_some() {
            // What nobody writes to any more is what is kept of it.
            let (quiet, newer) = manner.hushed(setup, job, live, say).await?;
            hushed = Some(quiet);
            newer::still(newer, (setup, job), live, say).await?;
            let at = (&server, &mut admin);
            replace::away(setup, job, at, copy, &names, say).await?;
        } else {
            swap::free(&mut admin, &names).await?;
        }
        replace::make((&server, &mut admin), &dump, facts, &names, say).await?;
        asked::right(&server, &names.beside, job, say).await?;
        if names.was.is_none() {
            let (quiet, newer) = manner.hushed(setup, job, live, say).await?;
            hushed = Some(quiet);
            newer::still(newer, (setup, job), live, say).await?;
        }
        let had = if names.was.is_none() {
            swap::swap(&mut admin, &names).await?
        } else {
            names.made = replace::number(&mut admin, &names.beside).await?;
            journal::write(setup, job, &names)?;
            if let Some(kept) = replace::place(&mut admin, &names).await? {
                say(format!("aside   what had taken its place is {kept}"));
            }
            true
        };
        around::migrate(setup, job, say).await?;
        // From here on it is as good as done: a crash leaves what was restored.
        journal::clear(setup, job)?;
        Ok(had)
    };
    let mut done = done.await;
    // What is put back may need its room.
    drop(dump);
    if done.is_ok()
        && let Some(held) = hushed.take()
        && let Err(mut err) = around::settled(setup, job, held, say).await
    {
        let again = around::hushed(setup, job, say).await;
        journal::write(setup, job, &names)
            .map_err(|worse| format!("{err}; and it cannot be put back: {worse}"))?;
        match again {
            Ok(again) => hushed = Some(again),
            // Whoever is connected is cut off: it is put back all the same.
            Err(worse) => err = format!("{err}; and {worse}"),
        }
        done = Err(err);
    }
    match done {
        Ok(had) => {
            say(match had {
                _ if names.was.is_some() => {
                    format!(
                        "swap    {} is the backup; what was there is a dump",
                        names.live
                    )
                }
                true => format!(
                    "swap    {} is the backup; what was there is {}",
                    names.live, names.before
                ),
                false => format!(
                    "made    {} is the backup; there was none before",
                    names.live
                ),
            });
            if let Err(err) = around::after(setup, job).await {
                say(format!("warn    {err}"));
            }
            match beside::planned(&server, &names.live).await {
                Ok(()) => say(format!("analyze {}: whole", names.live)),
                // The server's own look comes sooner or later.
                Err(err) => say(format!("warn    ANALYZE: {err}")),
            }
            Ok(names)
        }
        Err(err) => {
            // The session may be what broke.
            let back = journal::recover_locked(setup, job, &server).await;
            Err(around::failed(err, back, hushed, say).await)
        }
    }
}
