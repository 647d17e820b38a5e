//! Mail servers that fail, one fault at a time.

use std::time::Duration;

use alerter::{Class, Config, Mail};

use crate::support::{Act, Sink, Stage, alert, config, database, plain, plain_with, start, until};

const FIRST: &str = "first notification +api";

#[tokio::test]
async fn every_fault_is_named_and_the_mail_arrives_in_the_end() {
    for (act, class, says) in [
        (Act::Drop(Stage::Greeting), Class::Refused, ""),
        (Act::Drop(Stage::Ehlo), Class::Refused, ""),
        (Act::Drop(Stage::Rcpt), Class::Refused, ""),
        (Act::Drop(Stage::Middle), Class::Refused, ""),
        (
            Act::Say(Stage::Greeting, "421 too busy"),
            Class::Transient,
            "421 too busy",
        ),
        (
            Act::Say(Stage::Mail, "451 later"),
            Class::Transient,
            "451 later",
        ),
        (
            Act::Say(Stage::Rcpt, "450 greylisted"),
            Class::Transient,
            "450 greylisted",
        ),
        (
            Act::Say(Stage::Dot, "452 disk full"),
            Class::Transient,
            "452 disk full",
        ),
        (
            Act::Say(Stage::Ehlo, "HTTP/1.1 400 Bad Request"),
            Class::Refused,
            "",
        ),
    ] {
        let mut sink = Sink::start(&[act, act]).await;
        let folder = tempfile::tempdir().unwrap();
        let alerter = start(
            plain(sink.port),
            Mail::default(),
            database(folder.path()).await,
        )
        .await;
        alerter.put(vec![alert("api", true)]).await.unwrap();
        assert_eq!(sink.next().await.subject, FIRST, "{act:?}");
        assert!(sink.is_done());
        let health = until("success", async || {
            let health = alerter.mail_health().await.unwrap();
            health.last_success_ms.is_some().then_some(health)
        })
        .await;
        let (_, failure) = health.last_failure.unwrap();
        assert_eq!(failure.class, class, "{act:?}: {failure}");
        assert!(failure.detail.contains(says), "{act:?}: {failure}");
        assert_eq!(health.failing_since_ms, None);
        let page = alerter.metrics().await.unwrap();
        let line = format!(
            "belfry_mail_failed_total{{reason=\"{}\"}} 2",
            class.as_str()
        );
        assert!(page.contains(&line), "{line}\n{page}");
        alerter.stop(Duration::from_secs(5)).await;
        assert_eq!(sink.ready(), None, "{act:?}");
    }
}

#[tokio::test]
async fn a_lasting_refusal_is_reported_and_kept_to_be_tried_again() {
    for (act, class) in [
        (Act::Say(Stage::Mail, "550 not you"), Class::Permanent),
        (Act::Say(Stage::Mail, "530 who are you"), Class::Auth),
        (
            Act::Say(Stage::Dot, "554 looks like spam"),
            Class::Permanent,
        ),
        (Act::Say(Stage::Rcpt, "550 nobody here"), Class::Permanent),
    ] {
        let sink = Sink::start(&[act]).await;
        let folder = tempfile::tempdir().unwrap();
        let alerter = start(
            plain(sink.port),
            Mail::default(),
            database(folder.path()).await,
        )
        .await;
        alerter.put(vec![alert("api", true)]).await.unwrap();
        let health = until("a failure", async || {
            let health = alerter.mail_health().await.unwrap();
            health.last_failure.is_some().then_some(health)
        })
        .await;
        assert_eq!(health.last_failure.unwrap().1.class, class, "{act:?}");
        assert!(health.failing_since_ms.is_some());
        assert_eq!(health.queue, 1);
        let groups = alerter.groups().await.unwrap();
        let pending = &groups[0].pending[0];
        assert_eq!((pending.attempts, pending.class), (1, Some(class)));
    }
}

#[tokio::test]
async fn a_server_that_is_away_gets_the_mail_when_it_is_back() {
    let gone = Sink::start(&[]).await;
    let port = gone.port;
    drop(gone);
    let folder = tempfile::tempdir().unwrap();
    let alerter = start(plain(port), Mail::default(), database(folder.path()).await).await;
    alerter.put(vec![alert("api", true)]).await.unwrap();
    until("a failure", async || {
        let health = alerter.mail_health().await.unwrap();
        let (_, failure) = health.last_failure?;
        assert_eq!(failure.class, Class::Refused, "{failure}");
        Some(())
    })
    .await;
    let mut sink = Sink::listen(port, &[], "").await;
    assert_eq!(sink.next().await.subject, FIRST);
}

#[tokio::test]
async fn a_silent_server_delays_only_its_own_mail() {
    // As many as are tried at once.
    let mut silent = Sink::start(&[Act::Hang(Stage::Greeting); 4]).await;
    let mut good = Sink::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let tree = config(&format!(
        "{{global: {{smtp_from: b@example.org, smtp_require_tls: false}}, \
          route: {{receiver: good, group_by: [alertname], group_wait: 0s, routes: [{{matchers: ['alertname=~hang.*'], receiver: silent}}]}}, \
          receivers: [{{name: good, email_configs: [{{to: ops@example.org, smarthost: '127.0.0.1:{}'}}]}}, \
                      {{name: silent, email_configs: [{{to: ops@example.org}}]}}]}}",
        good.port
    ));
    let section = crate::support::mail(&format!(
        "{{to: a@b.c, from: b@example.org, smarthost: '127.0.0.1:{}', tls: none, timeout: 500ms}}",
        silent.port
    ));
    let alerter = start(tree, section, database(folder.path()).await).await;
    let hang = ["hang1", "hang2", "hang3", "hang4", "hang5"].map(|name| alert(name, true));
    alerter.put(hang.to_vec()).await.unwrap();
    silent.reached(Stage::Greeting).await;
    alerter.put(vec![alert("api", true)]).await.unwrap();
    assert_eq!(good.next().await.subject, FIRST);
    // And the silent one is given up and tried again.
    let mut told = std::collections::BTreeSet::new();
    while told.len() < 5 {
        told.insert(silent.next().await.subject);
    }
    let page = alerter.metrics().await.unwrap();
    assert!(
        !page.contains("belfry_mail_failed_total{reason=\"timeout\"} 0"),
        "{page}"
    );
}

#[tokio::test]
async fn without_starttls_nothing_is_said() {
    let mut sink = Sink::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let tree = plain_with(sink.port, "require_tls: true");
    let alerter = start(tree, Mail::default(), database(folder.path()).await).await;
    alerter.put(vec![alert("api", true)]).await.unwrap();
    let failure = until("a failure", async || {
        alerter.mail_health().await.unwrap().last_failure
    })
    .await
    .1;
    assert_eq!(failure.class, Class::Tls);
    assert!(
        failure.detail.contains("does not offer STARTTLS"),
        "{failure}"
    );
    assert!(!sink.reached.borrow().contains(&Stage::Mail));
    assert_eq!(sink.ready(), None);
}

#[tokio::test]
async fn a_password_is_not_shown_to_everyone_on_the_way() {
    let sink = Sink::listen(0, &[], "250-AUTH PLAIN\r\n").await;
    let folder = tempfile::tempdir().unwrap();
    let tree = |host: &str| {
        let email = format!(
            "smarthost: '{host}:{}', auth_username: u, auth_password: p",
            sink.port
        );
        plain_with(1, &email)
    };
    // A name that leads to the loopback without being known to.
    let alerter = start(
        tree("127.1"),
        Mail::default(),
        database(folder.path()).await,
    )
    .await;
    let failure = alerter.probe().await.unwrap()[0].1.clone().unwrap_err();
    assert_eq!(failure.class, Class::Auth);
    assert!(
        failure.detail.contains("offers no AUTH mechanism"),
        "{failure}"
    );
    alerter
        .reload(&tree("127.0.0.1"), &Mail::default())
        .await
        .unwrap();
    assert_eq!(alerter.probe().await.unwrap()[0].1, Ok(()));
}

#[tokio::test]
async fn a_wrong_address_does_not_keep_the_mail_from_the_others() {
    let mut sink = Sink::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let tree = config(&format!(
        "{{global: {{smtp_smarthost: '127.0.0.1:{}', smtp_from: b@example.org, smtp_require_tls: false}}, \
          route: {{receiver: ops, group_wait: 0s, group_interval: 50ms}}, \
          receivers: [{{name: ops, email_configs: [{{to: 'bad@example.org, ops@example.org', send_resolved: true}}]}}]}}",
        sink.port
    ));
    let alerter = start(tree, Mail::default(), database(folder.path()).await).await;
    alerter.put(vec![alert("api", true)]).await.unwrap();
    let taken = sink.next().await;
    assert_eq!(taken.to, ["ops@example.org"]);
    let refused = until("the refusal", async || {
        let refused = alerter.mail_health().await.unwrap().refused_recipients;
        (!refused.is_empty()).then_some(refused)
    })
    .await;
    assert_eq!(refused, ["bad@example.org"]);
    alerter.put(vec![alert("api", false)]).await.unwrap();
    assert_eq!(sink.next().await.subject, "all alerts resolved -api");
}

#[tokio::test]
async fn a_faulty_configuration_is_refused_and_the_old_one_goes_on() {
    let mut sink = Sink::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let alerter = start(
        plain(sink.port),
        Mail::default(),
        database(folder.path()).await,
    )
    .await;
    let faulty = config("{route: {receiver: gone}}");
    let err = alerter.reload(&faulty, &Mail::default()).await.unwrap_err();
    assert!(matches!(err, alerter::ReloadError::Config(problems) if problems.len() == 1));
    alerter.put(vec![alert("api", true)]).await.unwrap();
    assert_eq!(sink.next().await.subject, FIRST);
    alerter
        .reload(&Config::default(), &Mail::default())
        .await
        .unwrap();
    assert!(!alerter.mail_health().await.unwrap().configured);
}
