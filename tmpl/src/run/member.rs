//! Fields and methods of values.

use crate::{Value, time};

/// The field or the result of the method `name`.
pub(super) fn get(base: &Value, name: &str, given: &[Value]) -> Result<Value, String> {
    let answer = match base {
        Value::Time(_) | Value::Duration(_) | Value::Named(..) => time::method(base, name, given),
        Value::List(list) => (list.kind.method)(base, name, given),
        Value::Map(map) => (map.kind.method)(base, name, given),
        Value::Object(object) => (object.kind.method)(base, name, given),
        _ => None,
    };
    if let Some(result) = answer {
        return result.map_err(|err| format!("error calling {name}: {err}"));
    }
    match base {
        Value::Map(_) if !given.is_empty() => {
            Err(format!("{name} is not a method but has arguments"))
        }
        Value::Map(map) => Ok(map.get(name)),
        Value::Object(object) => match object.get(name) {
            Some(_) if !given.is_empty() => Err(format!(
                "{name} has arguments but cannot be invoked as function"
            )),
            Some(value) => Ok(value.clone()),
            None => Err(unknown(base, name)),
        },
        Value::Nil => Err(format!("nil pointer evaluating interface {{}}.{name}")),
        _ => Err(unknown(base, name)),
    }
}

fn unknown(base: &Value, name: &str) -> String {
    format!("can't evaluate field {name} in type {}", base.type_name())
}
