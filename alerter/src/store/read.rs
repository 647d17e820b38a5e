//! Reading the alerter's tables. A row that cannot be read is left out and
//! logged, so that one bad row does not keep all alerts from being told.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqlitePool};
use tracing::warn;

use crate::dedup::Entry;
use crate::health::Class;
use crate::pairs::Pairs;
use crate::silence::{Id, Kept, SilenceMatcher};
use crate::state::{
    AlertRow, Came, Event, EventKind, GroupRow, LogRow, PendingRow, SilenceRow, Stored,
};

/// Everything that was stored.
pub(crate) async fn load(pool: &SqlitePool) -> sqlx::Result<Stored> {
    let alerts = rows(pool, "SELECT * FROM alerter_alerts", alert).await?;
    let mut groups = rows(pool, "SELECT * FROM alerter_groups", group).await?;
    let mut outgoing: BTreeMap<(String, String), Vec<PendingRow>> = BTreeMap::new();
    for (route, key, pending) in rows(pool, "SELECT * FROM alerter_outgoing", pending).await? {
        outgoing.entry((route, key)).or_default().push(pending);
    }
    for group in &mut groups {
        let key = (group.route.clone(), group.key.clone());
        group.pending = outgoing.remove(&key).unwrap_or_default();
    }
    let rows_of_intake = rows(pool, "SELECT * FROM alerter_intake ORDER BY id", intake).await?;
    let (episodes, next_episode) = super::episodes::load(pool).await?;
    let intake_id = rows_of_intake.last().map_or(0, |(id, _)| *id);
    let intake: Vec<Came> = rows_of_intake.into_iter().flat_map(|(_, it)| it).collect();
    let began_ms: BTreeSet<i64> = intake.iter().filter_map(|came| came.began_ms).collect();
    Ok(Stored {
        next_mail: super::mails::next(pool).await?,
        began: began(pool, &began_ms).await?,
        intake_id,
        intake,
        episodes,
        next_episode,
        alerts,
        groups,
        log: rows(pool, "SELECT * FROM alerter_log", log).await?,
        silences: rows(pool, "SELECT * FROM alerter_silences", silence).await?,
    })
}

/// What the history knows to have begun at some times.
async fn began(pool: &SqlitePool, times_ms: &BTreeSet<i64>) -> sqlx::Result<BTreeSet<(i64, u64)>> {
    const BEGAN: &str = "SELECT at_ms, labels FROM alerter_history \
                         WHERE at_ms IN (SELECT value FROM json_each(?)) AND kind = ?";
    if times_ms.is_empty() {
        return Ok(BTreeSet::new());
    }
    let found = sqlx::query(BEGAN)
        .bind(serde_json::json!(times_ms).to_string())
        .bind(EventKind::Started.as_str())
        .fetch_all(pool)
        .await?;
    let one = |row: &SqliteRow| {
        let labels: Pairs = json(row, "labels")?;
        Ok((row.try_get("at_ms")?, labels.fingerprint()))
    };
    Ok(sound(&found, one).into_iter().collect())
}

/// What happened since a time, the newest first.
pub(crate) async fn history(
    pool: &SqlitePool,
    since_ms: i64,
    limit: u32,
) -> sqlx::Result<Vec<Event>> {
    let found = sqlx::query(
        "SELECT * FROM alerter_history WHERE at_ms >= ? ORDER BY at_ms DESC, id DESC LIMIT ?",
    )
    .bind(since_ms)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    Ok(sound(&found, event))
}

/// The silences that were the first to end after a time, all of the same millisecond.
pub(crate) async fn silences_ended(pool: &SqlitePool, after_ms: i64) -> sqlx::Result<Vec<Event>> {
    // The kind as a word: there is an index for it.
    let found = sqlx::query(
        "SELECT * FROM alerter_history WHERE kind = 'silence ended' AND at_ms = \
         (SELECT min(at_ms) FROM alerter_history WHERE kind = 'silence ended' AND at_ms > ?) \
         ORDER BY id",
    )
    .bind(after_ms)
    .fetch_all(pool)
    .await?;
    Ok(sound(&found, event))
}

async fn rows<T>(
    pool: &SqlitePool,
    query: &'static str,
    read: impl Fn(&SqliteRow) -> sqlx::Result<T>,
) -> sqlx::Result<Vec<T>> {
    let found = sqlx::query(query).fetch_all(pool).await?;
    Ok(sound(&found, read))
}

pub(super) fn sound<T>(rows: &[SqliteRow], read: impl Fn(&SqliteRow) -> sqlx::Result<T>) -> Vec<T> {
    let mut sound = Vec::with_capacity(rows.len());
    for row in rows {
        match read(row) {
            Ok(row) => sound.push(row),
            Err(err) => warn!("left out a row of the alerter's tables: {err}"),
        }
    }
    sound
}

fn alert(row: &SqliteRow) -> sqlx::Result<AlertRow> {
    Ok(AlertRow {
        fingerprint: row.try_get::<i64, _>("fingerprint")? as u64,
        labels: json(row, "labels")?,
        annotations: json(row, "annotations")?,
        generator_url: row.try_get::<String, _>("generator_url")?.into(),
        starts_ms: row.try_get("starts_ms")?,
        ends_ms: row.try_get("ends_ms")?,
        updated_ms: row.try_get("updated_ms")?,
        timeout: row.try_get("timeout")?,
        ended: row.try_get("ended")?,
    })
}

fn intake(row: &SqliteRow) -> sqlx::Result<(u64, Vec<Came>)> {
    let alerts = Came::read(row.try_get("alerts")?);
    Ok((row.try_get::<i64, _>("id")? as u64, alerts.collect()))
}

fn group(row: &SqliteRow) -> sqlx::Result<GroupRow> {
    Ok(GroupRow {
        route: row.try_get("route")?,
        key: row.try_get("key")?,
        next_ms: row.try_get("next_ms")?,
        members: fingerprints(row, "members")?,
        pending: Vec::new(),
    })
}

fn pending(row: &SqliteRow) -> sqlx::Result<(String, String, PendingRow)> {
    let class: Option<String> = row.try_get("class")?;
    let pending = PendingRow {
        integration: place(row)?,
        attempts: row.try_get("attempts")?,
        since_ms: row.try_get("since_ms")?,
        until_ms: row.try_get("until_ms")?,
        class: class.and_then(|word| Class::from_word(&word)),
        only_missed: row.try_get("only_missed")?,
    };
    Ok((row.try_get("route")?, row.try_get("key")?, pending))
}

fn log(row: &SqliteRow) -> sqlx::Result<LogRow> {
    let entry = Entry {
        firing: fingerprints(row, "firing")?,
        resolved: fingerprints(row, "resolved")?,
        at_ms: row.try_get("at_ms")?,
        incident: row.try_get("incident")?,
        sent: row.try_get("sent")?,
        first_ms: row.try_get("first_ms")?,
        missed: json(row, "missed")?,
        bounced_ms: row.try_get("bounced_ms")?,
        reached: json(row, "reached")?,
    };
    Ok(LogRow {
        group: row.try_get("key")?,
        receiver: row.try_get("receiver")?,
        integration: place(row)?,
        entry: Some(entry),
    })
}

fn silence(row: &SqliteRow) -> sqlx::Result<SilenceRow> {
    let id: &str = row.try_get("id")?;
    let matchers: Vec<SilenceMatcher> = json(row, "matchers")?;
    let matchers = matchers.iter().map(SilenceMatcher::compile);
    let kept = Kept {
        matchers: matchers
            .collect::<Result<_, _>>()
            .map_err(|err| bad("matchers", err))?,
        starts_ms: row.try_get("starts_ms")?,
        ends_ms: row.try_get("ends_ms")?,
        updated_ms: row.try_get("updated_ms")?,
        created_by: row.try_get("created_by")?,
        comment: row.try_get("comment")?,
        annotations: json(row, "annotations")?,
        forget_ms: row.try_get("forget_ms")?,
    };
    Ok(SilenceRow {
        id: Id::parse(id).ok_or_else(|| bad("id", format!("{id:?}")))?,
        kept,
    })
}

fn event(row: &SqliteRow) -> sqlx::Result<Event> {
    let kind: String = row.try_get("kind")?;
    Ok(Event {
        at_ms: row.try_get("at_ms")?,
        kind: EventKind::from_word(&kind).ok_or_else(|| bad("kind", format!("{kind:?}")))?,
        labels: json(row, "labels")?,
        detail: row.try_get("detail")?,
    })
}

pub(super) fn place(row: &SqliteRow) -> sqlx::Result<usize> {
    let number: i64 = row.try_get("integration")?;
    usize::try_from(number).map_err(|err| bad("integration", err))
}

pub(super) fn json<T: DeserializeOwned>(row: &SqliteRow, column: &'static str) -> sqlx::Result<T> {
    let text: &str = row.try_get(column)?;
    serde_json::from_str(text).map_err(|err| bad(column, err))
}

pub(super) fn fingerprints(row: &SqliteRow, column: &'static str) -> sqlx::Result<Vec<u64>> {
    let bytes: &[u8] = row.try_get(column)?;
    let (words, rest) = bytes.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(bad(column, "half a fingerprint"));
    }
    Ok(words.iter().map(|word| u64::from_le_bytes(*word)).collect())
}

fn bad(column: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> sqlx::Error {
    sqlx::Error::ColumnDecode {
        index: column.to_owned(),
        source: source.into(),
    }
}
