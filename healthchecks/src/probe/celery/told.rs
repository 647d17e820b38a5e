//! What a message tells of the end of the canary: its result, or the event of its
//! end. Nothing else of a message is kept, since others' events may be very many.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Good, or why it failed.
type End = Result<(), String>;

/// A result, or an envelope with events.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Message<'a> {
    #[serde(borrow)]
    task_id: Word<'a>,
    #[serde(borrow)]
    status: Word<'a>,
    #[serde(borrow)]
    body: Word<'a>,
}

/// The part of a result that says what went wrong.
#[derive(Deserialize)]
struct Failed<'a> {
    #[serde(borrow)]
    result: Exception<'a>,
}

#[derive(Deserialize)]
struct Exception<'a> {
    #[serde(borrow)]
    exc_type: Word<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Event<'a> {
    #[serde(borrow)]
    uuid: Word<'a>,
    #[serde(borrow)]
    r#type: Word<'a>,
    #[serde(borrow)]
    exception: Word<'a>,
}

/// The end of the canary, if a message tells it.
pub(super) fn end(payload: &[u8], id: &str) -> Option<End> {
    let told: Message<'_> = serde_json::from_slice(payload).ok()?;
    if told.task_id.0 == id {
        return match &*told.status.0 {
            "SUCCESS" => Some(Ok(())),
            "PENDING" | "RECEIVED" | "STARTED" | "RETRY" => None,
            status => {
                let failed: Option<Failed<'_>> = serde_json::from_slice(payload).ok();
                let kind = failed.map(|failed| failed.result.exc_type);
                Some(Err(why(status, &kind.unwrap_or_default())))
            }
        };
    }
    // An event stands in an envelope, alone or with others.
    let body = data_encoding::BASE64.decode(told.body.0.as_bytes()).ok()?;
    let mut events = serde_json::Deserializer::from_slice(&body);
    Looking(id).deserialize(&mut events).ok()?
}

fn why(what: &str, exception: &Word<'_>) -> String {
    // What stands in an exception may be a secret; its kind is none.
    let kind = exception.0.split('(').next().unwrap_or_default();
    format!("{what} {kind}").trim_end().to_owned()
}

impl Event<'_> {
    fn end(&self) -> Option<End> {
        match &*self.r#type.0 {
            "task-succeeded" => Some(Ok(())),
            end @ ("task-failed" | "task-rejected" | "task-revoked") => {
                Some(Err(why(end, &self.exception)))
            }
            _ => None,
        }
    }
}

/// Looks for the end of a task in an event or in a list of them.
struct Looking<'i>(&'i str);

impl<'de> DeserializeSeed<'de> for Looking<'_> {
    type Value = Option<End>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Looking<'_> {
    type Value = Option<End>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("events")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let event = Event::deserialize(MapAccessDeserializer::new(map))?;
        Ok(event.end().filter(|_| event.uuid.0 == self.0))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut end = None;
        while let Some(one) = seq.next_element_seed(Looking(self.0))? {
            end = end.or(one);
        }
        Ok(end)
    }
}

/// A text, or an empty one where there is something else.
#[derive(Default)]
struct Word<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Word<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reading)
    }
}

struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Word<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("anything")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Word(text.into()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Word(text.to_owned().into()))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Word::default())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Word::default())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Word::default())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Word::default())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Word::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Word::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Word::default())
    }
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
            // What users tell with events of their own may be anything.
            (
                event(
                    r#"[{"type": "task-x", "uuid": "a", "exception": {"a": [null, 1.5]}}, {"type": "task-rejected", "uuid": "a", "exception": null}]"#,
                ),
                failed("task-rejected"),
            ),
            (
                r#"{"status": "FAILURE", "task_id": "a", "result": [true, -1], "body": {}}"#
                    .to_owned(),
                failed("FAILURE"),
            ),
            ("no JSON".to_owned(), None),
            ("1".to_owned(), None),
            (r#"{"body": "no base64!"}"#.to_owned(), None),
        ] {
            assert_eq!(end(payload.as_bytes(), "a"), expected, "{payload}");
        }
    }
}
