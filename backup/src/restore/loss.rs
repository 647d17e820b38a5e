//! What a restore would lose: rows that are new or were changed since, files that are
//! newer than in the backup, or not in it at all.

use std::collections::HashMap;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};

use tokio::task::spawn_blocking;

use crate::archive;
use crate::catalogue::Copy;
use crate::files::{self, Found, Kind, Walk, shown};
use crate::manifest::Postgres;
use crate::postgres::Session;
use crate::root::Root;
use crate::target::Target;
use crate::{Job, Setup};

/// So many files are named.
const NAMED: usize = 20;

/// What would be lost of a database, in words: a live database that is newer than the backup.
///
/// # Errors
/// When it cannot be found out.
pub async fn of_database(
    setup: &Setup,
    job: &Job,
    facts: &Postgres,
) -> Result<Vec<String>, String> {
    let (server, _) = match setup.server(job)?.prepared().await {
        Ok(prepared) => prepared,
        // There is nothing to lose where there is no database.
        Err(err) if err.to_string().contains("does not exist") => return Ok(Vec::new()),
        Err(err) => return Err(err.to_string()),
    };
    let mut session = Session::open(&server)
        .await
        .map_err(|err| err.to_string())?;
    let found = crate::postgres::rows(&mut session)
        .await
        .map_err(|err| err.to_string())?;
    let since = match &facts.moment {
        Some(moment) => crate::postgres::written_since(&mut session, moment)
            .await
            .map_err(|err| err.to_string())?,
        None => None,
    };
    let since = since.unwrap_or_default();
    let mut lost = Vec::new();
    for table in found {
        let same = |written: &&crate::manifest::Table| {
            written.schema == table.schema && written.name == table.name
        };
        let written = since.iter().find(same).map_or(0, |written| written.rows);
        if written > 0 {
            lost.push(format!(
                "{}.{}: {written} rows that are new or were changed since",
                table.schema, table.name
            ));
            continue;
        }
        let same = facts
            .tables
            .iter()
            .find(|kept| kept.schema == table.schema && kept.name == table.name);
        let kept = same.map_or(0, |kept| kept.rows);
        if table.rows > kept {
            lost.push(format!(
                "{}.{}: {} rows now, {kept} in the backup",
                table.schema, table.name, table.rows
            ));
        }
    }
    Ok(lost)
}

/// What would be lost, in words: at most a few files by name, and how many more.
///
/// # Errors
/// When it cannot be found out.
pub async fn of_tree(
    setup: &Setup,
    job: &Job,
    target: &Target,
    copy: &Copy,
) -> Result<Vec<String>, String> {
    let Ok(root) = Root::of(setup, job).await else {
        // There is nothing to lose where there is no volume.
        return Ok(Vec::new());
    };
    if !root.path.exists() {
        return Ok(Vec::new());
    }
    let made = std::fs::create_dir_all(&setup.work);
    let folder = made
        .and_then(|()| tempfile::tempdir_in(&setup.work))
        .map_err(|err| format!("{}: {err}", setup.work.display()))?;
    let identities = setup.identities()?;
    let index = archive::index(target, &copy.manifest, &identities, folder.path()).await;
    let index = index.map_err(|err| err.to_string())?;
    let live = File::open(&root.path);
    let live = live.map_err(|err| format!("{}: {err}", root.path.display()))?;
    // What is left out of backups would be gone too.
    let found = spawn_blocking(move || compared(live, index)).await;
    found
        .map_err(|_| "comparing panicked".to_owned())?
        .map_err(|err| err.to_string())
}

fn compared(live: File, index: File) -> Result<Vec<String>, files::Error> {
    // Of each path a number of it is enough: a million take some 40 MB.
    let hasher = RandomState::new();
    let mut kept = HashMap::new();
    let mut lines = archive::lines(index);
    while let Some(line) = lines.forward()? {
        kept.insert(hasher.hash_one(&line.path), line.mtime);
    }
    let (mut told, mut more) = (Vec::new(), 0_u64);
    let mut lost = |path: &[u8], what: &str| {
        if told.len() < NAMED {
            told.push(format!("{}: {what}", shown(path)));
        } else {
            more += 1;
        }
    };
    let walk = Walk {
        one_file_system: true,
        ..Walk::default()
    };
    walk.below(live, &mut |found| {
        if let Found::Entry(entry, _) = found
            && entry.kind != Kind::Directory
        {
            match kept.get(&hasher.hash_one(&entry.path)) {
                None => lost(&entry.path, "it is not in the backup"),
                Some(mtime) if entry.mtime > *mtime => {
                    lost(&entry.path, "it is newer than in the backup");
                }
                Some(_) => {}
            }
        }
        Ok(())
    })?;
    if more > 0 {
        told.push(format!("and {more} more files"));
    }
    Ok(told)
}
