//! Mails that are no pages, and what is known of those that came back.

use std::pin::pin;
use std::time::Duration;

use alerter::{Bounce, Mail, Rendered};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tokio::time::sleep;

use crate::support::{Sink, database, plain, start};

/// What a server says of a mail of that name.
fn report(name: &str) -> Bounce {
    let mail = format!(
        "From: MAILER-DAEMON@mx.example\nContent-Type: multipart/report; boundary=b\n\n\
         --b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n\
         Final-Recipient: rfc822; ops@example.org\nAction: failed\nStatus: 5.1.1\n\n\
         --b\nContent-Type: text/rfc822-headers\n\nMessage-ID: <{name}@example.org>\n\n--b--\n"
    );
    Bounce::read(mail.as_bytes()).expect("a bounce")
}

/// Nobody else writes until it is let go.
async fn lock(db: &mut SqliteConnection) {
    sqlx::query("BEGIN IMMEDIATE").execute(db).await.unwrap();
}

async fn let_go(db: &mut SqliteConnection) {
    sqlx::query("ROLLBACK").execute(db).await.unwrap();
}

/// What `look` finds, if it waits for what is being written; the database is let go of as
/// late as shows that.
async fn found(
    look: impl AsyncFn() -> Option<Vec<(i64, bool)>>,
    db: &mut SqliteConnection,
) -> Vec<bool> {
    let mut wait = pin!(async {
        loop {
            // What was not written soon is looked for again.
            if let Some(found) = look().await {
                return found.into_iter().map(|(_, lost)| lost).collect();
            }
        }
    });
    tokio::select! {
        early = &mut wait => early,
        () = sleep(Duration::from_millis(300)) => {
            let_go(db).await;
            wait.await
        }
    }
}

#[tokio::test]
async fn the_last_notices_are_found_with_what_is_just_being_written_of_them() {
    let mut sink = Sink::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    database(folder.path()).await.close().await;
    // With one connection a look would wait for the write by chance.
    let file = SqliteConnectOptions::new().filename(folder.path().join("belfry.db"));
    let pool = SqlitePoolOptions::new().max_connections(2);
    let pool = pool.connect_with(file.clone()).await.unwrap();
    let mut other = file.connect().await.unwrap();
    let alerter = start(plain(sink.port), Mail::default(), pool).await;
    let look = async || alerter.last_notices("canary.", 2).await.ok();
    assert_eq!(look().await, Some(vec![]));

    lock(&mut other).await;
    let mail = Rendered {
        subject: "all is well".into(),
        text: "all is well".into(),
        html: String::new(),
    };
    let sent = alerter.send_notice(&mail, "canary.1").await.unwrap();
    assert_eq!(sent.unwrap().accepted, ["ops@example.org"]);
    assert_eq!(sink.next().await.subject, "all is well");
    assert_eq!(found(&look, &mut other).await, [false]);

    lock(&mut other).await;
    let bounce = alerter.bounce(report("canary.1"));
    let (_, lost) = tokio::join!(bounce, found(&look, &mut other));
    assert_eq!(lost, [true]);
    other.close().await.unwrap();
    alerter.stop(Duration::from_secs(5)).await;
}
