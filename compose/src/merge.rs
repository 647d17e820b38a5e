//! A later file over an earlier one.

use std::collections::BTreeMap;

use crate::value::Value;

/// Keys whose lists and mappings say the same: `[a, b]` is `{a: , b: }`.
const MAPPINGS: [&str; 2] = ["depends_on", "networks"];

/// What both say, where `over` has the last word. `key` is what they are the
/// value of.
pub(crate) fn merge(key: &str, base: Value, over: Value) -> Value {
    match (base, over) {
        (_, Value::Reset) => Value::Null,
        (_, Value::Override(value)) => plain(*value),
        (base, Value::Null) => base,
        (Value::Map(mut entries), Value::Map(over)) => {
            for (name, value) in over {
                let value = match entries.remove(&name) {
                    Some(before) => merge(&name, before, value),
                    None => plain(value),
                };
                entries.insert(name, value);
            }
            Value::Map(entries)
        }
        (base @ (Value::List(_) | Value::Map(_)), over @ (Value::List(_) | Value::Map(_)))
            if MAPPINGS.contains(&key) =>
        {
            merge(key, named(base), named(over))
        }
        (Value::List(mut items), Value::List(over)) => {
            for item in over.into_iter().map(plain) {
                if !items.contains(&item) {
                    items.push(item);
                }
            }
            Value::List(items)
        }
        (_, over) => plain(over),
    }
}

/// The names in a list as a mapping.
fn named(value: Value) -> Value {
    match value {
        Value::List(items) => Value::Map(
            items
                .into_iter()
                .filter_map(|item| match item {
                    Value::Text(name) => Some((name, Value::Null)),
                    _ => None,
                })
                .collect::<BTreeMap<_, _>>(),
        ),
        other => other,
    }
}

/// Without what it says of merging: there is nothing before it.
pub(crate) fn plain(value: Value) -> Value {
    match value {
        Value::Reset => Value::Null,
        Value::Override(value) => plain(*value),
        Value::List(items) => Value::List(items.into_iter().map(plain).collect()),
        Value::Map(entries) => Value::Map(
            entries
                .into_iter()
                .map(|(name, value)| (name, plain(value)))
                .collect(),
        ),
        other => other,
    }
}
