//! The data folder: one Belfry, one database, one writer.
//!
//! When the folder cannot be written the watch goes on in memory, and says so:
//! a host whose disk broke is the one whose page must go out.

mod backups;
mod celery;
mod check;
mod counts;
mod database;
mod discovered;
mod folder;
mod heartbeats;
mod notices;
mod peers;
mod rule_state;
mod secret;

pub(crate) use backups::{
    Ended, Last, Noted, begin_run, end_run, first_run_ms, interrupt_runs, last_runs, load_slots,
    newest_runs, save_slot,
};
pub(crate) use celery::{load_celery, save_celery};
pub(crate) use check::check;
pub(crate) use counts::{load_counts, save_counts};
pub(crate) use database::{beside, data_version, memory, write_heartbeat};
pub(crate) use discovered::{load_discovered, save_discovered};
pub(crate) use folder::{Folder, database_of, default_folder, in_use, read_address, read_place};
pub(crate) use heartbeats::{load_heartbeats, save_heartbeats};
pub(crate) use notices::{notices, set_notice};
pub(crate) use peers::{load_peers, save_peers};
pub(crate) use rule_state::{load_rules, save_rules};
pub(crate) use secret::Key;

use std::path::{Path, PathBuf};

use sqlx::SqlitePool;

/// What is kept over a restart.
#[derive(Debug)]
pub(crate) struct State {
    /// The one connection that writes, and reads.
    pub pool: SqlitePool,
    /// The folder, held against a second Belfry; nothing when all is in memory.
    pub folder: Option<Folder>,
    /// Why nothing is kept, if so.
    pub in_memory: Option<String>,
}

impl State {
    /// What links in mails are signed with. Where it cannot be kept, links of
    /// before a restart are of no use.
    pub(crate) fn key(&self) -> std::io::Result<Key> {
        let kept = self
            .folder
            .as_ref()
            .map(|folder| secret::of_folder(folder.path()));
        match kept {
            Some(Ok(key)) => Ok(key),
            Some(Err(err)) => {
                tracing::error!("the key for links in mails cannot be kept: {err}");
                secret::fresh()
            }
            None => secret::fresh(),
        }
    }
}

/// Why the state cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Another Belfry has the folder.
    #[error("another belfry (process {pid}) uses the data folder {}", dir.display())]
    Taken { dir: PathBuf, pid: String },
    /// The database is of a newer Belfry, or damaged.
    #[error("cannot use {}", file.display())]
    Database {
        file: PathBuf,
        source: anyhow::Error,
    },
    /// Not even a database in memory can be opened.
    #[error("cannot open a database in memory")]
    Memory(#[source] anyhow::Error),
}

impl State {
    /// Opens the folder and the database in it, or a database in memory when
    /// the folder cannot be written.
    pub(crate) async fn open(dir: &Path) -> Result<Self, Error> {
        match Folder::take(dir) {
            Ok(folder) => {
                let file = folder.database();
                match database::open(&file).await {
                    Ok(pool) => Ok(Self {
                        pool,
                        folder: Some(folder),
                        in_memory: None,
                    }),
                    Err(database::Error::NotWritable(reason)) => {
                        Self::memory(Some(folder), format!("{}: {reason}", file.display())).await
                    }
                    Err(database::Error::Unusable(source)) => Err(Error::Database { file, source }),
                }
            }
            Err(folder::Error::Taken(pid)) => Err(Error::Taken {
                dir: dir.to_owned(),
                pid,
            }),
            Err(folder::Error::NotWritable(err)) => {
                Self::memory(None, format!("{}: {err}", dir.display())).await
            }
        }
    }

    async fn memory(folder: Option<Folder>, reason: String) -> Result<Self, Error> {
        let pool = memory().await.map_err(Error::Memory)?;
        Ok(Self {
            pool,
            folder,
            in_memory: Some(reason),
        })
    }
}
