//! One file as a tree, variables filled in, with what it says of merging.

use std::collections::{BTreeMap, HashMap};

use saphyr_parser::{Event, Parser};
use settings::{Fault, Kind, Node, Place};

use crate::environment::Environment;

/// What a service has that is not wanted here, and may hold secrets.
const LEFT_OUT: [&str; 11] = [
    "annotations",
    "args",
    "build",
    "command",
    "configs",
    "entrypoint",
    "env_file",
    "environment",
    "healthcheck",
    "logging",
    "secrets",
];

/// Of labels only this one is wanted: how a service asks to be looked at.
pub(crate) const PROBE: &str = "belfry.probe";

/// A piece of a file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Text(String),
    /// A text that only whoever started the project could fill in.
    Unknown,
    List(Vec<Self>),
    Map(BTreeMap<String, Self>),
    /// `!reset`: away with what was said before.
    Reset,
    /// `!override`: this, whatever was said before.
    Override(Box<Self>),
}

impl Value {
    /// The value under a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(entries) => entries.get(key),
            _ => None,
        }
    }

    /// The entries of a mapping; none of anything else.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&String, &Self)> {
        let entries = match self {
            Self::Map(entries) => Some(entries),
            _ => None,
        };
        entries.into_iter().flatten()
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn is_true(&self) -> bool {
        self.text() == Some("true")
    }

    /// A text alone, or all texts of a list.
    pub(crate) fn texts(&self) -> Vec<&str> {
        match self {
            Self::Text(text) => vec![text],
            Self::List(items) => items.iter().filter_map(Self::text).collect(),
            _ => Vec::new(),
        }
    }

    /// How many pieces it has; a long text counts as several.
    pub(crate) fn weight(&self) -> usize {
        1 + match self {
            Self::Text(text) => text.len() / 64,
            Self::List(items) => items.iter().map(Self::weight).sum(),
            Self::Map(entries) => entries.values().map(Self::weight).sum(),
            Self::Override(value) => value.weight(),
            _ => 0,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Tag {
    Reset,
    Override,
}

/// Reads a file's text.
pub(crate) fn read(file: &str, text: &str, environment: &Environment) -> Result<Value, Fault> {
    let node = settings::parse(file, text)?;
    let tags = if text.contains("!reset") || text.contains("!override") {
        tags(text)
    } else {
        HashMap::new()
    };
    let reading = Reading { environment, tags };
    let mut entries = BTreeMap::new();
    if let Kind::Map(found) = &node.kind {
        for (name, node) in found {
            // Anchors for later, and what other tools want to know.
            if name.text.starts_with("x-") {
                continue;
            }
            let value = match (&*name.text, &node.kind) {
                ("services", Kind::Map(services)) => reading.services(services),
                _ => reading.value(node),
            };
            entries.insert(name.text.clone(), value);
        }
    } else if !matches!(node.kind, Kind::Null) {
        return Err(Fault {
            message: format!("a mapping is wanted here, found {}", node.what()),
            place: node.place,
            key: String::new(),
        });
    }
    Ok(Value::Map(entries))
}

struct Reading<'a> {
    environment: &'a Environment,
    /// By line and column.
    tags: HashMap<(usize, usize), Tag>,
}

impl Reading<'_> {
    fn services(&self, services: &[(settings::Name, Node)]) -> Value {
        let service = |node: &Node| match &node.kind {
            Kind::Map(entries) => self.tagged(node, || {
                let wanted = entries
                    .iter()
                    .filter(|(name, _)| !LEFT_OUT.contains(&&*name.text));
                let entries = wanted.map(|(name, node)| {
                    let value = match &*name.text {
                        "labels" => self.labels(node),
                        _ => self.value(node),
                    };
                    (name.text.clone(), value)
                });
                Value::Map(entries.collect())
            }),
            _ => self.value(node),
        };
        let services = services.iter();
        Value::Map(
            services
                .map(|(name, node)| (name.text.clone(), service(node)))
                .collect(),
        )
    }

    /// Labels, as a list or a mapping, without all that are none of ours.
    fn labels(&self, node: &Node) -> Value {
        self.tagged(node, || {
            let found = match &node.kind {
                Kind::Map(entries) => {
                    let mut ours = entries.iter().filter(|(name, _)| name.text == PROBE);
                    ours.next().map(|(_, node)| self.value(node))
                }
                Kind::List(items) => {
                    let mut ours = items.iter().filter_map(|item| match &item.kind {
                        Kind::Scalar { text, .. } => text.strip_prefix(PROBE)?.strip_prefix('='),
                        _ => None,
                    });
                    ours.next_back().map(|text| self.filled(text))
                }
                _ => None,
            };
            let found = found.map(|value| (PROBE.to_owned(), value));
            Value::Map(found.into_iter().collect())
        })
    }

    fn filled(&self, text: &str) -> Value {
        match self.environment.fill(text) {
            Ok(text) => Value::Text(text),
            Err(_) => Value::Unknown,
        }
    }

    fn value(&self, node: &Node) -> Value {
        self.tagged(node, || match &node.kind {
            Kind::Null => Value::Null,
            Kind::Scalar { text, .. } => self.filled(text),
            Kind::List(items) => Value::List(items.iter().map(|item| self.value(item)).collect()),
            Kind::Map(entries) => {
                let entries = entries.iter();
                let entries = entries.map(|(name, node)| (name.text.clone(), self.value(node)));
                Value::Map(entries.collect())
            }
        })
    }

    fn tagged(&self, node: &Node, value: impl FnOnce() -> Value) -> Value {
        let tag = match node.place {
            Place::Line { line, column, .. } => self.tags.get(&(line, column)),
            Place::Environment(_) => None,
        };
        match tag {
            Some(Tag::Reset) => Value::Reset,
            Some(Tag::Override) => Value::Override(Box::new(value())),
            None => value(),
        }
    }
}

/// Where `!reset` and `!override` stand. The text is known to be sound.
fn tags(text: &str) -> HashMap<(usize, usize), Tag> {
    let events = Parser::new_from_str(text).map_while(Result::ok);
    events
        .filter_map(|(event, span)| {
            let (Event::Scalar(_, _, _, tag)
            | Event::SequenceStart(_, tag)
            | Event::MappingStart(_, tag)) = event
            else {
                return None;
            };
            let tag = match &*tag?.suffix {
                "reset" => Tag::Reset,
                "override" => Tag::Override,
                _ => return None,
            };
            Some(((span.start.line(), span.start.col() + 1), tag))
        })
        .collect()
}
