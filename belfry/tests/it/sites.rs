//! Sites that are found where they are configured already, and how they are shown.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::Ordering;

use crate::probes::page;
use crate::setup::Setup;
use crate::support::belfry::{Belfry, Launch};
use crate::support::chromium::Chromium;
use crate::support::claim;
use crate::support::poll;
use crate::support::postgres::Postgres;
use crate::support::process::Process;
use crate::support::program;
use crate::support::scratch::Scratch;

/// The probes by their names, with whether they are up.
fn probes(belfry: &Belfry) -> Vec<(String, Option<bool>)> {
    let page = belfry.get("/api/belfry/v1/health").json();
    let probes = page["probes"].as_array().unwrap().iter();
    probes
        .map(|probe| {
            let name = probe["name"].as_str().unwrap();
            (name.to_owned(), probe["up"].as_bool())
        })
        .collect()
}

#[track_caller]
fn wait_for_up(belfry: &Belfry, names: &[&str]) {
    let wanted: Vec<_> = names
        .iter()
        .map(|name| ((*name).to_owned(), Some(true)))
        .collect();
    poll::holds(&format!("{names:?} should be up, and no others"), || {
        probes(belfry) == wanted
    });
}

#[test]
fn the_sites_of_caddy_are_looked_at_while_it_serves_them() {
    let scratch = Scratch::new();
    let (admin, one, two) = (claim::port(), claim::port(), claim::port());
    let admin_at = format!("127.0.0.1:{}", admin.number);
    let caddyfile = |sites: &[u16]| {
        let sites: String = sites
            .iter()
            .map(|port| format!("http://127.0.0.1:{port} {{\n\trespond fine\n}}\n"))
            .collect();
        scratch.file("Caddyfile", &format!("{{\n\tadmin {admin_at}\n}}\n{sites}"))
    };
    let caddy = |words: &[&str], file: &Path| {
        let mut command = Command::new(program::find("caddy", "caddy"));
        command
            .args(words)
            .args(["--adapter", "caddyfile", "--config"])
            .arg(file)
            .env("HOME", &scratch.path);
        command
    };
    let file = caddyfile(&[one.number, two.number]);
    let log = scratch.path.join("caddy.log");
    let mut server = Process::spawn("caddy", &mut caddy(&["run"], &file), &log);
    let discover = |place: &str| {
        let setup = Setup::new().part(&format!(
            "probe: {{up_after: 1, discover: {{interval: 1s, caddy: ['{place}']}}}}"
        ));
        (setup.config(), setup)
    };
    let (by_admin, _setup) = discover(&format!("http://{admin_at}"));
    let mut belfry = Launch::with(&by_admin).start();
    let site = |port: u16| format!("http://127.0.0.1:{port}/");
    let mut both = [site(one.number), site(two.number)];
    both.sort();
    wait_for_up(&belfry, &[&both[0], &both[1]]);
    let file = caddyfile(&[two.number]);
    program::run(&mut caddy(&["reload", "--address", &admin_at], &file));
    wait_for_up(&belfry, &[&site(two.number)]);

    // What cannot be read keeps what it said last, and is told.
    server.signal(rustix::process::Signal::TERM);
    let source = format!("{{source=\"caddy http://{admin_at}\"}}");
    poll::holds("it should be told", || {
        belfry.metric(&format!("belfry_probe_discovery_up{source}")) == Some(0.0)
    });
    poll::holds("its site should be looked at and be down", || {
        probes(&belfry) == [(site(two.number), Some(false))]
    });
    // The Caddyfile says the same.
    let (by_file, _setup) = discover(&file.display().to_string());
    belfry.reload(&by_file);
    let _server = Process::spawn("caddy", &mut caddy(&["run"], &file), &log);
    wait_for_up(&belfry, &[&site(two.number)]);
}

#[test]
fn the_sites_of_nginx_are_looked_at_over_its_includes() {
    let scratch = Scratch::new();
    let (one, two) = (claim::port(), claim::port());
    fs::create_dir(scratch.path.join("sites")).unwrap();
    let folder = scratch.path.display();
    let main = scratch.file(
        "nginx.conf",
        &format!(
            "daemon off;\npid {folder}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\n  access_log off;\n  include sites/*.conf;\n}}\n"
        ),
    );
    let server = |name: &str, port: u16| {
        fs::write(
            scratch.path.join(format!("sites/{name}.conf")),
            format!(
                "server {{\n  listen 127.0.0.1:{port};\n  server_name localhost ~^never; # not this\n  return 200 'fine;}}';\n}}\n"
            ),
        )
        .unwrap();
    };
    server("one", one.number);
    server("two", two.number);
    let mut command = Command::new(program::find("nginx", "nginx-light"));
    command.arg("-p").arg(&scratch.path).arg("-c").arg(&main);
    let _nginx = Process::spawn("nginx", &mut command, &scratch.path.join("nginx.log"));
    let config = Setup::new()
        .part(&format!(
            "probe: {{up_after: 1, discover: {{interval: 1s, nginx: [{main:?}]}}}}"
        ))
        .config();
    let belfry = Launch::with(&config).start();
    let site = |port: u16| format!("http://localhost:{port}/");
    let mut both = [site(one.number), site(two.number)];
    both.sort();
    wait_for_up(&belfry, &[&both[0], &both[1]]);
    fs::remove_file(scratch.path.join("sites/one.conf")).unwrap();
    wait_for_up(&belfry, &[&site(two.number)]);
}

#[test]
fn targets_stand_in_a_table_and_end_with_their_rows() {
    let mut postgres = Postgres::start();
    let (port, _) = page();
    postgres.query("create table sites (name text, url text)");
    let insert = |name: &str, path: &str| {
        postgres.query(&format!(
            "insert into sites values ('{name}', 'http://127.0.0.1:{port}/{path}')"
        ));
    };
    insert("docs", "d");
    insert("shop", "s");
    let config = Setup::new()
        .exporter(&format!(
            "postgres: {{interval: 1s, servers: [{{url: 'postgres://postgres@127.0.0.1:{}/postgres'}}], \
             queries: [{{name: shop_sites, sql: 'select name, url, 1 as value from sites', labels: [name, url], interval: 1s}}]}}",
            postgres.port()
        ))
        .part("probe: {up_after: 1, discover: {interval: 1s, series: [shop_sites, 'max by (name, url) (shop_sites)']}}")
        .config();
    let mut belfry = Launch::with(&config).start();
    wait_for_up(&belfry, &["docs", "shop"]);
    postgres.query("delete from sites where name = 'docs'");
    wait_for_up(&belfry, &["shop"]);

    // A database that is down names no sites, which is no reason to look at them no more.
    postgres.stop();
    let source = "{source=\"series shop_sites\"}";
    poll::holds("it should be told that the table cannot be read", || {
        belfry.metric(&format!("belfry_probe_discovery_up{source}")) == Some(0.0)
    });
    let named = belfry.get("/api/v1/query?query=shop_sites").json();
    assert_eq!(
        named["data"]["result"],
        serde_json::json!([]),
        "its rows have ended"
    );
    wait_for_up(&belfry, &["shop"]);
    // Nor is a restart meanwhile.
    belfry.signal(rustix::process::Signal::TERM);
    belfry.wait();
    belfry.restart();
    poll::holds("it should be told after a restart too", || {
        belfry.metric(&format!("belfry_probe_discovery_up{source}")) == Some(0.0)
    });
    wait_for_up(&belfry, &["shop"]);
    // Of a maximum nobody knows whence it came.
    let most = "{source=\"series max by (name, url) (shop_sites)\"}";
    for (name, expected) in [("up", 0.0), ("targets", 1.0)] {
        let name = format!("belfry_probe_discovery_{name}{most}");
        poll::holds(&format!("{name} should be {expected}"), || {
            belfry.metric(&name) == Some(expected)
        });
    }
    postgres.start_again();
    poll::holds("it should be read again", || {
        belfry.metric(&format!("belfry_probe_discovery_up{source}")) == Some(1.0)
    });
    postgres.query("delete from sites");
    wait_for_up(&belfry, &[]);
}

#[test]
fn the_page_shows_the_last_looks_at_each_site_on_a_phone_and_a_desk() {
    let (port, status) = page();
    let config = Setup::new()
        .part(&format!(
            "probe: {{up_after: 1, targets: [{{name: shop, target: 'http://127.0.0.1:{port}/a-long-path/that/does/not/break/at/any/place/of/its/own?with=much&behind=it'}}, \
             {{name: docs, target: 'http://127.0.0.1:{port}/'}}]}}"
        ))
        .config();
    let belfry = Launch::with(&config).start();
    wait_for_up(&belfry, &["docs", "shop"]);
    status.store(502, Ordering::Relaxed);
    poll::holds("both should be down", || {
        probes(&belfry).iter().all(|(_, up)| *up == Some(false))
    });
    status.store(200, Ordering::Relaxed);
    wait_for_up(&belfry, &["docs", "shop"]);
    let url = format!("http://{}/", belfry.address());
    let mut chromium = Chromium::start();
    for (width, height) in [(390, 844), (1280, 900)] {
        chromium.open_fitting(&url, width, height);
        let seen = chromium
            .evaluate("document.querySelector('#probes').innerText")
            .to_string();
        for word in ["2 looked at", "shop", "up since", "failed: status × "] {
            assert!(seen.contains(word), "{word} at {width}: {seen}");
        }
        let strip = "document.querySelector('.looks .strip').getBoundingClientRect()";
        let wide = chromium.evaluate(&format!("{strip}.width"));
        assert!(wide.as_f64().unwrap() > 200.0, "{wide} at {width}");
        let drawn = chromium.evaluate(
            "[...document.querySelectorAll('.looks .strip')].every(s => s.querySelector('.good').getBBox().width > 0 && s.querySelector('.bad').getBBox().height === 20)",
        );
        assert_eq!(drawn, true, "good and bad looks at {width}");
    }
}
