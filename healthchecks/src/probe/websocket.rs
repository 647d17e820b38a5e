//! The prober `websocket`: whether a connection becomes a WebSocket.

mod frames;

use tokio::time::Instant;

use super::module::{Exchange, Websocket};
use super::reason::{Failure, Reason, Step};
use super::samples::Samples;
use super::stream::{Stream, Wanted, addresses, connect, host_and_port};
use super::talk::Talk;
use super::{hash, tls};

const PHASES: &str = "probe_websocket_duration_seconds";

/// Opens `target`, a URL of ws or wss.
pub(super) async fn probe(
    target: &str,
    websocket: &Websocket,
    deadline: Instant,
    samples: &mut Samples,
) -> Step<()> {
    for name in [
        "probe_websocket_connection_upgraded",
        "probe_websocket_status_code",
        "probe_websocket_failed_due_to_regex",
    ] {
        samples.set(name, 0.0);
    }
    for phase in ["resolve", "connect", "processing", "transfer"] {
        samples.phase(PHASES, phase, 0.0);
    }
    let (scheme, rest) = target.split_once("://").unwrap_or(("ws", target));
    let secure = matches!(scheme, "wss" | "https");
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (host, port) = host_and_port(authority, Some(if secure { 443 } else { 80 }))?;
    let began = Instant::now();
    let wanted = Wanted {
        first: websocket.preferred_ip_protocol,
        fallback: websocket.ip_protocol_fallback,
    };
    let found = addresses(&host, wanted, deadline, samples).await;
    samples.phase(PHASES, "resolve", began.elapsed().as_secs_f64());
    let found = found?;
    let began = Instant::now();
    let mut stream: Stream = connect(&found, port, None, deadline, samples).await?;
    if secure {
        (stream, _) = tls::secure(
            stream,
            &host,
            &websocket.tls_config,
            &[b"http/1.1"],
            deadline,
            samples,
        )
        .await?;
    }
    samples.phase(PHASES, "connect", began.elapsed().as_secs_f64());

    let began = Instant::now();
    let mut talk = Talk::new(stream, deadline);
    let key = data_encoding::BASE64.encode(&rand()?);
    let path = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    };
    talk.send(request(authority, &path, &key, websocket)?.as_bytes())
        .await?;
    let status = talk.status().await;
    samples.phase(PHASES, "processing", began.elapsed().as_secs_f64());
    let status = status?.ok_or_else(|| Failure::new(Reason::Protocol, "this is not HTTP"))?;
    samples.set("probe_websocket_status_code", f64::from(status));
    if status != 101 {
        return Err(Failure::new(
            Reason::Status,
            format!("the status is {status}"),
        ));
    }
    let wanted = hash::websocket_answer(&key);
    let mut accepted = false;
    loop {
        let line = String::from_utf8_lossy(&talk.line().await?).into_owned();
        match line.split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("sec-websocket-accept") => {
                accepted = value.trim() == wanted;
            }
            _ if line.is_empty() => break,
            _ => {}
        }
    }
    if !accepted {
        return Err(Failure::new(
            Reason::Protocol,
            "the answer to the key is wrong",
        ));
    }
    samples.set("probe_websocket_connection_upgraded", 1.0);
    let began = Instant::now();
    let mut said = Ok(());
    for step in &websocket.query_response {
        said = exchange(&mut talk, step, samples).await;
        if said.is_err() {
            break;
        }
    }
    samples.phase(PHASES, "transfer", began.elapsed().as_secs_f64());
    frames::close(&mut talk).await;
    said
}

/// Whether a message comes, for those who throw any bytes at it; all of them are read.
pub(super) async fn any(mut talk: Talk) -> bool {
    let mut came = false;
    while frames::message(&mut talk).await.is_ok() {
        came = true;
    }
    came
}

/// One step of a talk: a message that must come, and one that is sent.
async fn exchange(talk: &mut Talk, step: &Exchange, samples: &mut Samples) -> Step<()> {
    let mut send = step.send.clone();
    if let Some(pattern) = &step.expect {
        let mut seen = None;
        let message = loop {
            match frames::message(talk).await {
                Ok(message) if pattern.regex().is_match(&message) => break message,
                // Others may come before it.
                Ok(message) => seen = Some(message),
                Err(failure) => {
                    samples.flag(
                        "probe_websocket_failed_due_to_regex",
                        failure.reason == Reason::Closed,
                    );
                    let Some(seen) = seen.filter(|_| failure.reason != Reason::BodyTooLarge) else {
                        return Err(failure);
                    };
                    let seen: String = String::from_utf8_lossy(&seen).chars().take(80).collect();
                    return Err(Failure::new(
                        Reason::Body,
                        format!("the last message was {seen:?}"),
                    ));
                }
            }
        };
        if let Some(groups) = pattern.regex().captures(&message) {
            let mut filled = Vec::new();
            groups.expand(step.send.as_bytes(), &mut filled);
            send = String::from_utf8_lossy(&filled).into_owned();
        }
    }
    if !send.is_empty() {
        frames::send(talk, &send).await?;
    }
    Ok(())
}

fn request(host: &str, path: &str, key: &str, websocket: &Websocket) -> Step<String> {
    let mut request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
    );
    for (name, value) in &websocket.headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    let own = request.matches("\r\n").count();
    let clean = !path.contains([' ', '\r', '\n'])
        && own == 6 + websocket.headers.len()
        && request.matches('\n').count() == own;
    request.push_str("\r\n");
    clean
        .then_some(request)
        .ok_or_else(|| Failure::new(Reason::Internal, "the request cannot be sent"))
}

fn rand() -> Step<[u8; 16]> {
    use ring::rand::SecureRandom as _;
    let mut bytes = [0; 16];
    let filled = ring::rand::SystemRandom::new().fill(&mut bytes);
    filled
        .map(|()| bytes)
        .map_err(|_| Failure::new(Reason::Internal, "there is no chance"))
}
