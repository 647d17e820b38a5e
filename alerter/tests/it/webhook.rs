//! Webhooks: what is sent, to whom we prove ourselves, and what is tried again.

use std::time::Duration;

use alerter::{Config, Handle, Mail};
use serde_json::json;

use crate::support::hook::Hook;
use crate::support::{Sink, alert, config, database, start, until};

/// A tree that tells at once, to the hook; more keys for the webhook.
fn tree(port: u16, webhook: &str) -> Config {
    config(&format!(
        "{{route: {{receiver: ops, group_by: [alertname], group_wait: 0s, group_interval: 100ms, repeat_interval: 1h}}, \
          receivers: [{{name: ops, webhook_configs: [{{url: 'http://127.0.0.1:{port}/hook', {webhook}}}]}}]}}"
    ))
}

async fn run(config: Config, folder: &tempfile::TempDir) -> Handle {
    start(config, Mail::default(), database(folder.path()).await).await
}

#[tokio::test]
async fn beginnings_and_ends_are_posted_once() {
    let mut hook = Hook::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let alerter = run(tree(hook.port, ""), &folder).await;
    alerter.put(vec![alert("disk", true)]).await.unwrap();
    let first = hook.next().await;
    assert_eq!(first.says(), "firing +disk");
    assert_eq!(first.path, "/hook");
    assert_eq!(first.header("content-type"), "application/json");
    assert!(first.header("user-agent").starts_with("Alertmanager/0."));
    assert_eq!(first.header("authorization"), "");
    assert_eq!(first.body["groupKey"], "{}:{alertname=\"disk\"}");
    assert_eq!(first.body["version"], "4");
    assert_eq!(first.body["externalURL"], "https://belfry.example.org");
    alerter.put(vec![alert("disk", false)]).await.unwrap();
    assert_eq!(hook.next().await.says(), "resolved -disk");
    until("the count", async || {
        let page = alerter.metrics().await.unwrap();
        let both = ["notifications_total", "notification_latency_seconds_count"];
        let lines = both.map(|name| format!("alertmanager_{name}{{integration=\"webhook\"}} 2\n"));
        lines.iter().all(|line| page.contains(line)).then_some(())
    })
    .await;
    let health = alerter.mail_health().await.unwrap();
    assert!(
        !health.configured && health.last_success_ms.is_none(),
        "it is no mail"
    );
    alerter.stop(Duration::from_secs(5)).await;
    assert!(hook.ready().is_none());
}

#[tokio::test]
async fn what_a_route_is_labelled_with_is_told_and_can_be_asked_for() {
    let mut hook = Hook::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let yaml = format!(
        "{{route: {{receiver: ops, group_by: [alertname], group_wait: 0s, labels: {{team: bells, room: tower}}, \
          routes: [{{matchers: [alertname=disk], labels: {{team: disks, channel: '#{{{{ routeLabels \"team\" }}}}-{{{{ .Status }}}}'}}}}]}}, \
          receivers: [{{name: ops, webhook_configs: [{{url: 'http://127.0.0.1:{}/{{{{ .RouteLabels.room }}}}'}}]}}]}}",
        hook.port
    );
    let alerter = run(config(&yaml), &folder).await;
    alerter.put(vec![alert("disk", true)]).await.unwrap();
    let told = hook.next().await;
    let wanted = json!({"team": "disks", "room": "tower", "channel": "#disks-firing"});
    assert_eq!(told.body["routeLabels"], wanted);
    assert_eq!(told.path, "/tower");
    alerter.put(vec![alert("other", true)]).await.unwrap();
    let wanted = json!({"team": "bells", "room": "tower"});
    assert_eq!(hook.next().await.body["routeLabels"], wanted);
    let served = crate::support::web::Served::start(&alerter).await;
    let groups = crate::support::web::get(&served.url(), "/alerts/groups")
        .await
        .json();
    let labels: Vec<_> = groups
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["routeLabels"]["team"])
        .collect();
    assert_eq!(labels, ["disks", "bells"]);
    alerter.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn we_prove_who_we_are_as_the_configuration_says() {
    for (http, wanted) in [
        ("basic_auth: {username: u, password: p}", "Basic dTpw"),
        ("bearer_token: t", "Bearer t"),
        ("authorization: {credentials: t}", "Bearer t"),
        ("authorization: {type: Key, credentials: t}", "Key t"),
    ] {
        let mut hook = Hook::start(&[]).await;
        let folder = tempfile::tempdir().unwrap();
        let alerter = run(
            tree(hook.port, &format!("http_config: {{{http}}}")),
            &folder,
        )
        .await;
        alerter.put(vec![alert("disk", true)]).await.unwrap();
        assert_eq!(hook.next().await.header("authorization"), wanted, "{http}");
    }
}

#[tokio::test]
async fn a_server_error_is_tried_again_soon_and_a_refusal_at_the_next_look() {
    for (statuses, class) in [([503, 500], "http_5xx"), ([400, 404], "http_4xx")] {
        let mut hook = Hook::start(&statuses).await;
        let folder = tempfile::tempdir().unwrap();
        let alerter = run(tree(hook.port, ""), &folder).await;
        alerter.put(vec![alert("disk", true)]).await.unwrap();
        for status in [statuses[0], statuses[1], 200] {
            let message = hook.next().await;
            assert_eq!((message.status, &*message.says()), (status, "firing +disk"));
        }
        let failed = until("the history", async || {
            let events = alerter.history(0, 100).await.unwrap();
            let told = events
                .iter()
                .any(|it| it.kind == alerter::EventKind::Notified);
            told.then_some(events)
        })
        .await;
        let first = failed
            .iter()
            .find(|it| it.kind == alerter::EventKind::Failed)
            .unwrap();
        let wanted = format!(
            "ops: {class}: unexpected status code {}: what the server says",
            statuses[0]
        );
        assert_eq!(first.detail, wanted);
        alerter.stop(Duration::from_secs(5)).await;
        assert!(hook.ready().is_none());
    }
}

#[tokio::test]
async fn urls_may_be_templates_and_come_from_files() {
    let mut hook = Hook::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("url");
    std::fs::write(&secret, format!("http://127.0.0.1:{}/filed\n", hook.port)).unwrap();
    let yaml = format!(
        "{{route: {{receiver: ops, group_wait: 0s}}, receivers: [{{name: ops, webhook_configs: \
          [{{url: 'http://127.0.0.1:{}/{{{{ .CommonLabels.alertname }}}}', max_alerts: 1}}, {{url_file: '{}'}}]}}]}}",
        hook.port,
        secret.display()
    );
    let alerter = run(config(&yaml), &folder).await;
    alerter
        .put(vec![alert("a", true), alert("b", true)])
        .await
        .unwrap();
    let mut got = [hook.next().await, hook.next().await];
    got.sort_by(|a, b| a.path.cmp(&b.path));
    assert_eq!(got[1].path, "/filed");
    assert_eq!(got[1].body["truncatedAlerts"], json!(0));
    assert_eq!(got[0].body["truncatedAlerts"], json!(1));
    assert_eq!(got[0].body["alerts"].as_array().unwrap().len(), 1);
    let faults = |webhook: &str| {
        let yaml = format!(
            "{{route: {{receiver: a}}, receivers: [{{name: a, webhook_configs: [{{{webhook}}}]}}]}}"
        );
        let problems = alerter::check(&config(&yaml), &Mail::default());
        problems
            .into_iter()
            .map(|it| it.message)
            .collect::<Vec<_>>()
    };
    assert_eq!(faults(""), ["one of url or url_file must be configured"]);
    assert_eq!(
        faults("url: 'ftp://x'"),
        ["unsupported scheme \"ftp\" for URL"]
    );
    assert!(faults("url: '{{ end }}'")[0].starts_with("invalid template syntax: "));
    let both = "url: 'http://x', http_config: {bearer_token: a, basic_auth: {username: b}}";
    assert_eq!(
        faults(both),
        ["at most one of basic_auth, oauth2, authorization and bearer_token must be configured"]
    );
}

#[tokio::test]
async fn another_mail_does_not_make_a_stranger_of_the_webhook() {
    let mut hook = Hook::start(&[]).await;
    let mut sink = Sink::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let alerter = run(tree(hook.port, ""), &folder).await;
    alerter.put(vec![alert("disk", true)]).await.unwrap();
    assert_eq!(hook.next().await.says(), "firing +disk");
    // In the notification log by now.
    until("the log", async || {
        let views = alerter.alerts().await.unwrap();
        views[0].last_sent_ms
    })
    .await;
    let mut more = tree(hook.port, "");
    more.receivers[0].email_configs = crate::support::plain(sink.port).receivers[0]
        .email_configs
        .clone();
    more.global = crate::support::plain(sink.port).global;
    alerter.reload(&more, &Mail::default()).await.unwrap();
    assert_eq!(sink.next().await.subject, "first notification +disk");
    alerter.put(vec![alert("disk", false)]).await.unwrap();
    assert_eq!(hook.next().await.says(), "resolved -disk");
    assert_eq!(sink.next().await.subject, "all alerts resolved -disk");
    alerter.stop(Duration::from_secs(5)).await;
    assert!(hook.ready().is_none());
}
