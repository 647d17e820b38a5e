//! Labels and annotations of alerting rules.
//!
//! A text that goes wrong does not fail its rule: its result says what happened.

use std::collections::BTreeMap;

use crate::{
    Env, Error, Field, Functions, Kind, Limits, Mode, Object, Query, Set, Template, Value,
};

/// What every text of a rule may use without declaring it.
const VARIABLES: [&str; 4] = ["$labels", "$externalLabels", "$externalURL", "$value"];

/// How far a text of a rule may go: it becomes a line or two.
const LIMITS: Limits = Limits {
    steps: 1_000_000,
    output: 256 << 10,
};

/// Says at load time what is wrong with a text.
///
/// # Errors
/// The text is no template, or names an unknown function or variable.
pub fn check(text: &str) -> Result<(), Error> {
    Text::parse(text).map(|_| ())
}

/// Expands a text once; an error becomes the result. Where a text is expanded
/// again and again, [`Text`] parses it only once.
#[must_use]
pub fn expand(
    text: &str,
    labels: &BTreeMap<String, String>,
    external_labels: &BTreeMap<String, String>,
    external_url: &str,
    value: f64,
    now_ms: i64,
    query: &Query<'_>,
) -> String {
    let alert = Alert::new(labels, external_labels, external_url, value);
    match Text::parse(text) {
        Ok(text) => text.expand(&alert, now_ms, query),
        Err(err) => failed(&err),
    }
}

/// A label or an annotation, parsed.
#[derive(Debug, Clone)]
pub struct Text(Content);

#[derive(Debug, Clone)]
enum Content {
    /// Has no action, as most have not.
    Plain(Box<str>),
    Template(Box<Template>),
}

impl Text {
    /// Parses a text.
    ///
    /// # Errors
    /// The text is no template, or names an unknown function or variable.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if !text.contains("{{") {
            return Ok(Self(Content::Plain(text.into())));
        }
        let template = Set::new(Functions::prometheus()).parse_with(text, &VARIABLES)?;
        Ok(Self(Content::Template(Box::new(template))))
    }

    /// The text for one alert at the time of the evaluation; an error becomes
    /// the result.
    #[must_use]
    pub fn expand(&self, alert: &Alert<'_>, now_ms: i64, query: &Query<'_>) -> String {
        let template = match &self.0 {
            Content::Plain(text) => return text.to_string(),
            Content::Template(template) => template,
        };
        let env = Env {
            query: Some(query),
            limits: LIMITS,
            ..Env::at(now_ms, alert.external_url)
        };
        template
            .execute_with(&alert.data, &env, Mode::Text, &alert.variables)
            .unwrap_or_else(|err| failed(&err))
    }
}

/// What the texts of a rule see of one alert; made once for all of them.
#[derive(Debug, Clone)]
pub struct Alert<'a> {
    data: Value,
    variables: [(&'static str, Value); 4],
    external_url: &'a str,
}

impl<'a> Alert<'a> {
    /// An alert with the labels of its series and the value of its expression.
    #[must_use]
    pub fn new(
        labels: &BTreeMap<String, String>,
        external_labels: &BTreeMap<String, String>,
        external_url: &'a str,
        value: f64,
    ) -> Self {
        let texts = |set: &BTreeMap<String, String>| {
            Value::texts(set.iter().map(|(name, value)| (&**name, &**value)))
        };
        let values = [
            texts(labels),
            texts(external_labels),
            external_url.into(),
            value.into(),
        ];
        let data = Object::of(&DATA, values.to_vec()).into();
        let [labels, external_labels, url, value] = values;
        let [a, b, c, d] = VARIABLES;
        Self {
            data,
            variables: [(a, labels), (b, external_labels), (c, url), (d, value)],
            external_url,
        }
    }
}

static DATA: Kind = Kind {
    name: "template.tmplData",
    fields: &[
        field("Labels"),
        field("ExternalLabels"),
        field("ExternalURL"),
        field("Value"),
    ],
    method: |_, _, _| None,
    of_texts: false,
};

const fn field(name: &'static str) -> Field {
    Field { name, json: name }
}

fn failed(err: &Error) -> String {
    format!("<error expanding template: {err}>")
}
