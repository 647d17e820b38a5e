//! Rules and alerts: their shape, and what can be asked about them.

use std::sync::Arc;

use exposition::Labels;
use query_api::{Alert, Health, Rule, RuleGroup, RuleKind, RuleState};
use serde_json::{Value, json};

use crate::support::{Server, T0, serve, source, store};

fn alerting(name: &str, severity: &str, alerts: Vec<Alert>) -> Rule {
    Rule {
        name: name.into(),
        query: "up == 0".into(),
        labels: Labels::from_pairs([("severity", severity)]),
        health: Health::Good,
        last_error: None,
        evaluation_time: 0.001,
        last_evaluation_ms: Some(T0),
        kind: RuleKind::Alerting {
            state: RuleState::Firing,
            hold: 60.0,
            keep_firing_for: 0.0,
            annotations: Labels::from_pairs([("summary", "{{ $value }}")]),
            alerts,
        },
    }
}

fn group(file: &str, name: &str, rules: Vec<Rule>) -> RuleGroup {
    RuleGroup {
        name: name.into(),
        file: file.into(),
        interval: 15.0,
        limit: 0,
        rules,
        evaluation_time: 0.002,
        last_evaluation_ms: Some(T0),
    }
}

async fn server() -> Server {
    let alert = Alert {
        labels: Labels::from_pairs([("alertname", "Down"), ("job", "api")]),
        annotations: Labels::from_pairs([("summary", "0")]),
        state: RuleState::Firing,
        active_at_ms: T0 - 60_000,
        keep_firing_since_ms: Some(T0 - 500),
        value: 0.0,
    };
    let recording = Rule {
        name: "job:up:sum".into(),
        query: "sum by (job) (up)".into(),
        labels: Labels::empty(),
        health: Health::Bad,
        last_error: Some("no".into()),
        evaluation_time: 0.0,
        last_evaluation_ms: None,
        kind: RuleKind::Recording,
    };
    let groups = vec![
        group(
            "a.yml",
            "one",
            vec![alerting("Down", "critical", vec![alert]), recording],
        ),
        group("a.yml", "two", vec![alerting("Slow", "warning", vec![])]),
        group("b.yml", "one", vec![alerting("Late", "warning", vec![])]),
    ];
    let mut source = source(store());
    source.rules = Arc::new(move || groups.clone());
    serve(source).await
}

fn alert() -> Value {
    json!({
        "labels": { "alertname": "Down", "job": "api" },
        "annotations": { "summary": "0" },
        "state": "firing", "activeAt": "2023-11-14T22:13:00Z",
        "keepFiringSince": "2023-11-14T22:13:59.5Z", "value": "0e+00",
    })
}

#[tokio::test]
async fn rules_and_alerts_have_prometheus_shape() {
    let server = server().await;
    let data = server
        .data("/api/v1/rules?rule_group[]=one&file[]=a.yml")
        .await;
    let wanted = json!({ "groups": [{
        "name": "one", "file": "a.yml", "interval": 15, "limit": 0,
        "evaluationTime": 0.002, "lastEvaluation": "2023-11-14T22:14:00Z",
        "rules": [
            {
                "state": "firing", "name": "Down", "query": "up == 0", "duration": 60,
                "keepFiringFor": 0, "labels": { "severity": "critical" },
                "annotations": { "summary": "{{ $value }}" }, "alerts": [alert()],
                "health": "ok", "evaluationTime": 0.001,
                "lastEvaluation": "2023-11-14T22:14:00Z", "type": "alerting",
            },
            {
                "name": "job:up:sum", "query": "sum by (job) (up)", "labels": {},
                "health": "err", "lastError": "no", "evaluationTime": 0,
                "lastEvaluation": "0001-01-01T00:00:00Z", "type": "recording",
            },
        ],
    }] });
    assert_eq!(data, wanted);
    assert_eq!(
        server.data("/api/v1/alerts").await,
        json!({ "alerts": [alert()] })
    );
}

#[tokio::test]
async fn rules_are_chosen_by_kind_name_group_file_and_label() {
    let server = server().await;
    for (query, wanted) in [
        (
            "",
            "a.yml/one: Down job:up:sum; a.yml/two: Slow; b.yml/one: Late",
        ),
        (
            "type=alert",
            "a.yml/one: Down; a.yml/two: Slow; b.yml/one: Late",
        ),
        ("type=RECORD", "a.yml/one: job:up:sum"),
        (
            "rule_name[]=Slow&rule_name[]=Late",
            "a.yml/two: Slow; b.yml/one: Late",
        ),
        ("file[]=b.yml", "b.yml/one: Late"),
        ("rule_group[]=two", "a.yml/two: Slow"),
        ("rule_group[]=none", ""),
        (
            "match[]={severity=\"warning\"}",
            "a.yml/two: Slow; b.yml/one: Late",
        ),
        ("match[]={severity=\"none\"}", ""),
        ("group_limit=1", "a.yml/one: Down job:up:sum"),
        (
            "group_limit=2&group_next_token=a.yml;two",
            "a.yml/two: Slow; b.yml/one: Late",
        ),
    ] {
        let data = server.data(&format!("/api/v1/rules?{query}")).await;
        let groups = data["groups"].as_array().unwrap().iter().map(|group| {
            let rules = group["rules"].as_array().unwrap().iter();
            let names: Vec<_> = rules.map(|rule| rule["name"].as_str().unwrap()).collect();
            let text = |name: &str| group[name].as_str().unwrap().to_owned();
            format!("{}/{}: {}", text("file"), text("name"), names.join(" "))
        });
        assert_eq!(groups.collect::<Vec<_>>().join("; "), wanted, "{query}");
    }
    let data = server.data("/api/v1/rules?exclude_alerts=true").await;
    assert_eq!(data["groups"][0]["rules"][0]["alerts"], Value::Null);
    let page = server.data("/api/v1/rules?group_limit=1").await;
    assert_eq!(page["groupNextToken"], "a.yml;two");
    let last = server.data("/api/v1/rules?group_limit=3").await;
    assert!(last.get("groupNextToken").is_none());
}
