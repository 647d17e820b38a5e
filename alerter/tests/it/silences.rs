//! Silences on a real database.

use std::time::Duration;

use alerter::{Mail, SilenceDraft, SilenceError, SilenceMatcher, SilenceState};

use crate::support::{Sink, alert, database, now_ms, plain, start};

fn draft(name: &str) -> SilenceDraft {
    SilenceDraft {
        matchers: vec![SilenceMatcher {
            name: "alertname".into(),
            value: name.into(),
            is_regex: false,
            is_equal: true,
        }],
        starts_ms: now_ms(),
        ends_ms: now_ms() + 3_600_000,
        created_by: "me".into(),
        comment: "works".into(),
        ..SilenceDraft::default()
    }
}

#[tokio::test]
async fn a_silence_is_on_disk_before_it_is_answered() {
    let mut sink = Sink::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let pool = database(folder.path()).await;
    let alerter = start(plain(sink.port), Mail::default(), pool.clone()).await;
    let id = alerter.silence(draft("quiet")).await.unwrap();
    let gone = alerter.silence(draft("other")).await.unwrap();
    alerter.unsilence(&gone).await.unwrap();
    // As if killed: nothing is written any more.
    drop(alerter);
    pool.close().await;
    let pool = database(folder.path()).await;
    let alerter = start(plain(sink.port), Mail::default(), pool).await;
    let silences = alerter.silences().await.unwrap();
    let states: Vec<_> = silences.iter().map(|it| (&*it.id, it.state)).collect();
    assert_eq!(
        states,
        [
            (&*id, SilenceState::Active),
            (&*gone, SilenceState::Expired)
        ]
    );
    alerter.put(vec![alert("quiet", true)]).await.unwrap();
    alerter.put(vec![alert("loud", true)]).await.unwrap();
    assert_eq!(sink.next().await.subject, "first notification +loud");
    alerter.unsilence(&id).await.unwrap();
    assert_eq!(sink.next().await.subject, "first notification +quiet");
    alerter.stop(Duration::from_secs(5)).await;
    assert_eq!(sink.ready(), None);
}

#[tokio::test]
async fn a_silence_that_cannot_be_stored_is_not_called_safe() {
    let sink = Sink::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let pool = database(folder.path()).await;
    let alerter = start(plain(sink.port), Mail::default(), pool.clone()).await;
    sqlx::query("PRAGMA query_only = true")
        .execute(&pool)
        .await
        .unwrap();
    let refused = alerter.silence(draft("quiet")).await;
    assert_eq!(refused, Err(SilenceError::NotStored));
    assert_eq!(alerter.silences().await.unwrap().len(), 1, "but it holds");
    let unknown = alerter
        .unsilence("ffffffff-ffff-4fff-bfff-ffffffffffff")
        .await;
    assert_eq!(unknown, Err(SilenceError::NotFound));
    alerter.stop(Duration::from_secs(5)).await;
    assert_eq!(
        alerter.silence(draft("late")).await,
        Err(SilenceError::Stopped)
    );
}
