//! The functions of Alertmanager's notification templates.

use super::{
    Call, Function, MANY, argument::wrong, base64, escape, humanize, json, pattern, title,
};
use crate::{Kind, Map, Trust, Value, print, time};

pub(super) const TABLE: &[Function] = &[
    Function::new("toUpper", 1, 1, |call| {
        Ok(title::upper(call.text(0)?).into())
    }),
    Function::new("toLower", 1, 1, |call| {
        Ok(title::lower(call.text(0)?).into())
    }),
    Function::new("trimSpace", 1, 1, |call| Ok(call.text(0)?.trim().into())),
    Function::new("title", 1, 1, |call| {
        Ok(title::english(call.text(0)?).into())
    }),
    Function::new("join", 2, 2, |call| {
        join(call.text(0)?, call.list(1)?, call.env.limits.output).map(Value::from)
    }),
    Function::new("match", 2, 2, pattern::matches),
    Function::new("reReplaceAll", 3, 3, pattern::replace_all),
    Function::new("stringSlice", 0, MANY, |call| {
        let texts: Result<Vec<_>, _> = (0..call.arguments.len()).map(|at| call.text(at)).collect();
        Ok(Value::strings(texts?))
    }),
    Function::new("safeHtml", 1, 1, |call| {
        Ok(Value::Trusted(Trust::Html, call.text(0)?.into()))
    }),
    Function::new("safeUrl", 1, 1, |call| {
        Ok(Value::Trusted(Trust::Url, call.text(0)?.into()))
    }),
    Function::new("urlUnescape", 1, 1, |call| {
        escape::query_decode(call.text(0)?).map(Value::from)
    }),
    Function::new("date", 2, 2, |call| {
        let text = time::write(moment(call.get(1))?, call.text(0)?);
        call.bounded(text).map(Value::from)
    }),
    Function::new("tz", 2, 2, |call| {
        let time = time::in_zone(moment(call.get(1))?, call.text(0)?)?;
        Ok(Value::Time(time.into()))
    }),
    Function::new("now", 0, 0, |call| Ok(Value::time_ms(call.env.now_ms))),
    Function::new("since", 1, 1, |call| {
        let now = Value::time_ms(call.env.now_ms);
        Ok(Value::Duration(time::between(
            moment(call.get(0))?,
            moment(&now)?,
        )))
    }),
    Function::new("humanizeDuration", 1, 1, |call| {
        Ok(humanize::duration(call.number(0)?).into())
    }),
    Function::new("toDate", 2, 2, |call| {
        let read = time::read(call.text(0)?, call.text(1)?);
        Ok(read.map_or_else(time::zero, |time| Value::Time(time.into())))
    }),
    Function::new("mustToDate", 2, 2, |call| {
        let (layout, text) = (call.text(0)?, call.text(1)?);
        match time::read(layout, text) {
            Some(time) => Ok(Value::Time(time.into())),
            None => Err(format!(
                "parsing time {text:?} as {layout:?}: it does not fit"
            )),
        }
    }),
    Function::new("toJson", 1, 1, |call| {
        let text = json::encode(call.get(0), call.env.limits.output)?;
        call.bounded(text).map(Value::from)
    }),
    Function::new("base64encode", 1, 1, |call| {
        call.bounded(base64::encode(call.text(0)?.as_bytes()))
            .map(Value::from)
    }),
    Function::new("base64decode", 1, 1, |call| {
        let bytes = base64::decode(call.text(0)?)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned().into())
    }),
    Function::new("list", 0, MANY, |call| {
        nested(Value::list(call.arguments.iter().cloned()))
    }),
    Function::new("append", 1, MANY, |call| {
        let items = call.list(0)?.iter().chain(&call.arguments[1..]);
        nested(Value::list(items.cloned()))
    }),
    Function::new("dict", 0, MANY, dict),
    Function::new("routeLabels", 1, 1, |call| match call.env.route_label {
        Some(label) => label(call.text(0)?).map(Value::from),
        None => Err("there are no route labels here".into()),
    }),
    Function::new("ackURL", 0, 0, |call| Ok(call.env.ack_url.into())),
];

/// How deep lists and maps made by templates may be nested.
const NESTING: u8 = 30;

/// The value, unless it is nested too deep.
pub(super) fn nested(value: Value) -> Result<Value, String> {
    match value.depth() > NESTING {
        true => Err(format!("values nested more than {NESTING} deep")),
        false => Ok(value),
    }
}

/// The texts with the separator between them.
pub(crate) fn join(separator: &str, items: &[Value], limit: usize) -> Result<String, String> {
    let mut out = String::new();
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push_str(separator);
        }
        out.push_str(&print::shown(item, limit)?);
        if out.len() > limit {
            return Err(print::too_large(limit));
        }
    }
    Ok(out)
}

fn moment(value: &Value) -> Result<&jiff::ZonedDateTime, String> {
    match value {
        Value::Time(time) => Ok(time),
        other => Err(wrong("time.Time", other)),
    }
}

static ENTRIES: Kind = Kind::plain("map[string]interface {}", false);

fn dict(call: &Call<'_>) -> Result<Value, String> {
    if call.arguments.len() % 2 == 1 {
        return Err("invalid dict call: odd number of arguments".into());
    }
    let mut entries = Vec::new();
    for pair in call.arguments.chunks(2) {
        match pair[0].as_text() {
            Some(key) => entries.push((key.to_owned(), pair[1].clone())),
            None => return Err("dict keys must be strings".into()),
        }
    }
    nested(Map::of(&ENTRIES, entries).into())
}
