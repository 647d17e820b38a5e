//! Whether an answer is what Alertmanager's OpenAPI document says, or one of the few
//! that come from the frame around the program, of which the document says nothing.

use std::io::Write as _;
use std::path::Path;

use serde_json::Value;
use settings::{Kind, Node};

use super::web::Answer;

/// What the frame refuses: a path or method that is not there, an answer or a body of
/// another kind, too large, or against a constraint.
const FRAME: [u16; 6] = [404, 405, 406, 413, 415, 422];

/// What the frame says where too many ask at once.
const BUSY: (u16, &str) = (503, "Limit of concurrent GET requests reached (");

/// The document; nothing where it does not lie beside the workspace.
pub(crate) struct Document(Option<Node>);

impl Document {
    pub(crate) fn read() -> Self {
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
        let path = beside.join("reference/alertmanager-openapi-v2.yaml");
        let Ok(text) = std::fs::read_to_string(&path) else {
            let told = format!("LEFT OUT: no document {}\n", path.display());
            // Not by a macro, whose words are kept from who runs tests that pass.
            std::io::stderr().write_all(told.as_bytes()).unwrap();
            assert!(!beside.exists(), "{} must be there", path.display());
            return Self(None);
        };
        Self(Some(settings::parse("openapi.yaml", &text).unwrap()))
    }

    /// Panics unless the answer to `get /alerts` is as the document says.
    pub(crate) fn check(&self, method: &str, path: &str, answer: &Answer) {
        let Some(document) = &self.0 else {
            return;
        };
        let status = answer.status.to_string();
        let steps = ["paths", path, method, "responses", &status];
        let foreseen = steps
            .iter()
            .try_fold(document, |node, step| field(node, step));
        // A body that cannot be read never came to the program.
        let malformed = (method, answer.status) == ("post", 400) && answer.json().is_object();
        let Some(response) = foreseen.filter(|_| !malformed) else {
            assert!(
                malformed || FRAME.contains(&answer.status) || answer.status == BUSY.0,
                "{method} {path}: {status} is not foreseen: {answer:?}"
            );
            return framed(answer);
        };
        let response = self.resolve(response);
        let Some(schema) = field(response, "schema") else {
            assert_eq!(answer.text, "", "{method} {path}: {status} has no body");
            return;
        };
        assert_eq!(answer.header("content-type"), "application/json");
        let mut faults = Vec::new();
        self.validate(&answer.json(), schema, "", &mut faults);
        assert!(
            faults.is_empty(),
            "{method} {path}: {faults:?}\n{}",
            answer.text
        );
    }

    /// Says where a value is not what the schema wants.
    fn validate(&self, value: &Value, schema: &Node, at: &str, faults: &mut Vec<String>) {
        let schema = self.resolve(schema);
        let mut fault = |what: String| faults.push(format!("{at}: {what}"));
        let mut known = Vec::new();
        self.properties(schema, &mut known);
        if let Some(values) = field(schema, "enum") {
            let words: Vec<&str> = items(values).iter().map(text).collect();
            if !words.contains(&value.as_str().unwrap_or("")) {
                fault(format!("{value} is none of {words:?}"));
            }
        }
        let kind = field(schema, "type").map(text);
        let fits = match kind {
            Some("object") => value.is_object(),
            Some("array") => value.is_array(),
            Some("string") => value.is_string(),
            Some("boolean") => value.is_boolean(),
            None => value.is_object(),
            Some(other) => panic!("type {other} is not known here"),
        };
        if !fits {
            fault(format!("{value} is no {kind:?}"));
            return;
        }
        match field(schema, "format").map(text) {
            Some("date-time") => {
                let time = value.as_str().unwrap();
                if time.parse::<jiff::Timestamp>().is_err() || time.len() != 24 {
                    fault(format!("{time} is no time with three decimals"));
                }
            }
            Some("uri") if !value.as_str().unwrap().contains(':') => {
                fault(format!("{value} is no URI"));
            }
            _ => {}
        }
        match value {
            Value::Array(list) => {
                let least = field(schema, "minItems").map_or(0, |node| text(node).parse().unwrap());
                if list.len() < least {
                    fault(format!("has fewer than {least} items"));
                }
                let schema = field(schema, "items").unwrap();
                for (place, item) in list.iter().enumerate() {
                    self.validate(item, schema, &format!("{at}[{place}]"), faults);
                }
            }
            Value::Object(object) => {
                let mut required = Vec::new();
                self.required(schema, &mut required);
                for name in required.iter().filter(|name| !object.contains_key(**name)) {
                    fault(format!("{name} is missing"));
                }
                let other = field(schema, "additionalProperties");
                for (name, item) in object {
                    let at = format!("{at}.{name}");
                    match known
                        .iter()
                        .find(|(known, _)| known == name)
                        .map(|it| it.1)
                        .or(other)
                    {
                        Some(schema) => self.validate(item, schema, &at, faults),
                        None => faults.push(format!("{at}: is not foreseen")),
                    }
                }
            }
            _ => {}
        }
    }

    fn properties<'a>(&'a self, schema: &'a Node, found: &mut Vec<(&'a str, &'a Node)>) {
        let schema = self.resolve(schema);
        if let Some(Node {
            kind: Kind::Map(entries),
            ..
        }) = field(schema, "properties")
        {
            found.extend(entries.iter().map(|(name, node)| (&*name.text, node)));
        }
        for part in field(schema, "allOf").map(items).unwrap_or_default() {
            self.properties(part, found);
        }
    }

    fn required<'a>(&'a self, schema: &'a Node, found: &mut Vec<&'a str>) {
        let schema = self.resolve(schema);
        found.extend(
            field(schema, "required")
                .map(items)
                .unwrap_or_default()
                .iter()
                .map(text),
        );
        for part in field(schema, "allOf").map(items).unwrap_or_default() {
            self.required(part, found);
        }
    }

    fn resolve<'a>(&'a self, node: &'a Node) -> &'a Node {
        match field(node, "$ref") {
            None => node,
            Some(target) => {
                let steps: Vec<&str> = text(target).trim_start_matches("#/").split('/').collect();
                self.at(&steps)
            }
        }
    }

    fn at(&self, steps: &[&str]) -> &Node {
        let document = self.0.as_ref().expect("a document");
        steps.iter().fold(document, |node, step| {
            field(node, step).unwrap_or_else(|| panic!("the document has no {steps:?}"))
        })
    }
}

/// Panics unless the answer is one of the frame's.
fn framed(answer: &Answer) {
    if answer.status == BUSY.0 {
        assert!(answer.text.starts_with(BUSY.1), "{answer:?}");
        return;
    }
    assert_eq!(answer.header("content-type"), "application/json");
    let said = answer.json();
    let fields: Vec<_> = said.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["code", "message"], "{answer:?}");
    // Which constraint it was has a code of its own.
    let code = said["code"].as_u64().unwrap();
    let own = answer.status == 422 && code >= 600;
    assert!(own || code == u64::from(answer.status), "{answer:?}");
    assert!(said["message"].is_string(), "{answer:?}");
}

fn field<'a>(node: &'a Node, name: &str) -> Option<&'a Node> {
    match &node.kind {
        Kind::Map(entries) => entries
            .iter()
            .find(|(key, _)| key.text == name)
            .map(|it| &it.1),
        _ => None,
    }
}

fn items(node: &Node) -> &[Node] {
    match &node.kind {
        Kind::List(items) => items,
        _ => panic!("no list"),
    }
}

fn text(node: &Node) -> &str {
    match &node.kind {
        Kind::Scalar { text, .. } => text,
        _ => panic!("no text"),
    }
}
