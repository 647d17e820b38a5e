//! A page for ourselves, asked for by the same means as a probe: no thread that
//! may hang, every address tried, and an end to its time and its size.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::super::module::Http;
use super::super::reason::{Failure, Reason};
use super::super::samples::Samples;
use super::{exchange, parse};

/// The body of a page of `http` or `https`; redirects are not followed. A status
/// of its own is a failure, and so is a body of more than `most` bytes.
pub async fn fetch(
    url: &str,
    http: &Http,
    timeout: Duration,
    most: usize,
) -> Result<Vec<u8>, Failure> {
    let deadline = Instant::now() + timeout;
    let url = parse(url)
        .ok_or_else(|| Failure::new(Reason::Protocol, "this is no URL of http or https"))?;
    let asked = exchange::Asked {
        url: &url,
        method: &http.method,
        to_first: true,
    };
    let mut samples = Samples::default();
    let asking = exchange::run(http, &asked, deadline, &mut samples);
    let mut answer = Box::pin(asking).await?;
    if !answer.head.status.is_success() {
        let status = answer.head.status.as_u16();
        return Err(Failure::new(
            Reason::Status,
            format!("the status is {status}"),
        ));
    }
    let mut body = Vec::new();
    loop {
        let piece = timeout_at(deadline, answer.body.piece()).await;
        let piece = piece
            .map_err(|_| Failure::new(Reason::BodyTimeout, "the body does not end in time"))??;
        let Some(piece) = piece else {
            return Ok(body);
        };
        body.extend_from_slice(piece);
        if body.len() > most {
            return Err(Failure::new(
                Reason::BodyTooLarge,
                format!("it is longer than {most} bytes"),
            ));
        }
    }
}
