//! From the texts of a mail's section to templates.

use tmpl::{Set, Template};

use super::Email;
use super::compile::Problems;
use crate::words::{Body, Words};

/// The templates that texts may call.
pub(super) struct Templates {
    pub set: Set,
    /// Whether the user brought some.
    pub any: bool,
}

type Headers = Vec<(String, String)>;

/// Parts the header fields that are templates from those that are not, and
/// parses what is one.
pub(super) fn compile(
    email: &Email,
    headers: Headers,
    templates: &Templates,
    key: &str,
    problems: &mut Problems,
) -> (Headers, Words) {
    let mut parse = |text: &str, at: String| match templates.set.parse(text) {
        Ok(template) => Some(template),
        Err(err) => {
            problems.add(at, err.to_string());
            None
        }
    };
    let mut words = Words::default();
    let mut plain = Vec::new();
    for (name, value) in headers {
        let is_subject = name == "Subject";
        if !is_subject && !value.contains("{{") {
            plain.push((name, value));
            continue;
        }
        let Some(template) = parse(&value, format!("{key}.headers[{name}]")) else {
            continue;
        };
        match is_subject {
            true => words.subject = Some(template),
            false => words.headers.push((name, template)),
        }
    }
    if templates.any || email.html.is_some() || email.text.is_some() {
        let mut body = |text: Option<&str>, default: &str, name: &str| -> Option<Template> {
            let text = text.unwrap_or(default);
            (!text.is_empty()).then(|| parse(text, format!("{key}.{name}")))?
        };
        let default = "{{ template \"email.default.html\" . }}";
        let html = body(email.html.as_deref(), default, "html");
        let text = body(email.text.as_deref(), "", "text");
        words.body = Some(Body { text, html });
        if words.subject.is_none() {
            let subject = "{{ template \"email.default.subject\" . }}";
            words.subject = parse(subject, format!("{key}.headers[Subject]"));
        }
    }
    (plain, words)
}
