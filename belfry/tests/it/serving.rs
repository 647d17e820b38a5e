//! What is served, how it starts, and how it ends.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::setup::Setup;
use crate::support::belfry::{Belfry, Launch};
use crate::support::chromium::Chromium;
use crate::support::container::Container;
use crate::support::engine::Engine;
use crate::support::http;
use crate::support::poll;
use crate::support::postgres::Postgres;
use crate::support::redis::Redis;
use crate::support::sink::{Act, Sink, Stage};

#[test]
fn without_configuration_it_reports_what_it_found_and_serves_everything() {
    let engine = Engine::start();
    engine.run(
        &Container::named("shop-db-1")
            .image("postgres:16")
            .compose("shop", "db"),
    );
    engine.run(
        &Container::named("shop-cache-1")
            .image("redis:7")
            .compose("shop", "cache"),
    );
    engine.run(&Container::named("front").image("caddy:2"));
    let worker = "celery() { sleep 1000; }; celery -A shop worker";
    engine.run(
        &Container::named("shop-worker-1")
            .script(worker)
            .compose("shop", "worker"),
    );
    let postgres = Postgres::start();
    let redis = Redis::start();
    // Nothing but the engine's address: everything else is found.
    let belfry = Launch::bare().env("DOCKER_HOST", &engine.host()).start();

    poll::holds(
        "the report should name everything with its evidence",
        || {
            let log = belfry.log();
            [
                "config none found, defaults serve",
                "found  host",
                "found  engine    Docker ",
                "found  compose   shop: 3 services  (labels of 3 containers)",
                "found  postgres  PostgreSQL 16 in shop-db-1  (image postgres:16)",
                "found  redis     Redis 7 in shop-cache-1  (image redis:7)",
                "found  celery    Celery worker in shop-worker-1  (its command starts celery worker)",
                "found  proxy     Caddy 2 in front  (image caddy:2)",
                "PostgreSQL on the host  (process ",
                &format!("listening on port {}", postgres.port()),
                &format!("listening on port {}", redis.port()),
            ]
            .iter()
            .all(|line| log.contains(line))
        },
    );
    poll::holds("host and containers should be collected", || {
        belfry.metric("node_load1").is_some()
            && belfry
                .get("/metrics/container")
                .body
                .contains("name=\"shop-db-1\"")
    });
    for (path, content) in [
        ("/metrics", "belfry_build_info"),
        ("/metrics/host", "node_memory_MemTotal_bytes"),
        ("/metrics/container", "container_memory_working_set_bytes"),
        ("/metrics/belfry", "process_resident_memory_bytes"),
        ("/", "shop-db-1"),
        ("/-/healthy", "Healthy"),
        ("/runbooks/target-down", "#"),
    ] {
        assert_eq!(belfry.get(path).status, 200, "{path}");
        poll::holds(&format!("{path} should hold {content}"), || {
            belfry.get(path).body.contains(content)
        });
    }
    let metrics = belfry.get("/metrics");
    assert!(
        metrics
            .header("content-type")
            .unwrap()
            .starts_with("text/plain; version=0.0.4")
    );
    assert_eq!(belfry.get("/no-such-page").status, 404);
    assert_eq!(belfry.get("/metrics/no-such-job").status, 404);
}

#[test]
fn readiness_names_each_dependency() {
    let belfry = Launch::with(&Setup::new().config()).start();
    let ready = belfry.wait_for_status("/health/ready", 200).json();
    assert_eq!(ready["status"], "pass");
    let names: Vec<_> = ready["dependencies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        names,
        ["collect", "engine", "mail", "rules", "series", "state"]
    );
    for one in ready["dependencies"].as_array().unwrap() {
        assert!(
            one["status"].is_string()
                && one["since_ms"].is_i64()
                && one.get("latency_seconds").is_some(),
            "{one}"
        );
    }
    let text = belfry.get("/health/ready?format=text").body;
    assert!(
        text.starts_with("ready\n") && text.contains("state      ok"),
        "{text}"
    );
    assert_eq!(belfry.get("/health/live").json()["status"], "pass");
    assert_eq!(belfry.get("/-/ready").status, 200);
}

/// A request of these lines, with an empty body.
fn send(belfry: &Belfry, lines: &[&str]) -> http::Response {
    let request = format!("{}\r\nConnection: close\r\n\r\n", lines.join("\r\n"));
    http::send(belfry.address(), &request).unwrap()
}

#[test]
fn every_page_answers_to_head_and_other_methods_are_told_which_are_allowed() {
    let belfry = Launch::with(&Setup::new().config()).start();
    let host = format!("Host: {}", belfry.address());
    belfry.wait_for_status("/health/ready", 200);
    for path in [
        "/",
        "/runbooks/target-down",
        "/metrics",
        "/metrics/host",
        "/health/live",
        "/health/ready",
        "/-/healthy",
        "/-/ready",
        "/api/belfry/v1/status",
        "/api/v1/query?query=1",
        "/api/v1/targets",
    ] {
        let head = send(&belfry, &[&format!("HEAD {path} HTTP/1.1"), &host]);
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
        let kind = belfry.get(path).header("content-type").map(str::to_owned);
        assert_eq!(head.header("content-type"), kind.as_deref(), "{path}");
        let wrong = send(&belfry, &[&format!("DELETE {path} HTTP/1.1"), &host]);
        assert_eq!(wrong.status, 405, "{path}");
        assert!(
            wrong.header("allow").unwrap().contains("GET,HEAD"),
            "{path}"
        );
    }
    let wrong = belfry.get("/-/reload");
    assert_eq!(
        (wrong.status, wrong.header("allow")),
        (405, Some("POST,PUT"))
    );
}

#[test]
fn metrics_come_packed_to_those_who_ask() {
    let belfry = Launch::with(&Setup::new().config()).start();
    let host = format!("Host: {}", belfry.address());
    let lines = ["GET /metrics/host HTTP/1.1", &host, "Accept-Encoding: gzip"];
    let packed = send(&belfry, &lines);
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    let plain = send(&belfry, &lines[..2]);
    assert_eq!(plain.header("content-encoding"), None);
    let length =
        |answer: &http::Response| answer.header("content-length").unwrap().parse().unwrap();
    let (packed, plain): (usize, usize) = (length(&packed), length(&plain));
    assert!(packed * 3 < plain, "{packed} of {plain} bytes");
}

#[test]
fn a_page_of_another_site_cannot_make_a_browser_reload_it() {
    let mut belfry = Launch::with(&Setup::new().config()).start();
    let host = format!("Host: {}", belfry.address());
    let ours = format!("Origin: http://{}", belfry.address());
    let post = "POST /-/reload HTTP/1.1";
    for lines in [
        [post, &host, "Origin: https://elsewhere.example"],
        [post, &host, "Sec-Fetch-Site: cross-site"],
        ["PUT /-/reload HTTP/1.1", &host, "Origin: null"],
        [post, "Host: rebound.example:9911", "Accept: */*"],
    ] {
        let refused = send(&belfry, &lines);
        assert_eq!(refused.status, 403, "{lines:?}");
        assert!(refused.body.starts_with("refused: it "), "{}", refused.body);
    }
    assert!(!belfry.log().contains("configuration reloaded"));
    let own = send(
        &belfry,
        &[post, &host, &ours, "Sec-Fetch-Site: same-origin"],
    );
    assert_eq!((own.status, own.body.as_str()), (200, "reloaded\n"));
    assert_eq!(
        belfry.post("/-/reload", "").status,
        200,
        "programs name no site"
    );
    belfry.signal(Signal::TERM);
    assert_eq!(belfry.wait().code(), Some(0));
    assert_eq!(belfry.log().matches("configuration reloaded").count(), 2);
}

#[test]
fn a_taken_port_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, log) = Launch::with("").listen(&address).fail();
    assert_eq!(code, Some(2), "{log}");
    assert!(
        log.contains(&format!("cannot listen on {address}")) && log.contains("in use"),
        "{log}"
    );
}

#[test]
fn a_second_signal_ends_at_once() {
    let sink = Sink::start(&[Act::Silence(Stage::End)]);
    let setup = Setup::switched("0s")
        .mail_within(sink.port(), "1h", "5m")
        .part("shutdown_grace: 10m");
    setup.switch(true);
    let mut belfry = Launch::with(&setup.config()).start();
    // The first connection only asks whether mail would be taken.
    poll::holds("a mail should be in flight", || sink.attempts().len() >= 2);
    belfry.signal(Signal::TERM);
    poll::holds("it should say that it stops", || {
        belfry.log().contains("a second signal ends at once")
    });
    thread::sleep(Duration::from_millis(500)); // the mail in flight holds it up
    belfry.signal(Signal::TERM);
    assert_ne!(belfry.wait().code(), Some(0));
}

#[test]
fn the_page_fits_a_phone_and_a_desk_and_needs_nothing_from_elsewhere() {
    let engine = Engine::start();
    engine.run(&Container::named("shop-api-1").compose("shop", "api"));
    let setup = Setup::switched("0s").engine(&engine);
    setup.switch(true);
    let belfry = Launch::with(&setup.config()).start();
    poll::holds("it should fire", || {
        belfry.get("/").body.contains("the switch is on")
    });
    let graph = "graph?g0.expr=up&g0.tab=1&g0.range_input=1m";
    poll::holds("there should be values enough for a line", || {
        belfry.get(&format!("/{graph}")).body.contains("h0L")
    });
    let url = format!("http://{}/", belfry.address());
    let mut chromium = Chromium::start();
    for (width, height) in [(360, 740), (1280, 900)] {
        chromium.open_fitting(&url, width, height);
        let seen = chromium.evaluate("document.body.innerText").to_string();
        for word in ["the switch is on", "testhost", "CRITICAL", "api"] {
            assert!(seen.contains(word), "{word} at {width}: {seen}");
        }
        let blocked = chromium.evaluate("performance.getEntriesByType('resource').filter(e => !e.name.startsWith(location.origin)).length");
        assert_eq!(blocked, 0, "nothing comes from elsewhere");
        // Where the alert's link leads.
        chromium.open_fitting(&format!("{url}{graph}"), width, height);
        let seen = chromium.evaluate("document.body.innerText").to_string();
        assert!(seen.contains("up{") && seen.contains("Show"), "{seen}");
        // It is flat: what tells a line from a dot or nothing is how long it is.
        let long = chromium.evaluate("document.querySelector('svg .l0').getBBox().width");
        assert!(long.as_f64() > Some(0.0), "a line at {width}: {long}");
    }
    let page = belfry.get("/");
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
}

#[test]
fn clients_of_prometheus_and_alertmanager_find_their_interfaces() {
    let sink = Sink::start(&[Act::Accept]);
    let setup = Setup::switched("0s").mail(sink.port(), "1h");
    let belfry = Launch::with(&setup.config()).start();
    poll::holds("a collection should be in", || {
        let answer = belfry
            .get("/api/v1/query?query=up%7Bjob%3D%22host%22%7D")
            .json();
        answer["data"]["result"][0]["value"][1] == "1"
    });
    let rules = belfry.get("/api/v1/rules").json();
    assert_eq!(rules["data"]["groups"][0]["rules"][0]["name"], "Switched");

    // A silence that was made before keeps the page back.
    let silence = r#"{"matchers":[{"name":"alertname","value":"Switched","isRegex":false,"isEqual":true}],
        "startsAt":"2020-01-01T00:00:00Z","endsAt":"2099-01-01T00:00:00Z","createdBy":"kim","comment":"move"}"#;
    let made = belfry.post("/api/v2/silences", silence);
    assert_eq!(made.status, 200, "{made:?}");
    setup.switch(true);
    let alert = poll::until("the alert should be there, and silenced", || {
        let alerts = belfry.get("/api/v2/alerts").json();
        let alert = alerts.get(0)?.clone();
        (alert["status"]["state"] == "suppressed").then_some(alert)
    });
    assert_eq!(alert["status"]["silencedBy"][0], made.json()["silenceID"]);
    let evaluations = belfry.metric("belfry_evaluations_total");
    poll::holds("some rounds should pass", || {
        belfry.metric("belfry_evaluations_total") >= evaluations.map(|count| count + 4.0)
    });
    assert_eq!(sink.received().len(), 0, "nobody is woken");
}

#[test]
fn those_who_sit_there_and_ask_for_nothing_keep_no_question_about_health_waiting() {
    // Seven times as many as there is room for: were each to be waited for, a
    // question would not be answered within the patience of who asks.
    const CROWD: usize = 900;
    let belfry = Launch::with(&Setup::new().config()).start();
    let over = AtomicBool::new(false);
    let come = || {
        let mut stream = TcpStream::connect(belfry.address()).unwrap();
        let half = b"GET /health/live HTTP/1.1\r\nHost: h";
        stream.write_all(half).unwrap();
        stream.set_nonblocking(true).unwrap();
        stream
    };
    let gone = |stream: &mut TcpStream| match stream.read(&mut [0; 512]) {
        Ok(_) => true,
        Err(err) => err.kind() != ErrorKind::WouldBlock,
    };
    let mut crowd: Vec<_> = (0..CROWD).map(|_| come()).collect();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                for stream in crowd.iter_mut() {
                    if gone(stream) {
                        *stream = come();
                    }
                }
                thread::sleep(Duration::from_millis(20));
            }
        });
        let statuses = [(); 3].map(|()| http::get(belfry.address(), "/health/live"));
        over.store(true, Ordering::Relaxed);
        for answer in statuses {
            assert_eq!(answer.unwrap().status, 200);
        }
    });
}
