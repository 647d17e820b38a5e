//! A real server of gRPC and a real one of WebSockets, plain and with TLS.

use std::path::Path;
use std::process::Command;

use healthchecks::probe::Reason;

use crate::certificates::Authority;
use crate::support::{Server, find, free_port, look, until};

/// Where they listen: gRPC, gRPC with TLS, WebSockets, those with TLS.
pub(crate) fn serve() -> (Server, Authority, [u16; 4]) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tools = here.join("../.tools/rpc");
    assert!(
        tools.join("grpc").is_dir(),
        "gRPC is not installed: run `make setup`"
    );
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::make(folder.path());
    let ports = [(); 4].map(|()| free_port());
    let mut command = Command::new(find("python3", "python3"));
    command
        .arg(here.join("tests/it/rpc/serve.py"))
        .arg(authority.chain("good"))
        .arg(authority.key("good"))
        .args(ports.map(|port| port.to_string()))
        .env("PYTHONPATH", tools)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let server = Server::start(&mut command, folder, ports[0]);
    for port in ports {
        until("all should listen", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).ok()
        });
    }
    (server, authority, ports)
}

#[tokio::test]
async fn a_real_grpc_server_says_how_its_services_are() {
    let (_server, authority, [plain, secure, ..]) = serve();
    let root = authority.root();
    let tls = format!("tls: true, tls_config: {{ca_file: {root:?}, server_name: shop.test}}");
    let lax = "tls: true, tls_config: {server_name: shop.test}".to_owned();
    for (name, port, rest, code, expected) in [
        ("the server", plain, String::new(), 0.0, None),
        ("a service", plain, "service: shop".to_owned(), 0.0, None),
        (
            "one that does not serve",
            plain,
            "service: late".to_owned(),
            0.0,
            Some(Reason::NotServing),
        ),
        (
            "one that does not know",
            plain,
            "service: odd".to_owned(),
            0.0,
            Some(Reason::NotServing),
        ),
        (
            "one that it does not know",
            plain,
            "service: absent".to_owned(),
            5.0,
            Some(Reason::Status),
        ),
        (
            "with TLS",
            secure,
            format!("{tls}, service: shop"),
            0.0,
            None,
        ),
        (
            "with TLS, and does not serve",
            secure,
            format!("{tls}, service: late"),
            0.0,
            Some(Reason::NotServing),
        ),
        (
            "with TLS of a stranger",
            secure,
            lax,
            14.0,
            Some(Reason::TlsUnknownAuthority),
        ),
        (
            "TLS to a plain port",
            plain,
            tls.clone(),
            14.0,
            Some(Reason::TlsError),
        ),
    ] {
        let module = format!("{{prober: grpc, grpc: {{{rest}}}}}");
        let outcome = look(&format!("127.0.0.1:{port}"), &module).await;
        let told = outcome.failure.as_ref().map(|failure| failure.reason);
        assert_eq!(told, expected, "{name}: {:?}", outcome.failure);
        let told = outcome.samples.get("probe_grpc_status_code", &[]);
        assert_eq!(told, Some(code), "{name}");
    }
    // Without TLS to a port that has it, nothing that is understood comes back.
    let outcome = look(
        &format!("127.0.0.1:{secure}"),
        "{prober: grpc, timeout: 5s}",
    )
    .await;
    assert!(outcome.failure.is_some());
}

#[tokio::test]
async fn a_real_websocket_is_talked_with() {
    let (_server, _, [.., plain, _]) = serve();
    let target = format!("ws://127.0.0.1:{plain}/");
    let long = "x".repeat(5000);
    let huge = "x".repeat(70_000);
    for (name, target, steps, expected) in [
        (
            "it says what it was told",
            target.clone(),
            "{send: hello}, {expect: '^hello$', send: again}, {expect: again}".to_owned(),
            None,
        ),
        (
            "with what was matched",
            target.clone(),
            "{send: 'room 7'}, {expect: 'room ([0-9])', send: 'in ${1}'}, {expect: '^in 7$'}"
                .to_owned(),
            None,
        ),
        (
            "a longer one",
            target.clone(),
            format!("{{send: {long}}}, {{expect: '^x{{900}}'}}"),
            None,
        ),
        (
            "too long a one",
            target.clone(),
            format!("{{send: {huge}}}, {{expect: '^x'}}"),
            Some(Reason::BodyTooLarge),
        ),
        (
            "it says nothing",
            target.clone(),
            "{expect: hello}".to_owned(),
            Some(Reason::FirstByteTimeout),
        ),
        (
            "it says something else",
            target.clone(),
            "{send: hello}, {expect: good bye}".to_owned(),
            Some(Reason::Body),
        ),
        (
            "it closes",
            format!("{target}leave"),
            "{expect: hello}".to_owned(),
            Some(Reason::Closed),
        ),
    ] {
        let timeout = match expected {
            Some(Reason::FirstByteTimeout | Reason::Body) => "5s",
            _ => "20s",
        };
        let module = format!(
            "{{prober: websocket, timeout: {timeout}, websocket: {{query_response: [{steps}]}}}}"
        );
        let outcome = look(&target, &module).await;
        let told = outcome.failure.as_ref().map(|failure| failure.reason);
        assert_eq!(told, expected, "{name}: {:?}", outcome.failure);
        let by_pattern = outcome
            .samples
            .get("probe_websocket_failed_due_to_regex", &[]);
        let closed = f64::from(u8::from(expected == Some(Reason::Closed)));
        assert_eq!(by_pattern, Some(closed), "{name}");
    }
}

#[tokio::test]
async fn a_real_websocket_is_opened() {
    let (server, authority, [.., plain, secure]) = serve();
    let root = authority.root();
    let tls = format!("tls_config: {{ca_file: {root:?}, server_name: shop.test}}");
    for (name, target, rest, status, expected) in [
        ("plain", format!("ws://127.0.0.1:{plain}/"), "", 101.0, None),
        (
            "by the word http",
            format!("http://127.0.0.1:{plain}/chat?room=1"),
            "",
            101.0,
            None,
        ),
        (
            "refused",
            format!("ws://127.0.0.1:{plain}/closed"),
            "",
            403.0,
            Some(Reason::Status),
        ),
        (
            "without its header",
            format!("ws://127.0.0.1:{plain}/token"),
            "",
            401.0,
            Some(Reason::Status),
        ),
        (
            "with its header",
            format!("ws://127.0.0.1:{plain}/token"),
            "headers: {X-Token: word}",
            101.0,
            None,
        ),
        (
            "with TLS",
            format!("wss://127.0.0.1:{secure}/"),
            &*tls,
            101.0,
            None,
        ),
        (
            "with TLS of a stranger",
            format!("wss://127.0.0.1:{secure}/"),
            "tls_config: {server_name: shop.test}",
            0.0,
            Some(Reason::TlsUnknownAuthority),
        ),
        (
            "TLS to a plain port",
            format!("wss://127.0.0.1:{plain}/"),
            &*tls,
            0.0,
            Some(Reason::Closed),
        ),
    ] {
        let module = format!("{{prober: websocket, websocket: {{{rest}}}}}");
        let outcome = look(&target, &module).await;
        let told = outcome.failure.as_ref().map(|failure| failure.reason);
        assert_eq!(
            told,
            expected,
            "{name}: {:?} {}",
            outcome.failure,
            server.log()
        );
        let value = |name: &str| outcome.samples.get(name, &[]);
        assert_eq!(value("probe_websocket_status_code"), Some(status), "{name}");
        let upgraded = f64::from(u8::from(expected.is_none()));
        assert_eq!(
            value("probe_websocket_connection_upgraded"),
            Some(upgraded),
            "{name}"
        );
    }
}
