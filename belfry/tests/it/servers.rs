//! PostgreSQL and Redis servers: named in the configuration, or found in
//! containers; gone, locked, and back.

use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use crate::setup::Setup;
use crate::support::belfry::{Belfry, Launch};
use crate::support::container::Container;
use crate::support::engine::Engine;
use crate::support::poll;
use crate::support::postgres::Postgres;
use crate::support::program;
use crate::support::redis::Redis;

const PASSWORD: &str = "hunter2";

/// What `belfry status` prints.
fn status(belfry: &Belfry) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_belfry"))
        .args(["status", "--data"])
        .arg(belfry.data())
        .current_dir(belfry.data())
        .output()
        .expect("the binary runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What the store knows of a series now; nothing when it has ended.
fn stored(belfry: &Belfry, series: &str) -> Option<String> {
    let escaped = series.replace('"', "%22").replace('=', "%3D");
    let answer = belfry.get(&format!("/api/v1/query?query={escaped}")).json();
    let value = answer.pointer("/data/result/0/value/1")?;
    value.as_str().map(str::to_owned)
}

fn wait_for_stored(belfry: &Belfry, series: &str, value: Option<&str>) {
    poll::holds(&format!("{series} should be {value:?}"), || {
        stored(belfry, series).as_deref() == value
    });
}

fn wait_for_status(belfry: &Belfry, words: &str) {
    poll::holds(&format!("status should say: {words}"), || {
        // Long lines are broken.
        status(belfry).replace("\n       ", " ").contains(words)
    });
}

#[test]
fn servers_of_the_configuration_are_down_until_they_return_and_a_wrong_password_is_told() {
    let mut postgres = Postgres::start();
    let mut redis = Redis::with_password(PASSWORD);
    postgres.query(&format!("create role watch login password '{PASSWORD}'"));
    postgres.query("grant pg_monitor to watch");
    let config = |password: &str| {
        let (postgres, redis) = (postgres.port(), redis.port());
        Setup::new()
            .exporter(&format!(
                "postgres: {{interval: 200ms, servers: [{{url: 'postgres://watch@127.0.0.1:{postgres}/postgres', password: {password}}}]}}"
            ))
            .exporter(&format!(
                "redis: {{interval: 200ms, servers: [{{address: '127.0.0.1:{redis}', name: cache, password: {password}}}]}}"
            ))
    };
    let wrong = config("hunter3");
    let right = config(PASSWORD);
    let mut belfry = Launch::with(&wrong.config()).start();
    let (pg_up, redis_up) = (
        "pg_up{job=\"postgres\",instance=\"testhost\"}",
        "redis_up{job=\"redis\",instance=\"cache\"}",
    );
    wait_for_stored(&belfry, pg_up, Some("0"));
    wait_for_stored(&belfry, redis_up, Some("0"));
    poll::holds("the page should say why", || {
        let page = belfry.get("/metrics/postgres").body;
        page.contains("err=\"the server refused with 28P01: the password is wrong\"")
    });
    wait_for_status(&belfry, "FAIL   postgres 127.0.0.1:");
    wait_for_status(&belfry, "28P01: the password is wrong");
    wait_for_status(
        &belfry,
        "FAIL   redis cache: the server refused the password: WRONGPASS",
    );

    belfry.reload(&right.config());
    wait_for_stored(&belfry, pg_up, Some("1"));
    wait_for_stored(&belfry, redis_up, Some("1"));
    poll::holds("status should tell of it no more", || {
        !status(&belfry).contains("FAIL   postgres")
    });
    wait_for_stored(
        &belfry,
        "up{job=\"postgres\",instance=\"testhost\"}",
        Some("1"),
    );

    postgres.stop();
    redis.stop();
    wait_for_stored(&belfry, pg_up, Some("0"));
    wait_for_stored(&belfry, redis_up, Some("0"));
    wait_for_status(&belfry, "cannot connect: connection refused");
    postgres.start_again();
    redis.start_again();
    wait_for_stored(&belfry, pg_up, Some("1"));
    wait_for_stored(&belfry, redis_up, Some("1"));

    // Taken out of the configuration, they end at once.
    belfry.reload(&Setup::new().config());
    wait_for_stored(&belfry, pg_up, None);
    wait_for_stored(&belfry, redis_up, None);
    wait_for_stored(&belfry, "up{job=\"postgres\"}", None);
    assert!(!belfry.log().contains("hunter"), "{}", belfry.log());
}

#[test]
fn servers_in_containers_are_found_and_log_in_as_the_environment_says_where_that_is_allowed() {
    let engine = Engine::start();
    engine.create_network("shop");
    let container = |name: &str, image: &str, variable: &str| {
        let container = Container::named(name).image(image).network("shop");
        engine.run(&container.option("--env", &format!("{variable}={PASSWORD}")));
    };
    container("shop-db-1", "postgres:16", "POSTGRES_PASSWORD");
    container("shop-cache-1", "redis:7", "REDIS_PASSWORD");
    let postgres = Postgres::in_container(&engine, "shop-db-1", "shop", PASSWORD);
    let _redis = Redis::in_container(&engine, "shop-cache-1", "shop", PASSWORD);
    let (pg_up, redis_up) = (
        "pg_up{job=\"postgres\",instance=\"shop-db-1\"}",
        "redis_up{job=\"redis\",instance=\"shop-cache-1\"}",
    );

    let setup = |allowed: bool| {
        Setup::new()
            .engine(&engine)
            .exporter(&format!(
                "postgres: {{interval: 200ms, environment: {allowed}}}"
            ))
            .exporter(&format!(
                "redis: {{interval: 200ms, environment: {allowed}}}"
            ))
    };
    let (closed, open) = (setup(false), setup(true));
    let mut belfry = Launch::with(&closed.config()).start();
    // Locked out, which is not down.
    wait_for_status(
        &belfry,
        "note   postgres shop-db-1: the server wants a password, and none is set",
    );
    wait_for_status(
        &belfry,
        "note   redis shop-cache-1: the server refused INFO: NOAUTH",
    );
    poll::holds("the page should tell that they are not read", || {
        let page = belfry.get("/metrics").body;
        assert!(!page.contains("\npg_up") && !page.contains("\nredis_up"));
        page.contains("belfry_postgres_read_success{instance=\"shop-db-1\"} 0")
    });

    belfry.reload(&open.config());
    wait_for_stored(&belfry, pg_up, Some("1"));
    wait_for_stored(&belfry, redis_up, Some("1"));
    poll::holds("status should note nothing more", || {
        !status(&belfry).contains("note ")
    });

    // Each server is an instance, which rules look for.
    let up = "up{job=\"postgres\",instance=\"shop-db-1\"}";
    wait_for_stored(&belfry, up, Some("1"));

    // A container that was stopped is a server that is down.
    drop(postgres);
    engine.docker(&["stop", "--time", "1", "shop-db-1"]);
    wait_for_stored(&belfry, pg_up, Some("0"));
    engine.docker(&["start", "shop-db-1"]);
    let _postgres = Postgres::in_container(&engine, "shop-db-1", "shop", PASSWORD);
    wait_for_stored(&belfry, pg_up, Some("1"));
    engine.docker(&["rm", "--force", "shop-db-1"]);
    wait_for_stored(&belfry, pg_up, None);
    wait_for_stored(&belfry, up, None);
    wait_for_stored(&belfry, redis_up, Some("1"));

    for text in [belfry.log(), belfry.get("/metrics").body, status(&belfry)] {
        assert!(!text.contains(PASSWORD), "{text}");
    }
}

/// Sends three tasks, and tells of it as a Celery application does.
const SENDER: &str = "
import sys, celery
app = celery.Celery(broker=sys.argv[1])
app.conf.task_send_sent_event = True
for _ in range(3):
    app.send_task('shop.add', queue='mail', priority=5)
";

#[test]
fn what_was_counted_of_celery_survives_a_restart() {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/celery");
    assert!(tools.is_dir(), "Celery is not installed: run `make setup`");
    let redis = Redis::with_password(PASSWORD);
    let port = redis.port();
    let setup = Setup::new().exporter(&format!(
        "celery: {{interval: 200ms, brokers: [{{address: '127.0.0.1:{port}', name: shop, password: {PASSWORD}}}]}}"
    ));
    let mut belfry = Launch::with(&setup.config()).start();
    wait_for_stored(
        &belfry,
        "belfry_celery_listening{job=\"celery\"}",
        Some("1"),
    );
    let mut sender = Command::new(program::find("python3", "python3"));
    let url = format!("redis://:{PASSWORD}@127.0.0.1:{port}/0");
    program::run(sender.env("PYTHONPATH", tools).args(["-c", SENDER, &url]));
    let sent = "sum(celery_task_sent_total{job=\"celery\",instance=\"shop\",name=\"shop.add\",queue_name=\"mail\"})";
    let waiting = "celery_queue_length{instance=\"shop\",queue_name=\"mail\"}";
    wait_for_stored(&belfry, sent, Some("3"));
    wait_for_stored(&belfry, waiting, Some("3"));
    wait_for_stored(&belfry, "up{job=\"celery\",instance=\"shop\"}", Some("1"));

    belfry.signal(Signal::TERM);
    belfry.wait();
    belfry.restart();
    // A page of the new process, not what the store remembers.
    poll::holds("the count should go on", || {
        let page = belfry.get("/metrics/celery").body;
        page.lines().any(|line| {
            line.starts_with("celery_task_sent_total{instance=\"shop\"") && line.ends_with(" 3")
        })
    });
    for text in [belfry.log(), belfry.get("/metrics").body] {
        assert!(!text.contains(PASSWORD), "{text}");
    }
}
