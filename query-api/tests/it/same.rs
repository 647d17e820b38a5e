//! The same questions to Debian's Prometheus and to us, over the same samples:
//! it scrapes a page of ours and sends us what it stores by remote_write.

mod questions;
mod views;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use query_api::Source;
use reqwest::Method;
use serde_json::Value;
use series::{Matcher, Op, Store};

use crate::support::prometheus::Prometheus;
use crate::support::{Server, serve};

const PAGE: &str = r#"# HELP requests_total Requests.
# TYPE requests_total counter
requests_total{code="200",path="/a"} 17
requests_total{code="500",path="/a"} 3
requests_total{code="200",path="/b \"c\"\\\n"} 1e+21
# HELP temperature_celsius How warm it is.
# TYPE temperature_celsius gauge
temperature_celsius{room="x"} -0.125
temperature_celsius{room="y"} NaN
temperature_celsius{room="z"} +Inf
# TYPE latency_seconds histogram
latency_seconds_bucket{le="0.1"} 5
latency_seconds_bucket{le="1"} 9
latency_seconds_bucket{le="+Inf"} 10
latency_seconds_sum 4.25
latency_seconds_count 10
tiny 0.0000001
"#;

const RULES: &str = r#"groups:
  - name: first
    rules:
      - record: code:requests:sum
        expr: sum by (code) (requests_total)
        labels: {kind: recorded}
      - alert: Warm
        expr: temperature_celsius > 1
        for: 0s
        labels: {severity: critical}
        annotations: {summary: "{{ $labels.room }} has {{ $value }}"}
      - alert: Pending
        expr: up == 1
        for: 1h
        keep_firing_for: 5m
  - name: second
    interval: 3s
    limit: 10
    rules:
      - alert: Quiet
        expr: absent(up)
      - record: fails
        expr: requests_total * on() requests_total
"#;

fn config(page: &str, receiver: &str) -> String {
    format!(
        r#"global:
  scrape_interval: 1s
  evaluation_interval: 1s
  external_labels: {{}}
rule_files: [rules.yml]
alerting:
  alertmanagers: [{{static_configs: [{{targets: ["127.0.0.1:1"]}}]}}]
remote_write:
  - url: {receiver}/api/v1/write
    queue_config: {{max_shards: 1, batch_send_deadline: 100ms}}
scrape_configs:
  - job_name: page
    static_configs:
      - {{targets: ["{page}"], labels: {{zone: here}}}}
      - {{targets: ["dropped:1"]}}
    relabel_configs:
      - {{source_labels: [__address__], regex: "dropped.*", action: drop}}
  - job_name: nothing
    scrape_timeout: 500ms
    static_configs: [{{targets: ["127.0.0.1:1"]}}]
"#
    )
}

/// The page; a series is gone from the fourth time on.
async fn page(State(asked): State<Arc<AtomicUsize>>) -> String {
    let gone = asked.fetch_add(1, Ordering::Relaxed) >= 3;
    let lines = PAGE.split_inclusive('\n');
    lines
        .filter(|line| !gone || !line.contains("code=\"500\""))
        .collect()
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap().as_millis() as i64
}

/// Both, with the same samples up to a time in milliseconds.
struct Both {
    prometheus: Prometheus,
    ours: Server,
    source: Source,
    time: i64,
}

impl Both {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let router = Router::new()
            .route("/metrics", get(page))
            .with_state(Arc::default());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let mut source = Source::new(Arc::new(Store::new()), Arc::new(now_ms));
        source.receives = true;
        let ours = serve(source.clone()).await;
        let prometheus = Prometheus::start(&config(&address, &ours.url), RULES).await;
        let time = sampled(&source.store).await;
        Self {
            prometheus,
            ours,
            source,
            time,
        }
    }
}

/// Waits for ten scrapes, and says a time before which all samples have come:
/// one sender sends them in the order of their times.
async fn sampled(store: &Store) -> i64 {
    let ups = [
        Matcher::new("__name__", Op::Equal, "up").unwrap(),
        Matcher::new("job", Op::Equal, "page").unwrap(),
    ];
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let found = store.select(&ups, i64::MIN, i64::MAX);
        if let Some(up) = found.first().filter(|up| up.samples.len() >= 12) {
            return up.samples[9].0 + 507;
        }
        assert!(Instant::now() < deadline, "nothing was sent: {found:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn page_of(server: &Server, query: &str) -> (u16, Vec<String>) {
    let response = server.request(Method::GET, &format!("/federate?{query}"));
    let response = response.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    // Without times: the two are not asked at the same moment.
    let line = |line: &str| match line.starts_with('#') || !text.contains('{') {
        true => line.to_owned(),
        false => line.rsplit_once(' ').unwrap().0.to_owned(),
    };
    (status, text.lines().map(line).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_questions_have_the_same_answers() {
    let both = Both::start().await;
    let theirs = &both.prometheus.server;
    let mut differ = Vec::new();
    for question in questions::all(both.time) {
        let (left, right) = match question.form {
            Some(form) => (
                theirs.post(&question.path, form).await,
                both.ours.post(&question.path, form).await,
            ),
            None => (
                theirs.get(&question.path).await,
                both.ours.get(&question.path).await,
            ),
        };
        let (left, right) = (questions::comparable(left), questions::comparable(right));
        if left != right {
            differ.push(format!(
                "{}\n  theirs {left}\n  ours   {right}",
                question.path
            ));
        }
    }
    for query in [
        "match[]=requests_total&match[]=temperature_celsius&match[]={__name__=~\"tiny|up|latency.*\"}",
        "match[]=up[5m]",
        "match[]=none",
        "",
    ] {
        let (left, right) = (
            page_of(theirs, query).await,
            page_of(&both.ours, query).await,
        );
        // The words of a parse error are each one's own.
        if left != right && (left.0 == 200 || left.0 != right.0) {
            differ.push(format!(
                "/federate?{query}\n  theirs {left:?}\n  ours   {right:?}"
            ));
        }
    }
    for path in questions::with_statistics(both.time) {
        let (left, right) = (theirs.get(&path).await, both.ours.get(&path).await);
        let read = |(_, answer): &(u16, Value)| {
            answer["data"]["stats"]["samples"]["totalQueryableSamples"].clone()
        };
        if read(&left) != read(&right) {
            differ.push(format!(
                "{path}\n  theirs {}\n  ours   {}",
                read(&left),
                read(&right)
            ));
        }
        let mut fields = [Vec::new(), Vec::new()];
        for ((_, answer), fields) in [&left, &right].into_iter().zip(&mut fields) {
            views::fields(&answer["data"]["stats"], "", fields);
            fields.sort();
        }
        assert_eq!(fields[0], fields[1], "{path}");
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_alerts_targets_and_metadata_have_the_same_shape() {
    let both = Both::start().await;
    let theirs = &both.prometheus.server;
    // Ours are views of theirs; so every field must come out as it went in.
    let mut source = both.source.clone();
    let taken = views::Taken::from(theirs).await;
    taken.give(&mut source);
    let ours = serve(source).await;
    for (path, answer) in taken.answers() {
        assert_eq!(ours.data(path).await, *answer, "{path}");
    }
    // What the two say of themselves differs, but not in its fields.
    for path in ["buildinfo", "runtimeinfo", "config", "tsdb", "walreplay"] {
        let path = format!("/api/v1/status/{path}");
        let (left, right) = (theirs.data(&path).await, ours.data(&path).await);
        let known = views::known_differences();
        let fields = |value: &Value| {
            let mut names = Vec::new();
            views::fields(value, "", &mut names);
            names.retain(|name| !known.contains(&&**name));
            names.sort();
            names.dedup();
            names
        };
        assert_eq!(fields(&left), fields(&right), "{path}");
    }
}
