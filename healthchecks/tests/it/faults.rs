//! Faults by name, each with the reason that it must be told by.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use healthchecks::probe::Reason;

use crate::support::{
    crafted, dead_port, free_port, hold, look, nginx, reason, saying, saying_and_closing,
};

const OK: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\n";

/// An answer of HTTP with this body.
pub(crate) fn answer(headers: &str, body: &str) -> String {
    format!("{OK}Content-Length: {}\r\n{headers}\r\n{body}", body.len())
}

/// Says a piece of a body now and then, for ever.
fn drip(head: String) -> u16 {
    crafted(move |mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(head.as_bytes());
        while stream.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    })
}

/// A port whose connections are reset at once.
fn resetting() -> u16 {
    crafted(|stream| {
        let _ = (&stream).read(&mut [0; 4096]);
        rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
    })
}

/// A port whose queue is full, so that the kernel answers nobody; as long as what is returned lives.
fn full() -> (u16, Vec<TcpStream>, TcpListener) {
    use rustix::net::{AddressFamily, SocketType, bind, listen, socket};
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&socket, &std::net::SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    listen(&socket, 0).unwrap();
    let listener = TcpListener::from(socket);
    let address = listener.local_addr().unwrap();
    let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(300));
    let waiting = std::iter::from_fn(|| connect().ok()).take(64).collect();
    (address.port(), waiting, listener)
}

#[tokio::test]
async fn each_fault_of_http_has_its_reason() {
    let (full_port, _waiting, _listener) = full();
    let dead = dead_port();
    let servers = format!(
        "server {{ listen 127.0.0.1:PORT;
           location / {{ return 200 'fine'; }}
           location /missing {{ return 404; }}
           location /app-down {{ proxy_pass http://127.0.0.1:{dead}; }}
           location /loop {{ return 302 /loop; }}
           location /once {{ return 301 /; }}
           location /nowhere {{ return 302 gopher://x/; }}
           location /dead {{ return 302 http://127.0.0.1:{dead}/; }}
           location /json {{ default_type application/json; return 200 '{{\"status\": \"degraded\", \"n\": [1]}}'; }}
           location /error {{ return 200 'Traceback (most recent call last)'; }}
           location /files {{ alias DIR/files; auth_basic x; auth_basic_user_file DIR/users; }}
         }}"
    );
    let port = free_port();
    let _nginx = nginx(port, &servers, |folder| {
        std::fs::create_dir(folder.join("files")).unwrap();
        std::fs::write(folder.join("files/a"), "secret").unwrap();
        std::fs::write(folder.join("users"), "kim:{PLAIN}word\n").unwrap();
    });
    let at = |path: &str| format!("http://127.0.0.1:{port}{path}");
    let on = |port: u16| format!("http://127.0.0.1:{port}/");
    let http = |rest: &str| format!("{{prober: http, timeout: 20s, http: {{{rest}}}}}");
    let short = |rest: &str| format!("{{prober: http, timeout: 4s, http: {{{rest}}}}}");
    let bomb = {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        for _ in 0..100 {
            gzip.write_all(&[0; 1 << 20]).unwrap();
        }
        let packed = gzip.finish().unwrap();
        let head = format!(
            "{OK}Content-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
            packed.len()
        );
        saying([head.as_bytes(), &packed].concat())
    };
    for (name, target, module, expected) in [
        ("all is well", at("/"), http(""), None),
        ("nobody listens", on(dead), http(""), Some(Reason::Refused)),
        (
            "the queue is full",
            on(full_port),
            short(""),
            Some(Reason::ConnectTimeout),
        ),
        ("reset", on(resetting()), http(""), Some(Reason::Reset)),
        (
            "silent",
            on(crafted(hold)),
            short(""),
            Some(Reason::FirstByteTimeout),
        ),
        (
            "closed without a word",
            on(saying_and_closing("")),
            http(""),
            Some(Reason::Closed),
        ),
        (
            "half a head",
            on(saying_and_closing("HTTP/1.1 200 OK\r\nA: b")),
            http(""),
            Some(Reason::Closed),
        ),
        (
            "another protocol",
            on(saying("SSH-2.0-OpenSSH_9.2\r\n")),
            http(""),
            Some(Reason::Protocol),
        ),
        (
            "a head without end",
            on(drip(format!("{OK}A: "))),
            short(""),
            Some(Reason::FirstByteTimeout),
        ),
        (
            "a huge head",
            on(saying(format!("{OK}A: {}\r\n\r\n", "x".repeat(200_000)))),
            http(""),
            Some(Reason::Protocol),
        ),
        (
            "a body that drips",
            on(drip(format!("{OK}\r\n"))),
            short(""),
            Some(Reason::BodyTimeout),
        ),
        (
            "a body that stops",
            on(saying(format!("{OK}Content-Length: 9\r\n\r\nabc"))),
            short(""),
            Some(Reason::BodyTimeout),
        ),
        (
            "a body cut off",
            on(saying_and_closing(format!(
                "{OK}Content-Length: 9\r\n\r\nabc"
            ))),
            http(""),
            Some(Reason::Closed),
        ),
        ("not found", at("/missing"), http(""), Some(Reason::Status)),
        (
            "not found, as wanted",
            at("/missing"),
            http("valid_status_codes: [404]"),
            None,
        ),
        (
            "502 with the application down",
            at("/app-down"),
            http(""),
            Some(Reason::Status),
        ),
        (
            "a redirect loop",
            at("/loop"),
            http(""),
            Some(Reason::RedirectLoop),
        ),
        ("a redirect that is followed", at("/once"), http(""), None),
        (
            "a redirect that is not followed",
            at("/once"),
            http("follow_redirects: false"),
            Some(Reason::Status),
        ),
        (
            "a redirect to nowhere",
            at("/nowhere"),
            http(""),
            Some(Reason::RedirectInvalid),
        ),
        (
            "a redirect to a dead port",
            at("/dead"),
            http(""),
            Some(Reason::Refused),
        ),
        (
            "a word that must not be there",
            at("/error"),
            http("fail_if_body_matches_regexp: [Traceback]"),
            Some(Reason::Body),
        ),
        (
            "a word that is missing",
            at("/"),
            http("fail_if_body_not_matches_regexp: [welcome]"),
            Some(Reason::Body),
        ),
        (
            "a header that is missing",
            at("/"),
            http("fail_if_header_not_matches: [{header: X-App, regexp: shop}]"),
            Some(Reason::Header),
        ),
        (
            "a header that is wrong",
            at("/"),
            http("fail_if_header_not_matches: [{header: Server, regexp: caddy}]"),
            Some(Reason::Header),
        ),
        (
            "a header that must not be",
            at("/"),
            http("fail_if_header_matches: [{header: Server, regexp: nginx}]"),
            Some(Reason::Header),
        ),
        (
            "JSON that says otherwise",
            at("/json"),
            http("json: [{path: status, equals: ok}]"),
            Some(Reason::Json),
        ),
        (
            "JSON without the place",
            at("/json"),
            http("json: [{path: n.3}]"),
            Some(Reason::Json),
        ),
        (
            "no JSON",
            at("/"),
            http("json: [{path: status}]"),
            Some(Reason::Json),
        ),
        (
            "a body too long",
            at("/"),
            http("body_size_limit: 3B"),
            Some(Reason::BodyTooLarge),
        ),
        (
            "a decompression bomb",
            on(bomb),
            http("compression: gzip"),
            Some(Reason::BodyTooLarge),
        ),
        (
            "falsely packed",
            on(saying(answer("Content-Encoding: gzip\r\n", "no gzip"))),
            http("compression: gzip"),
            Some(Reason::Protocol),
        ),
        (
            "packed otherwise",
            on(saying(answer("Content-Encoding: br\r\n", "x"))),
            http("compression: gzip"),
            Some(Reason::Protocol),
        ),
        (
            "no TLS where it must be",
            at("/"),
            http("fail_if_not_ssl: true"),
            Some(Reason::SslExpected),
        ),
        (
            "the wrong version",
            at("/"),
            http("valid_http_versions: [HTTP/2.0]"),
            Some(Reason::HttpVersion),
        ),
        ("no login", at("/files/a"), http(""), Some(Reason::Status)),
        (
            "a wrong login",
            at("/files/a"),
            http("basic_auth: {username: kim, password: wrong}"),
            Some(Reason::Status),
        ),
        (
            "a login",
            at("/files/a"),
            http("basic_auth: {username: kim, password: word}"),
            None,
        ),
        (
            "TLS to a plain port",
            format!("https://127.0.0.1:{port}/"),
            http(""),
            Some(Reason::TlsError),
        ),
        (
            "TLS to a silent port",
            format!("https://127.0.0.1:{}/", crafted(hold)),
            short(""),
            Some(Reason::TlsTimeout),
        ),
        (
            "garbage in place of TLS",
            format!(
                "https://127.0.0.1:{}/",
                saying(vec![0x16, 3, 3, 0xff, 0xff, 9, 9])
            ),
            http(""),
            Some(Reason::TlsError),
        ),
        (
            "no URL",
            "http://".to_owned(),
            http(""),
            Some(Reason::Protocol),
        ),
    ] {
        let outcome = look(&target, &module).await;
        let told = outcome.failure.as_ref().map(|failure| failure.reason);
        assert_eq!(told, expected, "{name}: {:?}", outcome.failure);
    }
}

#[tokio::test]
async fn a_dead_first_address_does_not_hide_a_living_second_one() {
    // `localhost` is ::1 and 127.0.0.1; only the second listens.
    let port = saying_and_closing(answer("", "x"));
    let module = "{prober: http, http: {preferred_ip_protocol: ip6}}";
    let outcome = look(&format!("http://second.localhost:{port}/"), module).await;
    assert_eq!(outcome.failure, None);
    assert_eq!(outcome.samples.get("probe_ip_protocol", &[]), Some(4.0));
    let only = "{prober: http, http: {preferred_ip_protocol: ip6, ip_protocol_fallback: false}}";
    assert!(
        reason(&format!("http://second.localhost:{port}/"), only)
            .await
            .is_some()
    );
}
