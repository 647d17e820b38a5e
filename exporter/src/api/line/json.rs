//! Access logs in JSON: Caddy's, nginx's with `escape=json` in whatever layout,
//! and those of others that name their fields alike.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Line, Request, parts, status};
use crate::api::config::Keys;

/// Reads an object. What is no UTF-8, or escaped as only nginx does without
/// `escape=json`, is mended first.
pub(super) fn read<'a>(line: &'a [u8], keys: &Keys) -> Line<'a> {
    if let Ok(fields) = serde_json::from_slice::<Fields<'_>>(line) {
        return fields.line(keys);
    }
    let mended = String::from_utf8_lossy(line).replace("\\x", "\\\\x");
    match serde_json::from_str::<Fields<'_>>(&mended) {
        Ok(fields) => fields.line(keys).owned(),
        Err(_) => Line::Unreadable,
    }
}

/// A field's value, as far as it can tell us anything.
#[derive(Debug, Default, Clone)]
enum Value<'a> {
    Text(Cow<'a, str>),
    Number(f64),
    Object(Vec<(Cow<'a, str>, Value<'a>)>),
    #[default]
    Nothing,
}

/// The fields of one object, with those of the objects right inside it.
struct Fields<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

/// The fields that logs name otherwise, the surest first. Whole numbers of
/// smaller units have the unit in their name.
const HOSTS: [&str; 9] = [
    "host",
    "http_host",
    "server_name",
    "vhost",
    "request_host",
    "RequestHost",
    "server",
    "domain",
    "request.host",
];
const METHODS: [&str; 6] = [
    "method",
    "request_method",
    "RequestMethod",
    "http_method",
    "verb",
    "request.method",
];
const PATHS: [&str; 8] = [
    "uri",
    "request_uri",
    "path",
    "RequestPath",
    "request_path",
    "url",
    "request.uri",
    "request.url",
];
const STATUSES: [&str; 7] = [
    "status",
    "status_code",
    "DownstreamStatus",
    "code",
    "response_code",
    "response.status",
    "http_status",
];
const TIMES: [(&str, f64); 12] = [
    ("request_time", 1.0),
    ("duration", 1.0),
    ("request_duration", 1.0),
    ("response_time", 1.0),
    ("duration_ms", 1e-3),
    ("request_time_ms", 1e-3),
    ("response_time_ms", 1e-3),
    ("took_ms", 1e-3),
    ("duration_us", 1e-6),
    ("duration_ns", 1e-9),
    ("Duration", 1e-9),
    ("response.time", 1.0),
];
const SIZES: [&str; 8] = [
    "body_bytes_sent",
    "bytes_sent",
    "size",
    "bytes",
    "response_size",
    "DownstreamContentSize",
    "bytes_out",
    "response.size",
];

impl<'a> Fields<'a> {
    /// The value of a field; `a.b` is the field `b` in the object `a`.
    fn get(&self, name: &str) -> Option<&Value<'a>> {
        let of = |fields: &[(Cow<'a, str>, Value<'a>)], name: &str| {
            fields.iter().position(|(have, _)| have == name)
        };
        if let Some(at) = of(&self.0, name) {
            return Some(&self.0[at].1);
        }
        let (outer, inner) = name.split_once('.')?;
        match &self.0[of(&self.0, outer)?].1 {
            Value::Object(fields) => Some(&fields[of(fields, inner)?].1),
            _ => None,
        }
    }

    fn text(&self, key: &str, usual: &[&str]) -> Option<Cow<'a, str>> {
        let text = |name: &str| match self.get(name)? {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        };
        match key.is_empty() {
            true => usual.iter().find_map(|name| text(name)),
            false => text(key),
        }
    }

    fn number(&self, name: &str) -> Option<f64> {
        let number = match self.get(name)? {
            Value::Number(number) => *number,
            Value::Text(text) => text.parse().ok()?,
            _ => return None,
        };
        (number.is_finite() && number >= 0.0).then_some(number)
    }

    fn line(self, keys: &Keys) -> Line<'a> {
        // Caddy writes down everything in this form; also each error of a
        // request, whose own line comes beside it.
        if let Some(Value::Text(logger)) = self.get("logger")
            && !logger.starts_with("http.log.access")
        {
            return Line::Other;
        }
        let usual = match keys.status.is_empty() {
            true => &STATUSES[..],
            false => &[],
        };
        let mut statuses = usual.iter().copied().chain([keys.status.as_str()]);
        let known = statuses.find_map(|name| match self.get(name)? {
            Value::Number(number) => status(&number.to_string()),
            Value::Text(text) => status(text),
            _ => None,
        });
        let Some(status) = known else {
            // One of nginx's or an application's other lines has no status.
            return Line::Unreadable;
        };
        let mut method = self.text(&keys.method, &METHODS);
        let mut path = self.text(&keys.path, &PATHS);
        if let Some(Value::Text(request)) = self.get("request") {
            let (verb, target) = parts(request);
            method = method.or_else(|| Some(Cow::Owned(verb.to_owned())));
            path = path.or_else(|| Some(Cow::Owned(target.to_owned())));
        }
        // Programs of every kind say `"code": 0`.
        if status == 0 && path.as_deref().is_none_or(str::is_empty) {
            return Line::Unreadable;
        }
        let seconds = match keys.duration.is_empty() {
            true => TIMES
                .iter()
                .find_map(|(name, scale)| Some(self.number(name)? * scale)),
            false => self
                .number(&keys.duration)
                .map(|one| one * keys.unit.seconds()),
        };
        let bytes = match keys.bytes.is_empty() {
            true => SIZES.iter().find_map(|name| self.number(name)),
            false => self.number(&keys.bytes),
        };
        Line::Request(Request {
            host: self.text(&keys.host, &HOSTS).unwrap_or_default(),
            method: method.unwrap_or_default(),
            path: path.unwrap_or_default(),
            status,
            seconds,
            bytes: bytes.map(|bytes| bytes as u64),
        })
    }
}

impl Line<'_> {
    fn owned<'b>(self) -> Line<'b> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        match self {
            Self::Request(request) => Line::Request(Request {
                host: own(request.host),
                method: own(request.method),
                path: own(request.path),
                status: request.status,
                seconds: request.seconds,
                bytes: request.bytes,
            }),
            Self::Other => Line::Other,
            Self::Unreadable => Line::Unreadable,
        }
    }
}

/// Objects are read so deep.
const DEPTH: usize = 1;

struct Object(usize);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Object(DEPTH)).map(Self)
    }
}

impl<'de> Visitor<'de> for Object {
    type Value = Vec<(Cow<'de, str>, Value<'de>)>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::with_capacity(if self.0 == DEPTH { 16 } else { 8 });
        while let Some(Name(name)) = map.next_key()? {
            let value = map.next_value_seed(Field(self.0))?;
            if !matches!(value, Value::Nothing) {
                fields.push((name, value));
            }
        }
        Ok(fields)
    }
}

/// A text that is borrowed where it has no escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Cow<'de, str>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a text")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(text))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Cow::Owned(text.to_owned()))
            }
        }
        deserializer.deserialize_str(Text).map(Name)
    }
}

/// A value of a field.
struct Field(usize);

impl<'de> serde::de::DeserializeSeed<'de> for Field {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Field {
    type Value = Value<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Value::Number(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Value::Nothing)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Value::Nothing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Nothing)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        if self.0 == 0 {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(Value::Nothing);
        }
        Object(self.0 - 1).visit_map(map).map(Value::Object)
    }
}
