//! What comes back from a worker, message by message, until one tells the end of the
//! canary.

use super::super::reason::{Failure, Reason, Step};
use super::super::talk::Talk;
use super::told::end;

/// A message of more parts is none of ours.
const PARTS: usize = 8;
/// So much is read at a time; the bound of a talk is higher.
const BYTES: usize = 60 << 10;
/// Of the parts of a message so many bytes are kept: workers send their events in
/// batches, and ours may be among those of others.
const KEPT: usize = 4 << 20;
/// One of more bytes than this is not even read away.
const SKIPPED: usize = 64 << 20;

/// Waits for the end of the canary: good, or why it failed.
pub(super) async fn wait(listener: &mut Talk, id: &str) -> Step<Result<(), String>> {
    loop {
        let parts = message(listener).await?;
        let payload = parts.last().map_or(&[][..], Vec::as_slice);
        if let Some(end) = end(payload, id) {
            return Ok(end);
        }
    }
}

/// The next message of Redis: the parts of a list.
pub(super) async fn message(talk: &mut Talk) -> Step<Vec<Vec<u8>>> {
    talk.begin();
    let head = talk.line().await?;
    let count = number(&head, b'*').filter(|count| *count <= PARTS);
    let count = count.ok_or_else(|| super::super::server::redis_refusal(&head))?;
    let (mut parts, mut room) = (Vec::with_capacity(count), KEPT);
    for _ in 0..count {
        let line = talk.line().await?;
        if line.first() == Some(&b':') {
            parts.push(line);
            continue;
        }
        let length = number(&line, b'$')
            .ok_or_else(|| Failure::new(Reason::Protocol, "this is no Redis server"))?;
        if length > SKIPPED {
            return Err(Failure::new(
                Reason::BodyTooLarge,
                format!("a message of {length} bytes is no batch of events"),
            ));
        }
        // Others' events are read away, piece by piece.
        let keeps = length <= room;
        let (mut part, mut left) = (Vec::new(), length + 2);
        while left > 0 {
            talk.begin();
            let piece = talk.bytes(left.min(BYTES)).await?;
            left -= piece.len();
            if keeps {
                part.extend(piece);
            }
        }
        part.truncate(length);
        room -= part.len();
        parts.push(part);
    }
    Ok(parts)
}

fn number(line: &[u8], sign: u8) -> Option<usize> {
    let (first, digits) = line.split_first()?;
    let digits = std::str::from_utf8(digits).ok()?;
    (*first == sign).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::AsyncWriteExt as _;
    use tokio::time::Instant;

    use super::*;

    /// A message of a pattern's channel that Redis would send.
    fn told(payload: &str) -> String {
        let length = payload.len();
        format!("*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\nc\r\n${length}\r\n{payload}\r\n")
    }

    /// So many events of other tasks, and then perhaps the end of `a`.
    fn batch(others: usize, end: bool) -> String {
        let mut events = vec![r#"{"type": "task-received", "uuid": "b"}"#; others];
        events.extend(end.then_some(r#"{"type": "task-succeeded", "uuid": "a"}"#));
        let body = data_encoding::BASE64.encode(format!("[{}]", events.join(",")).as_bytes());
        told(&format!(r#"{{"body": "{body}"}}"#))
    }

    #[tokio::test]
    async fn the_end_is_found_within_and_behind_batches_of_others_events() {
        let (large, larger) = (batch(2_000, true), batch(100_000, true));
        assert!((100 << 10..KEPT).contains(&large.len()));
        assert!((KEPT..SKIPPED).contains(&larger.len()));
        let failed = told(r#"{"task_id": "a", "status": "FAILURE"}"#);
        let why = Err("FAILURE".to_owned());
        for (messages, expected) in [
            (large.clone(), Ok(())),
            (batch(2_000, false) + &failed, why.clone()),
            // What is too large tells nothing, and what follows it does.
            (larger + &failed, why),
            (batch(1, false) + &batch(60_000, false) + &large, Ok(())),
        ] {
            let (ours, mut theirs) = tokio::io::duplex(1 << 10);
            let sending = tokio::spawn(async move {
                let _ = theirs.write_all(messages.as_bytes()).await;
                theirs
            });
            let deadline = Instant::now() + Duration::from_secs(60);
            let mut listener = Talk::new(Box::new(ours), deadline);
            assert_eq!(wait(&mut listener, "a").await.unwrap(), expected);
            drop(listener);
            sending.await.unwrap();
        }
    }
}
