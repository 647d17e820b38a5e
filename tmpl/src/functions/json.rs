//! Values as Go's encoding/json writes them.

use std::fmt::Write;

use crate::{Value, print, time};

/// The value as JSON on one line, with HTML's characters escaped.
pub(crate) fn encode(value: &Value, limit: usize) -> Result<String, String> {
    let mut out = String::new();
    one(&mut out, value, limit)?;
    Ok(out)
}

fn one(out: &mut String, value: &Value, limit: usize) -> Result<(), String> {
    if out.len() > limit {
        return Err(print::too_large(limit));
    }
    match value {
        Value::Nil => out.push_str("null"),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Int(number) | Value::Named(number, _) | Value::Duration(number) => {
            out.push_str(&number.to_string());
        }
        Value::Float(number) => out.push_str(&float(*number)?),
        Value::String(text) | Value::Trusted(_, text) => string(out, text),
        Value::Time(at) => string(out, &time::write(at, time::JSON)),
        Value::List(list) => {
            out.push('[');
            for (at, item) in list.items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                one(out, item, limit)?;
            }
            out.push(']');
        }
        Value::Map(map) => {
            let entries = map.entries.iter().map(|(key, value)| (&**key, value));
            object(out, entries, limit)?;
        }
        Value::Object(all) => {
            let names = all.kind.fields.iter().map(|field| field.json);
            object(out, names.zip(&all.values), limit)?;
        }
    }
    Ok(())
}

fn object<'a>(
    out: &mut String,
    entries: impl Iterator<Item = (&'a str, &'a Value)>,
    limit: usize,
) -> Result<(), String> {
    out.push('{');
    for (at, (key, value)) in entries.enumerate() {
        if at > 0 {
            out.push(',');
        }
        string(out, key);
        out.push(':');
        one(out, value, limit)?;
    }
    out.push('}');
    Ok(())
}

fn float(number: f64) -> Result<String, String> {
    if !number.is_finite() {
        let shown = print::float(number, 'g', None);
        return Err(format!("json: unsupported value: {shown}"));
    }
    let size = number.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        // e-09 is written e-9.
        return Ok(print::float(number, 'e', None).replace("e-0", "e-"));
    }
    Ok(print::float(number, 'f', None))
}

fn string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '<' | '>' | '&' | '\0'..' ' | '\u{2028}' | '\u{2029}' => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
