//! Health of services that speak no HTTP: answered on their behalf, to a load
//! balancer, to `belfry health`, and to the rules.

use std::process::{Command, Output};

use crate::setup::Setup;
use crate::support::belfry::{Belfry, Launch};
use crate::support::claim;
use crate::support::container::Container;
use crate::support::engine::Engine;
use crate::support::http;
use crate::support::poll;
use crate::support::process::Process;
use crate::support::program;
use crate::support::scratch::Scratch;
use crate::support::sink::{Act, Received, Sink};

/// A worker that its own check calls healthy while a file is there.
fn worker(name: &str, service: &str) -> Container {
    Container::named(name)
        .compose("shop", service)
        .script("touch /ok; trap 'exit 0' TERM; while :; do sleep 1 & wait $!; done")
        .health("test -e /ok || { echo the queue is stuck; exit 1; }")
}

fn switch(engine: &Engine, container: &str, on: bool) {
    let action = if on { "touch" } else { "rm" };
    engine.docker(&["exec", container, action, "/ok"]);
}

fn health(belfry: &Belfry, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_belfry"));
    command
        .arg("--data")
        .arg(belfry.data())
        .arg("health")
        .args(arguments);
    command.output().expect("the binary runs")
}

#[test]
fn a_service_without_http_is_ready_as_its_containers_checks_and_needs_are() {
    let engine = Engine::start();
    engine.run(&worker("shop-db-1", "db"));
    engine.run(
        &worker("shop-worker-1", "worker")
            .label("com.docker.compose.depends_on", "db:service_healthy:false"),
    );
    let config = Setup::new()
        .engine(&engine)
        .part("heartbeat: {expect: {jobs: {}}}\nhealth: {services: {worker: {heartbeat: jobs}, gone: {project: shop}}}")
        .config();
    let belfry = Launch::with(&config).start();
    belfry.wait_for_status("/health/ready/worker", 200);
    assert_eq!(belfry.get("/health/live/worker").status, 200);
    assert_eq!(belfry.get("/health/ready/shop.worker").status, 200);
    assert_eq!(belfry.get("/health/ready/shop-worker-1").status, 200);
    assert_eq!(belfry.get("/health/ready/nobody").status, 404);
    let gone = belfry.get("/health/ready/gone?format=text");
    assert_eq!(gone.status, 503);
    assert_eq!(gone.body, "not ready\nmissing    it has no container\n");
    assert_eq!(health(&belfry, &["worker"]).status.code(), Some(0));
    // Belfry itself, whose parts are through their first round only by and by.
    belfry.wait_for_status("/health/ready", 200);
    assert!(health(&belfry, &[]).stdout.starts_with(b"ready"));

    switch(&engine, "shop-db-1", false);
    let answer = belfry.wait_for_status("/health/ready/worker", 503).json();
    assert_eq!(answer["service"]["reasons"][0][0], "dependency");
    // An event says that it fails; what its check said is asked for after that.
    poll::holds("what the check said should be told", || {
        let db = belfry.get("/health/ready/db").json();
        assert_eq!(db["service"]["reasons"][0][0], "unhealthy");
        db["service"]["containers"][0]["output"] == "the queue is stuck"
    });
    assert_eq!(belfry.get("/health/live/worker").status, 200, "it lives");
    let output = health(&belfry, &["worker"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, b"not ready\ndependency db: unhealthy\n");
    poll::holds("rules should see it", || {
        let page = belfry.get("/metrics/probe").body;
        page.contains("belfry_service_ready{project=\"shop\",service=\"worker\"} 0")
            && page.contains("belfry_service_not_ready_info{project=\"shop\",reason=\"unhealthy\",service=\"db\"} 1")
    });
    switch(&engine, "shop-db-1", true);
    belfry.wait_for_status("/health/ready/worker", 200);
    belfry.get("/ping/jobs/fail");
    assert_eq!(
        belfry.get("/health/ready/worker").json()["service"]["reasons"][0][0],
        "heartbeat"
    );
    belfry.get("/ping/jobs");
    engine.docker(&["stop", "--time", "1", "shop-worker-1"]);
    belfry.wait_for_status("/health/live/worker", 503);
    assert_eq!(
        health(&belfry, &["worker", "--live"]).status.code(),
        Some(1)
    );
    assert_eq!(health(&belfry, &["nobody"]).status.code(), Some(3));
    assert_eq!(
        health(&belfry, &["--url", "http://127.0.0.1:9"])
            .status
            .code(),
        Some(3)
    );
}

#[test]
fn services_that_are_frozen_crash_or_are_there_to_end_are_told_as_they_are() {
    let engine = Engine::start();
    let once = "com.docker.compose.depends_on";
    engine.run(&Container::named("shop-frozen-1").compose("shop", "frozen"));
    engine.run(
        &Container::named("shop-looping-1")
            .compose("shop", "looping")
            .script("exit 3")
            .option("--restart", "always"),
    );
    // Two that end, one well; and of those that end well, one that nobody waits for.
    for (service, code) in [("migrate", 0), ("broken", 4), ("batch", 0)] {
        engine.run(
            &Container::named(&format!("shop-{service}-1"))
                .compose("shop", service)
                .script(&format!("exit {code}")),
        );
    }
    for (service, needs) in [("app", "migrate"), ("other", "broken")] {
        engine.run(
            &Container::named(&format!("shop-{service}-1"))
                .compose("shop", service)
                .label(
                    once,
                    &format!("{needs}:service_completed_successfully:false"),
                ),
        );
    }
    let belfry = Launch::with(&Setup::new().engine(&engine).config()).start();
    let is = |service: &str, status: u16, live: u16, first: &str| {
        poll::holds(&format!("{service} should be {status} ({first})"), || {
            let ready = belfry.get(&format!("/health/ready/{service}?format=text"));
            ready.status == status
                && belfry.get(&format!("/health/live/{service}")).status == live
                && ready.body.lines().nth(1).unwrap_or_default().trim() == first
        });
    };
    is("frozen", 200, 200, "");
    is("migrate", 200, 200, "");
    is("app", 200, 200, "");
    is("broken", 503, 503, "stopped    shop-broken-1 does not run");
    is("other", 503, 200, "dependency broken: stopped");
    is("batch", 503, 503, "stopped    shop-batch-1 does not run");
    is(
        "looping",
        503,
        503,
        "restarting shop-looping-1 is started again and again",
    );
    engine.docker(&["pause", "shop-frozen-1"]);
    is("frozen", 503, 503, "paused     shop-frozen-1 is frozen");
    engine.docker(&["unpause", "shop-frozen-1"]);
    is("frozen", 200, 200, "");
}

#[test]
fn a_service_that_compose_files_declare_is_missing_without_a_container() {
    let engine = Engine::start();
    let scratch = Scratch::new();
    let files = scratch.file(
        "compose.yaml",
        "services: {web: {image: web}, ghost: {image: ghost}, tools: {image: t, profiles: [tools]}}\n",
    );
    engine.run(
        &worker("shop-web-1", "web")
            .label(
                "com.docker.compose.project.working_dir",
                &scratch.path.display().to_string(),
            )
            .label(
                "com.docker.compose.project.config_files",
                &files.display().to_string(),
            ),
    );
    let belfry = Launch::with(&Setup::new().engine(&engine).config()).start();
    belfry.wait_for_status("/health/ready/web", 200);
    let ghost = belfry
        .wait_for_status("/health/ready/shop.ghost", 503)
        .json();
    assert_eq!(ghost["service"]["reasons"][0][0], "missing");
    assert_eq!(belfry.get("/health/ready/tools").status, 404);
    poll::holds("ServiceMissing should be able to see it", || {
        let page = belfry.get("/metrics/probe").body;
        page.contains("belfry_service_not_ready_info{project=\"shop\",reason=\"missing\",service=\"ghost\"} 1")
    });
    engine.run(&worker("shop-ghost-1", "ghost"));
    belfry.wait_for_status("/health/ready/ghost", 200);
}

/// All that is not ready is told once the switch is on.
const NOT_READY: &str = "\
- alert: NotReady
  expr: (belfry_service_ready == 0) and on () (last_over_time(test_switch[30s]) == 1)
  labels: {severity: critical}
  annotations: {summary: \"{{ $labels.service }} is not ready\"}
";

#[test]
fn what_is_down_for_want_of_another_is_hidden_behind_it_by_labels_and_compose_files_alike() {
    let engine = Engine::start();
    let scratch = Scratch::new();
    // Of `page` there never was a container: only the file says what it depends on.
    let files = scratch.file(
        "compose.yaml",
        "services: {db: {image: db}, worker: {image: worker, depends_on: [db]}, page: {image: page, depends_on: [worker]}}\n",
    );
    engine.run(
        &worker("shop-db-1", "db")
            .label(
                "com.docker.compose.project.working_dir",
                &scratch.path.display().to_string(),
            )
            .label(
                "com.docker.compose.project.config_files",
                &files.display().to_string(),
            ),
    );
    engine.run(
        &worker("shop-worker-1", "worker")
            .label("com.docker.compose.depends_on", "db:service_started:false"),
    );
    let sink = Sink::start(&[Act::Accept]);
    let setup = Setup::new()
        .engine(&engine)
        .rules(NOT_READY)
        .mail(sink.port(), "1h");
    let belfry = Launch::with(&setup.config()).start();
    belfry.wait_for_status("/health/ready/worker", 200);
    for container in ["shop-db-1", "shop-worker-1"] {
        switch(&engine, container, false);
    }
    for service in ["db", "worker", "page"] {
        let line = format!("belfry_service_ready{{project=\"shop\",service=\"{service}\"}} 0");
        poll::holds(&format!("rules should see {service}"), || {
            belfry.get("/metrics/probe").body.contains(&line)
        });
    }
    setup.switch(true);
    let mail = poll::until("the mail", || sink.received().first().cloned()).mail;
    assert!(
        mail.header("Subject").contains("db is not ready"),
        "{mail:?}"
    );
    assert!(
        mail.text
            .contains("Hidden by this: 2 (2 x NotReady: page, worker)"),
        "{}",
        mail.text
    );
    let page = belfry.get("/api/belfry/v1/alerts").json();
    for alert in page["alerts"].as_array().unwrap() {
        let muted = match alert["labels"]["service"] == "db" {
            true => "",
            false => "hidden by NotReady",
        };
        assert_eq!(alert["muted"], muted, "{alert}");
    }
    // The cause is over, and what stays is told.
    switch(&engine, "shop-db-1", true);
    poll::holds("what is down by itself should be told", || {
        let told = |it: &Received| it.mail.text.contains("worker is not ready");
        sink.received().iter().any(told)
    });
}

#[test]
fn details_are_for_those_who_may_see_them() {
    let engine = Engine::start();
    engine.run(&Container::named("shop-web-1").compose("shop", "web"));
    let config = Setup::new()
        .engine(&engine)
        .part("health: {token: word}")
        .config();
    let belfry = Launch::with(&config).start();
    let closed = belfry.wait_for_status("/health/ready/web", 200);
    assert_eq!(closed.body, "{\"status\":\"pass\"}");
    let address = belfry.address();
    let ask_at = |path: &str, word: &str| {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {word}\r\nConnection: close\r\n\r\n"
        );
        http::send(address, &request).unwrap()
    };
    let ask = |word: &str| ask_at("/health/ready/web", word).json();
    assert!(ask("wrong")["service"].is_null());
    assert_eq!(
        ask("word")["service"]["containers"][0]["name"],
        "shop-web-1"
    );
    let all = "/api/belfry/v1/health";
    for closed in [belfry.get(all), ask_at(all, "wrong")] {
        assert_eq!(closed.status, 403, "{}", closed.body);
        assert!(!closed.body.contains("shop-web-1"), "{}", closed.body);
    }
    let told = ask_at(all, "word").json();
    assert_eq!(told["services"][0]["containers"][0]["name"], "shop-web-1");
    let ready = belfry.get("/health/ready?format=text").body;
    assert!(ready == "ready\n" || ready == "not ready\n", "{ready}");
}

/// Caddy with this Caddyfile, which has no admin API.
fn caddy(scratch: &Scratch, text: &str) -> Process {
    let file = scratch.file("Caddyfile", text);
    let mut command = Command::new(program::find("caddy", "caddy"));
    command
        .args(["run", "--adapter", "caddyfile", "--config"])
        .arg(&file)
        .env("HOME", &scratch.path);
    Process::spawn("caddy", &mut command, &scratch.path.join("caddy.log"))
}

#[test]
fn a_proxy_as_the_handbook_has_it_hands_on_answers_and_pings_alone() {
    let handbook = include_str!("../../../docs/probes-and-heartbeats.md");
    let begins = handbook.find("watch.example.org {").expect("the example");
    let (example, _) = handbook[begins..].split_once("```").expect("its end");
    let config = Setup::new()
        .part("external_url: https://watch.example.org")
        .part("heartbeat: {expect: {job: {}}}")
        .config();
    let belfry = Launch::with(&config).start();
    let (scratch, door) = (Scratch::new(), claim::port());
    let example = example
        .replace(
            "watch.example.org",
            &format!("http://watch.example.org:{}", door.number),
        )
        .replace("127.0.0.1:9911", belfry.address());
    let mut caddy = caddy(&scratch, &format!("{{\n admin off\n}}\n{example}"));
    let status = |path: &str| {
        let host = format!("watch.example.org:{}", door.number);
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let answer = http::send(&format!("127.0.0.1:{}", door.number), &request);
        answer.map(|answer| answer.status).ok()
    };
    caddy.ready("it should answer", || status("/"));
    for (path, expected) in [
        ("/health/live", 200),
        ("/ping/job", 200),
        ("/", 404),
        ("/health/peer", 404),
        ("/metrics", 404),
        ("/api/belfry/v1/health", 404),
        ("/api/v1/query?query=up", 404),
    ] {
        assert_eq!(status(path), Some(expected), "{path}");
    }
}

#[test]
fn caddy_takes_its_upstream_out_and_back_by_it() {
    let engine = Engine::start();
    engine.run(&worker("shop-api-1", "api"));
    let belfry = Launch::with(&Setup::new().engine(&engine).config()).start();
    belfry.wait_for_status("/health/ready/api", 200);
    let scratch = Scratch::new();
    let (site, app) = (claim::port(), claim::port());
    let (_, port) = belfry.address().rsplit_once(':').unwrap();
    let text = format!(
        "{{\n admin off\n auto_https off\n}}\nhttp://127.0.0.1:{} {{\n respond app\n}}\n\
         http://127.0.0.1:{} {{\n reverse_proxy 127.0.0.1:{} {{\n  health_uri /health/ready/api\n  health_port {port}\n  health_interval 100ms\n }}\n}}\n",
        app.number, site.number, app.number
    );
    let mut caddy = caddy(&scratch, &text);
    let site = format!("127.0.0.1:{}", site.number);
    let answers = |status: u16| http::get(&site, "/").is_ok_and(|answer| answer.status == status);
    caddy.ready("the site should answer", || answers(200).then_some(()));
    switch(&engine, "shop-api-1", false);
    poll::holds("the upstream should be taken out", || answers(503));
    switch(&engine, "shop-api-1", true);
    poll::holds("the upstream should be back", || answers(200));
}
