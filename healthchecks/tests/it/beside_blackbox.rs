//! Debian's blackbox_exporter beside ours, on the same targets by the same
//! `blackbox.yml`: the same names, types and labels, and the same values but for times.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use exposition::Entry;
use healthchecks::probe;

use crate::contract::Told;
use crate::support::{Server, dead_port, find, free_port, look, nginx, saying};
use crate::{certificates, names, proxies, rpc};

const FILE: &str = "\
modules:
  plain: {prober: http, timeout: 9s, http: {preferred_ip_protocol: ip4}}
  matching: {prober: http, timeout: 9s, http: {preferred_ip_protocol: ip4, fail_if_body_not_matches_regexp: [nowhere]}}
  staying: {prober: http, timeout: 9s, http: {preferred_ip_protocol: ip4, follow_redirects: false, valid_status_codes: [301]}}
  packed: {prober: http, timeout: 9s, http: {preferred_ip_protocol: ip4, compression: gzip, headers: {Accept-Encoding: gzip}}}
  posting: {prober: http, timeout: 9s, http: {preferred_ip_protocol: ip4, method: POST, headers: {Content-Type: application/json}, body: '{}', valid_status_codes: [405]}}
  secure: {prober: http, timeout: 9s, http: {preferred_ip_protocol: ip4, tls_config: {ca_file: ROOT, server_name: shop.test}}}
  by_header: {prober: http, timeout: 9s, http: {preferred_ip_protocol: ip4, headers: {Host: shop.test}, tls_config: {ca_file: ROOT}}}
  named: {prober: http, timeout: 9s, http: {preferred_ip_protocol: ip4, tls_config: {ca_file: ROOT}}}
  named_tls: {prober: tcp, timeout: 9s, tcp: {preferred_ip_protocol: ip4, tls: true, tls_config: {ca_file: ROOT}}}
  secure_1: {prober: http, timeout: 9s, http: {preferred_ip_protocol: ip4, enable_http2: false, tls_config: {ca_file: ROOT, server_name: shop.test}}}
  lax: {prober: http, timeout: 9s, http: {preferred_ip_protocol: ip4, tls_config: {insecure_skip_verify: true}}}
  tcp: {prober: tcp, timeout: 9s, tcp: {preferred_ip_protocol: ip4}}
  tls: {prober: tcp, timeout: 9s, tcp: {preferred_ip_protocol: ip4, tls: true, tls_config: {ca_file: ROOT, server_name: shop.test}}}
  banner: {prober: tcp, timeout: 9s, tcp: {preferred_ip_protocol: ip4, query_response: [{send: hello}, {expect: '^SSH-2.0-(.*)', send: 'saw ${1}'}]}}
  deaf: {prober: tcp, timeout: 4s, tcp: {preferred_ip_protocol: ip4, query_response: [{send: hello}, {expect: '^HTTP-2.0-(.*)'}]}}
  dns: {prober: dns, timeout: 9s, dns: {preferred_ip_protocol: ip4, query_name: www.shop.test, query_type: A}}
  dns_tcp: {prober: dns, timeout: 9s, dns: {preferred_ip_protocol: ip4, transport_protocol: tcp, query_name: www.shop.test, query_type: AAAA}}
  dns_serial: {prober: dns, timeout: 9s, dns: {preferred_ip_protocol: ip4, query_name: shop.test, query_type: SOA}}
  dns_mail: {prober: dns, timeout: 9s, dns: {preferred_ip_protocol: ip4, query_name: shop.test, query_type: MX, validate_answer_rrs: {fail_if_not_matches_regexp: ['mail[.]shop']}, validate_additional_rrs: {fail_if_none_matches_regexp: ['192[.]0[.]2[.]20']}}}
  dns_wrong: {prober: dns, timeout: 9s, dns: {preferred_ip_protocol: ip4, query_name: www.shop.test, query_type: A, validate_answer_rrs: {fail_if_matches_regexp: ['192[.]0[.]2[.]11']}}}
  dns_none: {prober: dns, timeout: 9s, dns: {preferred_ip_protocol: ip4, query_name: nope.shop.test, query_type: A}}
  dns_wanted: {prober: dns, timeout: 9s, dns: {preferred_ip_protocol: ip4, query_name: nope.shop.test, query_type: A, valid_rcodes: [NXDOMAIN]}}
  health: {prober: grpc, timeout: 9s, grpc: {preferred_ip_protocol: ip4}}
  health_shop: {prober: grpc, timeout: 9s, grpc: {preferred_ip_protocol: ip4, service: shop}}
  health_late: {prober: grpc, timeout: 9s, grpc: {preferred_ip_protocol: ip4, service: late}}
  health_odd: {prober: grpc, timeout: 9s, grpc: {preferred_ip_protocol: ip4, service: odd}}
  health_absent: {prober: grpc, timeout: 9s, grpc: {preferred_ip_protocol: ip4, service: absent}}
  health_tls: {prober: grpc, timeout: 9s, grpc: {preferred_ip_protocol: ip4, tls: true, tls_config: {ca_file: RPC, server_name: shop.test}}}
  health_untrusted: {prober: grpc, timeout: 9s, grpc: {preferred_ip_protocol: ip4, tls: true, tls_config: {server_name: shop.test}}}
  token: {prober: http, timeout: 9s, http: {preferred_ip_protocol: ip4, oauth2: {client_id: shop, client_secret: a secret, token_url: 'http://127.0.0.1:TOKENS/token'}}}
  proxied: {prober: http, timeout: 9s, http: {preferred_ip_protocol: ip4, proxy_url: 'http://kim:word@127.0.0.1:PROXY', tls_config: {ca_file: ROOT, server_name: shop.test}}}
  stated: {prober: tcp, timeout: 9s, tcp: {preferred_ip_protocol: ip4, source_ip_address: 127.0.0.3}}
  ping: {prober: icmp, timeout: 9s, icmp: {preferred_ip_protocol: ip4}}
";

/// Seconds that differ from run to run; what is compared is that they are there, and of a
/// look that succeeds whether there were any.
fn is_time(series: &str) -> bool {
    series.contains("duration_seconds") || series.contains("lookup_time_seconds")
}

/// Over UDP nothing is connected; theirs counts what it takes to make a socket.
fn is_no_step(series: &str, module: &str) -> bool {
    module != "dns_tcp" && series == "probe_dns_duration_seconds{phase=\"connect\"}"
}

/// What differs on purpose, or by the version of Debian's, each with its reason.
fn differs(name: &str, module: &str) -> bool {
    // Ours by name.
    name.starts_with("belfry_")
        // What newer ones tell, and Debian's does not yet.
        || ["probe_timeout_seconds", "probe_tls_cipher_info", "probe_failed_due_to_bytes"].contains(&name)
        // A raw socket tells it, and one of both may have no right to one.
        || name == "probe_icmp_reply_hop_limit"
        // We read the body of a redirect that is not followed, since rules may be about it.
        || (module == "staying" && name == "probe_http_uncompressed_body_length")
        // With gRPC theirs tells no more of the chain than its first end, 0 without TLS; a rule would take
        // that for a certificate that has ended.
        || (module.starts_with("health") && name == "probe_ssl_last_chain_expiry_timestamp_seconds")
        || (module.starts_with("health") && module != "health_tls" && name == "probe_ssl_earliest_cert_expiry")
        // A chain that is not trusted is told here all the same.
        || (module == "health_untrusted" && (name.starts_with("probe_ssl_") || name.starts_with("probe_tls_")))
        // Without a look at the certificate theirs has no chain that was verified; ours was verified all the same.
        || (module == "lax" && name == "probe_ssl_last_chain_expiry_timestamp_seconds")
}

/// The serial number came to this label set after Debian's version.
fn comparable(labels: &exposition::Labels) -> String {
    let mut labels = labels.edit();
    labels.remove("serialnumber");
    labels.build().to_string()
}

fn series(page: &str) -> (BTreeMap<String, f64>, BTreeSet<String>) {
    let mut values = BTreeMap::new();
    let mut types = BTreeSet::new();
    for entry in exposition::parse(page) {
        match entry.unwrap() {
            Entry::Sample(sample) => {
                values.insert(comparable(&sample.labels), sample.value);
            }
            Entry::Type(name, kind) => {
                types.insert(format!("{name} {}", kind.as_str()));
            }
            _ => {}
        }
    }
    (values, types)
}

/// The host that is asked for beside the target; empty for none.
fn host_of(module: &str) -> &'static str {
    match module.starts_with("named") {
        true => "shop.test",
        false => "",
    }
}

fn ask(port: u16, target: &str, module: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let path = format!(
        "/probe?module={module}&target={}&hostname={}",
        target.replace(':', "%3A").replace('/', "%2F"),
        host_of(module)
    );
    write!(stream, "GET {path} HTTP/1.0\r\nHost: x\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[tokio::test]
async fn both_tell_the_same_of_the_same_targets() {
    let (_tls, authority, ports) = certificates::serve();
    let web = free_port();
    let _nginx = nginx(
        web,
        "gzip on; gzip_min_length 1; gzip_types text/plain; default_type text/plain;
         server { listen 127.0.0.1:PORT; location / { root DIR; } location /moved { return 301 /page; } location /gone { return 410; } }",
        |folder| std::fs::write(folder.join("page"), "some text ".repeat(500)).unwrap(),
    );
    let port = free_port();
    let folder = tempfile::tempdir().unwrap();
    let (_rpc, rpc_authority, [plain, secure, socket, _]) = rpc::serve();
    let (_nsd, zone) = names::serve(names::ZONE);
    let text = FILE.replace("ROOT", &authority.root());
    let (_proxy, proxy) = proxies::proxy();
    let (_tokens, tokens) = proxies::tokens();
    let text = text
        .replace("RPC", &rpc_authority.root())
        .replace("PROXY", &proxy.to_string())
        .replace("TOKENS", &tokens.to_string());
    let file = folder.path().join("blackbox.yml");
    std::fs::write(&file, &text).unwrap();
    let mut command = Command::new(find(
        "prometheus-blackbox-exporter",
        "prometheus-blackbox-exporter",
    ));
    command
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"));
    let _blackbox = Server::start(&mut command, folder, port);

    let config = format!("{{blackbox: {:?}}}", file.display().to_string());
    let config: probe::Config = settings::read("belfry.yml".as_ref(), &config, &|_| None).unwrap();
    let modules = config.load().unwrap().modules;
    let tls = |name: &str| ports.iter().find(|(have, _)| *have == name).unwrap().1;
    let banner = saying("SSH-2.0-OpenSSH_9.2\r\n");
    let mut wrong = Vec::new();
    let mut told = Told::default();
    for (target, module) in [
        (format!("http://127.0.0.1:{web}/page"), "plain"),
        (format!("127.0.0.1:{web}/page"), "plain"),
        (format!("http://127.0.0.1:{web}/moved"), "plain"),
        (format!("http://127.0.0.1:{web}/moved"), "staying"),
        (format!("http://127.0.0.1:{web}/gone"), "plain"),
        (format!("http://127.0.0.1:{web}/page"), "matching"),
        (format!("http://127.0.0.1:{web}/page"), "packed"),
        (format!("http://127.0.0.1:{web}/page"), "posting"),
        (format!("http://127.0.0.1:{}/", dead_port()), "plain"),
        (format!("https://127.0.0.1:{}/", tls("good")), "secure"),
        (format!("https://127.0.0.1:{}/", tls("good")), "secure_1"),
        (format!("https://127.0.0.1:{}/", tls("good")), "by_header"),
        (format!("https://127.0.0.1:{}/", tls("good")), "named"),
        (format!("https://127.0.0.1:{}/", tls("expired")), "lax"),
        (format!("127.0.0.1:{web}"), "tcp"),
        (format!("127.0.0.1:{}", dead_port()), "tcp"),
        (format!("127.0.0.1:{}", tls("good")), "tls"),
        (format!("127.0.0.1:{banner}"), "banner"),
        (format!("127.0.0.1:{banner}"), "deaf"),
        ("127.0.0.1".to_owned(), "ping"),
        (format!("http://127.0.0.1:{tokens}/"), "token"),
        (format!("http://127.0.0.1:{web}/page"), "proxied"),
        (format!("https://127.0.0.1:{}/", tls("good")), "proxied"),
        (format!("127.0.0.1:{web}"), "stated"),
        (format!("127.0.0.1:{zone}"), "dns"),
        (format!("127.0.0.1:{zone}"), "dns_tcp"),
        (format!("127.0.0.1:{zone}"), "dns_serial"),
        (format!("127.0.0.1:{zone}"), "dns_mail"),
        (format!("127.0.0.1:{zone}"), "dns_wrong"),
        (format!("127.0.0.1:{zone}"), "dns_none"),
        (format!("127.0.0.1:{zone}"), "dns_wanted"),
        (format!("127.0.0.1:{}", free_port()), "dns"),
        (format!("127.0.0.1:{plain}"), "health"),
        (format!("127.0.0.1:{plain}"), "health_shop"),
        (format!("127.0.0.1:{plain}"), "health_late"),
        (format!("127.0.0.1:{plain}"), "health_odd"),
        (format!("127.0.0.1:{plain}"), "health_absent"),
        (format!("127.0.0.1:{secure}"), "health_tls"),
        (format!("127.0.0.1:{secure}"), "health_untrusted"),
        (format!("127.0.0.1:{}", dead_port()), "health"),
    ] {
        let (theirs, their_types) = series(&ask(port, &target, module));
        let mut own = (*modules[module]).clone();
        if !host_of(module).is_empty() {
            own.for_host(host_of(module)).unwrap();
        }
        let outcome = probe::run(&target, &own, std::time::Duration::from_secs(9)).await;
        told.add(&outcome.page());
        let (ours, our_types) = series(&outcome.page());
        let name = |series: &str| {
            series
                .split(['{', ' '])
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        let counts = |series: &String| !differs(&name(series), module);
        let missing = theirs
            .keys()
            .filter(|series| counts(series) && !ours.contains_key(*series));
        wrong.extend(missing.map(|series| format!("{module} {target}: only theirs: {series}")));
        let more = ours
            .keys()
            .filter(|series| counts(series) && !theirs.contains_key(*series));
        wrong.extend(more.map(|series| format!("{module} {target}: only ours: {series}")));
        let succeeds = theirs.get("probe_success") == Some(&1.0);
        for (series, value) in theirs.iter().filter(|(series, _)| counts(series)) {
            let same = |own: f64| match is_time(series) {
                true => !succeeds || is_no_step(series, module) || (own > 0.0) == (*value > 0.0),
                false => own.total_cmp(value).is_eq(),
            };
            if let Some(own) = ours.get(series)
                && !same(*own)
            {
                wrong.push(format!(
                    "{module} {target}: {series} is {own}, theirs {value}"
                ));
            }
        }
        let types = their_types
            .iter()
            .filter(|line| counts(line) && !our_types.contains(*line));
        wrong.extend(types.map(|line| format!("{module} {target}: type: {line}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    // Of the prober tcp Debian's passes over the host that is asked for; newer ones do not.
    let mut named = (*modules["named_tls"]).clone();
    let target = format!("127.0.0.1:{}", tls("good"));
    let deadline = std::time::Duration::from_secs(9);
    assert!(
        probe::run(&target, &named, deadline)
            .await
            .failure
            .is_some()
    );
    named.for_host(host_of("named_tls")).unwrap();
    assert_eq!(probe::run(&target, &named, deadline).await.failure, None);

    // Debian's has no prober for WebSockets yet.
    let websocket = look(&format!("ws://127.0.0.1:{socket}/"), "{prober: websocket}").await;
    told.add(&websocket.page());
    told.check();
}
