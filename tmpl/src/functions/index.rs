//! index and slice.

use super::Call;
use crate::{List, Value};

/// Looks up one key after the other.
pub(super) fn index(call: &Call<'_>) -> Result<Value, String> {
    let mut value = call.get(0).clone();
    for key in &call.arguments[1..] {
        value = match &value {
            Value::Map(map) => match key.as_text() {
                Some(key) => map.get(key),
                None => {
                    return Err(format!(
                        "value has type {}; should be string",
                        key.type_name()
                    ));
                }
            },
            Value::List(list) => list.items[position(key, list.items.len(), false)?].clone(),
            Value::String(text) | Value::Trusted(_, text) => {
                let at = position(key, text.len(), false)?;
                Value::Int(text.as_bytes()[at].into())
            }
            Value::Nil => return Err("index of untyped nil".into()),
            other => return Err(format!("can't index item of type {}", other.type_name())),
        };
    }
    Ok(value)
}

/// The part of a text or a list between two positions.
pub(super) fn slice(call: &Call<'_>) -> Result<Value, String> {
    let value = call.get(0);
    let bounds = &call.arguments[1..];
    let length = match value {
        Value::List(list) => list.items.len(),
        Value::Nil => return Err("slice of untyped nil".into()),
        other => match other.as_text() {
            Some(_) if bounds.len() > 2 => {
                return Err("cannot 3-index slice a string".into());
            }
            Some(text) => text.len(),
            None => return Err(format!("can't slice item of type {}", other.type_name())),
        },
    };
    if bounds.len() > 3 {
        return Err(format!("too many slice indexes: {}", bounds.len()));
    }
    let mut given = [0, length, length];
    for (at, key) in bounds.iter().enumerate() {
        given[at] = position(key, length, true)?;
    }
    let [from, to, capacity] = given;
    if from > to {
        return Err(format!("invalid slice index: {from} > {to}"));
    }
    if to > capacity {
        return Err(format!("invalid slice index: {to} > {capacity}"));
    }
    Ok(match value {
        Value::List(list) => List::of(list.kind, list.items[from..to].to_vec()).into(),
        other => {
            // Go cuts between bytes; what is then no text is shown as such.
            let bytes = &other.as_text().unwrap_or_default().as_bytes()[from..to];
            String::from_utf8_lossy(bytes).into_owned().into()
        }
    })
}

fn position(key: &Value, length: usize, end: bool) -> Result<usize, String> {
    let (Value::Int(at) | Value::Named(at, _) | Value::Duration(at)) = key else {
        let kind = key.type_name();
        return Err(format!("cannot index slice/array with type {kind}"));
    };
    let most = if end {
        length
    } else {
        length.saturating_sub(1)
    };
    usize::try_from(*at)
        .ok()
        .filter(|at| *at <= most && (end || length > 0))
        .ok_or_else(|| format!("index out of range: {at}"))
}
