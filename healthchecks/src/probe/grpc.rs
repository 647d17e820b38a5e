//! The prober `grpc`: gRPC's own health check.

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http2;
use hyper::{HeaderMap, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::time::{Instant, timeout_at};

use super::module::Grpc;
use super::reason::{Failure, Reason, Step};
use super::samples::Samples;
use super::stream::{Stream, Wanted, addresses, connect, host_and_port};
use super::tls;

const PHASES: &str = "probe_grpc_duration_seconds";
const STATUSES: [&str; 4] = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
/// gRPC's numbers for what went wrong on the way.
const DEADLINE_EXCEEDED: f64 = 4.0;
const UNAVAILABLE: f64 = 14.0;
/// An answer is a few bytes.
const MOST: usize = 4 << 10;

/// Asks the server `target`, host and port, how the service is.
pub(super) async fn probe(
    target: &str,
    grpc: &Grpc,
    deadline: Instant,
    samples: &mut Samples,
) -> Step<()> {
    samples.set("probe_grpc_status_code", 0.0);
    samples.flag("probe_grpc_ssl", false);
    for status in STATUSES {
        samples.label(
            "probe_grpc_healthcheck_response",
            &[("serving_status", status)],
            0.0,
        );
    }
    for phase in ["resolve", "check"] {
        samples.phase(PHASES, phase, 0.0);
    }
    let bare = target.split_once("://").map_or(target, |(_, rest)| rest);
    let (host, port) = host_and_port(bare, None)?;
    let began = Instant::now();
    let wanted = Wanted {
        first: grpc.preferred_ip_protocol,
        fallback: grpc.ip_protocol_fallback,
    };
    let found = addresses(&host, wanted, deadline, samples).await;
    samples.phase(PHASES, "resolve", began.elapsed().as_secs_f64());
    let found = found?;
    let began = Instant::now();
    // What gRPC calls a server that nobody gets to.
    samples.set("probe_grpc_status_code", UNAVAILABLE);
    let mut stream: Stream = connect(&found, port, None, deadline, samples).await?;
    if grpc.tls {
        (stream, _) =
            tls::secure(stream, &host, &grpc.tls_config, &[b"h2"], deadline, samples).await?;
        samples.flag("probe_grpc_ssl", true);
    }
    let checked = timeout_at(deadline, Box::pin(check(stream, bare, grpc))).await;
    samples.phase(PHASES, "check", began.elapsed().as_secs_f64());
    let (code, status) = checked.map_err(|_| {
        samples.set("probe_grpc_status_code", DEADLINE_EXCEEDED);
        Failure::new(
            Reason::FirstByteTimeout,
            "the check was not answered in time",
        )
    })??;
    samples.set("probe_grpc_status_code", f64::from(code));
    if code != 0 {
        return Err(Failure::new(
            Reason::Status,
            format!("the gRPC status is {code}"),
        ));
    }
    let word = STATUSES
        .get(usize::try_from(status).unwrap_or(usize::MAX))
        .copied()
        .unwrap_or("UNKNOWN");
    samples.label(
        "probe_grpc_healthcheck_response",
        &[("serving_status", word)],
        1.0,
    );
    match word {
        "SERVING" => Ok(()),
        word => Err(Failure::new(Reason::NotServing, format!("it says {word}"))),
    }
}

/// The gRPC status, and the status of the service.
async fn check(stream: Stream, authority: &str, grpc: &Grpc) -> Step<(u16, u64)> {
    let broken = |err: hyper::Error| match super::http::broken(&err) {
        Failure {
            reason: Reason::Protocol,
            ..
        } => Failure::new(Reason::Protocol, "this is not gRPC"),
        failure => failure,
    };
    let (mut sender, connection) = http2::Builder::new(TokioExecutor::new())
        .handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    let moving = tokio::spawn(async move { drop(connection.await) });
    let _end = Ending(moving);
    let scheme = if grpc.tls { "https" } else { "http" };
    let mut request = Request::post(format!(
        "{scheme}://{authority}/grpc.health.v1.Health/Check"
    ))
    .header("content-type", "application/grpc")
    .header("te", "trailers")
    .header("user-agent", concat!("belfry/", env!("CARGO_PKG_VERSION")));
    for (name, values) in &grpc.metadata {
        for value in values {
            request = request.header(name.to_ascii_lowercase(), value.expose());
        }
    }
    let request = request
        .body(Full::new(Bytes::from(message(&grpc.service))))
        .map_err(|_| Failure::new(Reason::Internal, "the request cannot be made"))?;
    let answer = sender.send_request(request).await.map_err(broken)?;
    let (head, mut body) = answer.into_parts();
    if head.status != 200 {
        return Err(Failure::new(
            Reason::Status,
            format!("the status is {}", head.status.as_u16()),
        ));
    }
    let mut bytes = Vec::new();
    let mut code = grpc_status(&head.headers);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(broken)?;
        if let Some(piece) = frame.data_ref() {
            bytes.extend_from_slice(piece);
            if bytes.len() > MOST {
                return Err(Failure::new(
                    Reason::BodyTooLarge,
                    "the answer is longer than it can be",
                ));
            }
        }
        if let Some(trailers) = frame.trailers_ref() {
            code = code.or_else(|| grpc_status(trailers));
        }
    }
    let code =
        code.ok_or_else(|| Failure::new(Reason::Protocol, "the answer has no gRPC status"))?;
    Ok((code, serving(&bytes).unwrap_or(0)))
}

struct Ending(tokio::task::JoinHandle<()>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn grpc_status(headers: &HeaderMap) -> Option<u16> {
    headers.get("grpc-status")?.to_str().ok()?.parse().ok()
}

/// The question, with its length in front.
fn message(service: &str) -> Vec<u8> {
    let service = &service[..service.floor_char_boundary(127)];
    let mut inner = Vec::new();
    if !service.is_empty() {
        inner.extend([0x0a, u8::try_from(service.len()).unwrap_or_default()]);
        inner.extend(service.bytes());
    }
    let length = u32::try_from(inner.len()).unwrap_or_default();
    [&[0][..], &length.to_be_bytes(), &inner].concat()
}

/// The number in the first field of the answer.
pub(super) fn serving(bytes: &[u8]) -> Option<u64> {
    let (length, rest) = bytes.get(1..)?.split_at_checked(4)?;
    let length = u32::from_be_bytes(length.try_into().ok()?);
    let message = rest.get(..usize::try_from(length).ok()?)?;
    match message {
        [] => Some(0),
        [0x08, value, ..] if *value < 0x80 => Some(u64::from(*value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_and_answers_have_their_form() {
        assert_eq!(message(""), [0, 0, 0, 0, 0]);
        assert_eq!(message("ab"), [0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b']);
        assert_eq!(serving(&[0, 0, 0, 0, 2, 8, 1]), Some(1));
        assert_eq!(serving(&[0, 0, 0, 0, 0]), Some(0));
        for bad in [
            &[][..],
            &[0, 0, 0, 0, 9, 8, 1],
            &[0, 0, 0, 0, 2, 9, 9],
            &[0, 0xff, 0xff, 0xff, 0xff],
        ] {
            assert_eq!(serving(bad), None);
        }
    }
}
