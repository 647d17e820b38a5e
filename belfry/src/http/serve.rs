//! The listener: so many connections and no more, each with a time by which it
//! must have asked. Whoever asks slowly, or does not read, costs others nothing.
//! Encrypted or not is what the door says.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::seats::{Heard, Seated, Seats, Taken};
use crate::files;
use crate::web::Door;

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
    door: Option<Arc<Door>>,
    stop: CancellationToken,
) -> anyhow::Result<&'static str> {
    let seats = Seats::new(connections(files::limit()));
    let router = Door::before(door.as_ref(), router);
    let connections = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(BUFFER);
    loop {
        let (stream, taken) = tokio::select! {
            () = stop.cancelled() => break,
            next = next(&listener, &seats) => next,
        };
        let seat = taken.seat();
        let service = Seated {
            inner: TowerToHyperService::new(router.clone()),
            seat: Arc::clone(&seat),
        };
        let stream = Heard {
            stream,
            seat: Arc::clone(&seat),
        };
        let (http, watcher) = (http.clone(), connections.watcher());
        let (door, stop) = (door.clone(), stop.clone());
        let connection = async move {
            let Some(door) = door.filter(|door| door.is_encrypted()) else {
                let connection = http.serve_connection(TokioIo::new(stream), service);
                return watcher.watch(connection).await.map_err(anyhow::Error::from);
            };
            let stream = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                stream = time::timeout(HEAD, encrypted(&door, stream)) => stream??,
            };
            let connection = http.serve_connection(TokioIo::new(stream), service);
            watcher.watch(connection).await.map_err(anyhow::Error::from)
        };
        tokio::spawn(async move {
            tokio::select! {
                () = seat.leave() => tracing::debug!("a connection that asked for nothing made room"),
                result = connection => if let Err(err) = result {
                    tracing::debug!("a connection failed: {err:#}");
                }
            }
            drop(taken);
        });
    }
    drop(listener);
    connections.shutdown().await;
    Ok("http")
}

/// Agrees with a client on how the connection is encrypted.
async fn encrypted(door: &Arc<Door>, stream: Heard) -> anyhow::Result<TlsStream<Heard>> {
    let tls = door.tls().await;
    let tls = tls.context("there is nothing to encrypt it by")?;
    Ok(tls.accept(stream).await?)
}

/// Waits for a connection, then for room. Those beyond wait in the kernel.
async fn next(listener: &TcpListener, seats: &Arc<Seats>) -> (TcpStream, Taken) {
    let mut failing = false;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                prepare(&stream);
                return (stream, seats.take().await);
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
