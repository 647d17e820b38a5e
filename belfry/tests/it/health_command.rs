//! `belfry health` as the health check of containers, run by a real engine, and by
//! compose: in an image of Belfry, and in one of a service that has no curl.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::setup::Setup;
use crate::support::belfry::Launch;
use crate::support::claim;
use crate::support::engine::{Engine, IMAGE};
use crate::support::poll;
use crate::support::program;
use crate::support::scratch::Scratch;

/// Builds an image with Belfry and the libraries that it needs, from this host.
fn build_belfry(engine: &Engine) {
    let scratch = Scratch::new();
    let root = scratch.path.join("root");
    let binary = Path::new(env!("CARGO_BIN_EXE_belfry"));
    fs::create_dir_all(root.join("bin")).unwrap();
    let mut strip = Command::new(program::find("strip", "binutils"));
    program::run(strip.arg("-o").arg(root.join("bin/belfry")).arg(binary));
    let needed = program::run(Command::new("ldd").arg(binary));
    let libraries = needed
        .split_whitespace()
        .filter(|word| word.starts_with('/'));
    for library in libraries {
        let inside = root.join(library.trim_start_matches('/'));
        fs::create_dir_all(inside.parent().unwrap()).unwrap();
        fs::copy(library, inside).unwrap();
    }
    scratch.file(
        "Dockerfile",
        &format!(
            "FROM {IMAGE}\nCOPY root/ /\n\
             HEALTHCHECK --interval=1s --timeout=30s --retries=2 CMD [\"belfry\", \"health\"]\n\
             CMD [\"belfry\"]\n"
        ),
    );
    engine.build("belfry", &scratch.path);
}

/// Waits until the engine says so of a container.
#[track_caller]
fn becomes(engine: &Engine, container: &str, health: &str) {
    becomes_saying(engine, container, health, |_| true);
}

/// The same, with this printed by its check at last. Of a machine without time for it a
/// check may print something else before.
#[track_caller]
fn becomes_saying(engine: &Engine, container: &str, health: &str, words: impl Fn(&str) -> bool) {
    let mut said = None;
    let settled = poll::settles(|| {
        let state = engine.inspect(container, "/State/Health");
        let last = state["Log"].as_array()?.last()?;
        let text = said.insert(last["Output"].as_str()?.to_owned());
        (state["Status"] == health && words(text)).then_some(())
    });
    assert!(settled, "{container} should become {health}: {said:?}");
}

#[test]
fn an_image_of_belfry_is_as_healthy_as_belfry_says() {
    let engine = Engine::start();
    build_belfry(&engine);
    let scratch = Scratch::new();
    let config = "interval: 1s\nlisten: 127.0.0.1:0\n";
    scratch.file("belfry.yml", config);
    let folder = format!("{}:/etc/belfry", scratch.path.display());
    let run = ["run", "--detach", "--name", "belfry", "--network", "host"];
    engine.docker(&[&run[..], &["--volume", &folder, "belfry"]].concat());
    becomes_saying(&engine, "belfry", "healthy", |said| {
        said.starts_with("ready\n")
    });
    engine.docker(&["kill", "--signal", "STOP", "belfry"]);
    becomes(&engine, "belfry", "unhealthy");
    engine.docker(&["kill", "--signal", "CONT", "belfry"]);
    becomes(&engine, "belfry", "healthy");

    // It runs, and its mail would not go out.
    let nobody = claim::port();
    scratch.file(
        "belfry.yml",
        &format!(
            "{config}mail: {{smarthost: '127.0.0.1:{}', from: a@example.org, to: b@example.org, tls: none}}\n",
            nobody.number
        ),
    );
    engine.docker(&["kill", "--signal", "HUP", "belfry"]);
    becomes_saying(&engine, "belfry", "unhealthy", |said| {
        let mail = said.lines().find(|line| line.contains("mail"));
        said.starts_with("not ready\n") && mail.is_some_and(|line| line.contains("failing"))
    });
}

#[test]
fn a_service_without_curl_is_as_healthy_as_belfry_says_of_it() {
    let engine = Engine::start();
    build_belfry(&engine);
    let scratch = Scratch::new();
    let loops = "touch /ok; trap 'exit 0' TERM; while :; do sleep 1 & wait $!; done";
    scratch.file(
        "Dockerfile",
        &format!(
            "FROM belfry\nHEALTHCHECK --interval=1s --retries=5 --start-period=120s CMD [\"belfry\", \"health\", \"worker\"]\n\
             CMD {loops}\n"
        ),
    );
    engine.build("worker", &scratch.path);
    let config = Setup::new()
        .engine(&engine)
        .part("heartbeat: {expect: {jobs: {}}}\nhealth: {services: {worker: {heartbeat: jobs, depends_on: [queue]}}}")
        .config();
    let mut belfry = Launch::with(&config).start();
    let compose = Scratch::new();
    compose.file(
        "compose.yaml",
        &format!(
            "services:
  queue:
    image: {IMAGE}
    network_mode: host
    command: [sh, -c, \"{}\"]
    healthcheck: {{test: [CMD, test, -e, /ok], interval: 1s, retries: 2, start_period: 120s}}
  worker:
    image: worker
    network_mode: host
    environment: {{BELFRY_URL: 'http://{}'}}
    depends_on: {{queue: {{condition: service_healthy}}}}
  mailer:
    image: {IMAGE}
    network_mode: host
    command: [sleep, '9999']
    depends_on: {{worker: {{condition: service_healthy}}}}
",
            loops.replace('$', "$$"),
            belfry.address()
        ),
    );
    // Compose starts the mailer only when the check says that the worker is healthy.
    let project = ["--project-name", "shop", "--file", "compose.yaml"];
    engine.compose(&compose.path, &[&project[..], &["up", "--detach"]].concat());
    let names = engine.docker(&["ps", "--format", "{{.Names}}"]);
    let name = |service: &str| {
        let found = names.lines().find(|name| name.contains(service));
        found.unwrap_or_else(|| panic!("{service}: {names}"))
    };
    let (queue, worker) = (name("queue"), name("worker"));
    name("mailer");
    becomes_saying(&engine, worker, "healthy", |said| said == "ready\n");

    // What it was once does not keep it from becoming well again.
    belfry.get("/ping/jobs/fail");
    becomes_saying(&engine, worker, "unhealthy", |said| {
        said == "not ready\nheartbeat  the heartbeat jobs is down\n"
    });
    belfry.get("/ping/jobs");
    becomes(&engine, worker, "healthy");
    // It is as what it needs.
    engine.docker(&["exec", queue, "rm", "/ok"]);
    becomes_saying(&engine, worker, "unhealthy", |said| {
        said == "not ready\ndependency queue: unhealthy\n"
    });
    engine.docker(&["exec", queue, "touch", "/ok"]);
    becomes(&engine, worker, "healthy");
    // Nobody can say.
    belfry.kill();
    becomes_saying(&engine, worker, "unhealthy", |said| {
        said.contains("does not answer")
    });
}
