//! What a key can hold.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::page::quoted;
use crate::{Kind, Node, Page, Reader, Reference, format_duration, names_secret, parse_duration};

/// A type that a key can have. Implemented here for the plain ones, by
/// [`section!`](crate::section) and [`choice!`](crate::choice) for the others.
pub trait Value: Sized {
    /// The suffix of a second key that gives the same value in another way:
    /// `password_file` beside `password`.
    const COMPANION: Option<&'static str> = None;

    /// The name of the type in the reference.
    fn kind() -> String;

    /// Reads the value; notes faults and returns nothing when it cannot.
    fn decode(node: &Node, reader: &mut Reader<'_>) -> Option<Self>;

    /// Reads the value of the companion key.
    fn decode_companion(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        Self::decode(node, reader)
    }

    /// The value as a file would say it; empty for "not set".
    fn show(&self) -> String;

    /// Writes the value under its key as a file would say it, without secrets;
    /// nothing where it is empty.
    fn write(&self, page: &mut Page, name: &str) {
        if let Some(word) = self.word() {
            page.word(name, &word);
        }
    }

    /// The value on one line, in quotes where it needs them; none if it is empty.
    fn word(&self) -> Option<String> {
        Some(self.show()).filter(|text| !text.is_empty())
    }

    /// Writes the keys of a section; plain values have none.
    fn fill(&self, _page: &mut Page) {}

    /// Adds the keys below this one to the reference. Plain values have none.
    fn describe(&self, _reference: &mut Reference, _path: &str) {}

    /// A value whose keys are described where none is there to be described;
    /// only sections have one.
    fn example() -> Option<Self> {
        None
    }

    /// Whether an environment variable can hold it.
    fn plain() -> bool {
        true
    }
}

/// The text of a plain piece, variables filled in; a fault if it is not one.
pub(crate) fn scalar(node: &Node, reader: &mut Reader<'_>, wanted: &str) -> Option<String> {
    match &node.kind {
        Kind::Scalar { text, .. } => {
            let value = reader.expand(text, &node.place);
            if names_secret(&reader.key()) {
                reader.hide(&value);
            } else if value != *text {
                reader.hide_behind(&value, text);
            }
            Some(value)
        }
        _ => {
            reader.fault(
                &node.place,
                format!("{wanted} is wanted here, found {}", node.what()),
            );
            None
        }
    }
}

impl Value for String {
    fn kind() -> String {
        "text".into()
    }

    fn decode(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if matches!(node.kind, Kind::Null) {
            return Some(Self::new());
        }
        scalar(node, reader, "a text")
    }

    fn show(&self) -> String {
        self.clone()
    }

    fn word(&self) -> Option<String> {
        (!self.is_empty()).then(|| quoted(self))
    }
}

impl Value for bool {
    fn kind() -> String {
        "true or false".into()
    }

    fn decode(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = scalar(node, reader, "true or false")?;
        match &*text.to_ascii_lowercase() {
            "true" | "yes" | "on" => Some(true),
            "false" | "no" | "off" => Some(false),
            _ => {
                let said = reader.quote(node);
                reader.fault(&node.place, format!("{said} is neither true nor false"));
                None
            }
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

macro_rules! parsed {
    ($($type:ty, $kind:literal, $example:literal;)*) => {$(
        impl Value for $type {
            fn kind() -> String {
                $kind.into()
            }

            fn decode(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
                let text = scalar(node, reader, concat!("a ", $kind))?;
                let value = text.parse().ok();
                if value.is_none() {
                    let said = reader.quote(node);
                    reader.fault(&node.place, format!(concat!("{} is not a ", $kind, " here; write one such as ", $example), said));
                }
                value
            }

            fn show(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

parsed! {
    u16, "number", "587";
    u32, "number", "10";
    u64, "number", "10";
    usize, "number", "10";
    i64, "number", "10";
    f64, "number", "0.9";
    SocketAddr, "listen address", "127.0.0.1:9911";
}

impl Value for Duration {
    fn kind() -> String {
        "duration".into()
    }

    fn decode(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = scalar(node, reader, "a duration such as 30s")?;
        let value = parse_duration(&text);
        if value.is_none() {
            let said = reader.quote(node);
            let message = format!("{said} is not a duration; write 15s, 5m or 1h30m, up to 100y");
            reader.fault(&node.place, message);
        }
        value
    }

    fn show(&self) -> String {
        format_duration(*self)
    }
}

impl Value for PathBuf {
    fn kind() -> String {
        "path".into()
    }

    fn decode(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if matches!(node.kind, Kind::Null) {
            return Some(Self::new());
        }
        let text = scalar(node, reader, "a path")?;
        if text.is_empty() {
            return Some(Self::new());
        }
        Some(reader.resolve(Path::new(&text), &node.place))
    }

    fn show(&self) -> String {
        self.display().to_string()
    }

    fn word(&self) -> Option<String> {
        self.show().word()
    }
}

impl<T: Value> Value for Option<T> {
    const COMPANION: Option<&'static str> = T::COMPANION;

    fn kind() -> String {
        T::kind()
    }

    fn decode(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match node.kind {
            Kind::Null => Some(None),
            _ => T::decode(node, reader).map(Some),
        }
    }

    fn decode_companion(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        T::decode_companion(node, reader).map(Some)
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(String::new, Value::show)
    }

    fn write(&self, page: &mut Page, name: &str) {
        if let Some(value) = self {
            value.write(page, name);
        }
    }

    fn word(&self) -> Option<String> {
        self.as_ref().and_then(Value::word)
    }

    fn fill(&self, page: &mut Page) {
        if let Some(value) = self {
            value.fill(page);
        }
    }

    fn describe(&self, reference: &mut Reference, path: &str) {
        if let Some(value) = T::example() {
            // An absent section has no keys that the environment could set.
            reference.without_environment(|reference| value.describe(reference, path));
        }
    }

    fn plain() -> bool {
        T::plain()
    }
}

impl<T: Value> Value for Vec<T> {
    fn kind() -> String {
        format!("list of {}", T::kind())
    }

    fn decode(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Null => Some(Self::new()),
            Kind::List(items) => Some(
                items
                    .iter()
                    .enumerate()
                    .filter_map(|(at, item)| {
                        reader.within(format!("[{at}]"), |reader| T::decode(item, reader))
                    })
                    .collect(),
            ),
            // The environment holds a list as words between commas.
            Kind::Scalar { text, .. } if matches!(node.place, crate::Place::Environment(_)) => {
                Some(
                    text.split(',')
                        .map(str::trim)
                        .filter(|word| !word.is_empty())
                        .filter_map(|word| {
                            let kind = Kind::Scalar {
                                text: word.to_owned(),
                                quoted: false,
                            };
                            T::decode(
                                &Node {
                                    place: node.place.clone(),
                                    kind,
                                },
                                reader,
                            )
                        })
                        .collect(),
                )
            }
            _ => {
                reader.fault(
                    &node.place,
                    format!("a list is wanted here, found {}", node.what()),
                );
                None
            }
        }
    }

    fn show(&self) -> String {
        let items: Vec<_> = self.iter().map(Value::show).collect();
        format!("[{}]", items.join(", "))
    }

    fn write(&self, page: &mut Page, name: &str) {
        if !T::plain() {
            page.list(name, self, |page, item| item.fill(page));
        } else if let Some(word) = self.word() {
            page.word(name, &word);
        }
    }

    fn word(&self) -> Option<String> {
        let items = self.iter().map(|item| item.word().unwrap_or("''".into()));
        let items: Vec<_> = items.collect();
        (!items.is_empty()).then(|| format!("[{}]", items.join(", ")))
    }

    fn describe(&self, reference: &mut Reference, path: &str) {
        if let Some(value) = T::example() {
            value.describe(reference, &format!("{path}[]"));
        }
    }

    fn plain() -> bool {
        T::plain()
    }
}

impl<T: Value> Value for BTreeMap<String, T> {
    fn kind() -> String {
        format!("mapping of names to {}", T::kind())
    }

    fn decode(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Null => Some(Self::new()),
            Kind::Map(entries) => Some(
                entries
                    .iter()
                    .filter_map(|(name, value)| {
                        let value = reader.within(format!("[{}]", name.text), |reader| {
                            T::decode(value, reader)
                        })?;
                        Some((name.text.clone(), value))
                    })
                    .collect(),
            ),
            _ => {
                reader.fault(
                    &node.place,
                    format!("a mapping is wanted here, found {}", node.what()),
                );
                None
            }
        }
    }

    fn show(&self) -> String {
        let items: Vec<_> = self
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.show()))
            .collect();
        format!("{{{}}}", items.join(", "))
    }

    fn write(&self, page: &mut Page, name: &str) {
        page.section(name, |page| {
            for (name, value) in self {
                let name = quoted(name);
                match T::plain() && value.word().is_none() {
                    true => page.word(&name, "''"),
                    false => value.write(page, &name),
                }
            }
        });
    }

    fn describe(&self, reference: &mut Reference, path: &str) {
        if let Some(value) = T::example() {
            value.describe(reference, &format!("{path}{{}}"));
        }
    }

    fn plain() -> bool {
        false
    }
}
