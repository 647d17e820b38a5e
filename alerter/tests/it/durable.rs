//! Restarts, deaths, and databases that cannot be written.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use alerter::Mail;
use sqlx::SqlitePool;

use crate::support::{
    Act, Sink, Stage, Taken, alert, database, now_ms, plain, start, start_by, until,
};

#[tokio::test]
async fn a_restart_sends_nothing_twice_and_loses_nothing() {
    let mut sink = Sink::start(&[Act::Behave, Act::Say(Stage::Mail, "550 no")]).await;
    let folder = tempfile::tempdir().unwrap();
    let alerter = start(
        plain(sink.port),
        Mail::default(),
        database(folder.path()).await,
    )
    .await;
    alerter.put(vec![alert("told", true)]).await.unwrap();
    assert_eq!(sink.next().await.subject, "first notification +told");
    alerter.put(vec![alert("owed", true)]).await.unwrap();
    until("the refusal", async || {
        alerter.mail_health().await.unwrap().last_failure
    })
    .await;
    alerter.stop(Duration::from_secs(5)).await;
    assert!(alerter.put(vec![]).await.is_err(), "it has stopped");

    // The next try would be a minute away, but a start may have put things right.
    let alerter = start(
        plain(sink.port),
        Mail::default(),
        database(folder.path()).await,
    )
    .await;
    assert_eq!(alerter.alerts().await.unwrap().len(), 2);
    assert_eq!(sink.next().await.subject, "first notification +owed");
    alerter.put(vec![alert("told", false)]).await.unwrap();
    assert_eq!(sink.next().await.subject, "all alerts resolved -told");
    alerter.stop(Duration::from_secs(5)).await;
    assert_eq!(sink.ready(), None);
}

/// Dies without notice as soon as the sink has come to `stage`, and is started
/// again; the mails that the sink took.
fn die_at(stage: Stage) -> Vec<Taken> {
    let servers = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut sink = servers.block_on(Sink::start(&[Act::Hang(stage)]));
    let first = tokio::runtime::Runtime::new().unwrap();
    first.block_on(async {
        let alerter = start(
            plain(sink.port),
            Mail::default(),
            database(folder.path()).await,
        )
        .await;
        alerter.put(vec![alert("api", true)]).await.unwrap();
        sink.reached(stage).await;
    });
    // Every task of it is gone with this, wherever it stood.
    first.shutdown_background();
    servers.block_on(async {
        let alerter = start(
            plain(sink.port),
            Mail::default(),
            database(folder.path()).await,
        )
        .await;
        until("the mail", async || {
            alerter.mail_health().await.unwrap().last_success_ms
        })
        .await;
        alerter.put(vec![alert("api", false)]).await.unwrap();
        let mut mails = Vec::new();
        while !mails
            .last()
            .is_some_and(|mail: &Taken| mail.subject.contains('-'))
        {
            mails.push(sink.next().await);
        }
        alerter.stop(Duration::from_secs(5)).await;
        mails.extend(std::iter::from_fn(|| sink.ready()));
        mails
    })
}

#[test]
fn a_death_during_a_mail_loses_nothing_and_doubles_only_what_was_accepted() {
    for (stage, firsts) in [
        (Stage::Greeting, 1),
        (Stage::Ehlo, 1),
        (Stage::Mail, 1),
        (Stage::Rcpt, 1),
        (Stage::Data, 1),
        (Stage::Middle, 1),
        // The server had it, and we never heard so.
        (Stage::Dot, 2),
    ] {
        let mails = die_at(stage);
        assert_eq!(mails.len(), firsts + 1, "{stage:?}: {mails:?}");
        for first in &mails[..firsts] {
            assert_eq!(first.subject, "first notification +api", "{stage:?}");
            // Whoever gets it twice can tell that it is the same.
            assert_eq!(first.id, mails[0].id);
        }
        assert_eq!(
            mails[firsts].subject, "all alerts resolved -api",
            "{stage:?}"
        );
    }
}

async fn refuse_writes(pool: &SqlitePool, refuse: bool) {
    let pragma = format!("PRAGMA query_only = {refuse}");
    sqlx::query(sqlx::AssertSqlSafe(pragma))
        .execute(pool)
        .await
        .unwrap();
}

#[tokio::test]
async fn pages_go_on_when_the_database_cannot_be_written() {
    let mut sink = Sink::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let pool = database(folder.path()).await;
    let alerter = start(plain(sink.port), Mail::default(), pool.clone()).await;
    refuse_writes(&pool, true).await;
    alerter.put(vec![alert("api", true)]).await.unwrap();
    assert_eq!(sink.next().await.subject, "first notification +api");
    alerter
        .put(vec![alert("api", false), alert("db", true)])
        .await
        .unwrap();
    let mut subjects = [sink.next().await.subject, sink.next().await.subject];
    subjects.sort();
    assert_eq!(
        subjects,
        ["all alerts resolved -api", "first notification +db"]
    );
    let health = until("the failure", async || {
        let health = alerter.store_health().await.unwrap();
        health.failing_since_ms.is_some().then_some(health)
    })
    .await;
    assert!(
        health.last_error.unwrap().contains("readonly"),
        "SQLite's word for it"
    );
    let page = alerter.metrics().await.unwrap();
    assert!(page.contains("belfry_alerter_store_failing 1"), "{page}");

    refuse_writes(&pool, false).await;
    until("a write", async || {
        let health = alerter.store_health().await.unwrap();
        health.failing_since_ms.is_none().then_some(())
    })
    .await;
    let notified: Vec<_> = alerter
        .history(0, 100)
        .await
        .unwrap()
        .into_iter()
        .filter(|event| event.kind == alerter::EventKind::Notified)
        .collect();
    assert_eq!(notified.len(), 3, "history waited: {notified:?}");
    // Not by a stop, which writes too: as if killed.
    drop(alerter);
    pool.close().await;
    let pool = database(folder.path()).await;
    let alerter = start(plain(sink.port), Mail::default(), pool).await;
    assert_eq!(alerter.alerts().await.unwrap().len(), 1);
    alerter.put(vec![alert("db", false)]).await.unwrap();
    assert_eq!(sink.next().await.subject, "all alerts resolved -db");
    alerter.stop(Duration::from_secs(5)).await;
    assert_eq!(sink.ready(), None);
}

#[tokio::test]
async fn a_stop_lets_the_mail_under_way_finish() {
    let mut sink = Sink::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let alerter = start(
        plain(sink.port),
        Mail::default(),
        database(folder.path()).await,
    )
    .await;
    alerter.put(vec![alert("api", true)]).await.unwrap();
    sink.reached(Stage::Greeting).await;
    alerter.stop(Duration::from_secs(30)).await;
    assert_eq!(sink.next().await.subject, "first notification +api");
    let alerter = start(
        plain(sink.port),
        Mail::default(),
        database(folder.path()).await,
    )
    .await;
    alerter.put(vec![alert("api", false)]).await.unwrap();
    assert_eq!(sink.next().await.subject, "all alerts resolved -api");
}

#[tokio::test]
async fn a_stop_does_not_wait_longer_than_it_was_told() {
    let mut sink = Sink::start(&[Act::Hang(Stage::Data)]).await;
    let folder = tempfile::tempdir().unwrap();
    let alerter = start(
        plain(sink.port),
        Mail::default(),
        database(folder.path()).await,
    )
    .await;
    alerter.put(vec![alert("api", true)]).await.unwrap();
    sink.reached(Stage::Data).await;
    crate::support::within("the stop", alerter.stop(Duration::from_millis(10))).await;
    let alerter = start(
        plain(sink.port),
        Mail::default(),
        database(folder.path()).await,
    )
    .await;
    assert_eq!(sink.next().await.subject, "first notification +api");
    alerter.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn the_end_of_the_last_handle_is_the_end() {
    let sink = Sink::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let pool = database(folder.path()).await;
    let alerter = start(plain(sink.port), Mail::default(), pool.clone()).await;
    alerter.put(vec![alert("api", true)]).await.unwrap();
    drop(alerter);
    // The task holds the pool until it ends.
    crate::support::within("the end", pool.close()).await;
}

#[tokio::test]
async fn a_step_of_the_wall_clock_ends_nothing_and_repeats_nothing() {
    let mut sink = Sink::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let set_by = Arc::new(AtomicI64::new(0));
    let offset = Arc::clone(&set_by);
    let clock: alerter::Clock = Arc::new(move || now_ms() + offset.load(Ordering::SeqCst));
    let pool = database(folder.path()).await;
    let alerter = start_by(clock, plain(sink.port), Mail::default(), pool).await;
    alerter.put(vec![alert("api", true)]).await.unwrap();
    assert_eq!(sink.next().await.subject, "first notification +api");
    for step_ms in [2 * 3_600_000, -5 * 3_600_000] {
        set_by.fetch_add(step_ms, Ordering::SeqCst);
        let views = alerter.alerts().await.unwrap();
        assert_eq!(
            views.len(),
            1,
            "silence for {step_ms} ms would have ended it"
        );
        let now_ms = now_ms() + set_by.load(Ordering::SeqCst);
        let ends_in_ms = views[0].ends_ms - now_ms;
        assert!((1..=300_000).contains(&ends_in_ms), "{ends_in_ms}");
    }
    // Told at the next look, which is 50 ms away and not hours.
    let mut ended = alert("api", false);
    ended.starts_at = ended
        .starts_at
        .map(|at_ms| at_ms + set_by.load(Ordering::SeqCst));
    ended.ends_at = ended
        .ends_at
        .map(|at_ms| at_ms + set_by.load(Ordering::SeqCst));
    alerter.put(vec![ended]).await.unwrap();
    assert_eq!(sink.next().await.subject, "all alerts resolved -api");
    alerter.stop(Duration::from_secs(5)).await;
    assert_eq!(sink.ready(), None);
}
