//! The table `rule_state`: what the rules knew at their last evaluation.

use sqlx::SqlitePool;

/// Keeps the rules' state; it replaces what was kept before.
pub(crate) async fn save_rules(pool: &SqlitePool, body: &str, now_ms: i64) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO rule_state (id, saved_ms, body) VALUES (1, ?1, ?2)
         ON CONFLICT (id) DO UPDATE SET saved_ms = ?1, body = ?2",
    )
    .bind(now_ms)
    .bind(body)
    .execute(pool)
    .await?;
    Ok(())
}

/// What was kept, and when.
pub(crate) async fn load_rules(pool: &SqlitePool) -> sqlx::Result<Option<(i64, String)>> {
    sqlx::query_as("SELECT saved_ms, body FROM rule_state")
        .fetch_optional(pool)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::database::memory;

    #[tokio::test]
    async fn the_last_state_is_what_is_kept() {
        let pool = memory().await.unwrap();
        assert_eq!(load_rules(&pool).await.unwrap(), None);
        save_rules(&pool, "a", 1).await.unwrap();
        save_rules(&pool, "b", 2).await.unwrap();
        assert_eq!(load_rules(&pool).await.unwrap(), Some((2, "b".to_owned())));
    }
}
