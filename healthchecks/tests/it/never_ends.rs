//! Servers that never come to an end, for each prober: too much, too slowly, or
//! nothing but noise. Each look ends with a reason, in bounded time and memory.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use healthchecks::probe::Reason;

use crate::support::{crafted, look, saying};

/// Says `head`, and then `piece` again and again; with a pause, like a slow-loris.
fn endless(head: &'static [u8], piece: &'static [u8], pause: Option<Duration>) -> u16 {
    crafted(move |mut stream: TcpStream| {
        if pause.is_some() || head.starts_with(b"HTTP") {
            let _ = stream.read(&mut [0; 4096]);
        }
        if stream.write_all(head).is_err() {
            return;
        }
        let many = match pause {
            None => piece.repeat(16_384 / piece.len() + 1),
            Some(_) => piece.to_vec(),
        };
        while stream.write_all(&many).is_ok() {
            std::thread::sleep(pause.unwrap_or_default());
        }
    })
}

/// A chunk of 64 bytes, and of what never ends many more.
const CHUNK: &[u8] = b"40\r\nbodybodybodybodybodybodybodybodybodybodybodybodybodybodybodybody\r\n";
const SLOW: Option<Duration> = Some(Duration::from_millis(50));

#[tokio::test]
async fn what_never_ends_is_ended_with_a_reason_by_every_prober() {
    use Reason::{BodyTimeout, BodyTooLarge, FirstByteTimeout, NoReply, Protocol, Timeout};
    let on = |port: u16| format!("127.0.0.1:{port}");
    let http = |port: u16| format!("http://127.0.0.1:{port}/");
    let long = "timeout: 20s";
    let short = "timeout: 6s";
    let matching = "http: {fail_if_body_matches_regexp: [never]}";
    for (name, target, module, expected) in [
        (
            "HTTP: a body without end",
            http(endless(b"HTTP/1.1 200 OK\r\n\r\n", b"body", None)),
            format!("prober: http, {long}, {matching}"),
            &[BodyTooLarge][..],
        ),
        (
            "HTTP: chunks without end",
            http(endless(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                CHUNK,
                None,
            )),
            // The usual bound would be a quarter of a million chunks.
            format!(
                "prober: http, {long}, {}",
                matching.replace('{', "{body_size_limit: 1MB, ")
            ),
            &[BodyTooLarge],
        ),
        (
            "HTTP: headers without end",
            http(endless(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n", None)),
            format!("prober: http, {long}"),
            &[Protocol],
        ),
        (
            "HTTP: interim answers without end",
            http(endless(
                b"HTTP/1.1 100 Continue\r\n\r\n",
                b"HTTP/1.1 100 Continue\r\n\r\n",
                SLOW,
            )),
            format!("prober: http, {short}"),
            &[FirstByteTimeout],
        ),
        (
            "HTTP: a slow body",
            http(endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x", SLOW)),
            format!("prober: http, {short}, {matching}"),
            &[BodyTimeout],
        ),
        (
            "HTTP: slow headers",
            http(endless(b"HTTP/1.1 200 OK\r\nA: ", b"x", SLOW)),
            format!("prober: http, {short}"),
            &[FirstByteTimeout],
        ),
        (
            "TLS: noise without end",
            format!(
                "https://127.0.0.1:{}/",
                endless(b"", b"\x16\x03\x03\xff", None)
            ),
            format!("prober: http, {long}"),
            &[Reason::TlsError, Reason::Reset],
        ),
        (
            "TLS: a handshake byte by byte",
            on(endless(
                b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc",
                b"\x03",
                SLOW,
            )),
            format!("prober: tcp, {short}, tcp: {{tls: true}}"),
            &[Reason::TlsTimeout],
        ),
        (
            "TLS: an alert",
            on(saying(b"\x15\x03\x03\x00\x02\x02\x28".to_vec())),
            format!("prober: tcp, {long}, tcp: {{tls: true}}"),
            &[Reason::TlsError],
        ),
        (
            "TCP: a slow banner",
            on(endless(b"SSH", b"x", SLOW)),
            format!(
                "prober: tcp, {short}, tcp: {{query_response: [{{send: hello}}, {{expect: '^SSH-2'}}]}}"
            ),
            &[BodyTimeout, Reason::Body],
        ),
        (
            "SMTP: a greeting without end",
            on(endless(b"", b"220-more\r\n", None)),
            format!("prober: smtp, {long}"),
            &[BodyTooLarge],
        ),
        (
            "Redis: a word without end",
            on(endless(b"+", b"PONG", None)),
            format!("prober: redis, {long}"),
            &[BodyTooLarge],
        ),
        (
            "PostgreSQL: a message as long as can be said",
            on(saying(b"E\x7f\xff\xff\xff".to_vec())),
            format!("prober: postgres, {long}"),
            &[Protocol],
        ),
        (
            "PostgreSQL: a slow one",
            on(endless(b"E\x00\x00\x10\x00", b"x", SLOW)),
            format!("prober: postgres, {short}"),
            &[BodyTimeout],
        ),
        (
            "WebSocket: headers without end",
            format!(
                "ws://{}/",
                on(endless(
                    b"HTTP/1.1 101 Switching Protocols\r\n",
                    b"A: b\r\n",
                    None
                ))
            ),
            format!("prober: websocket, {long}"),
            &[BodyTooLarge],
        ),
        (
            "gRPC: settings without end",
            on(endless(b"", b"\x00\x00\x00\x04\x00\x00\x00\x00\x00", SLOW)),
            format!("prober: grpc, {short}"),
            &[FirstByteTimeout],
        ),
        (
            "gRPC: noise without end",
            on(endless(b"", b"\xff", None)),
            format!("prober: grpc, {long}"),
            &[Protocol, Reason::Reset, Reason::Closed],
        ),
        (
            "DNS over TCP: an answer that is shorter than it says",
            on(endless(b"\xff\xff", b"x", SLOW)),
            format!(
                "prober: dns, {short}, dns: {{transport_protocol: tcp, query_name: a.test, query_type: A}}"
            ),
            &[NoReply],
        ),
        (
            "DNS over TCP: noise without end",
            on(endless(b"\xff\xff", b"\xff", None)),
            format!(
                "prober: dns, {long}, dns: {{transport_protocol: tcp, query_name: a.test, query_type: A}}"
            ),
            &[Protocol],
        ),
        (
            "Celery: messages without end",
            on(endless(
                b"",
                b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n",
                SLOW,
            )),
            format!("prober: celery, {short}"),
            &[NoReply, Timeout, Protocol],
        ),
        (
            "Celery: a list as long as can be said",
            on(saying(b"*2147483647\r\n$9\r\nsubscribe\r\n".to_vec())),
            format!("prober: celery, {long}"),
            &[Protocol],
        ),
        (
            "Celery: a word as long as can be said",
            on(saying(b"*3\r\n$2147483647\r\n".to_vec())),
            format!("prober: celery, {long}"),
            &[BodyTooLarge],
        ),
        (
            "Docker: an answer that drips",
            format!(
                "tcp://{}",
                on(endless(b"HTTP/1.1 200 OK\r\n\r\n", b"O", SLOW))
            ),
            format!("prober: docker, {short}"),
            &[Timeout],
        ),
    ] {
        let outcome = look(&target, &format!("{{{module}}}")).await;
        let failure = outcome.failure.unwrap_or_else(|| panic!("{name}"));
        assert!(expected.contains(&failure.reason), "{name}: {failure}");
    }
}

#[tokio::test]
async fn who_takes_nothing_is_given_up() {
    use rustix::net::{AddressFamily, SocketType, bind, listen, socket, sockopt};
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    // What is accepted inherits it; the rest waits on our side.
    sockopt::set_socket_recv_buffer_size(&socket, 4096).unwrap();
    bind(&socket, &std::net::SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    listen(&socket, 8).unwrap();
    let listener = std::net::TcpListener::from(socket);
    let target = listener.local_addr().unwrap().to_string();
    let much = "x".repeat(8 << 20);
    let module =
        format!("{{prober: tcp, timeout: 5s, tcp: {{query_response: [{{send: {much}}}]}}}}");
    let outcome = look(&target, &module).await;
    assert_eq!(outcome.failure.unwrap().reason, Reason::SendTimeout);
}

#[tokio::test]
async fn redirects_between_two_servers_end_too() {
    let ports = std::sync::Arc::new(std::sync::OnceLock::<[u16; 2]>::new());
    let to = |at: usize| {
        let ports = std::sync::Arc::clone(&ports);
        crafted(move |mut stream| {
            let _ = stream.read(&mut [0; 4096]);
            let port = ports.get().map_or(9, |ports| ports[at]);
            let _ = write!(
                stream,
                "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{port}/\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            );
        })
    };
    let both = [to(1), to(0)];
    ports.set(both).unwrap();
    let outcome = look(&format!("http://127.0.0.1:{}/", both[0]), "{prober: http}").await;
    assert_eq!(outcome.failure.unwrap().reason, Reason::RedirectLoop);
    assert_eq!(outcome.samples.get("probe_http_redirects", &[]), Some(11.0));
}
