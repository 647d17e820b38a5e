//! The table `exporter_celery`: what was counted of Celery's tasks.

use sqlx::SqlitePool;

/// Keeps the counts; they replace what was kept before.
pub(crate) async fn save_celery(pool: &SqlitePool, body: &str) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO exporter_celery (id, body) VALUES (1, ?1)
         ON CONFLICT (id) DO UPDATE SET body = ?1",
    )
    .bind(body)
    .execute(pool)
    .await?;
    Ok(())
}

/// What was kept.
pub(crate) async fn load_celery(pool: &SqlitePool) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar("SELECT body FROM exporter_celery")
        .fetch_optional(pool)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::database::memory;

    #[tokio::test]
    async fn the_last_counts_are_what_is_kept() {
        let pool = memory().await.unwrap();
        assert_eq!(load_celery(&pool).await.unwrap(), None);
        save_celery(&pool, "a").await.unwrap();
        save_celery(&pool, "b").await.unwrap();
        assert_eq!(load_celery(&pool).await.unwrap().as_deref(), Some("b"));
    }
}
