//! The prober `docker`: whether a Docker engine answers a ping, tells its
//! version, and lists its containers, all in time. It changes nothing there.

use std::path::Path;

use http_body_util::{BodyExt as _, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde::de::IgnoredAny;
use tokio::net::UnixStream;
use tokio::time::{Instant, timeout_at};

use super::module::{Docker, Protocol};
use super::reason::{Failure, Reason, Step};
use super::samples::Samples;
use super::stream::{Stream, Wanted, addresses, connect, host_and_port};

const PHASES: &str = "belfry_probe_steps_seconds";
/// The longest answer, in bytes: some thousand containers.
const MOST: usize = 16 << 20;

#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Version {
    version: String,
    api_version: String,
}

/// Asks the engine at `target`: a socket's path, `unix://` and such a path, or
/// `tcp://` with host and port.
pub(super) async fn probe(
    target: &str,
    docker: &Docker,
    deadline: Instant,
    samples: &mut Samples,
) -> Step<()> {
    samples.set("belfry_probe_docker_ready", 0.0);
    let began = Instant::now();
    let connected = open(target, deadline, samples).await;
    samples.phase(PHASES, "connect", began.elapsed().as_secs_f64());
    let handshake = http1::Builder::new()
        .handshake(TokioIo::new(connected?))
        .await;
    let (mut sender, connection) = handshake.map_err(|err| super::http::broken(&err))?;
    let moving = tokio::spawn(async move { drop(connection.await) });
    let _end = Ending(moving);

    let pong = get(&mut sender, "ping", "/_ping", deadline, samples).await?;
    if pong != "OK" {
        return Err(Failure::new(Reason::Protocol, "this is no Docker engine"));
    }
    let version = get(&mut sender, "version", "/version", deadline, samples).await?;
    let version = version_of(&version)?;
    let labels = [
        ("api_version", version.api_version.as_str()),
        ("version", version.version.as_str()),
    ];
    samples.label("belfry_probe_docker_info", &labels, 1.0);
    if docker.list {
        let list = get(&mut sender, "list", "/containers/json", deadline, samples).await?;
        samples.set("belfry_probe_docker_containers", f64::from(count(&list)?));
    }
    samples.set("belfry_probe_docker_ready", 1.0);
    Ok(())
}

fn version_of(answer: &[u8]) -> Step<Version> {
    serde_json::from_slice(answer)
        .map_err(|_| Failure::new(Reason::Protocol, "the engine tells no version"))
}

fn count(answer: &[u8]) -> Step<u32> {
    let list: Vec<IgnoredAny> = serde_json::from_slice(answer)
        .map_err(|_| Failure::new(Reason::Protocol, "the list of containers is none"))?;
    Ok(u32::try_from(list.len()).unwrap_or(u32::MAX))
}

/// Whether an engine says such a thing, for those who throw any bytes at it.
pub(super) fn any(bytes: &[u8]) -> bool {
    version_of(bytes).is_ok() || count(bytes).is_ok()
}

struct Ending(tokio::task::JoinHandle<()>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn open(target: &str, deadline: Instant, samples: &mut Samples) -> Step<Stream> {
    let path = target.strip_prefix("unix://").unwrap_or(target);
    if path.starts_with('/') {
        let connecting = timeout_at(deadline, UnixStream::connect(Path::new(path))).await;
        let stream = connecting
            .map_err(|_| Failure::new(Reason::ConnectTimeout, "the socket takes nobody"))?
            .map_err(|err| match err.kind() {
                std::io::ErrorKind::NotFound => {
                    Failure::new(Reason::Missing, "there is no such socket")
                }
                _ => Failure::connecting(&err),
            })?;
        return Ok(Box::new(stream));
    }
    let bare = target
        .strip_prefix("tcp://")
        .or_else(|| target.strip_prefix("http://"))
        .unwrap_or(target);
    let (host, port) = host_and_port(bare.trim_end_matches('/'), Some(2375))?;
    let wanted = Wanted {
        first: Protocol::Ip4,
        fallback: true,
    };
    let found = addresses(&host, wanted, deadline, samples).await?;
    connect(&found, port, None, deadline, samples).await
}

async fn get(
    sender: &mut SendRequest<Empty<Bytes>>,
    phase: &'static str,
    path: &str,
    deadline: Instant,
    samples: &mut Samples,
) -> Step<Bytes> {
    let began = Instant::now();
    let answer = timeout_at(deadline, ask(sender, path)).await;
    samples.phase(PHASES, phase, began.elapsed().as_secs_f64());
    answer.map_err(|_| {
        Failure::new(
            Reason::Timeout,
            format!("the engine does not answer {path} in time"),
        )
    })?
}

async fn ask(sender: &mut SendRequest<Empty<Bytes>>, path: &str) -> Step<Bytes> {
    let broken = |err: hyper::Error| super::http::broken(&err);
    sender.ready().await.map_err(broken)?;
    let request = Request::get(path)
        .header("host", "docker")
        .body(Empty::new())
        .map_err(|_| Failure::new(Reason::Internal, "the request cannot be made"))?;
    let answer = sender.send_request(request).await.map_err(broken)?;
    let status = answer.status().as_u16();
    if status != 200 {
        return Err(Failure::new(
            Reason::Status,
            format!("{path} is answered with the status {status}"),
        ));
    }
    let mut body = answer.into_body();
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Some(piece) = frame.map_err(broken)?.data_ref() {
            bytes.extend_from_slice(piece);
        }
        if bytes.len() > MOST {
            return Err(Failure::new(
                Reason::BodyTooLarge,
                format!("more than {MOST} bytes came"),
            ));
        }
    }
    Ok(bytes.into())
}
