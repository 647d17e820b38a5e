//! The table `healthchecks_peers`: what is known of other Belfrys.

use std::collections::BTreeMap;

use healthchecks::peer::Kept;
use sqlx::SqlitePool;

/// Keeps what is known of each by its name; it replaces what was kept before.
pub(crate) async fn save_peers(
    pool: &SqlitePool,
    peers: &BTreeMap<String, Kept>,
) -> sqlx::Result<()> {
    let body = serde_json::to_string(peers).map_err(|err| sqlx::Error::Encode(err.into()))?;
    sqlx::query(
        "INSERT INTO healthchecks_peers (id, body) VALUES (1, ?1)
         ON CONFLICT (id) DO UPDATE SET body = ?1",
    )
    .bind(body)
    .execute(pool)
    .await?;
    Ok(())
}

/// What was kept.
pub(crate) async fn load_peers(pool: &SqlitePool) -> sqlx::Result<BTreeMap<String, Kept>> {
    let body: Option<String> = sqlx::query_scalar("SELECT body FROM healthchecks_peers")
        .fetch_optional(pool)
        .await?;
    let kept = body.map(|body| serde_json::from_str(&body)).transpose();
    let kept = kept.map_err(|err| sqlx::Error::Decode(err.into()))?;
    Ok(kept.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::database::memory;

    #[tokio::test]
    async fn what_was_known_last_is_what_is_kept() {
        let pool = memory().await.unwrap();
        assert_eq!(load_peers(&pool).await.unwrap(), BTreeMap::new());
        let known = |answered_ms| {
            let kept = Kept {
                answered_ms,
                seen: true,
                ours: false,
                standing: healthchecks::peer::Standing::default(),
            };
            BTreeMap::from([("b".to_owned(), kept)])
        };
        save_peers(&pool, &known(1)).await.unwrap();
        save_peers(&pool, &known(2)).await.unwrap();
        assert_eq!(load_peers(&pool).await.unwrap(), known(2));
        sqlx::query("UPDATE healthchecks_peers SET body = 'broken'")
            .execute(&pool)
            .await
            .unwrap();
        assert!(load_peers(&pool).await.is_err());
    }
}
