//! The tables `backup_slots` and `backup_runs`: when tasks of backup jobs are due,
//! and what became of each run.

use backup::schedule::Slot;
use sqlx::SqlitePool;

/// A run, when it has ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ended {
    pub status: &'static str,
    pub backup: String,
    pub bytes: u64,
    pub error: String,
}

/// The newest run of a task that came to an end of its own.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Last {
    pub job: String,
    pub task: String,
    pub started_ms: i64,
    pub finished_ms: i64,
    pub status: String,
}

/// A run as it was noted.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Noted {
    pub task: String,
    /// When it was due; 0 where it was begun by hand.
    pub scheduled_ms: i64,
    pub started_ms: i64,
    /// Nothing while it goes on.
    pub finished_ms: Option<i64>,
    pub status: String,
    pub backup: String,
    pub bytes: i64,
    pub error: String,
}

/// Runs older than this are forgotten, but the newest of each task.
const KEPT_MS: i64 = 400 * 86_400_000;

pub(crate) async fn load_slots(pool: &SqlitePool) -> sqlx::Result<Vec<(String, String, Slot)>> {
    let rows: Vec<(String, String, Option<i64>, Option<i64>)> =
        sqlx::query_as("SELECT job, task, next_ms, last_ms FROM backup_slots")
            .fetch_all(pool)
            .await?;
    let slot = |(job, task, next_ms, last_ms)| (job, task, Slot { next_ms, last_ms });
    Ok(rows.into_iter().map(slot).collect())
}

pub(crate) async fn save_slot(
    pool: &SqlitePool,
    job: &str,
    task: &str,
    slot: Slot,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO backup_slots (job, task, next_ms, last_ms) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (job, task) DO UPDATE SET next_ms = ?3, last_ms = ?4",
    )
    .bind(job)
    .bind(task)
    .bind(slot.next_ms)
    .bind(slot.last_ms)
    .execute(pool)
    .await?;
    Ok(())
}

/// Notes that a run begins; its id.
pub(crate) async fn begin_run(
    pool: &SqlitePool,
    job: &str,
    task: &str,
    scheduled_ms: i64,
    now_ms: i64,
) -> sqlx::Result<i64> {
    sqlx::query("DELETE FROM backup_runs WHERE started_ms < ?1 AND id NOT IN (SELECT max(id) FROM backup_runs GROUP BY job, task)")
        .bind(now_ms - KEPT_MS)
        .execute(pool)
        .await?;
    let done = sqlx::query(
        "INSERT INTO backup_runs (job, task, scheduled_ms, started_ms, status, backup, bytes, error)
         VALUES (?1, ?2, ?3, ?4, 'running', '', 0, '')",
    )
    .bind(job)
    .bind(task)
    .bind(scheduled_ms)
    .bind(now_ms)
    .execute(pool)
    .await?;
    Ok(done.last_insert_rowid())
}

/// Notes how a run ended.
pub(crate) async fn end_run(
    pool: &SqlitePool,
    id: i64,
    now_ms: i64,
    ended: &Ended,
) -> sqlx::Result<()> {
    sqlx::query("UPDATE backup_runs SET finished_ms = ?2, status = ?3, backup = ?4, bytes = ?5, error = ?6 WHERE id = ?1")
        .bind(id)
        .bind(now_ms)
        .bind(ended.status)
        .bind(&ended.backup)
        .bind(i64::try_from(ended.bytes).unwrap_or(i64::MAX))
        .bind(&ended.error)
        .execute(pool)
        .await?;
    Ok(())
}

/// Runs that seem to go on are of a Belfry that is dead: only one runs at a time.
pub(crate) async fn interrupt_runs(pool: &SqlitePool, now_ms: i64) -> sqlx::Result<u64> {
    let done = sqlx::query(
        "UPDATE backup_runs SET status = 'interrupted', finished_ms = ?1 WHERE status = 'running'",
    )
    .bind(now_ms)
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}

/// The newest run of each task that ended well or not, or was cut short.
pub(crate) async fn last_runs(pool: &SqlitePool) -> sqlx::Result<Vec<Last>> {
    sqlx::query_as(
        "SELECT job, task, started_ms, finished_ms, status FROM backup_runs
         WHERE id IN (SELECT max(id) FROM backup_runs WHERE finished_ms IS NOT NULL AND status NOT IN ('skipped', 'missed') GROUP BY job, task)",
    )
    .fetch_all(pool)
    .await
}

/// When the first run of a job began that is known.
pub(crate) async fn first_run_ms(pool: &SqlitePool, job: &str) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar("SELECT min(started_ms) FROM backup_runs WHERE job = ?1")
        .bind(job)
        .fetch_one(pool)
        .await
}

/// The newest runs of a job, the newest first.
pub(crate) async fn newest_runs(
    pool: &SqlitePool,
    job: &str,
    most: u32,
) -> sqlx::Result<Vec<Noted>> {
    sqlx::query_as(
        "SELECT task, scheduled_ms, started_ms, finished_ms, status, backup, bytes, error
         FROM backup_runs WHERE job = ?1 ORDER BY id DESC LIMIT ?2",
    )
    .bind(job)
    .bind(most)
    .fetch_all(pool)
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::database::memory;

    #[tokio::test]
    async fn runs_are_noted_ended_and_those_of_a_dead_belfry_interrupted() {
        let pool = memory().await.unwrap();
        let slot = Slot {
            next_ms: Some(9),
            last_ms: None,
        };
        save_slot(&pool, "db", "backup", Slot::default())
            .await
            .unwrap();
        save_slot(&pool, "db", "backup", slot).await.unwrap();
        assert_eq!(
            load_slots(&pool).await.unwrap(),
            [("db".into(), "backup".into(), slot)]
        );
        let first = begin_run(&pool, "db", "backup", 1, 2).await.unwrap();
        let ended = Ended {
            status: "ok",
            ..Ended::default()
        };
        end_run(&pool, first, 3, &ended).await.unwrap();
        begin_run(&pool, "db", "backup", 4, 5).await.unwrap();
        let last = last_runs(&pool).await.unwrap();
        assert_eq!(
            (last.len(), last[0].status.as_str(), last[0].finished_ms),
            (1, "ok", 3)
        );
        assert_eq!(interrupt_runs(&pool, 6).await.unwrap(), 1);
        assert_eq!(last_runs(&pool).await.unwrap()[0].status, "interrupted");
        let newest = newest_runs(&pool, "db", 1).await.unwrap();
        let newest = newest.first().map(|run| (run.started_ms, &*run.status));
        assert_eq!(newest, Some((5, "interrupted")));
        assert_eq!(newest_runs(&pool, "db", 9).await.unwrap().len(), 2);
        assert_eq!(first_run_ms(&pool, "db").await.unwrap(), Some(2));
        assert_eq!(first_run_ms(&pool, "other").await.unwrap(), None);
        let skipped = begin_run(&pool, "db", "backup", 7, 7).await.unwrap();
        let ended = Ended {
            status: "skipped",
            ..Ended::default()
        };
        end_run(&pool, skipped, 7, &ended).await.unwrap();
        assert_eq!(last_runs(&pool).await.unwrap()[0].status, "interrupted");
        // A year later only the newest of each task is left.
        begin_run(&pool, "db", "backup", 8, KEPT_MS + 100)
            .await
            .unwrap();
        let (count,): (i64,) = sqlx::query_as("SELECT count(*) FROM backup_runs")
            .fetch_one(&pool)
            .await
            .unwrap();
        assert_eq!(count, 2);
    }
}
