//! Go's own functions.

use super::{Body, Call, Function, MANY, compare, escape, index};
use crate::{Trust, Value, print};

pub(super) const TABLE: &[Function] = &[
    Function {
        name: "and",
        takes: (1, MANY),
        body: Body::Until(false),
    },
    Function {
        name: "or",
        takes: (1, MANY),
        body: Body::Until(true),
    },
    Function::new("not", 1, 1, |call| Ok((!call.get(0).truth()).into())),
    Function::new("eq", 1, MANY, compare::eq),
    Function::new("ne", 2, 2, |call| {
        compare::equal(call.get(0), call.get(1)).map(|same| (!same).into())
    }),
    Function::new("lt", 2, 2, |call| {
        compare::less(call.get(0), call.get(1)).map(Value::Bool)
    }),
    Function::new("le", 2, 2, |call| {
        compare::at_most(call.get(0), call.get(1)).map(Value::Bool)
    }),
    Function::new("gt", 2, 2, |call| {
        compare::at_most(call.get(0), call.get(1)).map(|le| (!le).into())
    }),
    Function::new("ge", 2, 2, |call| {
        compare::less(call.get(0), call.get(1)).map(|lt| (!lt).into())
    }),
    Function::new("len", 1, 1, len),
    Function::new("index", 1, MANY, index::index),
    Function::new("slice", 1, MANY, index::slice),
    Function::new("print", 0, MANY, |call| {
        print::print(call.arguments, call.env.limits.output).map(Value::from)
    }),
    Function::new("printf", 1, MANY, |call| {
        let format = call.text(0)?;
        print::printf(format, &call.arguments[1..], call.env.limits.output).map(Value::from)
    }),
    Function::new("println", 0, MANY, |call| {
        print::println(call.arguments, call.env.limits.output).map(Value::from)
    }),
    Function::new("html", 0, MANY, |call| {
        let text = call.bounded(escape::html(&call.joined()?))?;
        Ok(Value::Trusted(Trust::Escaped, text.into()))
    }),
    Function::new("js", 0, MANY, |call| {
        let text = escape::js(&call.joined()?);
        call.bounded(text).map(Value::from)
    }),
    Function::new("urlquery", 0, MANY, |call| {
        let text = call.bounded(escape::query(&call.joined()?))?;
        Ok(Value::Trusted(Trust::Query, text.into()))
    }),
    // No value of ours is a function, so there is nothing that it could call.
    Function::new("call", 1, MANY, |call| match call.get(0) {
        Value::Nil => Err("call of nil".into()),
        other => Err(format!("non-function of type {}", other.type_name())),
    }),
];

fn len(call: &Call<'_>) -> Result<Value, String> {
    let length = match call.get(0) {
        Value::List(list) => list.items.len(),
        Value::Map(map) => map.entries.len(),
        Value::Nil => return Err("len of untyped nil".into()),
        other => match other.as_text() {
            Some(text) => text.len(),
            None => return Err(format!("len of type {}", other.type_name())),
        },
    };
    Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}
