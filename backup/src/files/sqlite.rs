//! SQLite files: copied by SQLite itself, in one read transaction, so that a copy
//! is whole although others write. A copied file, byte by byte, would be torn.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use tokio::runtime::Handle;

use crate::archive;

/// How such a file begins.
const MAGIC: &[u8] = b"SQLite format 3\0";

/// Files that belong to one, by their endings.
pub(super) const COMPANIONS: [&[u8]; 3] = [b"-wal", b"-shm", b"-journal"];

/// How long somebody who writes is waited for.
const BUSY: Duration = Duration::from_secs(20);

/// Copies a database file; `inode` is the one that is meant. For a thread that may
/// block, within the runtime.
pub(super) fn copy(path: &Path, inode: (u64, u64), into: &Path) -> Result<PathBuf, String> {
    let told = |err: io::Error| err.to_string();
    let about = std::fs::symlink_metadata(path).map_err(told)?;
    if (about.dev(), about.ino()) != inode {
        return Err("it was replaced meanwhile".to_owned());
    }
    let free = archive::free(into).map_err(told)?;
    if free < about.len().saturating_add(archive::RESERVE) {
        return Err(format!(
            "{}: {free} bytes are free, and its copy needs {}",
            into.display(),
            about.len()
        ));
    }
    let copy = into.join("copy.sqlite");
    let _ = std::fs::remove_file(&copy);
    let target = copy.to_str().ok_or("the scratch folder has an odd name")?;
    let copied = Handle::current().block_on(async {
        let mut connection = open(path).await?;
        sqlx::query("VACUUM INTO ?")
            .bind(target)
            .execute(&mut connection)
            .await?;
        connection.close().await
    });
    match copied {
        Ok(()) => Ok(copy),
        Err(err) => {
            let _ = std::fs::remove_file(&copy);
            Err(err.to_string())
        }
    }
}

async fn open(path: &Path) -> sqlx::Result<SqliteConnection> {
    SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .busy_timeout(BUSY)
        .disable_statement_logging()
        .connect()
        .await
}

/// Whether a file begins as a SQLite file does.
#[must_use]
pub fn is_sqlite(first: &[u8]) -> bool {
    first.starts_with(MAGIC)
}

/// Asks SQLite whether a file is whole. For a thread that may block, within the
/// runtime.
///
/// # Errors
/// When it is not, with what is wrong.
pub fn check(path: &Path) -> Result<(), String> {
    let answer = Handle::current().block_on(async {
        let mut connection = SqliteConnectOptions::new()
            .filename(path)
            .disable_statement_logging()
            .connect()
            .await?;
        let answer: String = sqlx::query_scalar("PRAGMA integrity_check(1)")
            .fetch_one(&mut connection)
            .await?;
        connection.close().await?;
        Ok::<_, sqlx::Error>(answer)
    });
    match answer {
        Ok(answer) if answer == "ok" => Ok(()),
        Ok(answer) => Err(answer),
        Err(err) => Err(err.to_string()),
    }
}
