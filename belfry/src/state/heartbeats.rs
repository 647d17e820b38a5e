//! The table `healthchecks_heartbeats`: what was heard of each heartbeat.

use healthchecks::heartbeat::Kept;
use sqlx::SqlitePool;

/// Keeps these, and forgets those that are gone; all or nothing.
pub(crate) async fn save_heartbeats(
    pool: &SqlitePool,
    kept: &[Kept],
    gone: &[String],
) -> sqlx::Result<()> {
    let mut all = pool.begin().await?;
    for kept in kept {
        let body = serde_json::to_string(kept).map_err(|err| sqlx::Error::Encode(err.into()))?;
        sqlx::query(
            "INSERT INTO healthchecks_heartbeats (name, body) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET body = ?2",
        )
        .bind(&kept.name)
        .bind(body)
        .execute(&mut *all)
        .await?;
    }
    for name in gone {
        sqlx::query("DELETE FROM healthchecks_heartbeats WHERE name = ?1")
            .bind(name)
            .execute(&mut *all)
            .await?;
    }
    all.commit().await
}

/// All that was kept; a row that cannot be read is left out and told.
pub(crate) async fn load_heartbeats(pool: &SqlitePool) -> sqlx::Result<Vec<Kept>> {
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT name, body FROM healthchecks_heartbeats ORDER BY name")
            .fetch_all(pool)
            .await?;
    let read = rows
        .into_iter()
        .filter_map(|(name, body)| match serde_json::from_str(&body) {
            Ok(kept) => Some(kept),
            Err(err) => {
                tracing::error!(
                    name,
                    "a heartbeat begins anew, what was kept of it cannot be read: {err}"
                );
                None
            }
        });
    Ok(read.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::database::memory;

    #[tokio::test]
    async fn heartbeats_are_kept_replaced_and_forgotten() {
        let pool = memory().await.unwrap();
        let kept = |name: &str, at| Kept {
            name: name.to_owned(),
            success_ms: Some(at),
            ..Kept::default()
        };
        save_heartbeats(&pool, &[kept("a", 1), kept("b", 2)], &[])
            .await
            .unwrap();
        save_heartbeats(&pool, &[kept("b", 3)], &["a".to_owned()])
            .await
            .unwrap();
        sqlx::query("INSERT INTO healthchecks_heartbeats VALUES ('c', 'broken')")
            .execute(&pool)
            .await
            .unwrap();
        assert_eq!(load_heartbeats(&pool).await.unwrap(), [kept("b", 3)]);
    }
}
