//! What Celery sends over Redis, taken apart: envelopes, and the events in
//! them. Anything may stand in them; what makes no sense is left out.

use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::Value;

/// The longest text that is taken over, in characters.
const LONGEST: usize = 200;
/// The most events of one message.
const MOST_EVENTS: usize = 10_000;

/// Something that happened to a task or a worker.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    pub(super) kind: Kind,
    /// The node that tells it.
    pub(super) node: String,
    /// When it was, in seconds since 1970, by the teller's clock.
    pub(super) at: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Task {
        uuid: String,
        what: Task,
    },
    /// A worker is there.
    Alive {
        freq: f64,
        active: Option<f64>,
        processed: Option<f64>,
    },
    /// A worker has said good-bye.
    Offline,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Task {
    Sent {
        name: String,
        queue: String,
        eta: Option<f64>,
    },
    Received {
        name: String,
        eta: Option<f64>,
    },
    Started,
    Succeeded {
        runtime: Option<f64>,
    },
    Failed {
        exception: String,
    },
    Retried,
    Rejected,
    Revoked,
}

/// What is read of an envelope, where it is as Celery makes it.
#[derive(Deserialize)]
struct Envelope<'a> {
    body: &'a str,
    properties: Properties<'a>,
}

#[derive(Deserialize)]
struct Properties<'a> {
    body_encoding: &'a str,
}

/// What is read of an event; the rest is passed over without being kept.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Told<'a> {
    r#type: Option<&'a str>,
    uuid: Option<&'a str>,
    name: Option<&'a str>,
    hostname: Option<&'a str>,
    queue: Option<&'a str>,
    routing_key: Option<&'a str>,
    exception: Option<&'a str>,
    eta: Option<&'a str>,
    timestamp: Option<f64>,
    runtime: Option<f64>,
    freq: Option<f64>,
    active: Option<f64>,
    processed: Option<f64>,
}

impl<'a> Told<'a> {
    /// Of an event that holds something else than is usual.
    fn of(value: &'a Value) -> Self {
        let text = |key| value.get(key).and_then(Value::as_str);
        let number = |key| value.get(key).and_then(Value::as_f64);
        Self {
            r#type: text("type"),
            uuid: text("uuid"),
            name: text("name"),
            hostname: text("hostname"),
            queue: text("queue"),
            routing_key: text("routing_key"),
            exception: text("exception"),
            eta: text("eta"),
            timestamp: number("timestamp"),
            runtime: number("runtime"),
            freq: number("freq"),
            active: number("active"),
            processed: number("processed"),
        }
    }
}

/// The JSON within an envelope.
pub(super) fn open(message: &str) -> Option<Value> {
    serde_json::from_slice(&unpack(message)?).ok()
}

/// The bytes within an envelope.
fn unpack(message: &str) -> Option<Vec<u8>> {
    if let Ok(envelope) = serde_json::from_str::<Envelope<'_>>(message)
        && envelope.properties.body_encoding == "base64"
    {
        return BASE64.decode(envelope.body.as_bytes()).ok();
    }
    let envelope: Value = serde_json::from_str(message).ok()?;
    let body = envelope.get("body")?.as_str()?;
    let coding = envelope.pointer("/properties/body_encoding");
    match coding.and_then(Value::as_str) {
        Some("base64") => BASE64.decode(body.as_bytes()).ok(),
        _ => Some(body.into()),
    }
}

/// The number that a message of a queue gives its task.
pub(super) fn task_of(message: &str) -> Option<String> {
    let envelope: Value = serde_json::from_str(message).ok()?;
    let id = envelope.pointer("/headers/id")?.as_str()?;
    Some(cut(id))
}

/// The events of a message.
pub(super) fn events(message: &str) -> Vec<Event> {
    unpack(message).map_or_else(Vec::new, |body| bare_events(&body))
}

/// The events of a message that comes without an envelope.
pub(super) fn bare_events(message: &[u8]) -> Vec<Event> {
    if let Some(events) = plain_events(message) {
        return events;
    }
    match serde_json::from_slice(message) {
        Ok(Value::Array(all)) => {
            let all = all.iter().take(MOST_EVENTS);
            all.filter_map(|one| event(&Told::of(one))).collect()
        }
        Ok(one) => event(&Told::of(&one)).into_iter().collect(),
        Err(_) => Vec::new(),
    }
}

/// The events of a message whose texts can be read where they lie, as nearly all can:
/// one alone, or a list, in which workers send those of tasks. Nothing where a text
/// has an escape in it and has to be made anew, or something unusual stands there.
fn plain_events(message: &[u8]) -> Option<Vec<Event>> {
    if let Ok(one) = serde_json::from_slice::<Told<'_>>(message) {
        return Some(event(&one).into_iter().collect());
    }
    let all: Vec<Told<'_>> = serde_json::from_slice(message).ok()?;
    Some(all.iter().take(MOST_EVENTS).filter_map(event).collect())
}

fn event(of: &Told<'_>) -> Option<Event> {
    let kind = of.r#type?;
    let kind = match kind.strip_prefix("task-") {
        Some(what) => Kind::Task {
            uuid: text(of.uuid)?,
            what: task(what, of)?,
        },
        None => match kind {
            "worker-online" | "worker-heartbeat" => Kind::Alive {
                freq: of.freq.filter(|freq| *freq > 0.0).unwrap_or(2.0),
                active: of.active,
                processed: of.processed,
            },
            "worker-offline" => Kind::Offline,
            _ => return None,
        },
    };
    Some(Event {
        kind,
        node: text(of.hostname)?,
        at: of.timestamp?,
    })
}

fn task(what: &str, of: &Told<'_>) -> Option<Task> {
    Some(match what {
        "sent" => Task::Sent {
            name: text(of.name)?,
            queue: text(of.queue).or(text(of.routing_key))?,
            eta: of.eta.and_then(eta),
        },
        "received" => Task::Received {
            name: text(of.name)?,
            eta: of.eta.and_then(eta),
        },
        "started" => Task::Started,
        "succeeded" => Task::Succeeded {
            runtime: of.runtime,
        },
        "failed" => Task::Failed {
            exception: exception(of.exception),
        },
        "retried" => Task::Retried,
        "rejected" => Task::Rejected,
        "revoked" => Task::Revoked,
        _ => return None,
    })
}

/// When it may begin; Celery writes a time with its zone.
fn eta(said: &str) -> Option<f64> {
    let time: jiff::Timestamp = said.parse().ok()?;
    Some(time.as_microsecond() as f64 / 1e6)
}

/// The name that an exception's text begins with; the rest may hold secrets.
fn exception(said: Option<&str>) -> String {
    let said = said.unwrap_or_default();
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.');
    let end = said.find(|letter| !plain(letter)).unwrap_or(said.len());
    let name = said[..end].rsplit('.').next().unwrap_or_default();
    let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    // `ValueError('x')`, `<ExceptionInfo: KeyError(1)>`, `Timeout`
    match (is_name, said.split_once(": ")) {
        (true, _) => cut(name),
        (false, Some((_, rest))) if said.starts_with('<') => exception(Some(rest)),
        _ => "UnknownException".to_owned(),
    }
}

fn text(text: Option<&str>) -> Option<String> {
    let text = text?;
    (!text.is_empty()).then(|| cut(text))
}

fn cut(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(body: &str) -> String {
        let body = BASE64.encode(body.as_bytes());
        format!("{{\"body\":\"{body}\",\"properties\":{{\"body_encoding\":\"base64\"}}}}")
    }

    #[test]
    fn events_are_read_alone_and_in_lists() {
        let one = "{\"type\":\"worker-heartbeat\",\"hostname\":\"celery@a\",\"timestamp\":5.5,\"freq\":2.0,\"active\":3}";
        let alive = Kind::Alive {
            freq: 2.0,
            active: Some(3.0),
            processed: None,
        };
        let read = events(&envelope(one));
        assert_eq!(read.len(), 1);
        assert_eq!((&read[0].kind, read[0].at), (&alive, 5.5));
        let several = "[{\"type\":\"task-started\",\"uuid\":\"u\",\"hostname\":\"w@a\",\"timestamp\":1},\
            {\"type\":\"task-unheard\",\"uuid\":\"u\",\"hostname\":\"w@a\",\"timestamp\":1},\
            {\"type\":\"task-sent\",\"uuid\":\"u\",\"name\":\"t\",\"queue\":\"q\",\"hostname\":\"gen1@web\",\
             \"timestamp\":1,\"eta\":\"1970-01-01T00:01:00+00:00\"}, 7]";
        let read = events(&envelope(several));
        let sent = Task::Sent {
            name: "t".into(),
            queue: "q".into(),
            eta: Some(60.0),
        };
        let kinds: Vec<_> = read.into_iter().map(|event| event.kind).collect();
        assert!(
            matches!(&kinds[..], [Kind::Task { what: Task::Started, .. }, Kind::Task { what, .. }] if *what == sent),
            "{kinds:?}"
        );
    }

    #[test]
    fn an_event_is_the_same_however_its_text_is_written() {
        let plain = "{\"type\":\"task-failed\",\"uuid\":\"u\",\"exception\":\"KeyError(1)\",\
            \"hostname\":\"w@a\",\"timestamp\":1.5,\"retries\":[{}],\"name\":null}";
        let read = bare_events(plain.as_bytes());
        let failed = Task::Failed {
            exception: "KeyError".into(),
        };
        assert!(
            matches!(&read[..], [Event { kind: Kind::Task { uuid, what }, .. }] if uuid == "u" && *what == failed),
            "{read:?}"
        );
        // Both are read without being made anew.
        let list = format!("[{plain}]");
        assert_eq!(plain_events(plain.as_bytes()).as_ref(), Some(&read));
        assert_eq!(plain_events(list.as_bytes()).as_ref(), Some(&read));
        assert_eq!(events(&envelope(&list)), read);
        for (from, to) in [
            ("KeyError(1)", "KeyError(\\\"1\\\")"),
            ("w@a", "\\u0077@a"),
            ("\"name\":null", "\"name\":7"),
            ("\"name\":null", "\"runtime\":\"long\""),
            ("\"name\":null", "\"type\":\"task-failed\""),
        ] {
            let other = plain.replace(from, to);
            assert_ne!(other, plain);
            assert_eq!(plain_events(other.as_bytes()), None, "{other}");
            assert_eq!(bare_events(other.as_bytes()), read, "{other}");
            let list = format!("[{other}]");
            assert_eq!(bare_events(list.as_bytes()), read, "{list}");
            assert_eq!(events(&envelope(&other)), read, "{other}");
            let body = serde_json::to_string(&other).unwrap();
            assert_eq!(events(&format!("{{\"body\":{body}}}")), read, "{other}");
        }
    }

    #[test]
    fn an_exception_is_its_name_alone() {
        for (said, name) in [
            ("ValueError('password is hunter2')", "ValueError"),
            ("KeyError('x')", "KeyError"),
            (
                "requests.exceptions.ConnectionError(...)",
                "ConnectionError",
            ),
            ("<ExceptionInfo: WorkerLostError('x')>", "WorkerLostError"),
            ("Timeout", "Timeout"),
            ("'hunter2'", "UnknownException"),
            ("", "UnknownException"),
        ] {
            assert_eq!(exception(Some(said)), name, "{said}");
        }
        assert_eq!(exception(None), "UnknownException");
    }

    proptest::proptest! {
        #[test]
        fn any_message_is_read(text in "\\PC{0,200}", body in "[\\[\\]{}\":,a-z0-9.-]{0,200}") {
            let _ = events(&text);
            let _ = events(&envelope(&body));
            let _ = task_of(&text);
            let _ = exception(Some(&text));
        }
    }
}
