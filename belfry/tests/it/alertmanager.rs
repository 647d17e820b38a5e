//! `belfry alertmanager` in Alertmanager's place: its file, its flags, its tools,
//! and a Prometheus that does not know the difference.

use std::fs;
use std::process::Command;

use rustix::process::Signal;
use serde_json::json;

use crate::support::alertmanager::Alone;
use crate::support::process::Process;
use crate::support::sink::{Act, Sink};
use crate::support::{http, poll, program};

/// As people write them: anchors, old and new matchers, receivers of many kinds, keys that
/// say nothing.
/// `PORT` is a mail server's.
const CONFIG: &str = r#"
global:
  resolve_timeout: 5m
  smtp_smarthost: '127.0.0.1:PORT'
  smtp_from: 'Alertmanager <am@example.org>'
  smtp_require_tls: false
  smtp_auth_username:
  smtp_auth_password:
  smtp_auth_secret:
  slack_api_url: https://hooks.slack.com/services/T/B/hunter2
  http_config:
    follow_redirects: true
templates:
  - 'templates/*.tmpl'
route:
  receiver: ops
  group_by: [alertname, cluster]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 3h
  continue:
  routes:
    - matchers:
        - severity=~"critical|page"
        - team = db
      receiver: duty
      continue: true
    - match_re:
        service: ^(foo1|foo2)$
      receiver: chat
      mute_time_intervals: [nights]
    - receiver: nobody
      matchers: [alertname="Watchdog"]
inhibit_rules:
  - source_matchers: [severity="critical"]
    target_matchers: [severity="warning"]
    equal: [alertname]
receivers:
  - name: nobody
  - name: ops
    email_configs:
      - to: 'ops@example.org'
        send_resolved: true
        headers:
          Subject: '{{ template "own.subject" . }}'
  - name: chat
    slack_configs:
      - &slack
        channel: '#chat'
        text: '{{ reReplaceAll "(.*)-(.*)" "${2}-${1}" .CommonLabels.alertname }}'
      - <<: *slack
        channel: '#more'
    webhook_configs:
      - url: 'http://127.0.0.1:1/hook'
        http_config: {basic_auth: {username: u, password: hunter2}}
        max_alerts:
        send_resolved:
  - name: duty
    pagerduty_configs: [{service_key: hunter2}]
    opsgenie_configs: [{api_key: hunter2, responders: [{name: a, type: team}]}]
    telegram_configs: [{bot_token: '1:hunter2', chat_id: -1, parse_mode: ''}]
    discord_configs: [{webhook_url: 'https://discord.com/api/webhooks/1/hunter2'}]
time_intervals:
  - name: nights
    time_intervals:
      - times: [{start_time: '00:00', end_time: '06:00'}]
        weekdays: ['monday:friday']
        location: Europe/Berlin
"#;

const TEMPLATE: &str =
    r#"{{ define "own.subject" }}{{ .Status }} {{ .GroupLabels.alertname }}{{ end }}"#;

fn start(sink: &Sink, flags: &[&str]) -> Alone {
    let config = CONFIG.replace("PORT", &sink.port().to_string());
    let mut alone = Alone::with(&config, flags);
    fs::create_dir(alone.scratch.path.join("templates")).unwrap();
    fs::write(alone.scratch.path.join("templates/own.tmpl"), TEMPLATE).unwrap();
    alone.launch();
    alone.wait();
    alone
}

fn subjects(sink: &Sink) -> Vec<String> {
    let received = sink.received();
    received
        .iter()
        .map(|it| it.mail.header("subject").to_owned())
        .collect()
}

#[test]
fn an_existing_file_runs_unchanged_under_alertmanagers_flags_and_tools() {
    let sink = Sink::start(&[Act::Accept]);
    let mut alone = start(&sink, &["--log.level=warn", "--data.retention=5d"]);
    let address = alone.address();
    assert_eq!(http::get(&address, "/-/healthy").unwrap().body, "OK");
    let (ok, text) = alone.amtool(&[
        "alert",
        "add",
        "Disk",
        "severity=warning",
        "cluster=a",
        "--annotation=summary=full",
    ]);
    assert!(ok, "{text}");
    poll::holds("the mail", || subjects(&sink) == ["firing Disk"]);
    let mail = &sink.received()[0];
    assert_eq!(mail.recipients, ["ops@example.org"]);
    assert!(mail.mail.html.contains("1 alert for") && mail.mail.html.contains("full"));
    assert!(
        mail.mail.text.is_empty(),
        "Alertmanager's mails have no text of their own"
    );

    let (_, text) = alone.amtool(&["alert", "query", "cluster=a"]);
    assert!(text.contains("Disk") && text.contains("active"), "{text}");
    let (ok, id) = alone.amtool(&["silence", "add", "cluster=a", "-c", "work", "-a", "me"]);
    assert!(ok, "{id}");
    let (_, text) = alone.amtool(&["alert", "query", "--silenced"]);
    assert!(text.contains("suppressed"), "{text}");
    assert!(alone.amtool(&["silence", "expire", id.trim()]).0);
    let routed = |labels: &[&str]| {
        alone
            .amtool(&[&["config", "routes", "test"], labels].concat())
            .1
    };
    assert_eq!(routed(&["severity=page", "team=db"]).trim(), "duty");
    assert_eq!(routed(&["service=foo1"]).trim(), "chat");
    assert_eq!(routed(&["a=b"]).trim(), "ops");
    let (ok, text) = alone.amtool(&["check-config", &alone.file()]);
    assert!(ok, "the counterpart takes the file too: {text}");

    let page = http::get(&address, "/").unwrap().body;
    assert!(page.contains("<b>alertname</b> Disk"), "{page}");
    let metrics = http::get(&address, "/metrics").unwrap().body;
    for line in [
        "alertmanager_build_info{",
        "alertmanager_alerts{state=\"active\"} 1",
        "alertmanager_config_last_reload_successful 1",
        "alertmanager_cluster_enabled 0",
        "alertmanager_notifications_total{integration=\"email\"} 1",
        "alertmanager_notifications_total{integration=\"slack\"} 0",
        "alertmanager_integrations 8",
        "process_resident_memory_bytes ",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    assert_eq!(http::get(&address, "/api/v1/alerts").unwrap().status, 410);
    let log = alone.process().log();
    let status = http::get(&address, "/api/v2/status").unwrap().body;
    assert!(!log.contains("hunter2") && !status.contains("hunter2"));
    assert!(alone.process().stop().success());
}

#[test]
fn a_reload_is_taken_whole_or_not_at_all() {
    let sink = Sink::start(&[Act::Accept]);
    let mut alone = start(&sink, &[]);
    let address = alone.address();
    let successful = || {
        let metrics = http::get(&address, "/metrics").unwrap().body;
        metrics.contains("alertmanager_config_last_reload_successful 1\n")
    };
    alone.configure("route: {receiver: nobody}\nreceivers: [{name: a}]");
    let answer = http::post(&address, "/-/reload", "").unwrap();
    assert_eq!(answer.status, 500);
    assert!(
        answer.body.starts_with("failed to reload config: "),
        "{}",
        answer.body
    );
    assert!(
        answer.body.contains(
            "alertmanager.yml:1:19: route.receiver: undefined receiver \"nobody\" used in route"
        ),
        "{}",
        answer.body
    );
    assert!(!successful());
    assert_eq!(http::get(&address, "/-/reload").unwrap().status, 405);
    let receivers = || http::get(&address, "/api/v2/receivers").unwrap().json();
    assert_eq!(
        receivers().as_array().map(Vec::len),
        Some(4),
        "the old one stays"
    );

    alone.configure("route: {receiver: a}\nreceivers: [{name: a}]");
    alone.process().signal(Signal::HUP);
    poll::holds("the new one", || {
        receivers() == json!([{"labels": {"name": "a"}, "name": "a"}])
    });
    poll::holds("the metric should say so", successful);
}

#[test]
fn what_is_not_supported_is_refused_by_name_and_place() {
    for (config, wanted) in [
        (
            "route: {receiver: a}\nreceivers:\n- name: a\n  incidentio_configs: [{url: 'http://x'}]\n",
            "alertmanager.yml:4:3: receivers[0]: unknown key \"incidentio_configs\"",
        ),
        (
            "route: {receiver: a}\nreceivers:\n- name: a\n  telegram_configs:\n  - {chat_id: 1, bot_token: t, parse_mode: html}\n",
            "alertmanager.yml:5:44: receivers[0].telegram_configs[0].parse_mode: unknown parse_mode",
        ),
        (
            "",
            "alertmanager.yml:1:1: route: no route provided in config",
        ),
    ] {
        let output = Alone::with(config, &[]).output();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains(wanted), "{wanted} is not in\n{said}");
    }
    let output = Alone::with("", &["--web.config.file=web.yml"]).output();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("cannot read web.yml: No such file"), "{said}");
}

#[test]
fn all_paths_begin_with_the_prefix() {
    let config = "route: {receiver: a}\nreceivers: [{name: a}]";
    let mut alone = Alone::with(config, &["--web.external-url=https://x.example/am/"]);
    alone.launch();
    let address = alone.address();
    alone.process().ready("it should serve", || {
        http::get(&address, "/am/-/ready")
            .ok()
            .filter(|it| it.status == 200)
    });
    for (path, status) in [
        ("/am/", 200),
        ("/am/metrics", 200),
        ("/am/api/v2/status", 200),
        ("/", 303),
        ("/metrics", 404),
        ("/api/v2/status", 404),
    ] {
        assert_eq!(http::get(&address, path).unwrap().status, status, "{path}");
    }
}

#[test]
fn a_real_prometheus_sends_its_alerts() {
    let sink = Sink::start(&[Act::Accept]);
    let alone = start(&sink, &[]);
    let folder = &alone.scratch.path;
    let rules = "groups: [{name: g, interval: 1s, rules: [{alert: Always, expr: vector(1), labels: {team: web}}]}]";
    fs::write(folder.join("rules.yml"), rules).unwrap();
    let config = format!(
        "{{rule_files: [rules.yml], alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{}']}}]}}]}}}}",
        alone.address()
    );
    let file = folder.join("prometheus.yml");
    fs::write(&file, config).unwrap();
    let mut command = Command::new(program::find("prometheus", "prometheus"));
    command
        .arg(format!("--config.file={}", file.display()))
        .arg(format!(
            "--storage.tsdb.path={}",
            folder.join("tsdb").display()
        ))
        .arg("--web.listen-address=127.0.0.1:0")
        .arg("--rules.alert.resend-delay=1s");
    let mut prometheus = Process::spawn("prometheus", &mut command, &folder.join("prometheus.log"));
    prometheus.ready("the mail", || {
        let all = subjects(&sink);
        (all.first()? == "firing Always").then_some(())
    });
    // It ends where its sender has no time to repeat it, until that has time again.
    poll::holds("the alert should be there with its labels", || {
        let alerts = http::get(&alone.address(), "/api/v2/alerts").unwrap();
        alerts.json()[0]["labels"]["team"] == "web"
    });
}
