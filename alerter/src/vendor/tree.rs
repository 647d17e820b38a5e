//! A piece of YAML of the user's own form, whose texts are templates.

use serde_json::{Map, Value};
use settings::{Any, Kind, Node};

use crate::config::{Making, Text};
use crate::words::Filler;

/// The piece, compiled.
#[derive(Debug, Clone)]
pub(crate) enum Tree {
    /// A number, a truth or nothing, as it stands.
    Word(Value),
    Text(Text),
    List(Vec<Tree>),
    Map(Vec<(Text, Tree)>),
}

impl Tree {
    pub(crate) fn compile(any: &Any, field: &str, making: &mut Making<'_>) -> Self {
        Self::of(&any.0, field, making)
    }

    fn of(node: &Node, field: &str, making: &mut Making<'_>) -> Self {
        match &node.kind {
            Kind::Null => Self::Word(Value::Null),
            Kind::Scalar {
                text,
                quoted: false,
            } if word(text).is_some() => Self::Word(word(text).unwrap_or_default()),
            Kind::Scalar { text, .. } => Self::Text(making.text(field, text)),
            Kind::List(items) => {
                Self::List(items.iter().map(|it| Self::of(it, field, making)).collect())
            }
            Kind::Map(entries) => {
                let entry = |(name, value): &(settings::Name, Node)| {
                    let key = format!("{field}[{}]", name.text);
                    let value = Self::of(value, &key, making);
                    (making.text(&key, &name.text), value)
                };
                Self::Map(entries.iter().map(entry).collect())
            }
        }
    }

    /// The piece as JSON. With `parse`, a filled-in text that is YAML of another
    /// form becomes that.
    pub(crate) fn fill(&self, filler: &Filler<'_>, parse: bool) -> Value {
        match self {
            Self::Word(value) => value.clone(),
            Self::Text(Text::Plain(text)) => Value::String(text.to_string()),
            Self::Text(text) => {
                let text = match filler.value(text) {
                    Ok(text) => text,
                    Err(text) if text.is_empty() => return Value::Null,
                    Err(text) => return Value::String(text),
                };
                let parsed = parse.then(|| settings::parse("", &text).ok()).flatten();
                match parsed.map(|node| plain(&node)) {
                    None | Some(Value::String(_)) => Value::String(text),
                    Some(value) => value,
                }
            }
            Self::List(items) => items.iter().map(|it| it.fill(filler, parse)).collect(),
            Self::Map(entries) => {
                let entry =
                    |(name, value): &(Text, Self)| (filler.word(name), value.fill(filler, parse));
                Value::Object(entries.iter().map(entry).collect::<Map<_, _>>())
            }
        }
    }
}

/// YAML as JSON.
fn plain(node: &Node) -> Value {
    match &node.kind {
        Kind::Null => Value::Null,
        Kind::Scalar { text, quoted } => match word(text).filter(|_| !quoted) {
            Some(value) => value,
            None => Value::String(text.clone()),
        },
        Kind::List(items) => items.iter().map(plain).collect(),
        Kind::Map(entries) => {
            let entry = |(name, value): &(settings::Name, Node)| (name.text.clone(), plain(value));
            Value::Object(entries.iter().map(entry).collect())
        }
    }
}

/// A number or a truth.
fn word(text: &str) -> Option<Value> {
    match text {
        "true" | "True" | "TRUE" => Some(Value::Bool(true)),
        "false" | "False" | "FALSE" => Some(Value::Bool(false)),
        _ => serde_json::from_str::<serde_json::Number>(text)
            .ok()
            .map(Value::Number),
    }
}
