//! Alertmanager's configuration, and requests for its API.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use alerter::{Alerter, Config, Handle, InhibitRule, Mail, Parts, Receiver, Rendered, Route};
use axum::body::Body;
use axum::http::Request;
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

use crate::NOW;

const TABLES: [&str; 7] = [
    include_str!("../../belfry/migrations/0002_alerter.sql"),
    include_str!("../../belfry/migrations/0003_silences.sql"),
    include_str!("../../belfry/migrations/0010_episodes.sql"),
    include_str!("../../belfry/migrations/0020_intake.sql"),
    include_str!("../../belfry/migrations/0025_mails.sql"),
    include_str!("../../belfry/migrations/0027_reached.sql"),
    include_str!("../../belfry/migrations/0032_ends.sql"),
];

/// Reads a configuration, and compiles it if it is sound.
///
/// # Panics
/// If what is refused is refused without a word.
pub fn alerting(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (config, faults) = settings::read_literal::<Config>(Path::new("a.yml"), &text).end();
    assert!(faults.iter().all(|fault| !fault.message.is_empty()));
    let problems = alerter::check(&config, &Mail::default());
    assert!(problems.iter().all(|it| !it.message.is_empty()));
}

pub(crate) fn alerting_samples() -> Vec<Vec<u8>> {
    crate::texts(&[
        "global: &g {smtp_smarthost: 'a:25', smtp_from: 'a@b.c', resolve_timeout: 5m}\n\
         route:\n  receiver: a\n  group_by: ['...']\n  routes:\n  - {receiver: b, matchers: ['a=~\"x|y{1,9}\"', '{b!=c, d!~\"(a+)+$\"}'], continue: true}\n\
         receivers:\n- name: a\n  email_configs: [{to: 'x@y.z', headers: {Subject: '{{ .Status }}'}}]\n- {name: b}\n",
        "route: {receiver: a, group_wait: 0s}\ninhibit_rules: [{source_matchers: [a=b], target_match_re: {c: 'd.*'}, equal: [e]}]\n\
         receivers: [{name: a, webhook_configs: [{url: 'http://x/{{ .Status }}', payload: {a: [1, '{{ .Alerts }}']}}], slack_configs: [{api_url: 'https://x/y', fields: [{title: a, value: b}]}]}]\n",
        "route: {receiver: a, routes: [{mute_time_intervals: [t]}]}\nreceivers: [{name: a}]\n\
         time_intervals: [{name: t, time_intervals: [{times: [{start_time: '09:00', end_time: '24:00'}], weekdays: ['monday:friday'], days_of_month: ['-3:-1'], months: ['1:3'], years: ['2024:2026'], location: Europe/Berlin}]}]\n",
        "route: {receiver: a}\nreceivers:\n- name: a\n  pagerduty_configs: [{routing_key: k, details: {a: {b: '{{ range .Alerts }}{{ end }}'}}}]\n  http_config: &h {basic_auth: {username: u}}\n  <<: *h\n",
    ])
}

/// Reads matchers, in the classic and the UTF-8 grammar, and compiles them.
///
/// # Panics
/// If what is refused is refused without a word, or what is taken at one place is
/// refused at another.
pub fn matchers(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let route = Route {
        matchers: vec![text.clone()],
        ..Route::default()
    };
    let rule = InhibitRule {
        source_matchers: vec![text],
        ..InhibitRule::default()
    };
    let config = Config {
        route: Some(Route {
            receiver: "a".into(),
            routes: vec![route],
            ..Route::default()
        }),
        receivers: vec![Receiver {
            name: "a".into(),
            ..Receiver::default()
        }],
        inhibit_rules: vec![rule],
        ..Config::default()
    };
    let problems = alerter::check(&config, &Mail::default());
    assert!(problems.iter().all(|it| !it.message.is_empty()));
    assert!(problems.len() != 1, "{problems:?}");
}

pub(crate) fn matchers_samples() -> Vec<Vec<u8>> {
    crate::texts(&[
        "{a=\"b\", c!~\"d|e{1,9}\"}",
        "a=b,c=~(x+x+)+y",
        "\"odd name\"=\"\\u00fc\\n\\\"\"",
        "a = b , d != \"e\\\\\"",
        "{🔔=~\"(?i)ring.*\",}",
    ])
}

/// Asks the API: the first line is the method and the path, the rest the body.
///
/// # Panics
/// If the server is at fault.
pub fn alert_api(bytes: &[u8]) {
    static API: OnceLock<Option<(Runtime, Handle)>> = OnceLock::new();
    let Some((runtime, handle)) = API.get_or_init(start) else {
        panic!("no alerter could be started");
    };
    let text = String::from_utf8_lossy(bytes);
    let (first, body) = text.split_once('\n').unwrap_or((&text, ""));
    let (method, path) = first.split_once(' ').unwrap_or(("POST", first));
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json")
        .body(Body::from(body.to_owned()));
    // Not every text is a request.
    let Ok(request) = request else { return };
    runtime.block_on(async {
        let router = alerter::api::router(handle.clone());
        let Ok(answer) = router.oneshot(request).await;
        let status = answer.status();
        assert!(status.as_u16() < 500, "{status}: {first}");
        let read = axum::body::to_bytes(answer.into_body(), usize::MAX).await;
        assert!(read.is_ok(), "an answer breaks off: {first}");
    });
}

fn start() -> Option<(Runtime, Handle)> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .ok()?;
    let yaml = "{route: {receiver: a, group_by: [alertname]}, receivers: [{name: a}]}";
    let config = settings::read(Path::new("a.yml"), yaml, &|_| None).ok()?;
    let handle = runtime.block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().in_memory(true);
        let pool = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1);
        let pool = pool.connect_with(options).await.ok()?;
        for tables in TABLES {
            sqlx::raw_sql(tables).execute(&pool).await.ok()?;
        }
        let parts = Parts {
            ack_link: None,
            config,
            mail: Mail::default(),
            external_url: String::new(),
            pool,
            render: Arc::new(|_| Rendered {
                subject: String::new(),
                text: String::new(),
                html: String::new(),
            }),
            clock: Arc::new(|| NOW),
        };
        Alerter::start(parts).await.ok()
    })?;
    Some((runtime, handle))
}

pub(crate) fn alert_api_samples() -> Vec<Vec<u8>> {
    crate::texts(&[
        "POST /alerts\n[{\"labels\":{\"alertname\":\"a\",\"b\":\"c\"},\"annotations\":{\"s\":\"t\"},\"startsAt\":\"2023-11-14T22:13:20.000Z\",\"endsAt\":\"2030-01-01T00:00:00+01:00\",\"generatorURL\":\"http://x/y\"}]",
        "POST /silences\n{\"matchers\":[{\"name\":\"a\",\"value\":\"(x+)+y{1,50}\",\"isRegex\":true,\"isEqual\":false}],\"startsAt\":\"2023-11-14T22:13:20Z\",\"endsAt\":\"2040-01-01T00:00:00Z\",\"createdBy\":\"me\",\"comment\":\"c\"}",
        "GET /alerts?filter=a%3D~%22b.*%22&filter={c!=%22d%22}&receiver=a%7Cb&active=false&silenced=yes",
        "GET /alerts/groups?filter=alertname=a&receiver=.*&muted=1",
        "GET /silences?filter=a=b&expired=false",
        "DELETE /silence/0ad3c1f2-6f1e-4c8c-9d0a-0d2a3c4b5e6f\n",
        "GET /silence/0ad3c1f2-6f1e-4c8c-9d0a-0d2a3c4b5e6f",
    ])
}
