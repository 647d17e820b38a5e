//! Mail that arrives: through exim, encrypted, with a login.

use alerter::{Class, Config, Rendered};

use crate::support::{Exim, alert, config, database, mail, now_ms, start, until};

/// A tree that tells at once, by the `mail` section's server.
fn quick(email: &str) -> Config {
    config(&format!(
        "{{route: {{receiver: ops, group_by: [alertname], group_wait: 0s, group_interval: 50ms}}, \
          receivers: [{{name: ops, email_configs: [{{to: 'ops@example.org, dev@example.org', send_resolved: true, {email}}}]}}]}}"
    ))
}

#[tokio::test]
async fn an_incident_is_one_thread_from_its_beginning_to_its_end() {
    let exim = Exim::start().await;
    let folder = tempfile::tempdir().unwrap();
    let section = mail(&format!("{{{}}}", exim.section(exim.port)));
    let alerter = start(quick(""), section, database(folder.path()).await).await;
    assert_eq!(alerter.put(vec![alert("api", true)]).await, Ok(vec![]));
    exim.mails(1).await;
    alerter.put(vec![alert("api", false)]).await.unwrap();
    let mut mails = exim.mails(2).await;
    mails.sort_by_key(|mail| mail.field("X-Belfry-State").to_owned());
    let [first, last] = &mails[..] else {
        panic!("{mails:?}")
    };
    assert_eq!(first.field("Subject"), "first notification +api");
    assert_eq!(first.text.trim_end(), "first notification +api");
    assert_eq!(first.html.trim_end(), "<p>first notification +api</p>");
    assert_eq!(first.field("From"), "Belfry <belfry@example.org>");
    assert_eq!(
        first.field("Envelope-To"),
        "ops@example.org, dev@example.org"
    );
    assert_eq!(last.field("Subject"), "all alerts resolved -api");
    assert_eq!(last.field("In-Reply-To"), first.field("Message-ID"));
    // The server delivers while its yes is under way to us.
    let page = until("both are noted as sent", async || {
        let page = alerter.metrics().await.unwrap();
        page.contains("belfry_mail_sent_total 2\n").then_some(page)
    })
    .await;
    let health = alerter.mail_health().await.unwrap();
    assert!(health.configured && health.last_success_ms.is_some());
    assert_eq!(
        (health.last_failure, health.failing_since_ms, health.queue),
        (None, None, 0)
    );
    assert_eq!(alerter.alerts().await.unwrap(), []);
    for line in [
        "belfry_mail_sent_total 2",
        "belfry_mail_failing 0",
        "alertmanager_notifications_total{integration=\"email\"} 2",
        "alertmanager_alerts_received_total{status=\"firing\",version=\"v2\"} 1",
        "alertmanager_notification_latency_seconds_count{integration=\"email\"} 2",
    ] {
        assert!(page.lines().any(|found| found == line), "{line}\n{page}");
    }
    // What happened is on disk when it has stopped.
    alerter.stop(std::time::Duration::from_secs(5)).await;
    let kinds: Vec<_> = alerter
        .history(0, 10)
        .await
        .unwrap()
        .iter()
        .map(|event| event.kind.as_str())
        .collect();
    assert_eq!(
        kinds.iter().filter(|kind| **kind == "notified").count(),
        2,
        "{kinds:?}"
    );
}

#[tokio::test]
async fn tls_from_the_first_byte_works_too() {
    let exim = Exim::start().await;
    let folder = tempfile::tempdir().unwrap();
    let section = mail(&format!(
        "{{{}, tls: implicit}}",
        exim.section(exim.tls_port)
    ));
    let alerter = start(quick(""), section, database(folder.path()).await).await;
    alerter.put(vec![alert("api", true)]).await.unwrap();
    assert_eq!(
        exim.mails(1).await[0].field("Subject"),
        "first notification +api"
    );
    assert_eq!(alerter.mail_health().await.unwrap().last_failure, None);
}

#[tokio::test]
async fn a_probe_and_a_test_mail_say_how_mail_is() {
    let exim = Exim::start().await;
    let folder = tempfile::tempdir().unwrap();
    let words = Rendered {
        subject: "[TEST] mail works".into(),
        text: "It does.".into(),
        html: String::new(),
    };
    let good = mail(&format!("{{{}}}", exim.section(exim.port)));
    let alerter = start(
        Config::default(),
        good.clone(),
        database(folder.path()).await,
    )
    .await;
    let address = format!("localhost:{}", exim.port);
    assert_eq!(alerter.probe().await.unwrap(), [(address, Ok(()))]);
    assert!(exim.read().is_empty(), "a probe sends nothing");
    let sent = alerter.test_mail(&words).await.unwrap();
    assert_eq!(sent[0].0, "mail");
    assert_eq!(sent[0].1.accepted, ["ops@example.org", "dev@example.org"]);
    assert_eq!(exim.mails(1).await[0].field("Subject"), "[TEST] mail works");

    let mut wrong_password = good.clone();
    wrong_password.password = settings::Secret::new("wrong");
    let mut nobody = good.clone();
    nobody.ca_file = None;
    let mut other_name = good.clone();
    other_name.smarthost = format!("127.0.0.1:{}", exim.port);
    let mut nowhere = good.clone();
    nowhere.smarthost = "no-such-host.invalid:25".into();
    for (section, class) in [
        (wrong_password, Class::Auth),
        (nobody, Class::Tls),
        (other_name, Class::Tls),
        (nowhere, Class::Dns),
    ] {
        alerter.reload(&Config::default(), &section).await.unwrap();
        let probes = alerter.probe().await.unwrap();
        let failure = probes[0].1.clone().unwrap_err();
        assert_eq!(failure.class, class, "{failure}");
        assert!(!failure.to_string().contains("wrong"), "{failure}");
        let sent = alerter.test_mail(&words).await.unwrap();
        assert_eq!(sent[0].1.reason().map(|it| it.class), Some(class));
    }
    assert_eq!(exim.read().len(), 1);
}

#[tokio::test]
async fn a_real_servers_refusal_of_one_recipient_is_reported() {
    let exim = Exim::start().await;
    let folder = tempfile::tempdir().unwrap();
    let section = mail(&format!("{{{}}}", exim.section(exim.port)).replace("dev@", "gone@"));
    let alerter = start(Config::default(), section, database(folder.path()).await).await;
    let mut page = alert("api", true);
    page.labels.insert("severity".into(), "critical".into());
    page.starts_at = Some(now_ms() - 60_000);
    alerter.put(vec![page]).await.unwrap();
    let mails = exim.mails(1).await;
    assert_eq!(mails[0].field("Envelope-To"), "ops@example.org");
    let health = until("the refusal", async || {
        let health = alerter.mail_health().await.unwrap();
        health.last_failure.is_some().then_some(health)
    })
    .await;
    assert_eq!(health.refused_recipients, ["gone@example.org"]);
    let (_, failure) = health.last_failure.unwrap();
    assert_eq!(failure.class, Class::Permanent);
    assert!(failure.detail.contains("no such person"), "{failure}");
    assert_eq!(health.failing_since_ms, None, "the others got it");
}
