//! The canary as Celery's second protocol writes it, and words for Redis.

use serde_json::json;

use super::super::module::Celery;
use super::super::reason::{Failure, Reason, Step};

/// A worker that comes back later than this lets the canary lie.
const STALE: jiff::SignedDuration = jiff::SignedDuration::from_secs(120);

/// A name that no other task has, in the form of a UUID.
pub(super) fn id() -> Step<String> {
    use ring::rand::SecureRandom as _;
    let mut bytes = [0; 16];
    ring::rand::SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Failure::new(Reason::Internal, "there is no chance"))?;
    let digits = data_encoding::HEXLOWER.encode(&bytes);
    let parts = [
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..],
    ];
    Ok(parts.join("-"))
}

/// The message that lies in the queue.
pub(super) fn message(id: &str, celery: &Celery) -> String {
    let embed = json!({"callbacks": null, "errbacks": null, "chain": null, "chord": null});
    let body = json!([[], {}, embed]).to_string();
    let expires = jiff::Timestamp::now() + STALE;
    let expires = expires.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string();
    json!({
        "body": data_encoding::BASE64.encode(body.as_bytes()),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {
            "lang": "py", "task": celery.task, "id": id, "root_id": id, "parent_id": null, "group": null,
            "argsrepr": "()", "kwargsrepr": "{}", "origin": "belfry", "expires": expires, "eta": null,
            "retries": 0, "timelimit": [null, null], "shadow": null, "ignore_result": false,
        },
        "properties": {
            "correlation_id": id, "reply_to": id, "delivery_mode": 2, "priority": 0, "body_encoding": "base64",
            "delivery_info": {"exchange": "", "routing_key": celery.queue}, "delivery_tag": id,
        },
    })
    .to_string()
}

/// A command to Redis.
pub(super) fn words(words: &[&str]) -> Vec<u8> {
    let mut command = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        command.extend(format!("${}\r\n", word.len()).bytes());
        command.extend(word.bytes());
        command.extend(b"\r\n");
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_names_have_their_form() {
        assert_eq!(
            words(&["GET", "ä"]),
            "*2\r\n$3\r\nGET\r\n$2\r\nä\r\n".as_bytes()
        );
        let id = id().unwrap();
        let lengths: Vec<_> = id.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_ne!(id, super::id().unwrap());
    }
}
