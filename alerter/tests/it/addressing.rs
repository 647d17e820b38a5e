//! Mails whose recipients are said by a template, when it says something wrong.

use std::time::Duration;

use alert::Alert;
use alerter::{Config, Handle};

use crate::support::{Sink, alert, config, database, mail, start, until};

/// Tells at once, and whom says the template.
fn tree(port: u16, to: &str) -> Config {
    config(&format!(
        "{{global: {{smtp_smarthost: '127.0.0.1:{port}', smtp_from: b@example.org, smtp_require_tls: false}}, \
          route: {{receiver: ops, group_by: [alertname], group_wait: 0s, group_interval: 200ms, repeat_interval: 1h}}, \
          receivers: [{{name: ops, email_configs: [{{to: '{to}', text: x}}]}}]}}"
    ))
}

fn owned(name: &str, owner: &str) -> Alert {
    let mut alert = alert(name, true);
    alert.labels.insert("owner".into(), owner.into());
    alert
}

async fn page(alerter: &Handle, line: &str) -> String {
    until(line, async || {
        let page = alerter.metrics().await.unwrap();
        page.contains(line).then_some(page)
    })
    .await
}

const TO: &str = "{{ range .Alerts }}{{ .Labels.owner }},{{ end }}";

#[tokio::test]
async fn a_page_that_names_nobody_is_a_failure_that_is_seen_and_goes_out_once_it_names_somebody() {
    let mut sink = Sink::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let pool = database(folder.path()).await;
    let alerter = start(tree(sink.port, TO), mail("{}"), pool).await;
    let lost = alert("Disk", true);
    let fingerprint = lost.fingerprint();
    alerter.put(vec![lost]).await.unwrap();
    // More than once: it is tried again with each look.
    let page = page(&alerter, "belfry_mail_failed_total{reason=\"template\"} 2").await;
    for line in [
        "belfry_mail_failing 1",
        "belfry_mail_queue_length 1",
        "alertmanager_notification_requests_failed_total{integration=\"email\"} 2",
        "alertmanager_notifications_failed_total{integration=\"email\",reason=\"other\"} 1",
    ] {
        assert!(page.contains(line), "{line}\n{page}");
    }
    let why = alerter.why(fingerprint).await.unwrap().unwrap();
    let way = &why.routes[0].integrations[0];
    assert_eq!(way.to, format!("email to {TO}"));
    assert_eq!(way.failed, Some(alerter::Class::Template));
    assert!(way.verdict.contains("failed (template)"), "{way:?}");
    let health = alerter.mail_health().await.unwrap();
    let (_, failure) = health.last_failure.unwrap();
    assert_eq!(
        failure.to_string(),
        "template: to: the template names nobody"
    );

    let mut found = owned("Disk", "amy@example.org");
    found.labels.insert("part".into(), "b".into());
    alerter.put(vec![found]).await.unwrap();
    let taken = sink.next().await;
    assert_eq!(taken.to, ["amy@example.org"]);
    assert!(
        taken.text.contains("To: amy@example.org\r\n"),
        "{}",
        taken.text
    );
    alerter.stop(Duration::from_secs(5)).await;
    assert_eq!(sink.ready(), None);
}

#[tokio::test]
async fn where_a_template_names_nobody_the_mail_sections_people_are_told() {
    let mut sink = Sink::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let section = mail(&format!(
        "{{to: 'noc@example.org', from: n@example.org, smarthost: '127.0.0.1:{}', tls: none}}",
        sink.port
    ));
    let pool = database(folder.path()).await;
    let alerter = start(tree(sink.port, TO), section, pool).await;
    for (owner, to) in [
        ("not an address", "noc@example.org"),
        ("amy@example.org", "amy@example.org"),
    ] {
        alerter.put(vec![owned(owner, owner)]).await.unwrap();
        assert_eq!(sink.next().await.to, [to]);
    }
    // That it was meant for somebody else is seen as well.
    page(&alerter, "belfry_mail_refused_recipients_total 1").await;
    let health = alerter.mail_health().await.unwrap();
    assert_eq!(health.refused_recipients, ["not an address"]);
    assert_eq!(health.failing_since_ms, None);
    alerter.stop(Duration::from_secs(5)).await;
    assert_eq!(sink.ready(), None);
}

#[tokio::test]
async fn what_is_no_address_keeps_the_mail_from_nobody_else() {
    let mut sink = Sink::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let pool = database(folder.path()).await;
    let to = "noc@example.org, {{ .CommonLabels.owner }}, bad@example.org";
    let alerter = start(tree(sink.port, to), mail("{}"), pool).await;
    alerter.put(vec![owned("Disk", "nobody")]).await.unwrap();
    assert_eq!(sink.next().await.to, ["noc@example.org"]);
    page(&alerter, "belfry_mail_refused_recipients_total 2").await;
    let health = alerter.mail_health().await.unwrap();
    assert_eq!(health.refused_recipients, ["bad@example.org", "nobody"]);
    alerter.stop(Duration::from_secs(5)).await;
    assert_eq!(sink.ready(), None, "who has it is not mailed again");
}
