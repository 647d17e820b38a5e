//! The table of mails that servers took.

use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{QueryBuilder, Row as _, SqlitePool};

use super::read::{fingerprints, json as read_json, place, sound};
use super::{bytes, json};
use crate::state::SentMail;

/// Mails of one name that are looked at.
const MOST: i64 = 2_000;

/// Writes mails as they are now; not many at a time.
pub(super) async fn write(db: &mut SqliteConnection, mails: &[SentMail]) -> sqlx::Result<()> {
    let mut query = QueryBuilder::new("INSERT OR REPLACE INTO alerter_mails ");
    query.push_values(mails, |mut values, mail| {
        values
            .push_bind(mail.id as i64)
            .push_bind(mail.name.clone())
            .push_bind(mail.at_ms)
            .push_bind(mail.group.clone())
            .push_bind(mail.receiver.clone())
            .push_bind(mail.integration as i64)
            .push_bind(mail.incident.clone())
            .push_bind(mail.sent)
            .push_bind(json(&mail.labels))
            .push_bind(bytes(&mail.told))
            .push_bind(json(&mail.accepted))
            .push_bind(json(&mail.returned));
    });
    query.build().execute(db).await?;
    Ok(())
}

/// Deletes those that a server took before a time.
pub(super) async fn trim(db: &mut SqliteConnection, before_ms: i64) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM alerter_mails WHERE at_ms < ?")
        .bind(before_ms)
        .execute(db)
        .await?;
    Ok(())
}

/// The number of the next one.
pub(crate) async fn next(pool: &SqlitePool) -> sqlx::Result<u64> {
    let last: Option<i64> = sqlx::query_scalar("SELECT max(id) FROM alerter_mails")
        .fetch_one(pool)
        .await?;
    Ok(last.and_then(|id| u64::try_from(id).ok()).unwrap_or(0) + 1)
}

/// Those that bear one of these names, the newest first.
pub(crate) async fn named(pool: &SqlitePool, names: &[String]) -> sqlx::Result<Vec<SentMail>> {
    const NAMED: &str = "SELECT * FROM alerter_mails \
                         WHERE name IN (SELECT value FROM json_each(?)) ORDER BY id DESC LIMIT ?";
    let found = sqlx::query(NAMED)
        .bind(json(&names))
        .bind(MOST)
        .fetch_all(pool)
        .await?;
    Ok(sound(&found, row))
}

/// The last of those whose names begin so, the newest first.
pub(crate) async fn last_named(
    pool: &SqlitePool,
    beginning: &str,
    most: usize,
) -> sqlx::Result<Vec<SentMail>> {
    // So that the index on names serves, no pattern but a range: `\u{10ffff}` sorts last.
    const LAST: &str = "SELECT * FROM alerter_mails \
                        WHERE name >= ?1 AND name < ?1 || ?2 ORDER BY id DESC LIMIT ?3";
    let found = sqlx::query(LAST)
        .bind(beginning)
        .bind("\u{10ffff}")
        .bind(i64::try_from(most).unwrap_or(MOST))
        .fetch_all(pool)
        .await?;
    Ok(sound(&found, row))
}

fn row(row: &SqliteRow) -> sqlx::Result<SentMail> {
    Ok(SentMail {
        id: row.try_get::<i64, _>("id")? as u64,
        name: row.try_get("name")?,
        at_ms: row.try_get("at_ms")?,
        group: row.try_get("key")?,
        receiver: row.try_get("receiver")?,
        integration: place(row)?,
        incident: row.try_get("incident")?,
        sent: row.try_get("sent")?,
        labels: read_json(row, "labels")?,
        told: fingerprints(row, "told")?,
        accepted: read_json(row, "accepted")?,
        returned: read_json(row, "returned")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounce::Fate;
    use crate::store::tests::database;

    fn mail(id: u64, name: &str, at_ms: i64) -> SentMail {
        SentMail {
            id,
            at_ms,
            group: "{}:{}".into(),
            integration: 3,
            sent: 2,
            incident: "ff".into(),
            labels: [("alertname", "ä")].into_iter().collect(),
            told: vec![1, u64::MAX],
            returned: [("a@b".to_owned(), Fate::Failed)].into(),
            ..SentMail::of_notice(name.into(), "mail".into(), vec!["a@b".into()], 0)
        }
    }

    #[tokio::test]
    async fn mails_are_found_by_their_names_until_they_are_old() {
        let pool = database().await;
        assert_eq!(next(&pool).await.unwrap(), 1);
        let mut db = pool.acquire().await.unwrap();
        let all = [mail(1, "x", 10), mail(2, "y", 20), mail(3, "x", 30)];
        // What is written again is written over.
        for _ in 0..2 {
            write(&mut db, &all).await.unwrap();
        }
        drop(db);
        let names = ["x".to_owned(), "none".to_owned()];
        let found = named(&pool, &names).await.unwrap();
        assert_eq!(found, [mail(3, "x", 30), mail(1, "x", 10)]);
        assert_eq!(next(&pool).await.unwrap(), 4);
        let last = async |beginning| last_named(&pool, beginning, 2).await.unwrap();
        assert_eq!(last("").await, [mail(3, "x", 30), mail(2, "y", 20)]);
        assert_eq!(last("y").await, [mail(2, "y", 20)]);
        assert_eq!(last("xx").await, []);
        trim(&mut pool.acquire().await.unwrap(), 30).await.unwrap();
        assert_eq!(named(&pool, &names).await.unwrap(), [mail(3, "x", 30)]);
    }
}
