//! The alerter's tables: read once at the start, written one transaction at a
//! time. Nothing here decides anything.

mod episodes;
mod mails;
mod read;

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, QueryBuilder, SqlitePool};

use crate::silence::{Id, Kept, SilenceMatcher};
use crate::state::{AlertRow, Changes, GroupRow, Happened, LogRow};

pub(crate) use episodes::{list as episodes, of as episodes_of};
pub(crate) use mails::{last_named as last_mails, named as mails};
pub(crate) use read::{history, load, silences_ended};

/// Rows of a statement: each statement costs a walk to the database's thread.
const ROWS: usize = 32;

/// Writes everything or nothing.
pub(crate) async fn write(pool: &SqlitePool, changes: &Changes) -> sqlx::Result<()> {
    let mut connection = pool.acquire().await?;
    if let Some((id, alerts)) = changes.only_intake() {
        // One statement is a transaction of its own, and three walks less.
        return write_intake(&mut connection, *id, alerts).await;
    }
    let mut transaction = connection.begin().await?;
    if let Some((id, alerts)) = &changes.intake {
        write_intake(&mut transaction, *id, alerts).await?;
    }
    if let Some(over) = changes.intake_over {
        sqlx::query("DELETE FROM alerter_intake WHERE id <= ?")
            .bind(over as i64)
            .execute(&mut *transaction)
            .await?;
    }
    write_alerts(&mut transaction, &changes.alerts).await?;
    for ((route, key), row) in &changes.groups {
        write_group(&mut transaction, route, key, row.as_ref()).await?;
    }
    for row in &changes.log {
        write_log(&mut transaction, row).await?;
    }
    for (id, kept) in &changes.silences {
        write_silence(&mut transaction, *id, kept.as_ref()).await?;
    }
    for events in changes.history.chunks(ROWS) {
        write_events(&mut transaction, events).await?;
    }
    for episodes in changes.episodes.chunks(ROWS) {
        episodes::write(&mut transaction, episodes).await?;
    }
    for sent in changes.mails.chunks(ROWS) {
        mails::write(&mut transaction, sent).await?;
    }
    if let Some(before_ms) = changes.trim_mails_ms {
        mails::trim(&mut transaction, before_ms).await?;
    }
    if let Some(before_ms) = changes.trim_before_ms {
        episodes::trim(&mut transaction, before_ms, changes.most_episodes).await?;
        sqlx::query("DELETE FROM alerter_history WHERE at_ms < ?")
            .bind(before_ms)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await
}

async fn write_intake(db: &mut SqliteConnection, id: u64, alerts: &str) -> sqlx::Result<()> {
    sqlx::query("INSERT OR REPLACE INTO alerter_intake VALUES (?, ?)")
        .bind(id as i64)
        .bind(alerts)
        .execute(db)
        .await?;
    Ok(())
}

async fn write_alerts(
    db: &mut SqliteConnection,
    alerts: &[(u64, Option<AlertRow>)],
) -> sqlx::Result<()> {
    let gone = alerts.iter().filter(|(_, row)| row.is_none());
    for (fingerprint, _) in gone {
        sqlx::query("DELETE FROM alerter_alerts WHERE fingerprint = ?")
            .bind(*fingerprint as i64)
            .execute(&mut *db)
            .await?;
    }
    let rows: Vec<&AlertRow> = alerts.iter().filter_map(|(_, row)| row.as_ref()).collect();
    for rows in rows.chunks(ROWS) {
        let mut query = QueryBuilder::new("INSERT OR REPLACE INTO alerter_alerts ");
        query.push_values(rows, |mut values, row| {
            values
                .push_bind(row.fingerprint as i64)
                .push_bind(json(&row.labels))
                .push_bind(json(&row.annotations))
                .push_bind(&*row.generator_url)
                .push_bind(row.starts_ms)
                .push_bind(row.ends_ms)
                .push_bind(row.updated_ms)
                .push_bind(row.timeout)
                .push_bind(row.ended);
        });
        query.build().execute(&mut *db).await?;
    }
    Ok(())
}

async fn write_group(
    db: &mut SqliteConnection,
    route: &str,
    key: &str,
    row: Option<&GroupRow>,
) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM alerter_outgoing WHERE route = ? AND key = ?")
        .bind(route)
        .bind(key)
        .execute(&mut *db)
        .await?;
    let Some(row) = row else {
        sqlx::query("DELETE FROM alerter_groups WHERE route = ? AND key = ?")
            .bind(route)
            .bind(key)
            .execute(db)
            .await?;
        return Ok(());
    };
    sqlx::query("INSERT OR REPLACE INTO alerter_groups VALUES (?, ?, ?, ?)")
        .bind(route)
        .bind(key)
        .bind(row.next_ms)
        .bind(bytes(&row.members))
        .execute(&mut *db)
        .await?;
    for pending in &row.pending {
        sqlx::query("INSERT INTO alerter_outgoing VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
            .bind(route)
            .bind(key)
            .bind(pending.integration as i64)
            .bind(pending.attempts)
            .bind(pending.since_ms)
            .bind(pending.until_ms)
            .bind(pending.class.map(|class| class.as_str()))
            .bind(pending.only_missed)
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

async fn write_log(db: &mut SqliteConnection, row: &LogRow) -> sqlx::Result<()> {
    let query = match row.entry {
        Some(_) => "INSERT OR REPLACE INTO alerter_log VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        None => "DELETE FROM alerter_log WHERE key = ? AND receiver = ? AND integration = ?",
    };
    let mut query = sqlx::query(query)
        .bind(&row.group)
        .bind(&row.receiver)
        .bind(row.integration as i64);
    if let Some(entry) = &row.entry {
        query = query
            .bind(bytes(&entry.firing))
            .bind(bytes(&entry.resolved))
            .bind(entry.at_ms)
            .bind(&entry.incident)
            .bind(entry.sent)
            .bind(entry.first_ms)
            .bind(json(&entry.missed))
            .bind(entry.bounced_ms)
            .bind(json(&entry.reached));
    }
    query.execute(db).await?;
    Ok(())
}

async fn write_silence(db: &mut SqliteConnection, id: Id, kept: Option<&Kept>) -> sqlx::Result<()> {
    let query = match kept {
        Some(_) => "INSERT OR REPLACE INTO alerter_silences VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        None => "DELETE FROM alerter_silences WHERE id = ?",
    };
    let mut query = sqlx::query(query).bind(id.to_string());
    if let Some(kept) = kept {
        let matchers: Vec<_> = kept.matchers.iter().map(SilenceMatcher::of).collect();
        query = query
            .bind(json(&matchers))
            .bind(kept.starts_ms)
            .bind(kept.ends_ms)
            .bind(kept.updated_ms)
            .bind(&kept.created_by)
            .bind(&kept.comment)
            .bind(json(&kept.annotations))
            .bind(kept.forget_ms);
    }
    query.execute(db).await?;
    Ok(())
}

async fn write_events(db: &mut SqliteConnection, events: &[Happened]) -> sqlx::Result<()> {
    let begin = "INSERT INTO alerter_history (at_ms, kind, labels, detail) ";
    let mut query = QueryBuilder::new(begin);
    query.push_values(events, |mut values, event| {
        values
            .push_bind(event.at_ms)
            .push_bind(event.kind.as_str())
            .push_bind(json(&event.labels))
            .push_bind(event.detail.clone());
    });
    query.build().execute(db).await?;
    Ok(())
}

/// Labels and lists of texts can always be written as JSON.
fn json(value: &(impl serde::Serialize + ?Sized)) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn bytes(fingerprints: &[u64]) -> Vec<u8> {
    fingerprints
        .iter()
        .flat_map(|it| it.to_le_bytes())
        .collect()
}

#[cfg(test)]
pub(crate) mod tests;
