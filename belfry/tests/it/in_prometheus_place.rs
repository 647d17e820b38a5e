//! `belfry prometheus`: Prometheus' flags and file in, its API and its alerts out.

use std::process::Command;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::alone::{Alertmanager, Alone, Page, debians_config, free_address};
use crate::support::belfry::Launch;
use crate::support::prometheus::escaped;
use crate::support::scratch::Scratch;
use crate::support::{http, poll, program};

/// Scrapes a page again and again, and raises an alert while `broken` on it is not 0.
fn config(page: &Page, more: &str) -> String {
    format!(
        "global: {{scrape_interval: 4s, scrape_timeout: 4s, evaluation_interval: 1s, external_labels: {{site: here}}}}
rule_files: ['rules/*.yml']
scrape_configs:
- job_name: app
  static_configs: [{{targets: ['{}']}}]
{more}",
        page.address
    )
}

fn rules(scratch: &Scratch, hold: &str) {
    std::fs::create_dir_all(scratch.path.join("rules")).expect("a folder");
    scratch.file(
        "rules/app.yml",
        &format!(
            "groups:
- name: app
  rules:
  - record: app:broken
    expr: sum(broken)
  - record: app:steps
    expr: count_over_time(vector(1)[1m:])
  - alert: Broken
    expr: broken > 0
    for: {hold}
    labels: {{severity: page}}
    annotations: {{summary: '{{{{ $labels.instance }}}} says {{{{ $value }}}}'}}
"
        ),
    );
}

#[test]
fn debians_own_configuration_and_promtool_work_with_it() {
    let alone = Alone::start(
        Scratch::new(),
        &debians_config(),
        &["--web.enable-lifecycle"],
    );
    poll::until("both targets should be tried", || {
        let data = alone.data("/api/v1/targets?state=active");
        let targets = data["activeTargets"].as_array()?.clone();
        let tried = targets.iter().all(|target| target["health"] != "unknown");
        (targets.len() == 2 && tried).then_some(())
    });
    let data = alone.data("/api/v1/targets");
    let pools: Vec<_> = data["activeTargets"]
        .as_array()
        .expect("targets")
        .iter()
        .map(|target| {
            (
                &target["scrapePool"],
                &target["scrapeInterval"],
                &target["scrapeTimeout"],
            )
        })
        .collect();
    assert_eq!(
        pools,
        [
            (&json!("node"), &json!("15s"), &json!("10s")),
            (&json!("prometheus"), &json!("5s"), &json!("5s")),
        ]
    );
    poll::holds("there should be samples of both", || {
        alone.value("count(up)").as_deref() == Some("2")
    });
    let promtool = program::find("promtool", "prometheus");
    let ask = |words: &[&str]| program::run(Command::new(&promtool).arg("query").args(words));
    let url = alone.url();
    let told = ask(&["instant", &url, "count(up{job=\"node\"})"]);
    assert!(told.starts_with("{} => 1 @["), "{told}");
    assert!(ask(&["labels", &url, "job"]).contains("prometheus"));
    assert!(ask(&["series", "--match=up", &url]).contains("job=\"node\""));
    let version = alone.get("/version").json();
    assert_eq!(version, alone.data("/api/v1/status/buildinfo"));
    let flags = alone.data("/api/v1/status/flags");
    assert_eq!(flags["web.enable-lifecycle"], "true");
    assert!(
        alone.data("/api/v1/status/config")["yaml"]
            .as_str()
            .expect("yaml")
            .contains("job_name: \"node\"\n")
    );
    assert_eq!(
        alone.data("/api/v1/alertmanagers")["activeAlertmanagers"][0]["url"],
        "http://localhost:9093/api/v2/alerts"
    );
}

#[test]
fn alerts_fire_and_resolve_in_a_real_alertmanager() {
    let (one, two) = (Alertmanager::start(), Alertmanager::start());
    let page = Page::serve("broken{part=\"a\"} 3\nbroken{part=\"b\"} 0\n");
    let scratch = Scratch::new();
    rules(&scratch, "0s");
    let (nobody, _claim) = free_address();
    let more = format!(
        "alerting:
  alert_relabel_configs: [{{regex: part, action: labeldrop}}]
  alertmanagers:
  - static_configs: [{{targets: ['{nobody}', '{}']}}]
  - static_configs: [{{targets: ['{}']}}]
    alert_relabel_configs: [{{target_label: to, replacement: two}}]
",
        one.address, two.address
    );
    let alone = Alone::start(
        scratch,
        &config(&page, &more),
        &[
            "--web.external-url=http://prom.example.org/p/",
            "--web.route-prefix=/",
        ],
    );
    let told = |from: &Alertmanager| -> Value {
        poll::until("the alert should be there", || {
            from.alerts().first().cloned()
        })
    };
    let alert = told(&one);
    assert_eq!(
        alert["labels"],
        json!({
            "alertname": "Broken", "instance": page.address, "job": "app",
            "severity": "page", "site": "here",
        })
    );
    assert_eq!(
        alert["annotations"],
        json!({ "summary": format!("{} says 3", page.address) })
    );
    assert_eq!(
        alert["generatorURL"],
        "http://prom.example.org/p/graph?g0.expr=broken+%3E+0&g0.tab=1"
    );
    let time = |key: &str| -> jiff::Timestamp {
        alert[key]
            .as_str()
            .expect("a time")
            .parse()
            .expect("a time")
    };
    let state = alone.data("/api/v1/alerts")["alerts"][0]["activeAt"].clone();
    let active: jiff::Timestamp = state.as_str().expect("a time").parse().expect("a time");
    assert_eq!(time("startsAt"), active, "it fired as it became active");
    // Four times the longer of interval and resend delay.
    let shown = alone.get("/graph?g0.expr=broken+%3E+0&g0.tab=1");
    assert_eq!(shown.status, 200);
    let shown = shown.body;
    assert!(shown.contains("<path class=\"l0\" d=\"M"), "{shown}");
    assert!(
        shown.contains("part=&quot;a&quot;}</td><td>3</td>"),
        "{shown}"
    );
    assert_eq!(time("endsAt").duration_since(active).as_secs(), 240);
    assert_eq!(told(&two)["labels"]["to"], "two");

    page.set("broken{part=\"a\"} 0\n");
    for from in [&one, &two] {
        poll::holds("the alert should be over", || from.alerts().is_empty());
    }
    let sent = |address: &str| {
        let series = format!(
            "prometheus_notifications_sent_total{{alertmanager=\"http://{address}/api/v2/alerts\"}} "
        );
        let text = alone.get("/metrics").body;
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(&series).map(str::to_owned));
        value.expect("the series").parse::<u64>().expect("a number")
    };
    // Once more, and for its end, for each page that the machine had no time for.
    let failed = "count_over_time(up{job=\"app\"}[1h]) - sum_over_time(up{job=\"app\"}[1h])";
    let most = 2 + 2 * alone
        .value(failed)
        .expect("looks")
        .parse::<u64>()
        .expect("a number");
    for address in [&one.address, &two.address] {
        assert!((2..=most).contains(&sent(address)), "{}", sent(address));
    }
    assert_eq!(sent(&nobody), 0);
    poll::holds("the log should tell of the one who is away", || {
        alone.log().contains("alerts were not taken: ")
    });
}

#[test]
fn a_reload_applies_a_good_file_whole_and_a_bad_one_not_at_all() {
    let page = Page::serve("broken 0\n");
    let scratch = Scratch::new();
    rules(&scratch, "0s");
    let mut alone = Alone::start(scratch, &config(&page, ""), &["--web.enable-lifecycle"]);
    poll::until("the page should be scraped", || alone.value("app:broken"));
    let pools = |alone: &Alone| alone.data("/api/v1/scrape_pools")["scrapePools"].clone();
    assert_eq!(pools(&alone), json!(["app"]));
    let more = format!(
        "- job_name: more\n  static_configs: [{{targets: ['{}']}}]\n",
        page.address
    );
    alone.scratch.file("prometheus.yml", &config(&page, &more));
    alone.signal(Signal::HUP);
    poll::holds("the new job should be there", || {
        pools(&alone) == json!(["app", "more"])
    });
    poll::until("it should be scraped", || alone.value("up{job=\"more\"}"));
    // A subquery that states no step has the interval of evaluations, another one too.
    let steps = "count_over_time(vector(1)[1m:])";
    let both = || [steps, "app:steps"].map(|expr| alone.value(expr));
    poll::holds("there should be a step each second", || {
        both() == [Some("60".into()), Some("60".into())]
    });
    let slower = config(&page, &more).replace("evaluation_interval: 1s", "evaluation_interval: 3s");
    alone.scratch.file("prometheus.yml", &slower);
    assert_eq!(alone.post("/-/reload").status, 200);
    poll::holds("there should be a step each third second", || {
        both() == [Some("20".into()), Some("20".into())]
    });
    alone.scratch.file(
        "prometheus.yml",
        &config(&page, "remote_read: [{url: 'http://a'}]\n"),
    );
    let refused = alone.post("/-/reload");
    assert_eq!(refused.status, 500);
    assert!(
        refused
            .body
            .contains("prometheus.yml:6:1: remote_read: Belfry cannot do"),
        "{}",
        refused.body
    );
    assert!(
        alone
            .get("/metrics")
            .body
            .contains("prometheus_config_last_reload_successful 0\n")
    );
    assert_eq!(pools(&alone), json!(["app", "more"]));
    alone.scratch.file("prometheus.yml", &config(&page, ""));
    assert_eq!(alone.post("/-/reload").status, 200);
    poll::holds("the job should be gone", || pools(&alone) == json!(["app"]));
    poll::holds("its series should have ended", || {
        alone.value("up{job=\"more\"}").is_none()
    });
    assert!(
        alone
            .get("/metrics")
            .body
            .contains("prometheus_config_last_reload_successful 1\n")
    );
    assert_eq!(alone.post("/-/quit").status, 200);
    assert_eq!(alone.wait(), Some(0));
}

#[test]
fn without_lifecycle_nothing_is_changed_over_http() {
    let scratch = Scratch::new();
    let mut alone = Alone::start(scratch, "", &["--web.route-prefix=/p/"]);
    for path in ["/p/-/reload", "/p/-/quit"] {
        let answer = alone.post(path);
        assert_eq!(
            (answer.status, &*answer.body),
            (403, "Lifecycle API is not enabled.")
        );
    }
    assert_eq!(alone.get("/").header("location"), Some("/p/"));
    assert_eq!(alone.get("/api/v1/labels").status, 404);
    assert_eq!(alone.get("/p/api/v1/labels").status, 200);
    let foreign = "POST /p/api/v1/write HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let answer = http::send(alone.address(), foreign).expect("an answer");
    assert_eq!(answer.status, 403, "a page of another site");
    assert_eq!(alone.stop(), Some(0));
}

#[test]
fn the_watch_takes_over_what_a_prometheus_yml_wants_scraped_and_judged() {
    let page = Page::serve("# TYPE broken gauge\nbroken 1\n");
    let scratch = Scratch::new();
    rules(&scratch, "0s");
    let elsewhere = Alertmanager::start();
    let more = format!(
        "alerting: {{alert_relabel_configs: [{{target_label: via, replacement: file}}], \
         alertmanagers: [{{static_configs: [{{targets: ['{}']}}]}}]}}\n",
        elsewhere.address
    );
    let text = config(&page, &more).replace("evaluation_interval: 1s", "evaluation_interval: 2s");
    let file = scratch.file("prometheus.yml", &text);
    let own = format!(
        "interval: 1s\nrules: {{pack: false, prometheus_file: {}, external_labels: {{site: ours}}}}",
        file.display()
    );
    let belfry = Launch::with(&own).start();
    let alert = poll::until("the alert should fire", || {
        let alerts = belfry.get("/api/v2/alerts").json();
        alerts.as_array()?.first().cloned()
    });
    assert_eq!(alert["labels"]["alertname"], "Broken");
    assert_eq!(alert["labels"]["site"], "ours");
    let targets = belfry.get("/api/v1/targets?scrapePool=app").json();
    let target = &targets["data"]["activeTargets"][0];
    assert_eq!(
        (&target["health"], &target["scrapeInterval"]),
        (&json!("up"), &json!("4s"))
    );
    assert_eq!(
        target["discoveredLabels"]["__address__"],
        json!(page.address)
    );
    let metadata = belfry.get("/api/v1/metadata?metric=broken").json();
    assert_eq!(metadata["data"]["broken"][0]["type"], "gauge", "{metadata}");
    let there = poll::until("the file's Alertmanager should be told too", || {
        elsewhere.alerts().into_iter().next()
    });
    assert_eq!(
        (&there["labels"]["alertname"], &there["labels"]["via"]),
        (&json!("Broken"), &json!("file"))
    );
    let value = |expr: &str| {
        let path = format!("/api/v1/query?query={}", escaped(expr));
        let answer = belfry.get(&path).json();
        answer["data"]["result"][0]["value"][1].clone()
    };
    for expr in ["app:steps", "count_over_time(vector(1)[1m:])"] {
        poll::holds("there should be a step for each evaluation", || {
            value(expr) == "60"
        });
    }
    let told = belfry.get("/api/v1/alertmanagers").json();
    let url = format!("http://{}/api/v2/alerts", elsewhere.address);
    assert_eq!(told["data"]["activeAlertmanagers"][0]["url"], json!(url));
    let groups = belfry.get("/api/v1/rules").json();
    assert_eq!(groups["data"]["groups"][0]["interval"], json!(2));
    let shown = belfry.get("/api/v1/status/config").json();
    let shown = shown["data"]["yaml"].as_str().expect("YAML");
    assert!(
        shown.contains("\n  external_labels:\n    \"site\": \"ours\"\n"),
        "{shown}"
    );
    assert!(shown.contains("\n  pack: false\n"), "{shown}");

    std::fs::write(
        &file,
        "scrape_configs: [{job_name: a, consul_sd_configs: [{}]}]",
    )
    .expect("a file");
    let answer = belfry.post("/-/reload", "");
    assert_eq!(answer.status, 500);
    assert!(
        answer
            .body
            .contains("scrape_configs[0].consul_sd_configs: "),
        "{}",
        answer.body
    );
}
