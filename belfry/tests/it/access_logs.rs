//! Access logs of real proxies: what is counted is what was asked.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::setup::Setup;
use crate::support::belfry::{Belfry, Launch};
use crate::support::container::Container;
use crate::support::engine::Engine;
use crate::support::http;
use crate::support::poll;
use crate::support::web::{App, Web};

/// nginx's own `combined` with the time behind it, and the same in JSON.
const COMBINED: &str = r#"'$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_time'"#;
const JSON: &str = r#"escape=json '{"host":"$host","request":"$request","status":"$status","body_bytes_sent":"$body_bytes_sent","request_time":"$request_time","agent":"$http_user_agent"}'"#;

/// How long each request took, in seconds, as the proxy itself wrote down.
fn durations(log: &Path) -> Vec<f64> {
    let text = fs::read_to_string(log).expect("the log");
    let duration = |line: &str| -> Option<f64> {
        let Ok(json) = serde_json::from_str::<Value>(line) else {
            return line.rsplit(' ').next()?.parse().ok();
        };
        match &json["request_time"] {
            Value::String(seconds) => seconds.parse().ok(),
            _ => json["duration"].as_f64(),
        }
    };
    let all = text.lines();
    all.map(|line| duration(line).unwrap_or_else(|| panic!("no time: {line}")))
        .collect()
}

/// The samples of one family on a page, by their labels as written.
fn samples(belfry: &Belfry, family: &str) -> BTreeMap<String, f64> {
    let page = belfry.get("/metrics/api").body;
    let lines = page.lines().filter_map(|line| {
        let rest = line.strip_prefix(family)?;
        let (labels, value) = rest.rsplit_once(' ')?;
        let whole = labels.is_empty() || labels.starts_with('{');
        Some((whole.then(|| labels.to_owned())?, value.parse().ok()?))
    });
    lines.collect()
}

/// The sum of a family over the series that have all of these labels.
fn sum(belfry: &Belfry, family: &str, labels: &[&str]) -> u64 {
    let all = samples(belfry, family);
    let fit = all
        .iter()
        .filter(|(have, _)| labels.iter().all(|label| have.contains(label)));
    fit.map(|(_, value)| *value as u64).sum()
}

fn requests(belfry: &Belfry, labels: &[&str]) -> u64 {
    sum(belfry, "belfry_http_requests_total", labels)
}

#[test]
fn requests_through_nginx_and_caddy_are_counted_one_by_one() {
    let app = App::start();
    let plain = Web::nginx(&app, COMBINED);
    let json = Web::nginx(&app, JSON);
    let (caddy, admin) = Web::caddy(&app);
    let setup = Setup::new().exporter(&format!(
        "api:
    logs: [{{file: {:?}, name: plain}}, {{file: {:?}, name: json}}, {{file: {:?}, name: caddy}}]
    paths: ['/api/*', '/']
    nginx: [{{url: 'http://{}/status', name: json}}]
    caddy: [{{url: 'http://127.0.0.1:{}/metrics', name: caddy}}]
    interval: 200ms",
        plain.log(),
        json.log(),
        caddy.log(),
        json.address(),
        admin.number
    ));
    let belfry = Launch::with(&setup.config()).start();
    // What was there before is not ours to count; Caddy makes its log with the first line.
    poll::holds("all logs should be looked at", || {
        samples(&belfry, "belfry_access_log_read_success").len() == 3
            && sum(&belfry, "belfry_access_log_read_success", &[]) >= 2
    });

    let webs = [("plain", &plain), ("json", &json), ("caddy", &caddy)];
    for (_, web) in webs {
        web.ask("/api/a?token=secret", 7);
        web.ask("/", 2);
        web.ask("/500/x", 3);
        web.ask("/404/y", 4);
        web.ask("/slow/z", 1);
    }
    for (name, web) in webs {
        let label = format!("instance=\"{name}\"");
        let count = |more: &str| requests(&belfry, &[&label, "method=\"GET\"", more]);
        poll::holds(&format!("{name} should be counted whole"), || {
            count("") == 17
        });
        assert_eq!(count("code=\"200\""), 10);
        assert_eq!(count("code=\"500\""), 3);
        assert_eq!(count("code=\"404\""), 4);
        assert_eq!(count("path=\"/api/*\""), 7);
        assert_eq!(count("path=\"other\""), 8);
        let times = |more: &str| {
            let family = "belfry_http_request_duration_seconds_bucket";
            sum(&belfry, family, &[&label, more])
        };
        assert_eq!(times("le=\"+Inf\""), 17);
        let took = durations(&web.log());
        for limit in [0.5, 1.0, 2.5] {
            let within = took.iter().filter(|seconds| **seconds <= limit).count();
            assert_eq!(times(&format!("le=\"{limit}\"")), within as u64, "{took:?}");
        }
        assert!(times("le=\"1\"") < 17, "one is slow");
        let bytes = sum(&belfry, "belfry_http_response_bytes_total", &[&label]);
        assert_eq!(bytes, 170);
        let unreadable = sum(
            &belfry,
            "belfry_access_log_unreadable_lines_total",
            &[&label],
        );
        assert_eq!(unreadable, 0);
    }
    // A connection that the proxy ends without an answer is a request all the same.
    let nothing = http::get(&caddy.address(), "/abort");
    assert!(nothing.is_err(), "{nothing:?}");
    let label = "instance=\"caddy\"";
    poll::holds("it should be counted", || {
        requests(&belfry, &[label, "code=\"0\""]) == 1
    });
    let family = "belfry_access_log_unreadable_lines_total";
    assert_eq!(sum(&belfry, family, &[label]), 0);
    // nginx's combined names no host.
    assert_eq!(
        requests(&belfry, &["instance=\"json\"", "host=\"127.0.0.1\""]),
        17
    );
    assert_eq!(requests(&belfry, &["instance=\"plain\"", "host="]), 0);

    poll::holds("nginx should tell of these requests itself", || {
        sum(&belfry, "nginx_http_requests_total", &["instance=\"json\""]) >= 17
            && sum(&belfry, "nginx_up", &[]) == 1
    });
    poll::holds("caddy should tell of these requests itself", || {
        let labels = ["instance=\"caddy\"", "handler=\"subroute\"", "code=\"500\""];
        sum(
            &belfry,
            "caddy_http_request_duration_seconds_count",
            &labels,
        ) == 3
    });
    let page = belfry.get("/metrics/api").body;
    assert!(!page.contains("secret"), "{page}");
    poll::holds("they should be up", || {
        let answer = belfry
            .get("/api/v1/query?query=up%7Bjob=%22api%22%7D")
            .json();
        answer["data"]["result"].as_array().map(Vec::len) == Some(4)
    });
}

#[test]
fn neither_rotation_nor_a_restart_loses_a_request_or_counts_one_twice() {
    let app = App::start();
    let mut nginx = Web::nginx(&app, COMBINED);
    let setup = Setup::new().exporter(&format!("api: {{logs: [{{file: {:?}}}]}}", nginx.log()));
    let mut belfry = Launch::with(&setup.config()).start();
    poll::holds("the log should be followed", || {
        sum(&belfry, "belfry_access_log_read_success", &[]) == 1
    });
    let mut asked = nginx.ask("/a", 5);
    let counted = |belfry: &Belfry, asked: u64| {
        poll::holds(&format!("{asked} requests should be counted"), || {
            requests(belfry, &[]) >= asked
        });
        assert_eq!(requests(belfry, &[]), asked);
    };
    counted(&belfry, asked);

    // Renamed, and written to until nginx is told.
    nginx.rename_log("access.log.1");
    asked += nginx.ask("/a", 5);
    counted(&belfry, asked);
    nginx.reopen_log();
    poll::holds("nginx should have opened its log", || nginx.log().exists());
    asked += nginx.ask("/a", 5);
    counted(&belfry, asked);

    nginx.cut_log("access.log.2");
    asked += nginx.ask("/a", 2);
    counted(&belfry, asked);

    // Stopped in good order, while nginx goes on and is rotated.
    belfry.signal(rustix::process::Signal::TERM);
    assert!(belfry.wait().success());
    asked += nginx.ask("/a", 3);
    nginx.rename_log("access.log.3");
    nginx.reopen_log();
    poll::holds("nginx should have opened its log", || nginx.log().exists());
    asked += nginx.ask("/a", 4);
    belfry.restart();
    counted(&belfry, asked);

    // A crash: what was counted since the last write is read again.
    asked += nginx.ask("/a", 3);
    counted(&belfry, asked);
    belfry.kill();
    asked += nginx.ask("/a", 3);
    belfry.restart();
    counted(&belfry, asked);
    let rotations = sum(&belfry, "belfry_access_log_rotations_total", &[]);
    assert!(rotations >= 1, "{rotations}");
}

#[test]
fn a_proxy_in_a_container_is_found_and_followed_through_its_restarts() {
    let mut engine = Engine::start();
    let line = r#"{\"logger\":\"http.log.access\",\"msg\":\"handled request\",\"request\":{\"method\":\"GET\",\"host\":\"shop.example\",\"uri\":\"/\"},\"duration\":0.01,\"size\":5,\"status\":200}"#;
    // Each file in the folder is one request; what Caddy says else is none.
    let script = format!(
        "mkdir -p /asked; echo '{{\"logger\":\"admin\",\"msg\":\"started\"}}' >&2; \
         trap 'exit 0' TERM; while :; do for one in /asked/*; do \
         [ -e $one ] && rm $one && echo \"{line}\" >&2; done; sleep 0.05; done"
    );
    engine.run(
        &Container::named("shop-caddy-1")
            .image("caddy:2")
            .script(&script),
    );
    let setup = Setup::new().engine(&engine);
    let belfry = Launch::with(&setup.config()).start();
    let label = "instance=\"shop-caddy-1\"";
    poll::holds("the log should be followed", || {
        sum(&belfry, "belfry_access_log_read_success", &[label]) == 1
    });
    let ask = |engine: &Engine, from: u64, to: u64| {
        let script = format!(
            "mkdir -p /asked; for i in $(seq {} {to}); do touch /asked/$i; done",
            from + 1
        );
        engine.docker(&["exec", "shop-caddy-1", "sh", "-c", &script]);
        to
    };
    let counted = |asked: u64| {
        poll::holds(&format!("{asked} requests should be counted"), || {
            requests(&belfry, &[label, "host=\"shop.example\"", "code=\"200\""]) >= asked
        });
        assert_eq!(requests(&belfry, &[]), asked);
    };
    let mut asked = ask(&engine, 0, 10);
    counted(asked);
    engine.docker(&["restart", "--time", "5", "shop-caddy-1"]);
    asked = ask(&engine, asked, asked + 10);
    counted(asked);

    engine.crash();
    engine.revive();
    engine.docker(&["start", "shop-caddy-1"]);
    asked = ask(&engine, asked, asked + 10);
    counted(asked);
    let unreadable = sum(&belfry, "belfry_access_log_unreadable_lines_total", &[]);
    assert_eq!(unreadable, 0);
}
