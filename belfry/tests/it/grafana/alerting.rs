//! What Grafana's data source and its alerting pages ask, of a server whose rules fire.

use serde_json::{Value, json};

use crate::support::alone::{Alone, Page};
use crate::support::scratch::Scratch;
use crate::support::{http, poll};

const PAGE: &str = "# HELP queue_length Jobs that wait.\n# TYPE queue_length gauge\n\
queue_length{queue=\"mail\"} 7\nqueue_length{queue=\"sms\"} 0\n\
# HELP jobs_total Jobs done.\n# TYPE jobs_total counter\njobs_total 12\n";

const RULES: &str = "groups:
- name: queues
  interval: 1s
  rules:
  - record: queue:length:sum
    expr: sum(queue_length)
    labels: {kind: recorded}
  - alert: QueueLong
    expr: queue_length > 5
    labels: {severity: warning}
    annotations: {summary: '{{ $labels.queue }} has {{ $value }}'}
  - alert: QueueWaits
    expr: queue_length > 5
    for: 1h
    keep_firing_for: 5m
    labels: {severity: critical}
  - alert: QueueQuiet
    expr: queue_length > 100
";

/// Takes what no two runs have in common out of an answer, where it has the right form.
fn settled(mut value: Value) -> Value {
    match &mut value {
        Value::Object(object) => {
            for (key, inner) in object.iter_mut() {
                match key.as_str() {
                    "lastEvaluation" | "activeAt" => {
                        let time = inner.as_str().expect("a time");
                        time.parse::<jiff::Timestamp>().expect("a time");
                        *inner = json!("TIME");
                    }
                    "evaluationTime" => {
                        assert!(inner.as_f64().expect("seconds") >= 0.0);
                        *inner = json!("SECONDS");
                    }
                    _ => *inner = settled(inner.take()),
                }
            }
        }
        Value::Array(array) => {
            for inner in array.iter_mut() {
                *inner = settled(inner.take());
            }
        }
        _ => {}
    }
    value
}

/// An object with the fields of another one too.
fn with(mut object: Value, more: &Value) -> Value {
    let more = more.as_object().expect("an object").clone();
    object.as_object_mut().expect("an object").extend(more);
    object
}

/// A rule that has been evaluated.
fn rule(rule: Value) -> Value {
    let done = json!({ "evaluationTime": "SECONDS", "health": "ok", "lastEvaluation": "TIME" });
    with(rule, &done)
}

fn alerting(name: &str, query: &str, state: &str, more: &Value) -> Value {
    let plain = json!({
        "alerts": [], "annotations": {}, "duration": 0, "keepFiringFor": 0, "labels": {},
        "name": name, "query": query, "state": state, "type": "alerting",
    });
    with(rule(plain), more)
}

fn posted(alone: &Alone, path: &str, form: &str) -> Value {
    let address = alone.address();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    http::send(address, &request).expect("an answer").json()
}

#[test]
fn grafana_is_told_of_rules_that_fire_their_alerts_and_what_metrics_mean() {
    let page = Page::serve(PAGE);
    let scratch = Scratch::new();
    let rules = scratch.file("queues.yml", RULES);
    let config = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}\nrule_files: [{rules:?}]\n\
         scrape_configs:\n- {{job_name: app, static_configs: [{{targets: ['{}'], labels: {{instance: here}}}}]}}\n",
        page.address
    );
    let alone = Alone::start(scratch, &config, &[]);
    let alerts = || alone.data("/api/v1/alerts")["alerts"].clone();
    poll::holds("two alerts should be active", || {
        let active = alerts();
        let active = active.as_array().expect("alerts");
        let firing = active.iter().filter(|alert| alert["state"] == "firing");
        firing.count() == 1 && active.len() == 2
    });

    let labels = |name: &str, severity: &str| {
        json!({
            "alertname": name, "instance": "here", "job": "app",
            "queue": "mail", "severity": severity,
        })
    };
    let firing = json!({
        "activeAt": "TIME", "annotations": { "summary": "mail has 7" },
        "labels": labels("QueueLong", "warning"), "state": "firing", "value": "7e+00",
    });
    let pending = json!({
        "activeAt": "TIME", "annotations": {}, "labels": labels("QueueWaits", "critical"),
        "state": "pending", "value": "7e+00",
    });
    assert_eq!(settled(alerts()), json!([firing, pending]));

    // Its list of rules asks for both kinds, its search for one.
    let recorded = rule(json!({
        "labels": { "kind": "recorded" }, "name": "queue:length:sum",
        "query": "sum(queue_length)", "type": "recording",
    }));
    let long = json!({
        "alerts": [firing], "labels": { "severity": "warning" },
        "annotations": { "summary": "{{ $labels.queue }} has {{ $value }}" },
    });
    let waits = json!({
        "alerts": [pending], "duration": 3600, "keepFiringFor": 300,
        "labels": { "severity": "critical" },
    });
    let long = alerting("QueueLong", "queue_length > 5", "firing", &long);
    let waits = alerting("QueueWaits", "queue_length > 5", "pending", &waits);
    let quiet = alerting("QueueQuiet", "queue_length > 100", "inactive", &json!({}));
    let file = rules.display().to_string();
    for (path, wanted) in [
        ("rules", json!([recorded, long, waits, quiet])),
        ("rules?type=alert", json!([long, waits, quiet])),
        ("rules?type=record", json!([recorded])),
    ] {
        let told = settled(alone.data(&format!("/api/v1/{path}")));
        let group = json!({
            "evaluationTime": "SECONDS", "file": file, "interval": 1,
            "lastEvaluation": "TIME", "limit": 0, "name": "queues", "rules": wanted,
        });
        assert_eq!(told, json!({ "groups": [group] }), "{path}");
    }

    // Its editor explains metrics by this; panels of alerts draw that.
    let metadata = alone.data("/api/v1/metadata?limit=40000");
    let meant = |kind: &str, help: &str| json!([{ "type": kind, "help": help, "unit": "" }]);
    assert_eq!(metadata["queue_length"], meant("gauge", "Jobs that wait."));
    assert_eq!(metadata["jobs_total"], meant("counter", "Jobs done."));
    let form = "query=ALERTS%7Balertstate%3D%22firing%22%7D";
    let answer = posted(&alone, "/api/v1/query", form);
    let found = &answer["data"]["result"];
    assert_eq!(found[0]["metric"]["alertname"], "QueueLong", "{answer}");
    assert_eq!(found[0]["value"][1], "1", "{answer}");
    assert!(found[1].is_null(), "{answer}");
}
