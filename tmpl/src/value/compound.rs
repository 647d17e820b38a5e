//! Lists, maps and objects, each of a kind that says its name and its methods.

use std::{collections::BTreeMap, sync::Arc};

use super::Value;

/// Answers a method call: nothing if there is no method of that name.
pub type Method = fn(&Value, &str, &[Value]) -> Option<Result<Value, String>>;

/// What values of one Go type have in common.
#[derive(Debug)]
pub struct Kind {
    /// Go's name of the type, as it appears in messages.
    pub name: &'static str,
    /// The fields of an object, in order.
    pub fields: &'static [Field],
    /// The methods.
    pub method: Method,
    /// Whether the elements are texts: a missing one then reads as empty.
    pub of_texts: bool,
}

/// A field of an object.
#[derive(Debug)]
pub struct Field {
    /// Its name in templates.
    pub name: &'static str,
    /// Its name in JSON.
    pub json: &'static str,
}

impl Kind {
    /// A kind with neither fields nor methods.
    #[must_use]
    pub const fn plain(name: &'static str, of_texts: bool) -> Self {
        Self {
            name,
            fields: &[],
            method: |_, _, _| None,
            of_texts,
        }
    }
}

pub(super) static STRINGS: Kind = Kind::plain("[]string", true);
pub(super) static ANYTHING: Kind = Kind::plain("[]interface {}", false);
pub(super) static TEXTS: Kind = Kind::plain("map[string]string", true);
pub(super) static ENTRIES: Kind = Kind::plain("map[string]interface {}", false);

/// A list of values.
#[derive(Debug)]
pub struct List {
    pub(crate) kind: &'static Kind,
    pub(crate) items: Vec<Value>,
    pub(super) depth: u8,
}

impl List {
    /// A list of the given kind.
    #[must_use]
    pub fn of(kind: &'static Kind, items: Vec<Value>) -> Self {
        let depth = above(items.iter());
        Self { kind, items, depth }
    }
}

/// A map from text to values.
#[derive(Debug)]
pub struct Map {
    pub(crate) kind: &'static Kind,
    pub(crate) entries: BTreeMap<Arc<str>, Value>,
    pub(super) depth: u8,
}

impl Map {
    /// A map of the given kind.
    pub fn of<K: Into<Arc<str>>>(
        kind: &'static Kind,
        pairs: impl IntoIterator<Item = (K, Value)>,
    ) -> Self {
        let pairs = pairs.into_iter().map(|(key, value)| (key.into(), value));
        let entries: BTreeMap<_, _> = pairs.collect();
        let depth = above(entries.values());
        Self {
            kind,
            entries,
            depth,
        }
    }

    /// The value of `key`, or what a missing one reads as.
    pub(crate) fn get(&self, key: &str) -> Value {
        let missing = || match self.kind.of_texts {
            true => Value::String(Arc::default()),
            false => Value::Nil,
        };
        self.entries.get(key).cloned().unwrap_or_else(missing)
    }
}

/// A value with named fields.
#[derive(Debug)]
pub struct Object {
    pub(crate) kind: &'static Kind,
    pub(crate) values: Vec<Value>,
    pub(super) depth: u8,
}

impl Object {
    /// An object of the given kind; the values are those of its fields, in order.
    #[must_use]
    pub fn of(kind: &'static Kind, values: Vec<Value>) -> Self {
        debug_assert_eq!(kind.fields.len(), values.len());
        let depth = above(values.iter());
        Self {
            kind,
            values,
            depth,
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        let at = self
            .kind
            .fields
            .iter()
            .position(|field| field.name == name)?;
        self.values.get(at)
    }
}

fn above<'a>(values: impl Iterator<Item = &'a Value>) -> u8 {
    values
        .map(Value::depth)
        .max()
        .unwrap_or(0)
        .saturating_add(1)
}
