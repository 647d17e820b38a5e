//! The table of episodes.

use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{QueryBuilder, Row as _, Sqlite, SqlitePool};

use super::json;
use super::read::{json as read_json, sound};
use crate::HistoryFilter;
use crate::episode::Episode;

/// Writes episodes as they are now; not many at a time.
pub(super) async fn write(db: &mut SqliteConnection, episodes: &[Episode]) -> sqlx::Result<()> {
    let mut query = QueryBuilder::new("INSERT OR REPLACE INTO alerter_episodes ");
    query.push_values(episodes, |mut values, episode| {
        values
            .push_bind(episode.id as i64)
            .push_bind(episode.fingerprint as i64)
            .push_bind(json(&episode.labels))
            .push_bind(episode.summary.clone())
            .push_bind(episode.started_ms)
            .push_bind(episode.ended_ms)
            .push_bind(episode.pages)
            .push_bind(episode.told_ms)
            .push_bind(json(&episode.ack))
            .push_bind(json(&episode.steps))
            .push_bind(json(&episode.ends));
    });
    query.build().execute(db).await?;
    Ok(())
}

/// Deletes what ended before a time, and of what ended all but the newest.
pub(super) async fn trim(
    db: &mut SqliteConnection,
    before_ms: i64,
    most: usize,
) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM alerter_episodes WHERE ended_ms < ?")
        .bind(before_ms)
        .execute(&mut *db)
        .await?;
    sqlx::query(
        "DELETE FROM alerter_episodes WHERE ended_ms IS NOT NULL AND id <= \
         (SELECT id FROM alerter_episodes ORDER BY id DESC LIMIT 1 OFFSET ?)",
    )
    .bind(i64::try_from(most).unwrap_or(i64::MAX))
    .execute(db)
    .await?;
    Ok(())
}

/// The last episode of each alert that is known, and the number of the next
/// one. One that has no end belongs to it even if its alert is lost.
pub(crate) async fn load(pool: &SqlitePool) -> sqlx::Result<(Vec<Episode>, u64)> {
    let found = sqlx::query(
        "SELECT * FROM alerter_episodes WHERE ended_ms IS NULL \
         OR fingerprint IN (SELECT fingerprint FROM alerter_alerts) ORDER BY id",
    )
    .fetch_all(pool)
    .await?;
    let last: Option<i64> = sqlx::query_scalar("SELECT max(id) FROM alerter_episodes")
        .fetch_one(pool)
        .await?;
    let next = last.and_then(|id| u64::try_from(id).ok()).unwrap_or(0) + 1;
    Ok((sound(&found, row), next))
}

/// Episodes, the newest first.
pub(crate) async fn list(pool: &SqlitePool, wanted: &HistoryFilter) -> sqlx::Result<Vec<Episode>> {
    let mut query: QueryBuilder<Sqlite> =
        QueryBuilder::new("SELECT * FROM alerter_episodes WHERE (ended_ms IS NULL OR ended_ms >= ");
    query.push_bind(wanted.since_ms).push(")");
    if let Some(fingerprint) = wanted.fingerprint {
        query
            .push(" AND fingerprint = ")
            .push_bind(fingerprint as i64);
    }
    if let Some(name) = &wanted.name {
        query
            .push(" AND json_extract(labels, '$.alertname') = ")
            .push_bind(name);
    }
    query
        .push(" ORDER BY started_ms DESC, id DESC LIMIT ")
        .push_bind(wanted.limit);
    let found = query.build().fetch_all(pool).await?;
    Ok(sound(&found, row))
}

/// Those of these numbers that are kept.
pub(crate) async fn of(pool: &SqlitePool, ids: &[u64]) -> sqlx::Result<Vec<Episode>> {
    const OF: &str = "SELECT * FROM alerter_episodes WHERE id IN (SELECT value FROM json_each(?))";
    let found = sqlx::query(OF).bind(json(&ids)).fetch_all(pool).await?;
    Ok(sound(&found, row))
}

fn row(row: &SqliteRow) -> sqlx::Result<Episode> {
    Ok(Episode {
        id: row.try_get::<i64, _>("id")? as u64,
        fingerprint: row.try_get::<i64, _>("fingerprint")? as u64,
        labels: read_json(row, "labels")?,
        summary: row.try_get("summary")?,
        started_ms: row.try_get("started_ms")?,
        ended_ms: row.try_get("ended_ms")?,
        pages: row.try_get("pages")?,
        told_ms: row.try_get("told_ms")?,
        ack: read_json(row, "ack")?,
        steps: read_json(row, "steps")?,
        ends: read_json(row, "ends")?,
    })
}

#[cfg(test)]
mod tests;
