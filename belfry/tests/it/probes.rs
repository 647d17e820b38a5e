//! Probes in the whole program: their series, what `/probe` may be asked for,
//! what containers ask for, and the verdict on a site.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use crate::setup::Setup;
use crate::support::belfry::Launch;
use crate::support::container::Container;
use crate::support::engine::Engine;
use crate::support::poll;
use crate::support::redis::Redis;

/// A page whose status the test sets.
pub(crate) fn page() -> (u16, Arc<AtomicU16>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let status = Arc::new(AtomicU16::new(200));
    let said = Arc::clone(&status);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let status = said.load(Ordering::Relaxed);
            let _ = write!(
                stream,
                "HTTP/1.1 {status} x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            );
        }
    });
    (port, status)
}

#[test]
fn probes_are_series_under_blackbox_names_and_what_is_down_is_told_with_its_reason() {
    let redis = Redis::start();
    let (port, status) = page();
    let setup = Setup::new().part(&format!(
        "probe:\n  up_after: 2\n  targets:\n    - {{name: shop, target: 'http://127.0.0.1:{port}/', labels: {{team: web}}}}\n    \
         - {{name: cache, target: '127.0.0.1:{}', module: redis}}\n",
        redis.port()
    ));
    let belfry = Launch::with(&setup.config()).start();
    let shop = format!(
        "{{instance=\"http://127.0.0.1:{port}/\",module=\"http_2xx\",probe=\"shop\",team=\"web\"}}"
    );
    let value = |name: &str| belfry.metric(&format!("{name}{shop}"));
    poll::holds("the page should be up", || {
        value("probe_success") == Some(1.0)
            && value("belfry_probe_up") == Some(1.0)
            && value("probe_http_status_code") == Some(200.0)
    });
    let query = "/api/v1/query?query=probe_success%7Bprobe=%22cache%22%7D";
    poll::holds(
        "rules should see a series whose instance is the target",
        || {
            let body = belfry.get(query).body;
            body.contains(&format!("\"instance\":\"127.0.0.1:{}\"", redis.port()))
                && body.contains("\"job\":\"probe\"")
        },
    );
    status.store(502, Ordering::Relaxed);
    poll::holds("it should be down with its reason", || {
        let page = belfry.get("/metrics/probe").body;
        value("belfry_probe_up") == Some(0.0)
            && page.lines().any(|line| {
                line.starts_with("belfry_probe_failure_info{") && line.contains("reason=\"status\"")
            })
    });
    status.store(200, Ordering::Relaxed);
    poll::holds("it should be up again", || {
        value("belfry_probe_up") == Some(1.0)
    });
    // A look that the machine had no time for is a change as well.
    poll::holds("both changes should be counted", || {
        value("belfry_probe_changes_total") >= Some(2.0)
    });
    let health = belfry.get("/api/belfry/v1/health").json();
    let history = health["probes"][1]["history"].as_array().unwrap();
    assert!(
        history.iter().any(|tick| tick["reason"] == "status"),
        "{health}"
    );
}

#[test]
fn what_a_family_says_is_known_with_its_first_samples() {
    let (port, status) = page();
    let targets = format!("probe: {{targets: [{{target: 'http://127.0.0.1:{port}/'}}]}}");
    let belfry = Launch::with(&Setup::new().part(&targets).config()).start();
    let told = |family: &str| {
        let answer = belfry.get(&format!("/api/v1/metadata?metric={family}"));
        let told = answer
            .json()
            .pointer(&format!("/data/{family}/0/type"))?
            .clone();
        Some(told == "gauge")
    };
    let stored = |family: &str| {
        let answer = belfry.get(&format!("/api/v1/query?query={family}")).body;
        answer.contains("\"__name__\"")
    };
    for (family, answer) in [("probe_success", 200), ("belfry_probe_failure_info", 500)] {
        status.store(answer, Ordering::Relaxed);
        poll::holds("a collection should have it", || stored(family));
        // It is told a moment before its samples are stored.
        assert_eq!(told(family), Some(true), "{family}");
    }
}

#[test]
fn the_page_for_one_probe_is_for_what_is_configured_or_allowed() {
    let (port, _status) = page();
    let setup = Setup::new();
    let file = setup.file(
        "blackbox.yml",
        "modules:\n  mine: {prober: http, timeout: 20s, http: {preferred_ip_protocol: ip4, valid_status_codes: [200], headers: {Authorization: Bearer sesame}}}\n",
    );
    let setup = setup.part(&format!(
            "probe:\n  blackbox: {file:?}\n  targets: [{{target: 'http://127.0.0.1:{port}/'}}]\n  allow: [{{target: 'http://localhost:{port}/|http://localhost:{port}/x', module: mine}}]"
    ));
    let belfry = Launch::with(&setup.config()).start();
    let ask =
        |target: &str, module: &str| belfry.get(&format!("/probe?target={target}&module={module}"));
    for (target, module, status) in [
        (format!("http://127.0.0.1:{port}/"), "http_2xx", 200),
        (format!("http://localhost:{port}/x"), "mine", 200),
        (format!("http://localhost:{port}/xy"), "mine", 403),
        (format!("http://localhost:{port}/x"), "http_2xx", 403),
        ("http://169.254.169.254/latest".to_owned(), "http_2xx", 403),
        ("127.0.0.1:22".to_owned(), "tcp_connect", 403),
        (format!("http://127.0.0.1:{port}/"), "nope", 400),
        (String::new(), "mine", 400),
    ] {
        let answer = ask(&target, module);
        assert_eq!(answer.status, status, "{target} {module}: {}", answer.body);
        assert_eq!(
            answer.body.contains("\nprobe_success 1\n"),
            status == 200,
            "{}",
            answer.body
        );
    }
    let said = belfry.get(&format!(
        "/probe?target=http://localhost:{port}/x&module=mine&debug=true"
    ));
    assert!(
        said.body.contains("succeeded") && said.body.contains("\"Authorization\": <secret>\n"),
        "{}",
        said.body
    );
    assert!(!said.body.contains("sesame"), "{}", said.body);
    // As rules made for blackbox_exporter ask.
    poll::holds("the unknown module should be counted", || {
        belfry.metric("blackbox_module_unknown_total") == Some(1.0)
    });
}

#[test]
fn a_module_that_cannot_be_is_refused_with_file_and_line() {
    let setup = Setup::new();
    let file = setup.file(
        "blackbox.yml",
        "modules:\n  m:\n    prober: http\n    http:\n      proxy_from_environment: true\n",
    );
    let setup = setup.part(&format!("probe: {{blackbox: {file:?}}}"));
    let (code, log) = Launch::with(&setup.config()).fail();
    assert_eq!(code, Some(3));
    assert!(
        log.contains("blackbox.yml:5") && log.contains("proxy_from_environment"),
        "{log}"
    );
}

#[test]
fn a_container_asks_to_be_looked_at_by_its_label() {
    let engine = Engine::start();
    engine.create_network("shop");
    let serve = "mkdir -p /w; echo fine >/w/index.html; httpd -f -p 8080 -h /w";
    engine.run(
        &Container::named("shop-web-1")
            .compose("shop", "web")
            .network("shop")
            .script(serve)
            .label("belfry.probe", ":8080/"),
    );
    let belfry = Launch::with(&Setup::new().engine(&engine).config()).start();
    poll::holds("it should be looked at", || {
        let page = belfry.get("/metrics/probe").body;
        page.lines().any(|line| {
            line.starts_with("probe_success{")
                && line.contains("probe=\"shop-web-1\"")
                && line.contains("service=\"web\"")
                && line.ends_with(" 1")
        })
    });
}

#[test]
fn a_site_that_is_looked_at_twice_has_one_verdict() {
    let (app, app_status) = page();
    let (proxy, proxy_status) = page();
    let config = Setup::new()
        .part(&format!(
            "probe:\n  up_after: 1\n  targets:\n    - {{name: app, target: 'http://127.0.0.1:{app}/'}}\n    - {{name: site, target: 'http://127.0.0.1:{proxy}/'}}\n  \
             sites: [{{name: shop, inside: app, outside: site}}]"
        ))
        .config();
    let belfry = Launch::with(&config).start();
    for (app, proxy, verdict) in [
        (200, 200, "ok"),
        (500, 502, "application"),
        (200, 502, "proxy"),
        (200, 200, "ok"),
    ] {
        app_status.store(app, Ordering::Relaxed);
        proxy_status.store(proxy, Ordering::Relaxed);
        poll::holds(verdict, || {
            belfry.metric(&format!(
                "belfry_site_verdict{{site=\"shop\",verdict=\"{verdict}\"}}"
            )) == Some(1.0)
        });
    }
}
