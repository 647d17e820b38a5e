//! More faults by name: of TLS, and of talks over TCP.

use std::io::Write as _;

use healthchecks::probe::Reason;

use crate::certificates;
use crate::faults::answer;
use crate::support::{crafted, dead_port, hold, look, saying};

#[tokio::test]
async fn each_fault_of_tls_has_its_reason() {
    let (_server, authority, ports) = certificates::serve();
    let root = authority.root();
    let target = format!("https://127.0.0.1:{}/", ports[0].1);
    let tls = |rest: &str| {
        format!("{{prober: http, http: {{tls_config: {{ca_file: {root:?}, {rest}}}}}}}")
    };
    for (name, module, expected) in [
        ("good", tls("server_name: www.shop.test"), None),
        (
            "an address is no name of it",
            tls(""),
            Some(Reason::TlsWrongName),
        ),
        (
            "nobody is trusted",
            "{prober: http, http: {tls_config: {server_name: shop.test}}}".to_owned(),
            Some(Reason::TlsUnknownAuthority),
        ),
        (
            "TLS where it must not be",
            tls("server_name: shop.test").replace("http: {", "http: {fail_if_ssl: true, "),
            Some(Reason::SslUnexpected),
        ),
        (
            "no version in common",
            tls("server_name: shop.test, max_version: TLS11"),
            Some(Reason::Internal),
        ),
        (
            "authorities that cannot be read",
            "{prober: http, http: {tls_config: {ca_file: /no/such/file}}}".to_owned(),
            Some(Reason::Internal),
        ),
    ] {
        let outcome = look(&target, &module).await;
        let told = outcome.failure.as_ref().map(|failure| failure.reason);
        assert_eq!(told, expected, "{name}: {:?}", outcome.failure);
    }
}

#[tokio::test]
async fn each_fault_of_a_talk_has_its_reason() {
    let greeting = |text: &'static str| {
        crafted(move |mut stream| {
            let _ = stream.write_all(text.as_bytes());
            hold(stream);
        })
    };
    let long = crafted(|mut stream| while stream.write_all(&[b'x'; 4096]).is_ok() {});
    let on = |port: u16| format!("127.0.0.1:{port}");
    let banner = |timeout: &str| {
        format!(
            "{{prober: tcp, timeout: {timeout}, tcp: {{query_response: [{{expect: '^SSH-2.0-'}}]}}}}"
        )
    };
    for (name, target, module, expected) in [
        (
            "a banner",
            on(greeting("SSH-2.0-x\r\n")),
            banner("20s"),
            None,
        ),
        (
            "lines before the banner",
            on(greeting("hello\r\nSSH-2.0-x\r\n")),
            banner("20s"),
            None,
        ),
        (
            "another banner",
            on(greeting("220 mail\r\n")),
            banner("4s"),
            Some(Reason::Body),
        ),
        (
            "no banner",
            on(crafted(hold)),
            banner("4s"),
            Some(Reason::FirstByteTimeout),
        ),
        (
            "closed before the banner",
            on(crafted(drop)),
            banner("20s"),
            Some(Reason::Closed),
        ),
        (
            "a line without end",
            on(long),
            banner("20s"),
            Some(Reason::BodyTooLarge),
        ),
        (
            "nobody listens",
            on(dead_port()),
            banner("20s"),
            Some(Reason::Refused),
        ),
        (
            "from an address of the other kind",
            on(crafted(hold)),
            "{prober: tcp, tcp: {source_ip_address: '::1'}}".to_owned(),
            Some(Reason::ConnectError),
        ),
        (
            "no port",
            "host".to_owned(),
            banner("20s"),
            Some(Reason::Protocol),
        ),
        (
            "SMTP: it has no room",
            on(greeting("421 busy\r\n")),
            "{prober: smtp}".to_owned(),
            Some(Reason::NotServing),
        ),
        (
            "SMTP: it refuses us",
            on(greeting("554 go away\r\n")),
            "{prober: smtp}".to_owned(),
            Some(Reason::Answer),
        ),
        (
            "SMTP: another protocol",
            on(greeting("SSH-2.0-x\r\n")),
            "{prober: smtp}".to_owned(),
            Some(Reason::Protocol),
        ),
        (
            "Redis: it loads",
            on(saying(
                "-LOADING Redis is loading the dataset in memory\r\n",
            )),
            "{prober: redis}".to_owned(),
            Some(Reason::NotServing),
        ),
        (
            "Redis: another protocol",
            on(saying("HTTP/1.1 400 Bad Request\r\n\r\n")),
            "{prober: redis}".to_owned(),
            Some(Reason::Protocol),
        ),
        (
            "PostgreSQL: it starts",
            on(saying(
                b"E\0\0\0\x30SFATAL\0VFATAL\0C57P03\0Mthe database is starting\0\0".to_vec(),
            )),
            "{prober: postgres}".to_owned(),
            Some(Reason::NotServing),
        ),
        (
            "PostgreSQL: another protocol",
            on(saying("HTTP/1.1 400 Bad Request\r\n\r\n")),
            "{prober: postgres}".to_owned(),
            Some(Reason::Protocol),
        ),
        (
            "gRPC: another protocol",
            on(saying("HTTP/1.1 400 Bad Request\r\n\r\n")),
            "{prober: grpc}".to_owned(),
            Some(Reason::Protocol),
        ),
        (
            "a WebSocket that is a page",
            format!("ws://127.0.0.1:{}/", saying(answer("", "x"))),
            "{prober: websocket}".to_owned(),
            Some(Reason::Status),
        ),
        (
            "a WebSocket with a wrong key",
            format!(
                "ws://127.0.0.1:{}/",
                saying("HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\n\r\n")
            ),
            "{prober: websocket}".to_owned(),
            Some(Reason::Protocol),
        ),
    ] {
        let outcome = look(&target, &module).await;
        let told = outcome.failure.as_ref().map(|failure| failure.reason);
        assert_eq!(told, expected, "{name}: {:?}", outcome.failure);
    }
}
