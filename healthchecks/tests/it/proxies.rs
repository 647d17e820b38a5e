//! What stands between us and the target: a real proxy, a server of tokens, an
//! address of ours that is stated; and files of modules, read as they are.

use std::process::Command;

use healthchecks::probe::{self, Reason};

use crate::certificates;
use crate::support::{Server, dead_port, find, free_port, look, nginx};

/// tinyproxy, with a login.
pub(crate) fn proxy() -> (Server, u16) {
    let port = free_port();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tinyproxy.conf");
    let text =
        format!("Port {port}\nListen 127.0.0.1\nTimeout 20\nMaxClients 20\nBasicAuth kim word\n");
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(find("tinyproxy", "tinyproxy-bin"));
    let server = Server::start(command.arg("-d").arg("-c").arg(&file), folder, port);
    (server, port)
}

/// A page for those who come with a token, and where it is given.
pub(crate) fn tokens() -> (Server, u16) {
    let port = free_port();
    // `shop:a secret`, each part escaped before.
    let block = r#"server { listen 127.0.0.1:PORT;
        location /token {
            if ($http_authorization != "Basic c2hvcDphK3NlY3JldA==") { return 401; }
            if ($request_method != POST) { return 405; }
            return 200 '{"access_token": "t0ken", "token_type": "Bearer", "expires_in": 60}'; }
        location /none { return 200 '{}'; }
        location / {
            if ($http_authorization != "Bearer t0ken") { return 403; }
            return 200 'welcome'; } }"#;
    let block = format!("default_type application/json; {block}");
    (nginx(port, &block, |_| ()), port)
}

#[tokio::test]
async fn a_real_proxy_leads_to_the_target_or_says_why_not() {
    let (_proxy, port) = proxy();
    let (_tls, authority, ports) = certificates::serve();
    let (_web, web) = tokens();
    let root = authority.root();
    let tls = format!("tls_config: {{ca_file: {root:?}, server_name: shop.test}}");
    let through = |login: &str| format!("proxy_url: 'http://{login}127.0.0.1:{port}'");
    let good = through("kim:word@");
    let plain = format!("http://127.0.0.1:{web}/none");
    let secure = format!("https://127.0.0.1:{}/", ports[0].1);
    for (name, target, rest, expected) in [
        ("plain", plain.clone(), good.clone(), None),
        ("a tunnel", secure.clone(), format!("{good}, {tls}"), None),
        (
            "a tunnel with a header for the proxy alone",
            secure.clone(),
            format!(
                "{}, {tls}, proxy_connect_header: {{Proxy-Authorization: [Basic a2ltOndvcmQ=]}}",
                through("")
            ),
            None,
        ),
        (
            "the proxy finds the address",
            plain.replace("127.0.0.1", "localhost"),
            format!("{good}, skip_resolve_phase_with_proxy: true"),
            None,
        ),
        (
            "the certificate is looked at through it",
            secure.clone(),
            good.clone(),
            Some(Reason::TlsUnknownAuthority),
        ),
        (
            "plain, without a login",
            plain.clone(),
            through(""),
            Some(Reason::Status),
        ),
        (
            "a tunnel with a wrong login",
            secure.clone(),
            format!("{}, {tls}", through("kim:wrong@")),
            Some(Reason::Proxy),
        ),
        (
            "nobody behind it",
            format!("https://127.0.0.1:{}/", dead_port()),
            format!("{good}, {tls}"),
            Some(Reason::Proxy),
        ),
        (
            "no proxy",
            plain.clone(),
            format!("proxy_url: 'http://127.0.0.1:{}'", dead_port()),
            Some(Reason::Proxy),
        ),
        (
            "a proxy of another kind",
            plain.clone(),
            "proxy_url: 'socks5://127.0.0.1:1080'".to_owned(),
            Some(Reason::Proxy),
        ),
    ] {
        let outcome = look(&target, &format!("{{prober: http, http: {{{rest}}}}}")).await;
        let told = outcome.failure.as_ref().map(|failure| failure.reason);
        assert_eq!(told, expected, "{name}: {:?}", outcome.failure);
        let said = outcome.failure.map(|failure| failure.to_string());
        assert!(!said.is_some_and(|said| said.contains("wrong@")), "{name}");
    }
}

#[tokio::test]
async fn a_token_is_asked_for_first() {
    let (_web, web) = tokens();
    let asked = |secret: &str, path: &str| {
        format!(
            "{{prober: http, http: {{oauth2: {{client_id: shop, client_secret: {secret}, token_url: 'http://127.0.0.1:{web}{path}', scopes: [read]}}}}}}"
        )
    };
    for (name, module, expected) in [
        ("a token", asked("a secret", "/token"), None),
        (
            "a wrong secret",
            asked("wrong", "/token"),
            Some(Reason::Auth),
        ),
        (
            "an answer without a token",
            asked("a secret", "/none"),
            Some(Reason::Auth),
        ),
        (
            "no such page",
            asked("a secret", "/").replace("shop", "shop2"),
            Some(Reason::Auth),
        ),
        (
            "no token",
            "{prober: http}".to_owned(),
            Some(Reason::Status),
        ),
        (
            "nobody gives one",
            asked("a secret", "/token").replace(&web.to_string(), &dead_port().to_string()),
            Some(Reason::Refused),
        ),
        (
            "every answer is good",
            "{prober: http, http: {accept_any_response: true}}".to_owned(),
            None,
        ),
        (
            "a header by its other name",
            "{prober: http, http: {http_headers: {Authorization: {secrets: [Bearer t0ken]}}}}"
                .to_owned(),
            None,
        ),
    ] {
        let outcome = look(&format!("http://127.0.0.1:{web}/"), &module).await;
        let told = outcome.failure.as_ref().map(|failure| failure.reason);
        assert_eq!(told, expected, "{name}: {:?}", outcome.failure);
    }
}

#[tokio::test]
async fn a_look_goes_out_from_the_address_that_is_stated() {
    let port = free_port();
    let block =
        "server { listen 127.0.0.1:PORT; allow 127.0.0.7; deny all; location / { root DIR; } }";
    let page = |folder: &std::path::Path| std::fs::write(folder.join("page"), "x").unwrap();
    let _nginx = nginx(port, block, page);
    let target = format!("127.0.0.1:{port}");
    let asking =
        "query_response: [{send: \"GET /page HTTP/1.0\\r\\n\\r\"}, {expect: '^HTTP/1.1 200'}]";
    for (from, expected) in [
        ("source_ip_address: 127.0.0.7", None),
        ("source_ip_address: 127.0.0.8", Some(Reason::Body)),
        ("source_ip_address: 203.0.113.1", Some(Reason::Unreachable)),
        ("source_ip_address: ''", Some(Reason::Body)),
    ] {
        let module = format!("{{prober: tcp, tcp: {{{from}, {asking}}}}}");
        let outcome = look(&target, &module).await;
        let told = outcome.failure.as_ref().map(|failure| failure.reason);
        assert_eq!(told, expected, "{from}: {:?}", outcome.failure);
    }
    let ping = "{prober: icmp, icmp: {preferred_ip_protocol: ip4, source_ip_address: 127.0.0.7}}";
    assert_eq!(look("127.0.0.1", ping).await.failure, None);
}

/// All that a file can say and Belfry can do.
const WHOLE: &str = r#"
modules:
  page:
    prober: http
    timeout: 5s
    http:
      valid_http_versions: ["HTTP/1.1", "HTTP/2.0"]
      valid_status_codes: []
      accept_any_response: true
      method: GET
      headers: {Host: shop.example, Accept-Language: de}
      follow_redirects: true
      fail_if_ssl: false
      fail_if_not_ssl: false
      fail_if_body_matches_regexp: ["Traceback"]
      fail_if_body_not_matches_regexp: ["welcome"]
      fail_if_header_matches: [{header: Set-Cookie, allow_missing: true, regexp: '.*'}]
      fail_if_header_not_matches: [{header: Server, regexp: 'nginx'}]
      tls_config: {insecure_skip_verify: false}
      preferred_ip_protocol: "ip4"
      ip_protocol_fallback: false
  proxied:
    prober: http
    http:
      proxy_url: "http://proxy.example:3128"
      skip_resolve_phase_with_proxy: true
      proxy_connect_header: {Proxy-Authorization: [Bearer word]}
  token:
    prober: http
    http:
      oauth2:
        client_id: shop
        client_secret: word
        token_url: https://login.example/token
        endpoint_params: {grant_type: client_credentials}
  mail:
    prober: tcp
    tcp:
      query_response:
        - expect: "^220 ([^ ]+) ESMTP (.+)$"
        - send: "EHLO prober\r"
        - expect: "^250-STARTTLS"
        - send: "STARTTLS\r"
        - expect: "^220"
        - starttls: true
        - send: "QUIT\r"
  echo: {prober: icmp, icmp: {source_ip_address: "127.0.0.1", ttl: 5}}
  name: {prober: dns, dns: {query_name: shop.example, query_type: SOA, transport_protocol: tcp, source_ip_address: 127.0.0.1}}
  health: {prober: grpc, grpc: {service: shop, tls: true, metadata: {authorization: [Bearer word]}}}
"#;

#[test]
fn files_of_modules_are_read_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("blackbox.yml");
    std::fs::write(&whole, WHOLE).unwrap();
    let debian = std::path::Path::new("/etc/prometheus/blackbox.yml");
    assert!(
        debian.exists(),
        "apt-get install prometheus-blackbox-exporter"
    );
    for (file, module) in [(debian, "irc_banner"), (&whole, "token")] {
        let config = format!("{{blackbox: {:?}}}", file.display().to_string());
        let config: probe::Config =
            settings::read("belfry.yml".as_ref(), &config, &|_| None).unwrap();
        let loaded = config.load().unwrap_or_else(|faults| panic!("{faults:?}"));
        assert!(loaded.modules.contains_key(module));
        let shown = format!("{:?}", loaded.modules);
        assert!(!shown.contains("Bearer word"), "{shown}");
    }
}
