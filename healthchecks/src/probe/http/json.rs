//! What the JSON of a body must say.
//!
//! Of a body only what stands at a place becomes values, which take many times as much
//! memory as its text.

use std::fmt;

use serde::de::{Deserializer as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::module::JsonMatch;

/// What is longer is taken as it is written, and not as values.
const LARGE: usize = 64 << 10;

/// Which rule a text breaks.
pub(super) fn violated(rules: &[JsonMatch], body: &[u8]) -> Option<String> {
    let whole: &RawValue = match serde_json::from_slice(body) {
        Ok(whole) => whole,
        Err(err) => return Some(format!("the body is no JSON: {err}")),
    };
    rules.iter().find_map(|rule| {
        let place = if rule.path.is_empty() {
            "the whole"
        } else {
            &rule.path
        };
        let Some(found) = at(whole, &rule.path) else {
            return Some(format!("{place} is missing"));
        };
        let value: Option<Value> = match found.get() {
            long if long.len() > LARGE && !long.starts_with('"') => None,
            text => serde_json::from_str(text).ok(),
        };
        let text = match &value {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => found.get().to_owned(),
        };
        let shown: String = text.chars().take(80).collect();
        if rule
            .equals
            .as_ref()
            .is_some_and(|wanted| !same(value.as_ref(), &text, wanted))
        {
            return Some(format!("{place} is {shown}"));
        }
        let matches = rule
            .matches
            .as_ref()
            .is_none_or(|pattern| pattern.regex().is_match(text.as_bytes()));
        (!matches).then(|| format!("{place} is {shown}, which does not match"))
    })
}

/// Whether a text is JSON in which something stands at a place, for those who throw any
/// bytes at it.
pub(in super::super) fn any(body: &[u8]) -> bool {
    let rule = JsonMatch {
        path: "$.a.0.b".to_owned(),
        equals: Some("{\"c\":[1]}".to_owned()),
        ..JsonMatch::default()
    };
    violated(&[rule], body).is_none()
}

/// What stands at a path: keys and numbers between dots.
fn at<'a>(whole: &'a RawValue, path: &str) -> Option<&'a RawValue> {
    let path = path.trim_start_matches("$").trim_start_matches('.');
    path.split('.')
        .filter(|step| !step.is_empty())
        .try_fold(whole, |value, step| {
            let mut reader = serde_json::Deserializer::from_str(value.get());
            reader.deserialize_any(Step(step)).ok()?
        })
}

/// Whether a value is what the configuration says: by its text, or as the same JSON.
fn same(found: Option<&Value>, text: &str, wanted: &str) -> bool {
    let as_json = |found: &Value| {
        !found.is_string()
            && serde_json::from_str::<Value>(wanted).is_ok_and(|wanted| wanted == *found)
    };
    text == wanted || found.is_some_and(as_json)
}

/// Looks for what stands under one key, or at one number.
struct Step<'a>(&'a str);

impl<'de> Visitor<'de> for Step<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("any JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<String>()? {
            // Of a key that stands twice the last one counts.
            if key == self.0 {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let wanted = self.0.parse::<usize>().ok();
        let (mut at, mut found) = (0, None);
        loop {
            if wanted == Some(at) {
                found = list.next_element()?;
                if found.is_none() {
                    return Ok(None);
                }
            } else if list.next_element::<IgnoredAny>()?.is_none() {
                return Ok(found);
            }
            at += 1;
        }
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_and_compared() {
        let body =
            br#"{"status": "ok", "checks": [{"name": "db", "up": true, "n": 3}], "none": null}"#;
        for (path, equals, matches, good) in [
            ("status", Some("ok"), None, true),
            ("$.status", Some("ok"), None, true),
            ("status", Some("fine"), None, false),
            ("checks.0.up", Some("true"), None, true),
            ("checks.0.n", Some("3"), None, true),
            ("checks.0.n", None, Some("^[0-9]$"), true),
            ("checks.0.name", None, Some("^web$"), false),
            ("checks.1.up", None, None, false),
            ("none", Some("null"), None, true),
            ("missing", None, None, false),
            ("", None, Some("status"), true),
        ] {
            let rule = JsonMatch {
                path: path.to_owned(),
                equals: equals.map(str::to_owned),
                matches: matches
                    .map(|text| super::super::super::pattern::Pattern::new(text).unwrap()),
            };
            assert_eq!(
                violated(&[rule], body).is_none(),
                good,
                "{path} {equals:?} {matches:?}"
            );
        }
        for broken in [&b"{"[..], b"", b"{} {}", b"[1,]", b"\"\xff\""] {
            assert!(violated(&[], broken).unwrap().contains("no JSON"));
        }
        let twice = br#"{"a": {"b": 1}, "a": {"b": [7, "x.y"]}, "c": [[1], [2, 3]]}"#;
        for (path, expected) in [("a.b.1", "x.y"), ("c.1.1", "3"), ("c.0", "[1]")] {
            let rule = JsonMatch {
                path: path.to_owned(),
                equals: Some(expected.to_owned()),
                ..JsonMatch::default()
            };
            assert_eq!(violated(&[rule], twice), None, "{path}");
        }
        for path in ["a.b.x", "a.b.2", "a.b.0.c", "c.1.1.1"] {
            let rule = JsonMatch {
                path: path.to_owned(),
                ..JsonMatch::default()
            };
            let told = violated(&[rule], twice).unwrap();
            assert!(told.ends_with("is missing"), "{told}");
        }
    }

    #[test]
    fn what_is_long_is_matched_as_it_is_written() {
        let long = format!("{{\"all\": [{}9], \"state\": \"ok\"}}", "0, ".repeat(LARGE));
        for (path, matches) in [("all", "0, 9\\]$"), ("state", "^ok$"), ("", "^.\"all\"")] {
            let rule = JsonMatch {
                path: path.to_owned(),
                equals: None,
                matches: super::super::super::pattern::Pattern::new(matches).ok(),
            };
            assert_eq!(violated(&[rule], long.as_bytes()), None, "{path}");
        }
    }
}
