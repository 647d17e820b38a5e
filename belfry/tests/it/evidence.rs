//! Readiness of workers that speak no HTTP and run in no container, by what their
//! queues show: a real Celery over a real Redis.

use crate::setup::Setup;
use crate::support::belfry::Launch;
use crate::support::celery::Shop;

#[test]
fn a_worker_is_ready_while_its_queue_is_short_and_somebody_consumes_it() {
    let shop = Shop::start();
    let holds = "celery_queue_length{queue_name=\"mail\"} < 3 and on (queue_name) celery_active_worker_count > 0";
    let setup = Setup::new()
        .exporter(&format!(
            "celery: {{interval: 200ms, inspect: 1s, worker_timeout: 8s, brokers: [{{address: '127.0.0.1:{}', name: shop}}]}}",
            shop.redis.port()
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
    let mut consumer = shop.worker("mailer@host", "mail", "1");
    belfry.wait_for_status("/health/ready/mailer", 200);
    // It stands still, and its work piles up.
    consumer.freeze();
    shop.send(&["backlog"]);
    belfry.wait_for_status("/health/ready/mailer", 503);
    assert_eq!(
        belfry.get("/health/ready/mailer?format=text").body,
        format!("not ready\nevidence   {holds} gives nothing\n")
    );
    consumer.thaw();
    belfry.wait_for_status("/health/ready/mailer", 200);
}

#[test]
fn a_heartbeat_that_nobody_expects_is_refused_and_a_probe_that_there_is_not_is_told() {
    let services = "health: {services: {a: {container: false, heartbeat: job}, b: {container: false, probe: look}}}";
    let setup = Setup::new().part(services);
    let (code, log) = Launch::with(&setup.config()).fail();
    assert_eq!(code, Some(3));
    assert!(
        log.contains("health.services[a].heartbeat")
            && log.contains("no heartbeat of heartbeat.expect is named \"job\""),
        "{log}"
    );
    let setup = Setup::new()
        .part(services)
        .part("heartbeat: {create: true}");
    let mut belfry = Launch::with(&setup.config()).start();
    belfry.wait_for_status("/health/ready/b", 503);
    assert_eq!(
        belfry.get("/health/ready/b?format=text").body,
        "not ready\nprobe      there is no probe look\n"
    );
    assert_eq!(belfry.get("/health/ready/a").status, 200);
    let look = format!(
        "probe: {{targets: [{{name: look, target: 'http://{}/health/live'}}]}}",
        belfry.address()
    );
    let setup = setup.part(&look);
    belfry.reload(&setup.config());
    belfry.wait_for_status("/health/ready/b", 200);
}

#[test]
fn an_expression_that_is_none_is_refused_by_its_key() {
    let setup = Setup::new().part("health: {services: {a: {ready_when: 'sum('}}}");
    let (code, log) = Launch::with(&setup.config()).fail();
    assert_eq!(code, Some(3));
    assert!(log.contains("health.services[a].ready_when"), "{log}");
}
