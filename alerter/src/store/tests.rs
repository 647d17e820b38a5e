use std::sync::Arc;

use sqlx::sqlite::SqlitePoolOptions;

use super::*;
use crate::dedup::Entry;
use crate::health::Class;
use crate::matcher::{Matcher, Op};
use crate::pairs::Pairs;
use crate::state::{EventKind, PendingRow};

const TABLES: &str = concat!(
    include_str!("../../../belfry/migrations/0002_alerter.sql"),
    include_str!("../../../belfry/migrations/0003_silences.sql"),
    include_str!("../../../belfry/migrations/0010_episodes.sql"),
    include_str!("../../../belfry/migrations/0020_intake.sql"),
    include_str!("../../../belfry/migrations/0025_mails.sql"),
    include_str!("../../../belfry/migrations/0027_reached.sql"),
    include_str!("../../../belfry/migrations/0032_ends.sql")
);

pub(crate) async fn database() -> SqlitePool {
    let options = SqlitePoolOptions::new().max_connections(1);
    let pool = options.connect("sqlite::memory:").await.unwrap();
    sqlx::raw_sql(TABLES).execute(&pool).await.unwrap();
    pool
}

fn rows() -> Changes {
    let labels: Pairs = [("alertname", "ä\"\n")].into_iter().collect();
    let names = (
        Arc::from("{}/{a=\"b\"}"),
        Arc::from("{}/{a=\"b\"}:{c=\"d\"}"),
    );
    Changes {
        alerts: vec![(
            u64::MAX,
            Some(AlertRow {
                fingerprint: u64::MAX,
                labels: labels.clone(),
                annotations: Pairs::default(),
                generator_url: "http://x".into(),
                starts_ms: 1,
                ends_ms: 2,
                updated_ms: 3,
                timeout: true,
                ended: false,
            }),
        )],
        groups: vec![(
            names.clone(),
            Some(GroupRow {
                route: names.0.to_string(),
                key: names.1.to_string(),
                next_ms: 5,
                members: vec![1, u64::MAX],
                pending: vec![PendingRow {
                    integration: 1,
                    attempts: 3,
                    since_ms: 6,
                    until_ms: 7,
                    class: Some(Class::Transient),
                    only_missed: true,
                }],
            }),
        )],
        log: vec![LogRow {
            group: names.1.to_string(),
            receiver: "mail".into(),
            integration: 0,
            entry: Some(Entry {
                firing: vec![2, u64::MAX],
                resolved: vec![],
                at_ms: 8,
                incident: "ff".into(),
                sent: 9,
                first_ms: 10,
                missed: vec!["a@b".into()],
                bounced_ms: Some(11),
                reached: [("a@b".to_owned(), 2)].into(),
            }),
        }],
        silences: vec![(
            Id::new([7; 16]),
            Some(Kept {
                matchers: vec![
                    Matcher::new("a", Op::NotRegex, "x|ä\"").unwrap(),
                    Matcher::exact("b", "y"),
                ],
                starts_ms: 1,
                ends_ms: 2,
                updated_ms: 3,
                created_by: "me".into(),
                comment: "why".into(),
                annotations: [("c".to_owned(), "d".to_owned())].into(),
                forget_ms: 4,
            }),
        )],
        history: vec![
            Happened {
                at_ms: 1,
                kind: EventKind::Started,
                labels: labels.clone(),
                detail: String::new(),
            },
            Happened {
                at_ms: 2,
                kind: EventKind::Notified,
                labels,
                detail: "mail: first".into(),
            },
        ],
        intake: Some((3, "no json\n".into())),
        intake_over: None,
        episodes: Vec::new(),
        most_episodes: 10,
        trim_before_ms: None,
        mails: Vec::new(),
        trim_mails_ms: None,
    }
}

#[tokio::test]
async fn what_is_written_is_read_back() {
    let pool = database().await;
    let changes = rows();
    for _ in 0..2 {
        write(&pool, &changes).await.unwrap();
    }
    let stored = load(&pool).await.unwrap();
    assert_eq!(Some(&stored.alerts[0]), changes.alerts[0].1.as_ref());
    assert_eq!(Some(&stored.groups[0]), changes.groups[0].1.as_ref());
    assert_eq!(stored.log, changes.log);
    let silence = &stored.silences[0];
    assert_eq!(
        (silence.id, Some(&silence.kept)),
        (changes.silences[0].0, changes.silences[0].1.as_ref())
    );
    let events = history(&pool, 0, 3).await.unwrap();
    assert_eq!(events.len(), 3);
    let wanted = &changes.history[1];
    assert_eq!(
        (events[0].at_ms, events[0].kind, &events[0].labels),
        (wanted.at_ms, wanted.kind, &wanted.labels.to_set())
    );
    assert_eq!(stored.intake_id, 3);
    assert_eq!(history(&pool, 3, 10).await.unwrap(), []);
}

#[tokio::test]
async fn what_is_over_is_deleted_and_old_history_trimmed() {
    let pool = database().await;
    let mut changes = rows();
    write(&pool, &changes).await.unwrap();
    changes.alerts[0].1 = None;
    changes.groups[0].1 = None;
    changes.log[0].entry = None;
    changes.silences[0].1 = None;
    changes.history.clear();
    changes.trim_before_ms = Some(2);
    write(&pool, &changes).await.unwrap();
    let stored = load(&pool).await.unwrap();
    assert!(stored.alerts.is_empty() && stored.groups.is_empty() && stored.log.is_empty());
    assert_eq!(stored.silences, []);
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM alerter_outgoing")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(left, 0);
    assert_eq!(history(&pool, 0, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_write_happens_whole_or_not_at_all() {
    let pool = database().await;
    sqlx::query("DROP TABLE alerter_history")
        .execute(&pool)
        .await
        .unwrap();
    assert!(write(&pool, &rows()).await.is_err());
    assert!(load(&pool).await.unwrap().alerts.is_empty());
}

#[tokio::test]
async fn a_row_that_cannot_be_read_does_not_hide_the_others() {
    let pool = database().await;
    write(&pool, &rows()).await.unwrap();
    sqlx::query("INSERT INTO alerter_alerts VALUES (7, 'no json', '{}', '', 1, 2, 3, 0, 0)")
        .execute(&pool)
        .await
        .unwrap();
    sqlx::query("UPDATE alerter_groups SET members = x'00'")
        .execute(&pool)
        .await
        .unwrap();
    let stored = load(&pool).await.unwrap();
    assert_eq!(stored.alerts.len(), 1);
    assert!(stored.groups.is_empty());
    assert_eq!(stored.log.len(), 1);
}
