//! eq, lt and the others: values of one basic kind can be compared, and nothing else.

use std::cmp::Ordering;

use super::Call;
use crate::Value;

/// Whether the first argument equals any of the others.
pub(super) fn eq(call: &Call<'_>) -> Result<Value, String> {
    let Some((first, others)) = call
        .arguments
        .split_first()
        .filter(|(_, rest)| !rest.is_empty())
    else {
        return Err("missing argument for comparison".into());
    };
    for other in others {
        if equal(first, other)? {
            return Ok(true.into());
        }
    }
    Ok(false.into())
}

pub(super) fn equal(a: &Value, b: &Value) -> Result<bool, String> {
    match (a, b) {
        (Value::Nil, Value::Nil) => Ok(true),
        (Value::Nil, _) | (_, Value::Nil) => Ok(false),
        (Value::Bool(a), Value::Bool(b)) => Ok(a == b),
        (Value::Time(a), Value::Time(b)) => Ok(a == b),
        _ => match order(a, b) {
            Some(order) => Ok(order == Some(Ordering::Equal)),
            None => {
                comparable(a)?;
                comparable(b)?;
                Err(INCOMPATIBLE.into())
            }
        },
    }
}

pub(super) fn less(a: &Value, b: &Value) -> Result<bool, String> {
    ordered(a, b).map(|order| order == Some(Ordering::Less))
}

/// Less or equal; false for NaN, so that its opposite `gt` is true, as in Go.
pub(super) fn at_most(a: &Value, b: &Value) -> Result<bool, String> {
    ordered(a, b).map(|order| matches!(order, Some(Ordering::Less | Ordering::Equal)))
}

const INCOMPATIBLE: &str = "incompatible types for comparison";

fn ordered(a: &Value, b: &Value) -> Result<Option<Ordering>, String> {
    let basic = |value: &Value| order(value, value).is_some() || matches!(value, Value::Bool(_));
    match order(a, b) {
        Some(order) => Ok(order),
        None if !basic(a) || !basic(b) => Err("invalid type for comparison".into()),
        None if matches!((a, b), (Value::Bool(_), Value::Bool(_))) => {
            Err("invalid type for comparison".into())
        }
        None => Err(INCOMPATIBLE.into()),
    }
}

/// The order of two values of one kind; NaN has none, which is the inner `None`.
fn order(a: &Value, b: &Value) -> Option<Option<Ordering>> {
    if let (Some(a), Some(b)) = (integer(a), integer(b)) {
        return Some(Some(a.cmp(&b)));
    }
    if let (Value::Float(a), Value::Float(b)) = (a, b) {
        return Some(a.partial_cmp(b));
    }
    match (a.as_text(), b.as_text()) {
        (Some(a), Some(b)) => Some(Some(a.cmp(b))),
        _ => None,
    }
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) | Value::Duration(number) | Value::Named(number, _) => Some(*number),
        _ => None,
    }
}

fn comparable(value: &Value) -> Result<(), String> {
    match value {
        Value::List(_) | Value::Map(_) | Value::Object(_) => {
            Err(format!("uncomparable type {}", value.type_name()))
        }
        _ => Ok(()),
    }
}
