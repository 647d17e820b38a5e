//! The listener: so many connections and no more, each with a time by which it
//! must have asked. Whoever asks slowly, or does not read, costs others nothing.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time;
use tokio_util::sync::CancellationToken;

use crate::files;

/// So many connections at most.
const CONNECTIONS: usize = 128;

/// By then the head of a request must be in, the next one of a kept connection too.
const HEAD: Duration = Duration::from_secs(10);

/// A client that reads nothing for so long is cut off.
const UNREAD: Duration = Duration::from_secs(30);

/// The most that is buffered of a connection, in each direction.
const BUFFER: usize = 64 << 10;

/// After a connection could not be taken: whatever was short may be free again.
const PAUSE: Duration = Duration::from_millis(200);

/// Serves until told to stop, then finishes what was asked.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
) -> anyhow::Result<&'static str> {
    let room = Arc::new(Semaphore::new(connections(files::limit())));
    let connections = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(BUFFER);
    loop {
        let (stream, place) = tokio::select! {
            () = stop.cancelled() => break,
            next = next(&listener, &room) => next,
        };
        let service = TowerToHyperService::new(router.clone());
        let connection = connections.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            if let Err(err) = connection.await {
                tracing::debug!("a connection failed: {err}");
            }
            drop(place);
        });
    }
    drop(listener);
    connections.shutdown().await;
    Ok("http")
}

/// Waits for room, then for a connection. Those beyond wait in the kernel.
async fn next(listener: &TcpListener, room: &Arc<Semaphore>) -> (TcpStream, OwnedSemaphorePermit) {
    let mut failing = false;
    loop {
        let Ok(place) = Arc::clone(room).acquire_owned().await else {
            // Nobody closes it.
            return std::future::pending().await;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                prepare(&stream);
                return (stream, place);
            }
            // The client went away first.
            Err(err) if gone(&err) => {}
            Err(err) => {
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!("cannot take a connection, will try again: {err}");
                }
                time::sleep(PAUSE).await;
            }
        }
    }
}

/// The rest must stay free for what is watched: a quarter of the files is ours.
fn connections(files: u64) -> usize {
    usize::try_from(files / 4).map_or(CONNECTIONS, |quarter| quarter.clamp(4, CONNECTIONS))
}

fn gone(err: &io::Error) -> bool {
    matches!(
        err.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

/// Without these it is served all the same.
fn prepare(stream: &TcpStream) {
    let unread_ms = u32::try_from(UNREAD.as_millis()).unwrap_or(u32::MAX);
    let done = sockopt::set_tcp_user_timeout(stream, unread_ms)
        .and_then(|()| sockopt::set_tcp_nodelay(stream, true));
    if let Err(err) = done {
        tracing::debug!("cannot prepare a connection: {err}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_most_files_to_the_watch() {
        for (files, served) in [(0, 4), (64, 16), (256, 64), (1024, 128), (u64::MAX, 128)] {
            assert_eq!(connections(files), served, "{files}");
        }
    }
}
