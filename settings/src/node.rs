//! A YAML document as a tree that knows where each piece stands.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use crate::{Fault, reader::cut};

/// Deeper documents than this are refused.
const MAX_DEPTH: usize = 64;
/// Larger documents than this are refused: aliases could make them endless.
const MAX_NODES: usize = 200_000;

/// Where something was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a file; line and column count from 1.
    Line {
        /// The file as it was named.
        file: Arc<str>,
        /// The line.
        line: usize,
        /// The column, in characters.
        column: usize,
    },
    /// In the environment variable of this name.
    Environment(String),
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { file, line, column } => write!(out, "{file}:{line}:{column}"),
            Self::Environment(name) => write!(out, "environment variable {name}"),
        }
    }
}

/// One piece of a document.
#[derive(Debug, Clone)]
pub struct Node {
    /// Where it begins.
    pub place: Place,
    /// What it is.
    pub kind: Kind,
}

/// What a piece of a document is.
#[derive(Debug, Clone)]
pub enum Kind {
    /// Nothing, `~` or `null`.
    Null,
    /// A plain or quoted text.
    Scalar {
        /// The text, quotes and escapes resolved.
        text: String,
        /// Whether it stood in quotes or as a block.
        quoted: bool,
    },
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the file.
    Map(Vec<(Name, Node)>),
}

/// The key of a mapping entry.
#[derive(Debug, Clone)]
pub struct Name {
    /// The key itself.
    pub text: String,
    /// Where it begins.
    pub place: Place,
}

impl Node {
    /// What the piece is, in words for an error.
    #[must_use]
    pub fn what(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Scalar { .. } => "a text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
        }
    }
}

/// Reads one document. An empty file is a null node.
pub fn parse(file: &str, text: &str) -> Result<Node, Fault> {
    Loader {
        file: file.into(),
        parser: Parser::new_from_str(text),
        anchors: HashMap::new(),
        nodes: 0,
    }
    .document()
}

struct Loader<'a> {
    file: Arc<str>,
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

impl<'a> Loader<'a> {
    fn document(mut self) -> Result<Node, Fault> {
        let mut root: Option<Node> = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::StreamStart
                | Event::DocumentStart(_)
                | Event::DocumentEnd
                | Event::Nothing => {}
                _ if root.is_some() => {
                    return Err(self.fault(&span, "a second document in one file".into()));
                }
                event => root = Some(self.node(event, &span, 0)?),
            }
        }
        let place = Place::Line {
            file: self.file,
            line: 1,
            column: 1,
        };
        Ok(root.unwrap_or(Node {
            place,
            kind: Kind::Null,
        }))
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Fault> {
        match self.parser.next_event() {
            Some(Ok(found)) => Ok(found),
            Some(Err(err)) => {
                let marker = *err.marker();
                let place = Place::Line {
                    file: Arc::clone(&self.file),
                    line: marker.line(),
                    column: marker.col() + 1,
                };
                // A character of the file may be one of a secret.
                let reason = err.info().split(": `").next().unwrap_or_default();
                Err(Fault {
                    place,
                    key: String::new(),
                    message: format!("not valid YAML: {reason}"),
                })
            }
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node(&mut self, event: Event<'a>, span: &Span, depth: usize) -> Result<Node, Fault> {
        self.nodes += 1;
        if depth > MAX_DEPTH || self.nodes > MAX_NODES {
            return Err(self.fault(span, "the document is nested too deep or too large".into()));
        }
        let place = self.place(span);
        let (anchor, kind) = match event {
            Event::Scalar(text, style, anchor, _) => (anchor, scalar_kind(&text, style)),
            Event::SequenceStart(anchor, _) => {
                let mut items = Vec::new();
                loop {
                    let (event, span) = self.next()?;
                    if event == Event::SequenceEnd {
                        break (anchor, Kind::List(items));
                    }
                    items.push(self.node(event, &span, depth + 1)?);
                }
            }
            Event::MappingStart(anchor, _) => (anchor, self.mapping(depth)?),
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor) else {
                    return Err(self.fault(span, "an alias to nothing before it".into()));
                };
                self.nodes += weight(node);
                return Ok(node.clone());
            }
            _ => return Err(self.fault(span, "not valid YAML here".into())),
        };
        let node = Node { place, kind };
        if anchor != 0 {
            self.nodes += weight(&node);
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn mapping(&mut self, depth: usize) -> Result<Kind, Fault> {
        let mut entries: Vec<(Name, Node)> = Vec::new();
        let mut names = HashSet::new();
        let mut merged = Vec::new();
        loop {
            let (event, span) = self.next()?;
            let name = match event {
                Event::MappingEnd => {
                    for node in merged {
                        merge(&mut entries, node);
                    }
                    return Ok(Kind::Map(entries));
                }
                Event::Scalar(text, ..) => Name {
                    text: text.into_owned(),
                    place: self.place(&span),
                },
                _ => return Err(self.fault(&span, "a key must be a plain text".into())),
            };
            if !names.insert(name.text.clone())
                && let Some((before, _)) = entries.iter().find(|(have, _)| have.text == name.text)
            {
                let message = format!(
                    "the key {:?} stands twice; first at {}",
                    cut(&name.text),
                    before.place
                );
                return Err(self.fault(&span, message));
            }
            let (event, span) = self.next()?;
            let value = self.node(event, &span, depth + 1)?;
            match (&*name.text, value.kind) {
                ("<<", kind @ (Kind::Map(_) | Kind::List(_))) => merged.push(kind),
                (_, kind) => entries.push((name, Node { kind, ..value })),
            }
        }
    }

    fn place(&self, span: &Span) -> Place {
        Place::Line {
            file: Arc::clone(&self.file),
            line: span.start.line(),
            column: span.start.col() + 1,
        }
    }

    fn fault(&self, span: &Span, message: String) -> Fault {
        Fault {
            place: self.place(span),
            key: String::new(),
            message,
        }
    }
}

/// Takes over the entries that a mapping does not have itself (`<<: *defaults`).
fn merge(entries: &mut Vec<(Name, Node)>, from: Kind) {
    match from {
        Kind::Map(others) => {
            for (name, node) in others {
                if !entries.iter().any(|(have, _)| have.text == name.text) {
                    entries.push((name, node));
                }
            }
        }
        Kind::List(maps) => maps.into_iter().for_each(|map| merge(entries, map.kind)),
        Kind::Null | Kind::Scalar { .. } => {}
    }
}

fn scalar_kind(text: &str, style: ScalarStyle) -> Kind {
    let quoted = style != ScalarStyle::Plain;
    if !quoted && matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        return Kind::Null;
    }
    Kind::Scalar {
        text: text.to_owned(),
        quoted,
    }
}

/// What a copy of a piece costs, in nodes; a long text is worth many.
fn weight(node: &Node) -> usize {
    1 + match &node.kind {
        Kind::Null => 0,
        Kind::Scalar { text, .. } => text.len() / 64,
        Kind::List(items) => items.iter().map(weight).sum(),
        Kind::Map(entries) => {
            let entry = |(name, node): &(Name, Node)| name.text.len() / 64 + weight(node);
            entries.iter().map(entry).sum()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_know_their_places() {
        let node = parse("x.yml", "a: 1\nb:\n  - c: 'd'\n").unwrap();
        let Kind::Map(entries) = node.kind else {
            panic!()
        };
        assert_eq!(entries[1].0.place.to_string(), "x.yml:2:1");
        let Kind::List(items) = &entries[1].1.kind else {
            panic!()
        };
        let Kind::Map(inner) = &items[0].kind else {
            panic!()
        };
        assert_eq!(inner[0].1.place.to_string(), "x.yml:3:8");
    }

    #[test]
    fn faults_name_line_and_column() {
        for (text, expected) in [
            (
                "a: 1\na: 2",
                "x.yml:2:1: the key \"a\" stands twice; first at x.yml:1:1",
            ),
            (
                "a: 1\n---\nb: 2",
                "x.yml:3:1: a second document in one file",
            ),
            ("? [a]\n: 1", "x.yml:1:3: a key must be a plain text"),
        ] {
            assert_eq!(parse("x.yml", text).unwrap_err().to_string(), expected);
        }
        let err = parse("x.yml", "a: [1\nb: 2").unwrap_err().to_string();
        assert!(
            err.starts_with("x.yml:2:") && err.contains("not valid YAML"),
            "{err}"
        );
    }

    #[test]
    fn a_mapping_takes_over_what_it_does_not_say_itself() {
        let text = "a: &a {x: 1, y: 2}\nb: &b {z: 3}\nc: {<<: *a, x: 9}\nd: {<<: [*b, *a]}";
        let Kind::Map(entries) = parse("x.yml", text).unwrap().kind else {
            panic!()
        };
        let names = |node: &Node| match &node.kind {
            Kind::Map(entries) => entries.iter().map(|(name, _)| name.text.clone()).collect(),
            _ => Vec::new(),
        };
        assert_eq!(names(&entries[2].1), ["x", "y"]);
        assert_eq!(names(&entries[3].1), ["z", "x", "y"]);
    }

    #[test]
    fn a_bomb_of_aliases_is_refused() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let before = format!("*a{}", level - 1);
            text.push_str(&format!(
                "a{level}: &a{level} [{}]\n",
                vec![before; 9].join(", ")
            ));
        }
        assert!(
            parse("x.yml", &text)
                .unwrap_err()
                .message
                .contains("too large")
        );
        assert!(parse("x.yml", &"[".repeat(1000)).is_err());
        let text = format!("- &a {}\n{}", "x".repeat(500_000), "- *a\n".repeat(100_000));
        assert!(
            parse("x.yml", &text)
                .unwrap_err()
                .message
                .contains("too large")
        );
    }

    #[test]
    fn an_empty_file_is_nothing() {
        assert!(matches!(
            parse("x.yml", "# only a remark\n").unwrap().kind,
            Kind::Null
        ));
    }
}
