//! Readiness of workers that speak no HTTP and run in no container, by what their
//! queues show: a real Celery over a real Redis.

use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use crate::setup::Setup;
use crate::support::belfry::Launch;
use crate::support::process::Process;
use crate::support::program;
use crate::support::redis::Redis;
use crate::support::scratch::Scratch;

/// The application of the exporter's tests.
fn python(redis: &Redis) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tools = root.join("../.tools/celery");
    assert!(tools.is_dir(), "Celery is not installed: run `make setup`");
    let paths = [tools, root.join("../exporter/tests/it/celery")];
    let mut python = Command::new(program::find("python3", "python3"));
    python
        .env("PYTHONPATH", std::env::join_paths(paths).unwrap())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("BROKER", format!("redis://127.0.0.1:{}/0", redis.port()))
        .env("C_FORCE_ROOT", "1");
    python
}

fn worker(redis: &Redis, scratch: &Scratch) -> Process {
    let mut command = python(redis);
    command
        .args(["-m", "celery", "-A", "shop", "worker", "-P", "solo"])
        .args(["-n", "mailer@host", "-Q", "mail"])
        .current_dir(&scratch.path);
    Process::spawn("celery", &mut command, &scratch.path.join("worker.log"))
}

#[test]
fn a_worker_is_ready_while_its_queue_is_short_and_somebody_consumes_it() {
    let redis = Redis::start();
    let scratch = Scratch::new();
    let holds = "celery_queue_length{queue_name=\"mail\"} < 3 and on (queue_name) celery_active_worker_count > 0";
    let setup = Setup::new()
        .exporter(&format!(
            "celery: {{interval: 200ms, inspect: 1s, worker_timeout: 8s, brokers: [{{address: '127.0.0.1:{}', name: shop}}]}}",
            redis.port()
        ))
        .part(&format!(
            "health: {{services: {{mailer: {{container: false, ready_when: '{holds}'}}}}}}"
        ));
    let belfry = Launch::with(&setup.config()).start();
    let not_ready = belfry.wait_for_status("/health/ready/mailer", 503).json();
    assert_eq!(
        not_ready["service"]["reasons"],
        serde_json::json!([["evidence", format!("{holds} gives nothing")]])
    );
    let mut consumer = worker(&redis, &scratch);
    belfry.wait_for_status("/health/ready/mailer", 200);
    // It stands still, and its work piles up.
    consumer.freeze();
    program::run(python(&redis).args(["-m", "shop", "backlog"]));
    belfry.wait_for_status("/health/ready/mailer", 503);
    assert_eq!(
        belfry.get("/health/ready/mailer?format=text").body,
        format!("not ready\nevidence   {holds} gives nothing\n")
    );
    consumer.signal(Signal::CONT);
    belfry.wait_for_status("/health/ready/mailer", 200);
}

#[test]
fn an_expression_that_is_none_is_refused_by_its_key() {
    let setup = Setup::new().part("health: {services: {a: {ready_when: 'sum('}}}");
    let (code, log) = Launch::with(&setup.config()).fail();
    assert_eq!(code, Some(3));
    assert!(log.contains("health.services[a].ready_when"), "{log}");
}
