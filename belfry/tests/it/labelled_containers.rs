//! Containers that ask to be scraped, by the short label and by relabelling of a job;
//! services that ask to be looked at in their compose file.

use std::collections::BTreeSet;

use rustix::process::Signal;
use serde_json::json;

use crate::probes::page;
use crate::setup::Setup;
use crate::support::alone::Alone;
use crate::support::belfry::{Belfry, Launch};
use crate::support::claim;
use crate::support::container::Container;
use crate::support::engine::Engine;
use crate::support::peer::Prometheus;
use crate::support::poll;
use crate::support::scratch::Scratch;
use crate::support::sink::{Act, Sink};

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
    poll::holds("the one that does not ask should be dropped", || {
        let targets = belfry.get("/api/v1/targets").json();
        let dropped = targets["data"]["droppedTargets"]
            .as_array()
            .expect("a list");
        let mut names = dropped
            .iter()
            .map(|target| &target["discoveredLabels"]["__meta_docker_container_name"]);
        names.any(|name| *name == json!("/quiet"))
    });

    engine.docker(&["rm", "--force", "shop-api-1"]);
    poll::holds("its series should end with it", || {
        value("app_answer%7Bjob=%22api%22%7D").is_none() && value("up%7Bjob=%22api%22%7D").is_none()
    });
    poll::holds("those of the other should go on", || {
        value("app_answer%7Bjob=%22docker%22%7D").is_some()
    });
}

#[test]
fn what_a_new_network_is_like_decides_at_once_over_the_containers_in_it() {
    let engine = Engine::start();
    engine.create_network("apps");
    // Nothing is listed again by itself while this goes on.
    let config = "interval: 1s
exporter: {container: {relist: 10h}}
rules:
  pack: false
  scrape:
  - job_name: wanted
    metrics_path: /metrics.txt
    docker_sd_configs: [{port: 9000}]
    relabel_configs: [{source_labels: [__meta_docker_network_label_apps], regex: watched, action: keep}]
  - job_name: unwanted
    metrics_path: /metrics.txt
    docker_sd_configs: [{port: 9000}]
    relabel_configs: [{source_labels: [__meta_docker_network_label_apps], regex: watched, action: drop}]
";
    let belfry = Launch::with(config).engine(&engine).start();
    // By which jobs a container is scraped, and what they take its network for.
    let scraped = |name: &str| -> Vec<(String, String)> {
        let targets = belfry.get("/api/v1/targets").json();
        let active = targets["data"]["activeTargets"].as_array();
        let of = active.into_iter().flatten().filter(|target| {
            target["discoveredLabels"]["__meta_docker_container_name"] == json!(name)
        });
        let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        of.map(|target| {
            let network = &target["discoveredLabels"]["__meta_docker_network_label_apps"];
            (word(&target["labels"]["job"]), word(network))
        })
        .collect()
    };
    engine.run(&app("early", 9000));
    poll::holds("networks should have been listed", || {
        scraped("/early") == [("unwanted".to_owned(), String::new())]
    });
    // The second is made anew under the name of the first.
    for (job, label) in [("wanted", "watched"), ("unwanted", "ignored")] {
        engine.create_network_with("later", &["--label", &format!("apps={label}")]);
        engine.run(&app("late", 9000).network("later"));
        poll::holds("its network should decide", || {
            scraped("/late") == [(job.to_owned(), label.to_owned())]
        });
        engine.docker(&["rm", "--force", "late"]);
        engine.docker(&["network", "rm", "later"]);
    }
}

/// What is found and left out, one line of labels for each.
fn found(data: &serde_json::Value) -> BTreeSet<String> {
    let dropped = data["droppedTargets"].as_array().cloned();
    dropped
        .iter()
        .flatten()
        .map(|target| target["discoveredLabels"].to_string())
        .collect()
}

#[test]
fn an_engine_is_described_to_relabelling_as_a_real_prometheus_describes_it() {
    let engine = Engine::start();
    engine.create_network("apps");
    engine.create_network_with("inner", &["--internal", "--label", "who.asks=me"]);
    engine.run(
        &app("two-networks", 8000)
            .compose("shop", "api")
            .label("metrics.port", "8000")
            .option("--expose", "8000")
            .option("--expose", "53/udp"),
    );
    engine.docker(&["network", "connect", "inner", "two-networks"]);
    engine.run(&app("published", 8000).option("--publish", "127.0.0.1::8000"));
    engine.run(&Container::named("on-the-host").network("host"));
    engine.run(&Container::named("ended").script("exit 0"));
    engine.wait_for_state("ended", "exited");
    // Whom a job leaves out is shown as it was found.
    let config = format!(
        "global: {{scrape_interval: 3s, scrape_timeout: 2s}}\nscrape_configs:\n\
         - job_name: all\n  docker_sd_configs: [{{host: 'unix://{}', refresh_interval: 1s, match_first_network: MATCH}}]\n  \
         relabel_configs: [{{action: drop, regex: '.*'}}]\n",
        engine.socket().display()
    );
    // Debian's release knows all networks only, and not the key; nor what is in another's.
    let theirs = Prometheus::start(&config.replace(", match_first_network: MATCH", ""));
    let ours = Alone::start(Scratch::new(), &config.replace("MATCH", "false"), &[]);
    let path = "/api/v1/targets";
    let mut last = Vec::new();
    let same = poll::settles(|| {
        let (theirs, ours) = (found(&theirs.data(path)), found(&ours.data(path)));
        last = theirs.symmetric_difference(&ours).cloned().collect();
        (theirs.len() >= 4 && last.is_empty()).then_some(())
    });
    assert!(same, "these differ:\n{}", last.join("\n"));
}

/// Waits until a probe is as it should be, and tells of it.
#[track_caller]
fn looked_at(belfry: &Belfry, name: &str, up: bool) -> serde_json::Value {
    poll::until(
        &format!("{name} should have been looked at, up: {up}"),
        || {
            let page = belfry.get("/api/belfry/v1/health").json();
            let mut probes = page["probes"].as_array()?.iter();
            let found = probes.find(|probe| probe["name"] == name)?;
            (found["up"] == up).then(|| found.clone())
        },
    )
}

#[test]
fn what_a_compose_file_declares_is_looked_at_whether_it_runs_or_not() {
    let engine = Engine::start();
    engine.create_network("shop");
    let scratch = Scratch::new();
    let (gone, (site, _)) = (claim::port(), page());
    let file = scratch.file(
        "compose.yaml",
        &format!(
            "services:
  api:
    image: api
    labels: {{belfry.probe: ':8080/'}}
  ghost:
    image: ghost
    labels: [belfry.probe=tcp_connect :5432]
    ports: ['127.0.0.1:{}:5432']
  web:
    image: web
    ports: [{{target: 80, published: {site}, host_ip: 127.0.0.1}}]
  tools:
    image: tools
    profiles: [tools]
    labels: {{belfry.probe: ':1/'}}
  plain: {{image: plain}}
",
            gone.number
        ),
    );
    let of_file = |container: Container| {
        container
            .label(
                "com.docker.compose.project.working_dir",
                &scratch.path.display().to_string(),
            )
            .label(
                "com.docker.compose.project.config_files",
                &file.display().to_string(),
            )
    };
    engine.run(&of_file(
        Container::named("shop-plain-1").compose("shop", "plain"),
    ));
    let config = Setup::new()
        .engine(&engine)
        .part("probe: {up_after: 1, interval: 1s, discover: {compose: true}}")
        .config();
    let belfry = Launch::with(&config).start();
    // Nothing of it runs: the service that is published is refused, the other has no name here.
    let ghost = looked_at(&belfry, "shop-ghost-1", false);
    assert_eq!(ghost["reason"], "refused");
    assert_eq!(ghost["target"], format!("127.0.0.1:{}", gone.number));
    assert_eq!(ghost["labels"]["service"], "ghost");
    looked_at(&belfry, "shop-api-1", false);
    looked_at(&belfry, &format!("shop-web:{site}"), true);
    // A container without a label of its own is looked at as its file asks.
    engine.run(&of_file(
        Container::named("shop-api-1")
            .compose("shop", "api")
            .network("shop")
            .script("mkdir -p /w; echo fine >/w/index.html; httpd -f -p 8080 -h /w"),
    ));
    let api = looked_at(&belfry, "shop-api-1", true);
    assert!(api["target"].as_str().unwrap().ends_with(":8080/"), "{api}");
    engine.docker(&["rm", "--force", "shop-api-1"]);
    looked_at(&belfry, "shop-api-1", false);
    poll::holds("nothing else should be looked at", || {
        let page = belfry.get("/api/belfry/v1/health").json();
        let probes = page["probes"].as_array().unwrap().iter();
        let names: Vec<_> = probes.map(|probe| probe["name"].clone()).collect();
        let web = format!("shop-web:{site}");
        names == [json!("shop-api-1"), json!("shop-ghost-1"), json!(web)]
    });
}

#[test]
fn a_restart_neither_ends_nor_repeats_the_page_for_a_container_that_asks_to_be_looked_at() {
    let engine = Engine::start();
    engine.create_network("shop");
    let ask = Container::named("shop-db-1")
        .compose("shop", "db")
        .network("shop");
    engine.run(&ask.label("belfry.probe", "tcp_connect :5432"));
    let sink = Sink::start(&[Act::Accept]);
    let setup = Setup::new()
        .engine(&engine)
        .rules("- alert: Down\n  expr: belfry_probe_up == 0\n  labels: {severity: critical}\n")
        .mail(sink.port(), "1h");
    let mut belfry = Launch::with(&setup.config()).start();
    poll::holds("it should be mailed", || sink.count() == 1);
    belfry.signal(Signal::TERM);
    belfry.wait();
    belfry.restart();
    looked_at(&belfry, "shop-db-1", false);
    let rounds = || {
        belfry
            .metric("belfry_evaluations_total")
            .unwrap_or_default()
    };
    let before = rounds();
    poll::holds("some rounds should pass", || rounds() >= before + 4.0);
    let alerts = belfry.get("/api/v1/alerts").body;
    assert!(alerts.contains("\"state\":\"firing\""), "{alerts}");
    engine.docker(&["rm", "--force", "shop-db-1"]);
    poll::holds("it should end with its container", || sink.count() == 2);
    let subjects: Vec<_> = sink
        .received()
        .iter()
        .map(|got| got.mail.header("Subject").to_owned())
        .collect();
    assert!(
        subjects[0].starts_with("[SEV-1]") && subjects[1].starts_with("[OK]"),
        "{subjects:?}"
    );
}
