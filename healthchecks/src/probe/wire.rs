//! What is read from bytes that others send, for those who throw any bytes at it.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::time::Instant;

use super::certificate::Certificate;
use super::talk::Talk;
use super::{celery, docker, grpc, http, icmp, message, server, stapled, systemd, tcp, websocket};

/// A talk that waits for longer than that hangs.
const DEADLINE: Duration = Duration::from_secs(1);

/// Reads the bytes as everything that a probe reads, and says how much of that
/// could be read. It never panics, whatever they are.
#[must_use]
pub fn read(bytes: &[u8]) -> usize {
    let text = String::from_utf8_lossy(bytes);
    let read = [
        message::read(bytes).is_some(),
        Certificate::read(bytes).is_some(),
        grpc::serving(bytes).is_some(),
        celery::ends(bytes),
        systemd::tells(&text),
        http::any(bytes),
        http::any_json(bytes),
        stapled::any(bytes),
        icmp::any(bytes),
        talked(bytes, websocket::any),
        talked(bytes, http::any_tunnel),
        talked(bytes, server::any_postgres),
        talked(bytes, server::any_redis),
        talked(bytes, server::any_smtp),
        talked(bytes, tcp::any),
        docker::any(bytes),
    ];
    read.into_iter().filter(|read| *read).count()
}

/// When a talk that begins now is given up.
pub(super) fn end() -> Instant {
    Instant::now() + DEADLINE
}

/// Has the bytes come in a talk, and then its end.
fn talked(bytes: &[u8], with: impl AsyncFnOnce(Talk) -> bool) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    let Ok(runtime) = runtime else { return false };
    runtime.block_on(async {
        // What is answered has room, so that nobody waits for its being read.
        let (here, mut there) = tokio::io::duplex(256 + bytes.len() * 8);
        let sent = there.write_all(bytes).await.is_ok() && there.shutdown().await.is_ok();
        sent && with(Talk::new(Box::new(here), end())).await
    })
}
