//! Sending a long list piece by piece.

use std::io;

use axum::body::Body;
use axum::response::Response;
use futures_util::stream::unfold;
use tokio::sync::OwnedSemaphorePermit;

use super::answer::{self, Failure};

/// A piece is sent when it has come to this many bytes.
pub(super) const BYTES: usize = 32 << 10;

/// Alerts that are looked at for one piece, at most: others wait meanwhile.
pub(super) const LOOKS: usize = 512;

/// A list that is being written.
pub(super) trait List: Send + 'static {
    /// Adds the next piece; false after the last.
    fn next(&mut self, out: &mut Vec<u8>) -> impl Future<Output = Result<bool, Failure>> + Send;
}

/// Answers with a list. A short one, which is one piece, says its length.
pub(super) async fn send(
    mut list: impl List,
    turn: OwnedSemaphorePermit,
) -> Result<Response, Failure> {
    let mut first = Vec::new();
    if !list.next(&mut first).await? {
        return Ok(answer::done(first));
    }
    let stream = unfold(Some((list, first, turn)), async |state| {
        let (mut list, ready, turn) = state?;
        let mut next = Vec::new();
        let state = match list.next(&mut next).await {
            Ok(true) => Some((list, next, turn)),
            Ok(false) => {
                next.push(b'\n');
                return Some((Ok([ready, next].concat()), None));
            }
            // The client has half of it already: it is to see that it broke.
            Err(_) => return Some((Err(io::Error::other("the list ended early")), None)),
        };
        Some((Ok(ready), state))
    });
    Ok(answer::stream(Body::from_stream(stream)))
}
