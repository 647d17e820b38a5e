//! A real Prometheus that sends us its alerts.

use std::process::Stdio;

use super::{CONFIG, World};
use crate::support::until;

const RULES: &str = r#"
groups:
  - name: g
    interval: 1s
    rules:
      - alert: Always
        expr: vector(42)
        labels: {severity: critical}
        annotations: {summary: "it is {{ $value }}"}
"#;

#[tokio::test]
async fn prometheus_sends_its_alerts_to_us() {
    let world = World::start(CONFIG).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rules.yml"), RULES).unwrap();
    let config = format!(
        "{{rule_files: [rules.yml], global: {{external_labels: {{site: home}}}}, alerting: {{alertmanagers: [{{api_version: v2, static_configs: [{{targets: ['{}']}}]}}]}}}}",
        world.served.address
    );
    let file = folder.path().join("prometheus.yml");
    std::fs::write(&file, config).unwrap();
    let mut child = tokio::process::Command::new("prometheus")
        .arg(format!("--config.file={}", file.display()))
        .arg(format!(
            "--storage.tsdb.path={}",
            folder.path().join("data").display()
        ))
        .arg("--web.listen-address=127.0.0.1:0")
        // What it sends before it has found us is lost.
        .arg("--rules.alert.resend-delay=1s")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("run: apt-get install prometheus");
    let alert = until("Prometheus' alert", async || {
        let alerts = world.get("/alerts?filter=alertname%3DAlways").await.json();
        alerts.get(0).cloned()
    })
    .await;
    assert_eq!(alert["labels"]["site"], "home");
    assert_eq!(alert["labels"]["severity"], "critical");
    assert_eq!(alert["annotations"]["summary"], "it is 42");
    assert!(
        alert["generatorURL"]
            .as_str()
            .unwrap()
            .contains("vector%2842%29"),
        "{alert}"
    );
    child.kill().await.unwrap();
}
