//! How sites, heartbeats and peers stand on the page, on a phone and on a desk.

use std::sync::atomic::Ordering;

use crate::probes::page;
use crate::setup::Setup;
use crate::support::belfry::Launch;
use crate::support::chromium::Chromium;
use crate::support::poll;

#[test]
fn what_is_down_is_on_the_page_before_anybody_is_paged_for_it() {
    let (port, status) = page();
    let mut other = Launch::with(&Setup::new().config()).start();
    let config = Setup::new()
        .part(&format!(
            "probe: {{targets: [{{name: app, target: 'http://127.0.0.1:{port}/app'}}, \
             {{name: site, target: 'http://127.0.0.1:{port}/'}}], \
             sites: [{{name: shop, inside: app, outside: site}}]}}"
        ))
        .part("heartbeat: {create: true, expect: {never: {}, idle: {paused: true}}}")
        .part(&format!(
            "peer: {{name: here, interval: 1s, silent_after: 8s, peers: [{{name: vps2, url: 'http://{}'}}]}}",
            other.address()
        ))
        .config();
    let belfry = Launch::with(&config).start();
    let text = |id: &str| {
        let page = belfry.get("/").body;
        let part = page.split(&format!("id=\"{id}\"")).nth(1).expect("a part");
        part.split("</section>").next().expect("its end").to_owned()
    };
    poll::holds(
        "the peer should answer, the site be up, no more be told",
        || {
            text("peers").contains("answers")
                && text("sites").contains(">up<")
                && !belfry.get("/").body.contains("not paged yet")
        },
    );

    status.store(502, Ordering::Relaxed);
    belfry.get("/ping/nightly/3");
    other.kill();
    poll::holds("all three should be told", || {
        let page = belfry.get("/").body;
        [
            "2 probes down",
            "1 heartbeat down",
            "1 peer down",
            "not paged yet",
        ]
        .iter()
        .all(|words| page.contains(words))
    });
    let page = belfry.get("/").body;
    assert!(!page.contains("All is well"), "{page}");
    poll::holds("programs should be told the same", || {
        let told = belfry.get("/api/belfry/v1/health").json();
        told["sites"]["shop"] == "application" && told["peers"][0]["verdict"] == "dead"
    });

    let url = format!("http://{}/", belfry.address());
    let mut chromium = Chromium::start();
    for (width, height) in [(390, 844), (1280, 900)] {
        chromium.open_fitting(&url, width, height);
        for (id, words) in [
            (
                "sites",
                &["shop", "application", "does not answer well"][..],
            ),
            (
                "heartbeats",
                &["nightly", "down", "ended with 3", "never", "idle", "paused"],
            ),
            ("peers", &["vps2", "dead", "heard at"]),
        ] {
            let seen = format!("document.querySelector('#{id}').innerText");
            let seen = chromium.evaluate(&seen).to_string();
            for word in words {
                assert!(seen.contains(word), "{word} at {width}: {seen}");
            }
        }
        // A line of its own for what is wrong, and nothing over anything else.
        let inside = chromium.evaluate(
            "[...document.querySelectorAll('.looks.plain li')].every(li => [...li.children].every(part => part.getBoundingClientRect().right <= innerWidth))",
        );
        assert_eq!(inside, true, "at {width}");
        if let Some(folder) = std::env::var_os("BELFRY_SCREENSHOTS") {
            let name = format!("health-{width}.png");
            chromium.screenshot(&std::path::Path::new(&folder).join(name));
        }
    }
}

#[test]
fn what_was_silenced_before_a_restart_is_known_after_it() {
    let (port, status) = page();
    status.store(502, Ordering::Relaxed);
    let setup = Setup::new()
        .part(&format!(
            "probe: {{targets: [{{name: site, target: 'http://127.0.0.1:{port}/'}}]}}"
        ))
        .rules("- alert: Gone\n  expr: belfry_probe_up == 0\n  labels: {severity: critical}\n");
    let mut belfry = Launch::with(&setup.config()).start();
    let silence = r#"{"matchers":[{"name":"probe","value":"site","isRegex":false,"isEqual":true}],
        "startsAt":"2020-01-01T00:00:00Z","endsAt":"2099-01-01T00:00:00Z","createdBy":"kim","comment":"move"}"#;
    assert_eq!(belfry.post("/api/v2/silences", silence).status, 200);
    let known = |page: &str| {
        ["1 muted", "1 probe down"]
            .iter()
            .all(|words| page.contains(words))
            && !page.contains("not paged yet")
    };
    poll::holds("it should be down and muted", || {
        known(&belfry.get("/").body)
    });
    belfry.kill();
    belfry.restart();
    poll::holds("it should be so still", || known(&belfry.get("/").body));
}
