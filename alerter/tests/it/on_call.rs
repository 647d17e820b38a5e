//! Who is told when the first one does not answer, or cannot be reached: people who take
//! turns, and another channel than mail.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use alert::Alert;

use crate::support::hook::Hook;
use crate::support::{Sink, config, database, mail, now_ms, start, start_by, until};

/// A Tuesday, 2026-01-06T12:00:00Z: the second day of the first turn.
const TUESDAY_MS: i64 = 1_767_700_800_000;

const DAY_MS: i64 = 86_400_000;

fn fires(name: &str) -> Alert {
    Alert {
        labels: [
            ("alertname".to_owned(), name.to_owned()),
            ("severity".to_owned(), "critical".to_owned()),
        ]
        .into(),
        annotations: alert::Set::new(),
        starts_at: None,
        ends_at: None,
        generator_url: String::new(),
    }
}

#[tokio::test]
async fn whoever_is_on_call_is_mailed_and_after_their_turn_the_next_one() {
    let mut sink = Sink::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let offset = Arc::new(AtomicI64::new(TUESDAY_MS - now_ms()));
    let set_by = Arc::clone(&offset);
    let clock: alerter::Clock = Arc::new(move || now_ms() + set_by.load(Ordering::SeqCst));
    let rota = "on_call: [{name: ops, people: [ann@example.org, bob@example.org], \
                since: '2026-01-05 09:00', location: Europe/Berlin}]";
    let tree = format!(
        "{{global: {{smtp_smarthost: '127.0.0.1:{}', smtp_from: b@example.org, smtp_require_tls: false}}, {rota}, \
          escalation: [{{second_after: 200ms, again_after: 0s, raise_after: 0s, second_receiver: boss}}], \
          route: {{receiver: team, group_by: [alertname], group_wait: 0s, group_interval: 50ms, repeat_interval: 1h}}, \
          receivers: [{{name: team, email_configs: [{{to: all@example.org}}]}}, \
                      {{name: boss, email_configs: [{{to: 'on-call:ops, boss@example.org'}}]}}]}}",
        sink.port
    );
    let pool = database(folder.path()).await;
    let alerter = start_by(clock, config(&tree), mail("{}"), pool).await;
    for (name, person, days) in [("one", "ann", 7), ("two", "bob", 7), ("three", "ann", 0)] {
        alerter.put(vec![fires(name)]).await.unwrap();
        let first = sink.next().await;
        assert_eq!(first.to, ["all@example.org"], "{name}");
        let mut second = sink.next().await.to;
        second.sort();
        let mut wanted = [
            "boss@example.org".to_owned(),
            format!("{person}@example.org"),
        ];
        wanted.sort();
        assert_eq!(second, wanted, "{name}");
        // What fires has its second contact: nothing of it is due any more.
        offset.fetch_add(days * DAY_MS, Ordering::SeqCst);
    }
    alerter.stop(Duration::from_secs(5)).await;
    assert_eq!(sink.ready(), None);
}

#[tokio::test]
async fn where_mail_fails_another_channel_tells_what_fires_and_what_is_over() {
    let mut hook = Hook::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    // Nobody listens there, and nobody else can meanwhile.
    let away = tokio::net::TcpSocket::new_v4().unwrap();
    away.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let away_port = away.local_addr().unwrap().port();
    let tree = format!(
        "{{global: {{smtp_smarthost: '127.0.0.1:{away_port}', smtp_from: b@example.org, smtp_require_tls: false}}, \
          escalation: [{{fallback_after: 300ms, second_after: 0s, again_after: 0s, raise_after: 0s, second_receiver: chat}}], \
          route: {{receiver: ops, group_by: [alertname], group_wait: 0s, group_interval: 100ms, repeat_interval: 1h}}, \
          receivers: [{{name: ops, email_configs: [{{to: ops@example.org}}]}}, \
                      {{name: chat, webhook_configs: [{{url: 'http://127.0.0.1:{}/hook'}}]}}]}}",
        hook.port
    );
    let pool = database(folder.path()).await;
    let alerter = start(config(&tree), mail("{}"), pool).await;
    let disk = crate::support::alert("Disk", true);
    let fingerprint = disk.fingerprint();
    alerter.put(vec![disk]).await.unwrap();
    assert_eq!(hook.next().await.says(), "firing +Disk");
    // That the hook said so may come a moment later.
    let ways = until("the second is told", async || {
        let why = alerter.why(fingerprint).await.unwrap();
        let ways = why?.routes.into_iter().next()?.integrations;
        let told = |way: &alerter::WhyIntegration| way.second && way.told_ms.is_some();
        ways.iter().any(told).then_some(ways)
    })
    .await;
    let failed = ways.iter().find(|way| !way.second).expect("the first");
    assert!(
        failed.verdict.starts_with("a message failed ("),
        "{failed:?}"
    );
    let over = crate::support::alert("Disk", false);
    alerter.put(vec![over]).await.unwrap();
    assert_eq!(hook.next().await.says(), "resolved -Disk");
    alerter.stop(Duration::from_secs(5)).await;
    assert!(hook.ready().is_none());
}
