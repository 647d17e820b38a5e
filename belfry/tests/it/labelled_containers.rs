//! Containers that ask to be scraped, by the short label and by relabelling of a job.

use serde_json::json;

use crate::support::belfry::Launch;
use crate::support::container::Container;
use crate::support::engine::Engine;
use crate::support::poll;

/// Serves a page at `/metrics.txt` of a port.
fn app(name: &str, port: u16) -> Container {
    Container::named(name).network("apps").script(&format!(
        "mkdir /www; echo 'app_answer 42' > /www/metrics.txt; exec busybox httpd -f -p {port} -h /www"
    ))
}

#[test]
fn containers_are_scraped_as_their_labels_ask_and_end_with_them() {
    let engine = Engine::start();
    engine.create_network("apps");
    engine.run(
        &app("shop-api-1", 8000)
            .compose("shop", "api")
            .label("belfry.scrape", "8000/metrics.txt"),
    );
    engine.run(&app("other", 9000).label("metrics.port", "9000"));
    engine.run(&app("quiet", 9000));
    let config = "interval: 1s
rules:
  pack: false
  scrape:
  - job_name: docker
    metrics_path: /metrics.txt
    docker_sd_configs: [{port: 9000}]
    relabel_configs:
    - {source_labels: [__meta_docker_container_label_metrics_port], regex: '.+', action: keep}
    - {source_labels: [__meta_docker_container_name], regex: '/(.*)', target_label: container}
";
    let belfry = Launch::with(config).engine(&engine).start();
    let value = |query: &str| -> Option<serde_json::Value> {
        let answer = belfry.get(&format!("/api/v1/query?query={query}")).json();
        Some(answer["data"]["result"].get(0)?["metric"].clone())
    };
    let labels = poll::until("the labelled container should be scraped", || {
        value("app_answer%7Bjob=%22api%22%7D")
    });
    assert_eq!(
        labels,
        json!({ "__name__": "app_answer", "job": "api", "instance": "shop-api-1:8000", "name": "shop-api-1" })
    );
    let labels = poll::until("the other should be found by its job", || {
        value("app_answer%7Bjob=%22docker%22%7D")
    });
    assert_eq!(labels["container"], "other");
    let targets = belfry.get("/api/v1/targets").json();
    let dropped = targets["data"]["droppedTargets"]
        .as_array()
        .expect("a list");
    let names: Vec<_> = dropped
        .iter()
        .map(|target| &target["discoveredLabels"]["__meta_docker_container_name"])
        .collect();
    assert!(names.contains(&&json!("/quiet")), "{names:?}");

    engine.docker(&["rm", "--force", "shop-api-1"]);
    poll::holds("its series should end with it", || {
        value("app_answer%7Bjob=%22api%22%7D").is_none() && value("up%7Bjob=%22api%22%7D").is_none()
    });
    assert!(value("app_answer%7Bjob=%22docker%22%7D").is_some());
}
