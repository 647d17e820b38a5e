//! What comes back from a worker: the result of the canary, or the event of its
//! end, whichever is first.

use serde_json::Value;

use super::super::reason::{Failure, Reason, Step};
use super::super::talk::Talk;

/// A message of more parts is none of ours.
const PARTS: usize = 8;
/// A part of more bytes is none of ours; the bound of a talk is higher.
const BYTES: usize = 60 << 10;
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
    let mut parts = Vec::with_capacity(count);
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
        if length > BYTES {
            // A batch of others' events: read away, piece by piece.
            let mut left = length.saturating_add(2);
            while left > 0 {
                talk.begin();
                let piece = left.min(BYTES);
                talk.bytes(piece).await?;
                left -= piece;
            }
            parts.push(Vec::new());
            continue;
        }
        let mut part = talk.bytes(length + 2).await?;
        part.truncate(length);
        parts.push(part);
    }
    Ok(parts)
}

fn number(line: &[u8], sign: u8) -> Option<usize> {
    let (first, digits) = line.split_first()?;
    let digits = std::str::from_utf8(digits).ok()?;
    (*first == sign).then(|| digits.parse().ok())?
}

/// The end of the canary, if a message tells it.
pub(super) fn end(payload: &[u8], id: &str) -> Option<Result<(), String>> {
    let told: Value = serde_json::from_slice(payload).ok()?;
    if told["task_id"] == id {
        return Some(match told["status"].as_str() {
            Some("SUCCESS") => Ok(()),
            Some("PENDING" | "RECEIVED" | "STARTED" | "RETRY") => return None,
            status => Err(why(status.unwrap_or_default(), &told["result"]["exc_type"])),
        });
    }
    // An event stands in an envelope, alone or with others.
    let body = told["body"].as_str()?;
    let body = data_encoding::BASE64.decode(body.as_bytes()).ok()?;
    let events = match serde_json::from_slice(&body).ok()? {
        Value::Array(events) => events,
        event => vec![event],
    };
    events
        .iter()
        .filter(|event| event["uuid"] == id)
        .find_map(|event| match event["type"].as_str()? {
            "task-succeeded" => Some(Ok(())),
            end @ ("task-failed" | "task-rejected" | "task-revoked") => {
                Some(Err(why(end, &event["exception"])))
            }
            _ => None,
        })
}

fn why(what: &str, exception: &Value) -> String {
    let exception = exception.as_str().unwrap_or_default();
    // What stands in an exception may be a secret; its kind is none.
    let kind = exception.split('(').next().unwrap_or_default();
    format!("{what} {kind}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_and_events_tell_the_end() {
        let event = |body: &str| {
            let body = data_encoding::BASE64.encode(body.as_bytes());
            format!("{{\"body\": \"{body}\"}}")
        };
        let failed = |why: &str| Some(Err(why.to_owned()));
        for (payload, expected) in [
            (
                r#"{"status": "SUCCESS", "task_id": "a"}"#.to_owned(),
                Some(Ok(())),
            ),
            (r#"{"status": "SUCCESS", "task_id": "b"}"#.to_owned(), None),
            (r#"{"status": "STARTED", "task_id": "a"}"#.to_owned(), None),
            (
                r#"{"status": "FAILURE", "task_id": "a", "result": {"exc_type": "NotRegistered"}}"#
                    .to_owned(),
                failed("FAILURE NotRegistered"),
            ),
            (
                event(r#"{"type": "task-succeeded", "uuid": "a"}"#),
                Some(Ok(())),
            ),
            (
                event(
                    r#"[{"type": "task-received", "uuid": "a"}, {"type": "task-succeeded", "uuid": "a"}]"#,
                ),
                Some(Ok(())),
            ),
            (event(r#"[{"type": "task-succeeded", "uuid": "b"}]"#), None),
            (
                event(
                    r#"{"type": "task-failed", "uuid": "a", "exception": "ValueError('hunter2')"}"#,
                ),
                failed("task-failed ValueError"),
            ),
            ("no JSON".to_owned(), None),
            ("1".to_owned(), None),
            (r#"{"body": "no base64!"}"#.to_owned(), None),
        ] {
            assert_eq!(end(payload.as_bytes(), "a"), expected, "{payload}");
        }
    }
}
