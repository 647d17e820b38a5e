//! A piece of a file whose form is the user's own.

use crate::page::quoted;
use crate::{Kind, Node, Page, Place, Reader, Value};

/// Any YAML: texts, lists and mappings as they stand.
#[derive(Debug, Clone)]
pub struct Any(pub Node);

impl Default for Any {
    fn default() -> Self {
        Self(Node {
            place: Place::Environment(String::new()),
            kind: Kind::Null,
        })
    }
}

impl Any {
    /// Whether nothing was said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self.0.kind, Kind::Null)
    }

    /// The text of a plain piece.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.0.kind {
            Kind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }
}

impl PartialEq for Any {
    fn eq(&self, other: &Self) -> bool {
        same(&self.0, &other.0)
    }
}

/// Whether two pieces say the same, wherever they stand.
fn same(one: &Node, two: &Node) -> bool {
    match (&one.kind, &two.kind) {
        (Kind::Null, Kind::Null) => true,
        (
            Kind::Scalar { text, quoted },
            Kind::Scalar {
                text: other,
                quoted: other_quoted,
            },
        ) => text == other && quoted == other_quoted,
        (Kind::List(one), Kind::List(two)) => {
            one.len() == two.len() && one.iter().zip(two).all(|(one, two)| same(one, two))
        }
        (Kind::Map(one), Kind::Map(two)) => {
            let pair = |((name, one), (other, two)): (&(_, _), &(_, _))| {
                let (name, other): (&crate::Name, &crate::Name) = (name, other);
                name.text == other.text && same(one, two)
            };
            one.len() == two.len() && one.iter().zip(two).all(pair)
        }
        _ => false,
    }
}

impl Value for Any {
    fn kind() -> String {
        "anything".into()
    }

    fn decode(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let mut node = node.clone();
        expand(&mut node, reader);
        Some(Self(node))
    }

    fn show(&self) -> String {
        match self.is_empty() {
            true => String::new(),
            false => flow(&self.0),
        }
    }

    fn write(&self, page: &mut Page, name: &str) {
        if !self.is_empty() {
            page.word(name, &flow(&self.0));
        }
    }

    fn plain() -> bool {
        false
    }
}

fn expand(node: &mut Node, reader: &mut Reader<'_>) {
    match &mut node.kind {
        Kind::Null => {}
        Kind::Scalar { text, .. } => *text = reader.expand(text, &node.place),
        Kind::List(items) => items.iter_mut().for_each(|item| expand(item, reader)),
        Kind::Map(entries) => {
            for (_, value) in entries {
                expand(value, reader);
            }
        }
    }
}

/// On one line.
fn flow(node: &Node) -> String {
    match &node.kind {
        Kind::Null => "null".into(),
        Kind::Scalar { text, quoted: true } => quoted(text),
        Kind::Scalar { text, .. } if plain_word(text) => text.clone(),
        Kind::Scalar { text, .. } => quoted(text),
        Kind::List(items) => {
            let items: Vec<_> = items.iter().map(flow).collect();
            format!("[{}]", items.join(", "))
        }
        Kind::Map(entries) => {
            let entry = |(name, value): &(crate::Name, Node)| {
                format!("{}: {}", quoted(&name.text), flow(value))
            };
            let entries: Vec<_> = entries.iter().map(entry).collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

/// Numbers and truths, which quotes would make texts of.
fn plain_word(text: &str) -> bool {
    matches!(text, "true" | "false") || text.parse::<f64>().is_ok()
}
