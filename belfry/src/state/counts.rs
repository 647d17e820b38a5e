//! The table `exporter_counts`: what collectors counted, each in its own words.

use sqlx::SqlitePool;

/// Keeps the counts of a part; they replace what was kept before.
pub(crate) async fn save_counts(pool: &SqlitePool, part: &str, body: &str) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO exporter_counts (part, body) VALUES (?1, ?2)
         ON CONFLICT (part) DO UPDATE SET body = ?2",
    )
    .bind(part)
    .bind(body)
    .execute(pool)
    .await?;
    Ok(())
}

/// What was kept of a part.
pub(crate) async fn load_counts(pool: &SqlitePool, part: &str) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar("SELECT body FROM exporter_counts WHERE part = ?1")
        .bind(part)
        .fetch_optional(pool)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::database::memory;

    #[tokio::test]
    async fn the_last_counts_of_each_part_are_what_is_kept() {
        let pool = memory().await.unwrap();
        assert_eq!(load_counts(&pool, "api").await.unwrap(), None);
        save_counts(&pool, "api", "a").await.unwrap();
        save_counts(&pool, "log", "b").await.unwrap();
        save_counts(&pool, "api", "c").await.unwrap();
        let kept = load_counts(&pool, "api").await.unwrap();
        assert_eq!(kept.as_deref(), Some("c"));
    }
}
