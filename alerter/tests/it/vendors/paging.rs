//! PagerDuty and Opsgenie.

use serde_json::json;

use super::{KEY, LABELS, Run, faults, told};
use crate::support::hook::Hook;

const TITLE: &str = "[FIRING:1] disk (critical)";
const LINK: &str = "https://belfry.example.org/#/alerts?receiver=ops";

#[tokio::test]
async fn pagerduty_gets_an_event_that_triggers_and_one_that_resolves() {
    let entry = "{routing_key: r0, url: 'http://127.0.0.1:PORT/v2/enqueue', severity: '{{ .CommonLabels.severity }}', \
        class: c, details: {team: db, tags: [a, '{{ .Status }}'], num_firing: many}, \
        images: [{src: 'http://i', alt: i}, {alt: none}], links: [{href: 'http://l', text: '{{ .Status }}'}]}";
    let ok = (202, r#"{"status":"success"}"#);
    let [firing, resolved] = told(ok, "", "pagerduty_configs", entry).await;
    assert_eq!((&*firing.method, &*firing.path), ("POST", "/v2/enqueue"));
    let wanted = json!({
        "routing_key": "r0",
        "event_action": "trigger",
        "dedup_key": KEY,
        "client": "Alertmanager",
        "client_url": LINK,
        "images": [{"src": "http://i", "alt": "i", "href": ""}],
        "links": [{"href": "http://l", "text": "firing"}],
        "payload": {
            "summary": TITLE,
            "source": "Alertmanager",
            "severity": "critical",
            "class": "c",
            "custom_details": {
                "firing": LABELS,
                "resolved": "",
                "num_firing": "many",
                "num_resolved": "0",
                "team": "db",
                "tags": ["a", "firing"],
            },
        },
    });
    assert_eq!(firing.body, wanted);
    assert_eq!(resolved.body["event_action"], "resolve");
    assert_eq!(resolved.body["dedup_key"], KEY);
    assert_eq!(
        faults("", "pagerduty_configs", "{}"),
        [
            "alerter.receivers[0].pagerduty_configs[0].routing_key: missing service or routing key in PagerDuty config"
        ]
    );
}

#[tokio::test]
async fn pagerdutys_older_api_is_spoken_with_a_service_key() {
    let entry = "{service_key: s0, url: 'http://127.0.0.1:PORT/old'}";
    let ok = (200, r#"{"status":"success"}"#);
    let [firing, resolved] = told(ok, "", "pagerduty_configs", entry).await;
    let says = |name: &str| firing.body[name].clone();
    assert_eq!(says("service_key"), "s0");
    assert_eq!(says("event_type"), "trigger");
    assert_eq!(says("incident_key"), KEY);
    assert_eq!(says("description"), TITLE);
    assert_eq!(says("details")["firing"], LABELS);
    assert_eq!(says("client"), "Alertmanager");
    assert_eq!(resolved.body["event_type"], "resolve");
}

#[tokio::test]
async fn an_event_that_is_too_large_goes_out_without_its_details() {
    let entry = format!(
        "{{routing_key: r0, url: 'http://127.0.0.1:PORT/', details: {{a: {}}}}}",
        "x".repeat(520_000)
    );
    let [firing, _] = told((202, "{}"), "", "pagerduty_configs", &entry).await;
    let details = &firing.body["payload"]["custom_details"];
    assert_eq!(details.as_object().unwrap().len(), 1);
    assert!(super::text(&details["error"]).contains("maximum size of 512000 bytes"));
}

#[tokio::test]
async fn opsgenie_opens_an_alert_changes_and_closes_it() {
    let global = "opsgenie_api_url: 'http://127.0.0.1:PORT/', opsgenie_api_key: k";
    let entry = "{update_alerts: true, tags: 'a, {{ .Status }}, ', priority: P1, details: {severity: own, more: x}, \
        responders: [{name: 'x, y', type: teams}, {username: u@v.w, type: user}, {name: '{{ .CommonLabels.none }}', type: team}]}";
    let hook =
        Hook::answering(|_, _| (202, r#"{"result":"Request will be processed"}"#.into())).await;
    let mut run = Run::start(hook, global, "opsgenie_configs", entry).await;
    run.put(true).await;
    let first = run.hook.next().await;
    assert_eq!((&*first.method, &*first.path), ("POST", "/v2/alerts"));
    assert_eq!(first.header("authorization"), "GenieKey k");
    let wanted = json!({
        "alias": KEY,
        "message": TITLE,
        "description": format!("<full> & more\nAlerts Firing:\n{LABELS}"),
        "details": {"alertname": "disk", "severity": "own", "more": "x"},
        "source": LINK,
        "tags": ["a", "firing"],
        "priority": "P1",
        "responders": [
            {"name": "x", "type": "team"},
            {"name": "y", "type": "team"},
            {"username": "u@v.w", "type": "user"},
        ],
    });
    assert_eq!(first.body, wanted);
    for (what, value) in [
        ("message", &wanted["message"]),
        ("description", &wanted["description"]),
    ] {
        let change = run.hook.next().await;
        let path = format!("/v2/alerts/{KEY}/{what}?identifierType=alias");
        assert_eq!((&*change.method, &*change.path), ("PUT", &*path));
        assert_eq!(change.body, json!({ what: value }));
    }
    run.put(false).await;
    let closing = run.hook.next().await;
    let path = format!("/v2/alerts/{KEY}/close?identifierType=alias");
    assert_eq!((&*closing.method, &*closing.path), ("POST", &*path));
    assert_eq!(closing.body, json!({"source": LINK}));
    let faults = faults("", "opsgenie_configs", "{responders: [{type: crowd}]}");
    assert_eq!(faults.len(), 3, "{faults:?}");
}
