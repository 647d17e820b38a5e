//! Opening the database and bringing it up to date.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use sqlx::SqlitePool;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

static MIGRATIONS: Migrator = sqlx::migrate!();

/// Why a database cannot be used.
#[derive(Debug)]
pub(crate) enum Error {
    /// The disk is full or read-only.
    NotWritable(String),
    /// It is damaged, or a newer Belfry made it.
    Unusable(anyhow::Error),
}

/// Opens the file, makes it where it is missing, and migrates it.
pub(crate) async fn open(file: &Path) -> Result<SqlitePool, Error> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // What was sent must be on the disk before it counts as sent.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(5))
        .pragma("cache_size", "-1024")
        .pragma("journal_size_limit", "4194304");
    connect(options)
        .await
        .map_err(|err| sort(&err).map_or(Error::Unusable(err), Error::NotWritable))
}

/// Opens a file that is there, beside the process that keeps it; it is neither made nor
/// migrated.
pub(crate) async fn beside(file: &Path) -> sqlx::Result<SqlitePool> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(5));
    SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_secs(10))
        .connect_with(options)
        .await
}

/// A number that is another one when another process has written to the file.
pub(crate) async fn data_version(pool: &SqlitePool) -> sqlx::Result<i64> {
    sqlx::query_scalar("PRAGMA data_version")
        .fetch_one(pool)
        .await
}

/// A database that ends with the process.
pub(crate) async fn memory() -> anyhow::Result<SqlitePool> {
    connect(SqliteConnectOptions::new().in_memory(true)).await
}

async fn connect(options: SqliteConnectOptions) -> anyhow::Result<SqlitePool> {
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .min_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        // A file is not away like a server may be.
        .test_before_acquire(false)
        .acquire_timeout(Duration::from_secs(10))
        .connect_with(options)
        .await
        .context("cannot open it")?;
    MIGRATIONS
        .run(&pool)
        .await
        .context("cannot bring it up to date")?;
    Ok(pool)
}

/// The reason, if it is one that the disk gives and not the file.
fn sort(err: &anyhow::Error) -> Option<String> {
    const READ_ONLY: &str = "8";
    const IO: &str = "10";
    const FULL: &str = "13";
    const CANNOT_OPEN: &str = "14";
    err.chain().find_map(|cause| {
        let database = match cause.downcast_ref::<sqlx::Error>() {
            Some(sqlx::Error::Database(err)) => err,
            _ => return None,
        };
        // Extended codes keep the primary one in their lowest byte.
        let code: u32 = database.code()?.parse().ok()?;
        let primary = (code & 0xff).to_string();
        [READ_ONLY, IO, FULL, CANNOT_OPEN]
            .contains(&primary.as_str())
            .then(|| database.message().to_owned())
    })
}

/// Proves that the database can be written.
pub(crate) async fn write_heartbeat(pool: &SqlitePool, now_ms: i64) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO heartbeat (id, written_ms) VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET written_ms = ?1")
        .bind(now_ms)
        .execute(pool)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_database_is_made_migrated_and_reopened() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("belfry.db");
        let pool = open(&file).await.unwrap();
        write_heartbeat(&pool, 5).await.unwrap();
        pool.close().await;
        let pool = open(&file).await.unwrap();
        let (written,): (i64,) = sqlx::query_as("SELECT written_ms FROM heartbeat")
            .fetch_one(&pool)
            .await
            .unwrap();
        assert_eq!(written, 5);
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("belfry.db");
        let text = "not a database, but long enough to have a header that could be one".repeat(40);
        std::fs::write(&file, &text).unwrap();
        assert!(matches!(open(&file).await, Err(Error::Unusable(_))));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    }

    #[tokio::test]
    async fn a_database_of_a_newer_belfry_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("belfry.db");
        let pool = open(&file).await.unwrap();
        sqlx::query("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'x', 1, x'00', 0)")
            .execute(&pool)
            .await
            .unwrap();
        pool.close().await;
        assert!(matches!(open(&file).await, Err(Error::Unusable(_))));
    }
}
