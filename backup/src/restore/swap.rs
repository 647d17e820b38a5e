//! The renames. Each leaves either the old or the new database under the live
//! name, and what is there tells how far it came.

use std::time::Duration;

use tokio::time::sleep;

use super::{Names, journal};
use crate::postgres::{Error, Session, ident, literal};
use crate::setup::short;

fn told(err: Error) -> String {
    err.to_string()
}

pub(super) async fn exists(admin: &mut Session, name: &str) -> Result<bool, String> {
    let sql = format!(
        "SELECT count(*) FROM pg_database WHERE datname = {}",
        literal(name)
    );
    Ok(admin.line(&sql).await.map_err(told)? == "1")
}

/// Takes away what an earlier try left under our names. A database that was kept
/// of an earlier restore of the same backup is not ours to drop.
pub(super) async fn free(admin: &mut Session, names: &Names) -> Result<(), String> {
    drop(admin, &names.beside).await?;
    if exists(admin, &names.before).await? {
        return Err(format!(
            "{} is still kept of an earlier restore; confirm or undo that first",
            names.before
        ));
    }
    Ok(())
}

/// Drops a database of ours: its name says that it is.
pub(super) async fn drop(admin: &mut Session, name: &str) -> Result<(), String> {
    if !["__restore_", "__before_", "belfry_drill_"]
        .iter()
        .any(|mark| name.contains(mark))
    {
        return Err(format!("{name} is not ours to drop"));
    }
    if !exists(admin, name).await? {
        return Ok(());
    }
    admin
        .lines(&format!("DROP DATABASE {} WITH (FORCE)", ident(name)))
        .await
        .map_err(told)?;
    Ok(())
}

/// Puts the restored database in the place of the live one; whether there was one.
pub(super) async fn swap(admin: &mut Session, names: &Names) -> Result<bool, String> {
    let had = exists(admin, &names.live).await?;
    if had {
        rename(admin, &names.live, &names.before).await?;
    }
    rename(admin, &names.beside, &names.live).await?;
    open(admin, &names.live).await?;
    Ok(had)
}

/// Puts the database that was there before back.
pub(super) async fn back(admin: &mut Session, names: &Names) -> Result<(), String> {
    if exists(admin, &names.before).await? {
        if exists(admin, &names.live).await? {
            rename(admin, &names.live, &names.beside).await?;
        }
        rename(admin, &names.before, &names.live).await?;
    }
    if exists(admin, &names.live).await? {
        open(admin, &names.live).await?;
    }
    Ok(())
}

/// Gives what took the live name a name that nothing of ours drops; the name.
pub(super) async fn aside(admin: &mut Session, names: &Names) -> Result<String, String> {
    let name = names.beside.replace("__restore_", "__aside_");
    let mut aside = name.clone();
    for more in 2.. {
        if !exists(admin, &aside).await? {
            break;
        }
        aside = format!("{name}_{more}");
    }
    rename(admin, &names.live, &aside).await?;
    journal::telling(open(admin, &aside).await, Some(aside.clone()))?;
    Ok(aside)
}

/// Databases that were kept of restores, oldest first.
pub(super) async fn kept(admin: &mut Session, live: &str) -> Result<Vec<String>, String> {
    let sql = format!(
        "SELECT datname FROM pg_database WHERE starts_with(datname, {}) ORDER BY oid",
        literal(&format!("{}__before_", short(live)))
    );
    admin.lines(&sql).await.map_err(told)
}

/// Whoever is connected is cut off, and nobody comes in between: an application
/// that reconnects at once must not hold up the rename.
pub(super) async fn rename(admin: &mut Session, from: &str, to: &str) -> Result<(), String> {
    let sql = format!("ALTER DATABASE {} ALLOW_CONNECTIONS false", ident(from));
    admin.lines(&sql).await.map_err(told)?;
    let cut = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {}",
        literal(from)
    );
    let left = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = {}",
        literal(from)
    );
    for tried in 0..200 {
        admin.lines(&cut).await.map_err(told)?;
        if admin.line(&left).await.map_err(told)? == "0" {
            break;
        }
        // Most are gone at once.
        let wait = Duration::from_millis(if tried < 10 { 5 } else { 50 });
        sleep(wait).await;
    }
    let sql = format!("ALTER DATABASE {} RENAME TO {}", ident(from), ident(to));
    admin.lines(&sql).await.map_err(told)?;
    Ok(())
}

/// Lets in whoever may come.
pub(super) async fn open(admin: &mut Session, name: &str) -> Result<(), String> {
    let sql = format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", ident(name));
    admin.lines(&sql).await.map(|_| ()).map_err(told)
}
