//! Debian's vmalert with a Belfry as its data source, its store, and beside a real
//! Alertmanager.

use std::process::Command;

use serde_json::json;

use crate::support::alone::{Alertmanager, Alone, Page, free_address};
use crate::support::process::Process;
use crate::support::scratch::Scratch;
use crate::support::{poll, program};

const RULES: &str = "groups:
- name: app
  interval: 1s
  rules:
  - record: app:broken:twice
    expr: sum(broken) * 2
  - alert: Broken
    expr: broken > 2
    labels: {severity: page}
    annotations: {summary: '{{ $labels.part }} says {{ $value }}'}
";

#[test]
fn its_rules_are_evaluated_on_our_series_and_its_results_are_kept_by_us() {
    let page = Page::serve("broken{part=\"a\"} 3\nbroken{part=\"b\"} 1\n");
    let alertmanager = Alertmanager::start();
    let config = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs: [{{job_name: app, static_configs: [{{targets: ['{}']}}]}}]",
        page.address
    );
    let alone = Alone::start(
        Scratch::new(),
        &config,
        &["--web.enable-remote-write-receiver"],
    );
    poll::until("the page should be scraped", || alone.value("sum(broken)"));
    let rules = alone.scratch.file("vmalert.yml", RULES);
    let (listen, _port) = free_address();
    let mut command = Command::new(program::find("vmalert", "victoria-metrics"));
    command
        .arg(format!("-datasource.url={}", alone.url()))
        .arg(format!("-remoteWrite.url={}", alone.url()))
        .arg("-remoteWrite.flushInterval=200ms")
        .arg(format!("-notifier.url=http://{}", alertmanager.address))
        .arg(format!("-rule={}", rules.display()))
        .arg("-evaluationInterval=1s")
        .arg(format!("-httpListenAddr={listen}"))
        .current_dir(&alone.scratch.path);
    let mut vmalert = Process::spawn(
        "vmalert",
        &mut command,
        &alone.scratch.path.join("vmalert.log"),
    );
    let alert = vmalert.ready("the alert should fire", || {
        alertmanager.alerts().first().cloned()
    });
    assert_eq!(alert["labels"]["alertname"], "Broken");
    assert_eq!(alert["labels"]["part"], "a");
    assert_eq!(alert["annotations"], json!({ "summary": "a says 3" }));
    let recorded = vmalert.ready("the record should come back", || {
        alone.value("app:broken:twice")
    });
    assert_eq!(recorded, "8");
    vmalert.ready("its ALERTS should come back", || {
        alone.value("ALERTS{alertname=\"Broken\",alertstate=\"firing\",part=\"a\"}")
    });
}
