//! An engine that is not there, dies, hangs, or has very many containers.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};

use crate::setup::Setup;
use crate::support::belfry::{Belfry, Launch};
use crate::support::container::Container;
use crate::support::engine::Engine;
use crate::support::poll;

const UP: &str = "belfry_engine_up";

fn running(belfry: &Belfry, name: &str) -> bool {
    let page = belfry.get("/metrics/container").body;
    page.lines().any(|line| {
        line.starts_with("belfry_container_state{")
            && line.contains(&format!("name=\"{name}\""))
            && line.contains("state=\"running\"")
            && line.ends_with(" 1")
    })
}

/// Creates a container by the engine's interface: two hundred clients would take longer.
fn create(engine: &Engine, name: &str) {
    let body = format!(
        "{{\"Image\":\"{}\",\"Cmd\":[\"true\"]}}",
        crate::support::engine::IMAGE
    );
    let mut stream = UnixStream::connect(engine.socket()).unwrap();
    write!(
        stream,
        "POST /containers/create?name={name} HTTP/1.0\r\nHost: engine\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(" 201 "), "{answer}");
}

/// Collecting and evaluating go on.
fn goes_on(belfry: &Belfry) {
    let before = belfry
        .metric("belfry_collections_total")
        .unwrap_or_default();
    poll::holds("collecting should go on", || {
        belfry.metric("belfry_collections_total") >= Some(before + 3.0)
    });
    assert!(belfry.metric("node_load1").is_some());
}

#[test]
fn without_an_engine_the_host_is_watched() {
    let belfry = Launch::with(&Setup::new().config()).start();
    goes_on(&belfry);
    assert_eq!(belfry.metric(UP), Some(0.0));
    belfry.wait_for_status("/health/ready", 200);
    poll::holds("the page should say that there is no engine", || {
        belfry.get("/").body.contains("No Docker engine")
    });
    assert_eq!(belfry.get("/health/ready/api").status, 404);
}

#[test]
fn an_engine_that_dies_is_reported_and_taken_up_when_it_returns() {
    let mut engine = Engine::start();
    engine.run(&Container::named("api").option("--restart", "always"));
    let belfry = Launch::with(&Setup::new().engine(&engine).config()).start();
    poll::holds("the container should be seen", || running(&belfry, "api"));

    let api = belfry.wait_for_status("/health/ready/api", 200).json();
    assert!(api["engine"].is_null(), "{api}");
    engine.crash();
    poll::holds("the engine should be reported as gone", || {
        belfry.metric(UP) == Some(0.0)
    });
    // It was well, which balancers go on with; whoever asks is told of when that is.
    let api = belfry.get("/health/ready/api");
    assert_eq!(api.status, 200, "{}", api.body);
    let api = api.json();
    assert!(api["engine"]["listed_ms"].is_i64(), "{api}");
    assert!(
        api["engine"]["since_ms"].as_i64() >= api["engine"]["listed_ms"].as_i64(),
        "{api}"
    );
    let said = belfry.get("/health/ready/api?format=text").body;
    assert!(
        said.starts_with("ready\nengine     does not answer since 2"),
        "{said}"
    );
    let all = belfry.get("/api/belfry/v1/health").json();
    assert!(all["engine"]["reason"].is_string(), "{all}");
    poll::holds("readiness should name it", || {
        let ready = belfry.get("/health/ready").json();
        let all = ready["dependencies"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        all.iter()
            .any(|one| one["name"] == "engine" && one["status"] == "failing")
    });
    goes_on(&belfry);

    engine.revive();
    poll::holds("the engine should be seen again", || {
        belfry.metric(UP) == Some(1.0)
    });
    poll::holds("there should be no more doubt", || {
        let api = belfry.get("/health/ready/api").json();
        api["engine"].is_null()
    });
    engine.run(&Container::named("late"));
    poll::holds("its events should arrive again", || {
        running(&belfry, "late")
    });
    engine.docker(&["rm", "--force", "late"]);
    poll::holds("what is removed leaves no series", || {
        !belfry
            .get("/metrics/container")
            .body
            .contains("name=\"late\"")
    });
}

#[test]
fn an_engine_that_hangs_delays_nothing() {
    let mut engine = Engine::start();
    engine.run(&Container::named("api"));
    let belfry = Launch::with(&Setup::new().engine(&engine).config()).start();
    poll::holds("the container should be seen", || running(&belfry, "api"));
    engine.freeze();
    goes_on(&belfry);
    assert!(running(&belfry, "api"), "the last good inventory is served");
    poll::holds("the engine should be reported as hung", || {
        belfry.metric(UP) == Some(0.0)
    });
    let api = belfry.get("/health/ready/api?format=text");
    assert_eq!(api.status, 200, "{}", api.body);
    assert!(
        api.body.contains("engine     does not answer since 2"),
        "{}",
        api.body
    );
    engine.thaw();
    poll::holds("the engine should be well again", || {
        belfry.metric(UP) == Some(1.0)
    });
}

#[test]
fn a_socket_that_accepts_and_never_answers_is_reported() {
    let setup = Setup::new();
    let path = setup.file("silent.sock", "");
    std::fs::remove_file(&path).unwrap();
    let _silent = UnixListener::bind(&path).unwrap();
    let setup = setup
        .socket(path)
        .part("health: {services: {declared: {}, elsewhere: {container: false}}}");
    let belfry = Launch::with(&setup.config()).start();
    goes_on(&belfry);
    assert_eq!(belfry.metric(UP), Some(0.0));
    // Which services there are nobody knows: none of them is misspelt, or missing.
    for name in ["api", "declared"] {
        let answer = belfry.get(&format!("/health/ready/{name}?format=text"));
        assert_eq!(answer.status, 503, "{name}: {}", answer.body);
        assert!(
            answer
                .body
                .starts_with("not ready\nengine     has not listed its containers yet"),
            "{name}: {}",
            answer.body
        );
        let answer = belfry.get(&format!("/health/live/{name}")).json();
        assert!(answer["engine"]["listed_ms"].is_null(), "{answer}");
        assert_eq!(answer["status"], "fail");
    }
    assert_eq!(belfry.get("/health/ready/elsewhere").status, 200);
    poll::holds("the page should say so", || {
        belfry.get("/").body.contains("No Docker engine answers")
    });
}

#[test]
fn two_hundred_containers_are_all_seen() {
    let engine = Engine::start();
    engine.run(&Container::named("first"));
    // Created ones are as many for us and cost the machine nothing.
    for number in 0..199 {
        create(&engine, &format!("c{number}"));
    }
    let belfry = Launch::with(&Setup::new().engine(&engine).config()).start();
    poll::holds("all should be seen", || {
        let page = belfry.get("/metrics/container").body;
        let seen = page
            .lines()
            .filter(|line| line.starts_with("belfry_container_state{") && line.ends_with(" 1"));
        seen.count() == 200
    });
    goes_on(&belfry);
    let status = belfry.get("/api/belfry/v1/status").json();
    assert_eq!(status["services"].as_array().map(Vec::len), Some(200));
    assert!(belfry.get("/").body.len() < 60_000, "the page stays small");
}

#[test]
fn containers_that_come_and_go_during_collections_leave_nothing_behind() {
    let engine = Engine::start();
    let belfry = Launch::with(&Setup::new().engine(&engine).config()).start();
    for number in 0..15 {
        let name = format!("brief{number}");
        engine.docker(&[
            "run",
            "--rm",
            "--network",
            "none",
            "--name",
            &name,
            crate::support::engine::IMAGE,
            "true",
        ]);
    }
    goes_on(&belfry);
    poll::holds("no series of theirs should be left", || {
        !belfry.get("/metrics/container").body.contains("brief")
    });
    assert!(!belfry.log().contains("panicked"), "{}", belfry.log());
}

#[test]
fn a_dead_container_is_told_with_its_exit_code_and_reason() {
    let engine = Engine::start();
    let belfry = Launch::with(&Setup::new().engine(&engine).config()).start();
    engine.run(&Container::named("failed").script("exit 7"));
    let value = |belfry: &Belfry, family: &str, name: &str| {
        let page = belfry.get("/metrics/container").body;
        page.lines()
            .find(|line| {
                line.starts_with(&format!("{family}{{"))
                    && line.contains(&format!("name=\"{name}\""))
            })
            .and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
    };
    poll::holds("the exit code should be seen", || {
        value(&belfry, "belfry_container_exit_code", "failed") == Some(7.0)
    });
    engine.run(
        &Container::named("hungry")
            .script("tail /dev/zero")
            .option("--memory", "16m"),
    );
    engine.wait_for_state("hungry", "exited");
    let killed = f64::from(u8::from(
        engine.inspect("hungry", "/State/OOMKilled") == true,
    ));
    poll::holds("it should be told as the engine tells it", || {
        value(&belfry, "belfry_container_oom_killed", "hungry") == Some(killed)
    });
}
