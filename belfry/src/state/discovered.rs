//! The table `healthchecks_discovered`: targets that were found elsewhere.

use sqlx::SqlitePool;

/// Keeps the targets; they replace what was kept before.
pub(crate) async fn save_discovered(pool: &SqlitePool, body: &str) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO healthchecks_discovered (id, body) VALUES (1, ?1)
         ON CONFLICT (id) DO UPDATE SET body = ?1",
    )
    .bind(body)
    .execute(pool)
    .await?;
    Ok(())
}

/// What was kept.
pub(crate) async fn load_discovered(pool: &SqlitePool) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar("SELECT body FROM healthchecks_discovered")
        .fetch_optional(pool)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::database::memory;

    #[tokio::test]
    async fn the_last_targets_are_what_is_kept() {
        let pool = memory().await.unwrap();
        assert_eq!(load_discovered(&pool).await.unwrap(), None);
        save_discovered(&pool, "a").await.unwrap();
        save_discovered(&pool, "b").await.unwrap();
        assert_eq!(load_discovered(&pool).await.unwrap().as_deref(), Some("b"));
    }
}
