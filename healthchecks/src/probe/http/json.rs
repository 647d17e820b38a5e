//! What the JSON of a body must say.

use serde_json::Value;

use super::super::module::JsonMatch;

/// Which rule a text breaks.
pub(super) fn violated(rules: &[JsonMatch], body: &[u8]) -> Option<String> {
    let whole: Value = match serde_json::from_slice(body) {
        Ok(whole) => whole,
        Err(err) => return Some(format!("the body is no JSON: {err}")),
    };
    rules.iter().find_map(|rule| {
        let place = if rule.path.is_empty() {
            "the whole"
        } else {
            &rule.path
        };
        let Some(found) = at(&whole, &rule.path) else {
            return Some(format!("{place} is missing"));
        };
        let text = match found {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let shown: String = text.chars().take(80).collect();
        if rule
            .equals
            .as_ref()
            .is_some_and(|wanted| !same(found, &text, wanted))
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
fn at<'a>(whole: &'a Value, path: &str) -> Option<&'a Value> {
    let path = path.trim_start_matches("$").trim_start_matches('.');
    path.split('.')
        .filter(|step| !step.is_empty())
        .try_fold(whole, |value, step| match value {
            Value::Object(keys) => keys.get(step),
            Value::Array(items) => items.get(step.parse::<usize>().ok()?),
            _ => None,
        })
}

/// Whether a value is what the configuration says: by its text, or as the same JSON.
fn same(found: &Value, text: &str, wanted: &str) -> bool {
    text == wanted
        || (!found.is_string()
            && serde_json::from_str::<Value>(wanted).is_ok_and(|wanted| wanted == *found))
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
        assert!(violated(&[], b"{").unwrap().contains("no JSON"));
    }
}
