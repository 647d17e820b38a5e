//! HTTP/1 over a connection that serves one request: nothing is queued or kept for a
//! next one, and whoever waits for the answer moves its bytes. A client that is made for
//! connections which stay takes as long for itself as the system does for all of them.

mod body;
mod head;

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use hyper::Request;
use hyper::body::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWrite as _, AsyncWriteExt as _};

use super::super::reason::{Failure, Reason, Step};
use super::super::stream::Stream;
pub(super) use body::Body;
pub(super) use head::Head;

/// A head that is longer is no answer.
const LONGEST: usize = 64 << 10;
/// Room for a usual head with a short body; blocks of this size are at hand.
const USUAL: usize = 1000;

/// Sends a request, over TLS if `secure`, and waits for the head of its answer.
pub(super) async fn ask(
    stream: Stream,
    secure: bool,
    request: &Request<Bytes>,
) -> Step<(Head, Body)> {
    let mut asking = Asking {
        stream,
        request: head::written(request),
        sent: 0,
        unsent: None,
        buffer: Vec::with_capacity(USUAL),
    };
    let mut looked_at = 0;
    loop {
        let buffer = &mut asking.buffer;
        // Only what is whole is read again: a head may come byte by byte.
        if !buffer.is_empty()
            && (looked_at == 0 || head::ends(buffer, looked_at))
            && let Some((head, length)) = head::read(buffer)?
        {
            if head.is_interim() {
                buffer.drain(..length);
                looked_at = 0;
                continue;
            }
            let left = head.left(request.method())?;
            let body = Body::new((asking.stream, secure), asking.buffer, length, left);
            return Ok((head, body));
        }
        looked_at = asking.buffer.len();
        if looked_at >= LONGEST {
            return Err(Failure::new(
                Reason::Protocol,
                "this is not HTTP: its head is too long",
            ));
        }
        let more = poll_fn(|context| asking.poll_more(context)).await;
        if more.map_err(|err| Failure::talking(&err))? == 0 {
            return Err(match asking.unsent {
                Some(err) => Failure::talking(&err),
                None => Failure::new(
                    Reason::Closed,
                    "the connection was closed before the answer was whole",
                ),
            });
        }
    }
}

/// Whether the bytes are a whole answer, for those who throw any at it.
pub(in super::super) fn any(bytes: &[u8]) -> bool {
    whole(bytes).is_some()
}

fn whole(bytes: &[u8]) -> Option<()> {
    let request = Request::get("/").body(Bytes::new()).ok()?;
    let (here, mut there) = tokio::io::duplex(bytes.len() + 1);
    now(there.write_all(bytes))?.ok()?;
    drop(there);
    let (_, mut body) = now(ask(Box::new(here), false, &request))?.ok()?;
    while now(body.piece())?.ok()?.is_some() {}
    Some(())
}

/// What comes of something that need not wait.
fn now<T>(work: impl Future<Output = T>) -> Option<T> {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(work).poll(&mut context) {
        Poll::Ready(done) => Some(done),
        Poll::Pending => None,
    }
}

/// A request on its way, and what came of the answer so far.
struct Asking {
    stream: Stream,
    request: Vec<u8>,
    sent: usize,
    /// Why the rest was not sent: who refuses a long one may have said why.
    unsent: Option<io::Error>,
    buffer: Vec<u8>,
}

impl Asking {
    /// Reads more of the answer, also while the request is being sent.
    fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.unsent.is_none()
            && let Poll::Ready(Err(err)) = self.poll_send(context)
        {
            self.unsent = Some(err);
        }
        self.buffer.reserve(USUAL / 2);
        pin!(self.stream.read_buf(&mut self.buffer)).poll(context)
    }

    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.request.len() {
            let rest = &self.request[self.sent..];
            match ready!(Pin::new(&mut self.stream).poll_write(context, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.sent += written,
            }
        }
        Pin::new(&mut self.stream).poll_flush(context)
    }
}

#[cfg(test)]
mod tests;
