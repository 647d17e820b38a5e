//! The verdict on a site that is looked at from inside and from outside, with
//! a real proxy, a real network and a real name server that are made to fail.

use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use crate::setup::Setup;
use crate::support::belfry::{Belfry, Launch};
use crate::support::certificate::Certificate;
use crate::support::claim::{self, Claim};
use crate::support::container::Container;
use crate::support::engine::Engine;
use crate::support::poll;
use crate::support::process::Process;
use crate::support::program;
use crate::support::scratch::Scratch;

/// A container that serves a page on two ports, as an application would.
const SERVE: &str =
    "mkdir -p /w; echo fine >/w/index.html; httpd -p 8081 -h /w; httpd -p 8080 -h /w; sleep 6000";

/// nginx with this server block; `PORT` is its port.
fn nginx(scratch: &Scratch, port: &Claim, server: &str) -> Process {
    let dir = scratch.path.display().to_string();
    let block = server.replace("PORT", &port.number.to_string());
    let text = format!(
        "daemon off; user root; worker_processes 1; pid {dir}/pid; error_log stderr;
         events {{ worker_connections 64; }}
         http {{ access_log off; client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3;
           uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5; {block} }}"
    );
    let file = scratch.file("nginx.conf", &text);
    let mut command = Command::new(program::find("nginx", "nginx-light"));
    command.arg("-c").arg(file).arg("-p").arg(&scratch.path);
    let mut nginx = Process::spawn("nginx", &mut command, &scratch.path.join("nginx.log"));
    let address = format!("127.0.0.1:{}", port.number);
    nginx.ready("nginx should listen", || {
        std::net::TcpStream::connect(&address).ok()
    });
    nginx
}

/// Belfry with a pair of probes; `more` stands behind the name of the site.
fn watch(inside: &str, outside: &str, more: &str) -> Belfry {
    let config = Setup::new()
        .part(&format!(
            "probe:\n  up_after: 1\n  interval: 5s\n  modules:\n{more}\n  sites: [{{name: shop, inside: app, outside: site{}}}]\n  targets:\n    \
             - {{name: app, target: {inside:?}}}\n    - {outside}\n",
            if more.contains("leads") { ", dns: leads" } else { "" }
        ))
        .config();
    Launch::with(&config).start()
}

#[track_caller]
fn expect(belfry: &Belfry, verdict: &str) {
    poll::holds(&format!("the verdict should be {verdict}"), || {
        let series = format!("belfry_site_verdict{{site=\"shop\",verdict=\"{verdict}\"}}");
        belfry.metric(&series) == Some(1.0)
    });
}

/// Waits until the page of probes has this.
#[track_caller]
fn tells(belfry: &Belfry, words: &str) {
    poll::holds(words, || belfry.get("/metrics/probe").body.contains(words));
}

/// The status that a probe saw last.
fn status(belfry: &Belfry, probe: &str) -> Option<f64> {
    let page = belfry.get("/metrics/probe").body;
    let line = page.lines().find(|line| {
        line.starts_with("probe_http_status_code{") && line.contains(&format!("probe=\"{probe}\""))
    })?;
    line.rsplit(' ').next()?.parse().ok()
}

const SITE: &str = "{name: site, target: 'http://127.0.0.1:PORT/'}";

/// An application in a container, with one network to the proxy and one to us.
fn platform() -> (Engine, String, String) {
    let engine = Engine::start();
    engine.create_network("front");
    engine.create_network("back");
    engine.run(&Container::named("app").network("front").script(SERVE));
    engine.docker(&["network", "connect", "back", "app"]);
    let (front, back) = (
        engine.address("app", "front"),
        engine.address("app", "back"),
    );
    (engine, front, back)
}

#[test]
fn a_502_with_the_application_down_is_the_application() {
    let (engine, front, back) = platform();
    let (scratch, port) = (Scratch::new(), claim::port());
    let block = format!(
        "server {{ listen 127.0.0.1:PORT; location / {{ proxy_pass http://{front}:8080; }} }}"
    );
    let _nginx = nginx(&scratch, &port, &block);
    let site = SITE.replace("PORT", &port.number.to_string());
    let belfry = watch(&format!("http://{back}:8080/"), &site, "    {}");
    expect(&belfry, "ok");
    engine.docker(&["exec", "app", "killall", "httpd"]);
    expect(&belfry, "application");
    poll::holds("the proxy should say 502", || {
        status(&belfry, "site") == Some(502.0)
    });
    engine.docker(&["exec", "app", "httpd", "-p", "8080", "-h", "/w"]);
    expect(&belfry, "ok");
}

#[test]
fn a_502_with_the_network_cut_is_the_proxy() {
    let (engine, front, back) = platform();
    let (scratch, port) = (Scratch::new(), claim::port());
    // The kernel says after some seconds that nobody is there.
    let block = format!(
        "server {{ listen 127.0.0.1:PORT; location / {{ proxy_pass http://{front}:8080; proxy_connect_timeout 60s; }} }}"
    );
    let _nginx = nginx(&scratch, &port, &block);
    let site = SITE.replace("PORT", &port.number.to_string());
    let belfry = watch(&format!("http://{back}:8080/"), &site, "    {}");
    expect(&belfry, "ok");
    engine.docker(&["network", "disconnect", "front", "app"]);
    expect(&belfry, "proxy");
    poll::holds("the application should be well", || {
        status(&belfry, "app") == Some(200.0)
    });
    poll::holds("the proxy should say that it reaches nobody", || {
        status(&belfry, "site") == Some(502.0)
    });
    expect(&belfry, "proxy");
    engine.docker(&["network", "connect", "front", "app"]);
    expect(&belfry, "ok");
}

/// nsd with one zone; the port.
fn names(scratch: &Scratch, port: &Claim, address: &str) -> Process {
    let dir = scratch.path.display().to_string();
    zone(&scratch.path, address, 1);
    let text = format!(
        "server:\n ip-address: 127.0.0.1@{}\n username: \"\"\n chroot: \"\"\n zonesdir: {dir}\n database: \"\"\n pidfile: {dir}/pid\n \
         xfrdfile: {dir}/xfrd\n zonelistfile: {dir}/list\n xfrdir: {dir}\nremote-control:\n control-enable: no\nzone:\n name: shop.test\n zonefile: zone\n",
        port.number
    );
    let file = scratch.file("nsd.conf", &text);
    let mut command = Command::new(program::find("nsd", "nsd"));
    command.arg("-d").arg("-c").arg(file);
    let mut nsd = Process::spawn("nsd", &mut command, &scratch.path.join("nsd.log"));
    let address = format!("127.0.0.1:{}", port.number);
    nsd.ready("nsd should listen", || {
        std::net::TcpStream::connect(&address).ok()
    });
    nsd
}

fn zone(folder: &Path, address: &str, serial: u32) {
    let text = format!(
        "$ORIGIN shop.test.\n$TTL 1\n@ SOA ns ops {serial} 3600 600 86400 1\n@ NS ns\nns A 127.0.0.1\n@ A {address}\n"
    );
    std::fs::write(folder.join("zone"), text).unwrap();
}

#[test]
fn a_name_that_leads_elsewhere_is_the_name() {
    let (scratch, port) = (Scratch::new(), claim::port());
    let block = "server { listen 127.0.0.1:PORT; location / { return 200; } location = /elsewhere { return 404; } }";
    let _nginx = nginx(&scratch, &port, block);
    let (zones, dns) = (Scratch::new(), claim::port());
    let mut nsd = names(&zones, &dns, "192.0.2.7");
    let page = format!("http://127.0.0.1:{}/", port.number);
    // What stands where the name leads now is no site of ours.
    let module = format!(
        "    leads: {{prober: domain, domain: {{resolvers: ['127.0.0.1:{}'], here: true, addresses: ['192.0.2.7']}}}}",
        dns.number
    );
    let site = format!(
        "{{name: site, target: '{page}elsewhere'}}\n    - {{name: leads, module: leads, target: shop.test}}"
    );
    let belfry = watch(&page, &site, &module);
    expect(&belfry, "proxy");
    zone(&zones.path, "203.0.113.9", 2);
    nsd.signal(Signal::HUP);
    expect(&belfry, "dns");
    tells(&belfry, "reason=\"dns_elsewhere\"");
    // No such name at all, by the system's own name servers.
    let page = format!("http://127.0.0.1:{}/", port.number);
    let belfry = watch(
        &page,
        "{name: site, target: 'http://shop.invalid/'}",
        "    {}",
    );
    expect(&belfry, "dns");
}

#[test]
fn a_certificate_that_has_ended_is_the_certificate() {
    let (scratch, port) = (Scratch::new(), claim::port());
    let good = Certificate::for_host("shop.test", &scratch.path);
    let folder = &scratch.path;
    let ended = folder.join("ended.pem");
    let mut command = Command::new(program::find("faketime", "faketime"));
    command
        .args([
            "2020-01-01 00:00:00",
            "openssl",
            "req",
            "-x509",
            "-noenc",
            "-days",
            "10",
        ])
        .args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args([
            "-subj",
            "/CN=shop.test",
            "-addext",
            "subjectAltName=DNS:shop.test",
        ])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-CA"])
        .arg(&good.authority)
        .arg("-CAkey")
        .arg(folder.join("shop.test-authority-key.pem"))
        .arg("-keyout")
        .arg(folder.join("ended-key.pem"))
        .arg("-out")
        .arg(&ended);
    program::run(&mut command);
    let (chain, key) = (folder.join("served.pem"), folder.join("served-key.pem"));
    std::fs::copy(&good.chain, &chain).unwrap();
    std::fs::copy(&good.key, &key).unwrap();
    let block = format!(
        "server {{ listen 127.0.0.1:PORT ssl; ssl_certificate {}; ssl_certificate_key {}; location / {{ return 200; }} }}",
        chain.display(),
        key.display()
    );
    let mut proxy = nginx(&scratch, &port, &block);
    let (app, plain) = (Scratch::new(), claim::port());
    let _app = nginx(
        &app,
        &plain,
        "server { listen 127.0.0.1:PORT; location / { return 200; } }",
    );
    let module = format!(
        "    https: {{prober: http, http: {{tls_config: {{ca_file: {:?}, server_name: shop.test}}}}}}",
        good.authority
    );
    let target = format!("https://127.0.0.1:{}/", port.number);
    let belfry = watch(
        &format!("http://127.0.0.1:{}/", plain.number),
        &format!(
            "{{name: site, target: {target:?}, module: https, certificate: {:?}}}",
            good.chain
        ),
        &module,
    );
    expect(&belfry, "ok");
    std::fs::copy(&ended, &chain).unwrap();
    std::fs::copy(folder.join("ended-key.pem"), &key).unwrap();
    proxy.signal(Signal::HUP);
    expect(&belfry, "certificate");
    // The good one still lies on the disk: whoever reloads has it back.
    tells(&belfry, "reason=\"tls_not_reloaded\"");
    poll::holds("the series of it should say so", || {
        let page = belfry.get("/metrics/probe").body;
        page.lines()
            .any(|line| line.starts_with("belfry_probe_ssl_not_reloaded{") && line.ends_with(" 1"))
    });
}

#[test]
fn a_host_that_nobody_reaches_is_the_host() {
    let (engine, front, _) = platform();
    let site = format!("{{name: site, target: 'http://{front}:8081/'}}");
    let belfry = watch(&format!("http://{front}:8080/"), &site, "    {}");
    expect(&belfry, "ok");
    engine.docker(&["network", "disconnect", "front", "app"]);
    expect(&belfry, "host");
    engine.docker(&["network", "connect", "front", "app"]);
    expect(&belfry, "ok");
}
