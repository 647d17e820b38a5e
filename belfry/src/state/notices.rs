//! When each kind of notice was last done.

use sqlx::SqlitePool;

/// Every kind with its time, in milliseconds since 1970.
pub(crate) async fn notices(pool: &SqlitePool) -> sqlx::Result<Vec<(String, i64)>> {
    sqlx::query_as("SELECT kind, done_ms FROM notices")
        .fetch_all(pool)
        .await
}

/// Notes that a kind was done.
pub(crate) async fn set_notice(pool: &SqlitePool, kind: &str, done_ms: i64) -> sqlx::Result<()> {
    sqlx::query("INSERT OR REPLACE INTO notices VALUES (?, ?)")
        .bind(kind)
        .bind(done_ms)
        .execute(pool)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_time_of_each_kind_is_kept() {
        let pool = crate::state::memory().await.unwrap();
        assert_eq!(notices(&pool).await.unwrap(), []);
        for (kind, done_ms) in [("digest", 1), ("canary", 2), ("digest", 3)] {
            set_notice(&pool, kind, done_ms).await.unwrap();
        }
        let all = notices(&pool).await.unwrap();
        assert_eq!(all, [("canary".into(), 2), ("digest".into(), 3)]);
    }
}
