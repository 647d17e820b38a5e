//! Targets, what they say about their metrics, and federation.

use std::sync::Arc;

use exposition::Labels;
use query_api::{Alertmanagers, DroppedTarget, Health, Metadata, Target, Targets};
use reqwest::Method;
use serde_json::json;

use crate::support::{T0, serve, source, store};

#[tokio::test]
async fn targets_and_what_they_say_are_shown() {
    let mut source = source(store());
    let labels = Labels::from_pairs([("job", "api"), ("instance", "a:1")]);
    let target = Target {
        discovered_labels: Labels::from_pairs([("__address__", "a:1")]),
        labels: labels.clone(),
        scrape_pool: "api".into(),
        scrape_url: "http://a:1/metrics".into(),
        global_url: "http://a:1/metrics".into(),
        last_error: String::new(),
        last_scrape_ms: Some(T0),
        last_scrape_duration: 0.25,
        health: Health::Good,
        scrape_interval: "15s".into(),
        scrape_timeout: "10s".into(),
    };
    let targets = Targets {
        active: vec![target],
        dropped: vec![DroppedTarget {
            discovered_labels: Labels::from_pairs([("__address__", "b:1")]),
            scrape_pool: "db".into(),
        }],
    };
    source.targets = Arc::new(move || targets.clone());
    let said = |target: &Labels, family: &str, help: &str| Metadata {
        target: target.clone(),
        family: family.into(),
        kind: "counter",
        help: help.into(),
        unit: String::new(),
    };
    let other = Labels::from_pairs([("job", "db")]);
    let metadata = vec![
        said(&labels, "requests_total", "Requests."),
        said(&other, "requests_total", "Requests."),
        said(&other, "requests_total", "All requests."),
        said(&other, "errors_total", "Errors."),
    ];
    source.metadata = Arc::new(move || metadata.clone());
    source.alertmanagers = Arc::new(|| Alertmanagers {
        active: vec!["http://am:9093/api/v2/alerts".into()],
        dropped: vec![],
    });
    let server = serve(source).await;
    let data = server.data("/api/v1/targets").await;
    assert_eq!(
        data["activeTargets"],
        json!([{
            "discoveredLabels": { "__address__": "a:1" },
            "labels": { "instance": "a:1", "job": "api" },
            "scrapePool": "api", "scrapeUrl": "http://a:1/metrics", "globalUrl": "http://a:1/metrics",
            "lastError": "", "lastScrape": "2023-11-14T22:14:00Z", "lastScrapeDuration": 0.25,
            "health": "up", "scrapeInterval": "15s", "scrapeTimeout": "10s",
        }])
    );
    assert_eq!(
        data["droppedTargets"],
        json!([{ "discoveredLabels": { "__address__": "b:1" }, "scrapePool": "db" }])
    );
    assert_eq!(data["droppedTargetCounts"], json!({ "api": 0, "db": 1 }));
    let active = server.data("/api/v1/targets?state=active").await;
    assert_eq!(active["droppedTargets"], json!([]));
    let none = server.data("/api/v1/targets?scrapePool=none").await;
    assert_eq!(none["activeTargets"], json!([]));
    assert_eq!(
        server.data("/api/v1/scrape_pools").await,
        json!({ "scrapePools": ["api", "db"] })
    );
    let both = json!([
        { "type": "counter", "help": "Requests.", "unit": "" },
        { "type": "counter", "help": "All requests.", "unit": "" },
    ]);
    let errors = json!([{ "type": "counter", "help": "Errors.", "unit": "" }]);
    for (path, wanted) in [
        (
            "metadata",
            json!({ "requests_total": both, "errors_total": errors }),
        ),
        (
            "metadata?metric=errors_total",
            json!({ "errors_total": errors }),
        ),
        ("metadata?limit=1", json!({ "requests_total": both })),
        ("metadata?limit=0", json!({})),
        (
            "metadata?metric=requests_total&limit_per_metric=1",
            json!({ "requests_total": [both[0]] }),
        ),
        (
            "targets/metadata?match_target={job=\"api\"}",
            json!([{ "target": { "instance": "a:1", "job": "api" }, "metric": "requests_total", "type": "counter", "help": "Requests.", "unit": "" }]),
        ),
        (
            "targets/metadata?metric=errors_total",
            json!([{ "target": { "job": "db" }, "type": "counter", "help": "Errors.", "unit": "" }]),
        ),
        ("targets/metadata?limit=0", json!([])),
        (
            "alertmanagers",
            json!({ "activeAlertmanagers": [{ "url": "http://am:9093/api/v2/alerts" }], "droppedAlertmanagers": [] }),
        ),
    ] {
        assert_eq!(
            server.data(&format!("/api/v1/{path}")).await,
            wanted,
            "{path}"
        );
    }
}

#[tokio::test]
async fn federation_gives_a_page_with_times_and_external_labels() {
    let mut source = source(store());
    source.external_labels =
        Arc::new(|| Labels::from_pairs([("cluster", "c1"), ("job", "ignored")]));
    let server = serve(source).await;
    let page = async |query: &str, accept: &str| {
        let request = server.request(Method::GET, &format!("/federate?{query}"));
        let response = request.header("accept", accept).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    let requests = "# TYPE requests_total untyped\n\
        requests_total{code=\"200\",job=\"api\",cluster=\"c1\",instance=\"\"} 120 1700000040000\n";
    assert_eq!(
        page("match[]=requests_total", "*/*").await,
        (200, requests.to_owned())
    );
    let odd = |name: &str| {
        format!(
            "# TYPE odd untyped\nodd{{path=\"C:\\\\\\\"x\\\"\\n\",{name}=\"€\",cluster=\"c1\",job=\"ignored\",instance=\"\"}} NaN 1700000040000\n"
        )
    };
    let both = odd("_") + requests;
    let found = page("match[]={__name__=~\".%2B\"}&match[]=odd", "*/*").await;
    assert_eq!(found, (200, both));
    let quoted = page(
        "match[]=odd",
        "text/plain;version=1.0.0;escaping=allow-utf-8",
    )
    .await;
    assert_eq!(quoted, (200, odd("\"é\"")));
    assert_eq!(page("", "*/*").await, (200, String::new()));
    let (status, fault) = page("match[]=up[5m]", "*/*").await;
    assert_eq!(status, 400);
    assert!(fault.contains("parse error"), "{fault}");
}
