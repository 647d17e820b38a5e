//! The templates of a rule's labels and annotations, filled for one alert.

use std::collections::BTreeMap;

use exposition::Labels;
use tmpl::Sample;
use tmpl::rules::{Alert, Text};

use crate::query::ask;
use crate::question::Surroundings;

/// Named templates, parsed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Templates(Vec<(String, Text)>);

impl Templates {
    /// Parses texts that were checked when their file was read.
    pub(crate) fn new(texts: &BTreeMap<String, String>) -> Self {
        let parsed =
            |(name, text): (&String, &String)| Some((name.clone(), Text::parse(text).ok()?));
        Self(texts.iter().filter_map(parsed).collect())
    }

    /// The texts for one alert.
    pub(crate) fn fill(
        &self,
        alert: &Alert<'_>,
        around: &Surroundings<'_>,
    ) -> impl Iterator<Item = (&str, String)> {
        let query = |expr: &str| samples(expr, around);
        self.0
            .iter()
            .map(move |(name, text)| (name.as_str(), text.expand(alert, around.now_ms, &query)))
    }
}

/// What the templates of a rule see of one series of its result.
pub(crate) fn seen<'a>(labels: &Labels, value: f64, around: &Surroundings<'a>) -> Alert<'a> {
    let labels = set(labels);
    let site = around.site;
    Alert::new(&labels, &site.external_labels, &site.external_url, value)
}

/// A label set as the alert carries it.
pub(crate) fn set(labels: &Labels) -> alert::Set {
    labels
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn samples(expr: &str, around: &Surroundings<'_>) -> Result<Vec<Sample>, String> {
    let parsed = promql::parse(expr).map_err(|err| err.to_string())?;
    // At the evaluation's time, not behind it: as Prometheus does it.
    let result = ask(around.engine, around.store, &parsed, around.now_ms)?;
    Ok(result
        .into_iter()
        .map(|(labels, value)| Sample {
            labels: set(&labels),
            value,
        })
        .collect())
}

/// Where an expression can be looked at.
pub(crate) fn generator_url(external_url: &str, expr: &str) -> String {
    let mut url = format!("{}/graph?g0.expr=", external_url.trim_end_matches('/'));
    for byte in expr.bytes() {
        match byte {
            b' ' => url.push('+'),
            b'-' | b'_' | b'.' | b'~' => url.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => url.push(char::from(byte)),
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
    url.push_str("&g0.tab=1");
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_escaped_as_go_does() {
        assert_eq!(
            generator_url("http://b.example/", "up{a=\"ü\"} == 0 + 1"),
            "http://b.example/graph?g0.expr=up%7Ba%3D%22%C3%BC%22%7D+%3D%3D+0+%2B+1&g0.tab=1"
        );
    }
}
