//! The functions of Prometheus' rules.

use std::collections::BTreeMap;

use super::{Call, Function, MANY, argument::wrong, escape, host, humanize, pattern, title};
use crate::{Field, Kind, List, Map, Object, Sample, Trust, Value, time};

pub(super) const TABLE: &[Function] = &[
    Function::new("query", 1, 1, query),
    Function::new("first", 1, 1, |call| {
        let first = call.list(0)?.first().cloned();
        first.ok_or_else(|| "first() called on vector with no elements".into())
    }),
    Function::new("value", 1, 1, |call| field(call, 0, "Value")),
    Function::new("label", 2, 2, |call| label(call.get(1), call.text(0)?)),
    Function::new("strvalue", 1, 1, |call| label(call.get(0), "__value__")),
    Function::new("sortByLabel", 2, 2, sort_by_label),
    Function::new("args", 0, MANY, |call| {
        let named = (0..).zip(call.arguments);
        let named = named.map(|(at, value): (usize, _)| (format!("arg{at}"), value.clone()));
        super::alertmanager::nested(Map::of(&ENTRIES, named).into())
    }),
    Function::new("safeHtml", 1, 1, |call| {
        Ok(Value::Trusted(Trust::Html, call.text(0)?.into()))
    }),
    Function::new("externalURL", 0, 0, |call| Ok(call.env.external_url.into())),
    Function::new("pathPrefix", 0, 0, |call| {
        Ok(host::path(call.env.external_url).into())
    }),
    Function::new("tableLink", 1, 1, |call| graph(call, 1)),
    Function::new("graphLink", 1, 1, |call| graph(call, 0)),
    Function::new("reReplaceAll", 3, 3, pattern::replace_all),
    Function::new("match", 2, 2, pattern::matches),
    Function::new("title", 1, 1, |call| Ok(title::words(call.text(0)?).into())),
    Function::new("toUpper", 1, 1, |call| {
        Ok(title::upper(call.text(0)?).into())
    }),
    Function::new("toLower", 1, 1, |call| {
        Ok(title::lower(call.text(0)?).into())
    }),
    Function::new("stripPort", 1, 1, |call| {
        Ok(host::strip_port(call.text(0)?).into())
    }),
    Function::new("stripDomain", 1, 1, |call| {
        Ok(host::strip_domain(call.text(0)?).into())
    }),
    Function::new("parseDuration", 1, 1, |call| {
        humanize::parse_duration(call.text(0)?).map(Value::Float)
    }),
    Function::new("humanize", 1, 1, |call| {
        Ok(humanize::si(call.number(0)?).into())
    }),
    Function::new("humanize1024", 1, 1, |call| {
        Ok(humanize::binary(call.number(0)?).into())
    }),
    Function::new("humanizeDuration", 1, 1, |call| {
        Ok(humanize::duration(call.number(0)?).into())
    }),
    Function::new("humanizePercentage", 1, 1, |call| {
        Ok(humanize::percentage(call.number(0)?).into())
    }),
    Function::new("humanizeTimestamp", 1, 1, |call| {
        let seconds = call.number(0)?;
        match seconds.is_finite() {
            true => humanize::time(seconds).map(|at| time::text(&at).into()),
            false => Ok(crate::print::float(seconds, 'g', Some(4)).into()),
        }
    }),
    Function::new("toTime", 1, 1, |call| humanize::time(call.number(0)?)),
    Function::new("toDuration", 1, 1, |call| {
        Ok(time::duration_from_seconds(call.number(0)?))
    }),
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds fit a float for ages"
    )]
    Function::new("now", 0, 0, |call| {
        Ok(Value::Float(call.env.now_ms as f64 / 1000.0))
    }),
    Function::new("urlQueryEscape", 1, 1, |call| {
        Ok(escape::query(call.text(0)?).into())
    }),
];

static ENTRIES: Kind = Kind::plain("map[string]interface {}", false);

static SAMPLE: Kind = Kind {
    name: "*template.sample",
    fields: &[
        Field {
            name: "Labels",
            json: "Labels",
        },
        Field {
            name: "Value",
            json: "Value",
        },
    ],
    method: |_, _, _| None,
    of_texts: false,
};

static SAMPLES: Kind = Kind::plain("template.queryResult", false);

fn query(call: &Call<'_>) -> Result<Value, String> {
    let expression = call.text(0)?;
    let Some(query) = call.env.query else {
        return Err("queries are not possible here".into());
    };
    let samples = query(expression)?;
    Ok(List::of(&SAMPLES, samples.into_iter().map(sample).collect()).into())
}

fn sample(sample: Sample) -> Value {
    let labels: &BTreeMap<String, String> = &sample.labels;
    let labels = labels.iter().map(|(name, value)| (&**name, &**value));
    Object::of(&SAMPLE, vec![Value::texts(labels), sample.value.into()]).into()
}

fn field(call: &Call<'_>, at: usize, name: &str) -> Result<Value, String> {
    match call.get(at) {
        Value::Object(object) if object.kind.name == SAMPLE.name => {
            Ok(object.get(name).cloned().unwrap_or(Value::Nil))
        }
        other => Err(wrong(SAMPLE.name, other)),
    }
}

fn label(sample: &Value, name: &str) -> Result<Value, String> {
    match sample {
        Value::Object(object) => match object.get("Labels") {
            Some(Value::Map(labels)) => Ok(labels.get(name)),
            _ => Err(wrong(SAMPLE.name, sample)),
        },
        other => Err(wrong(SAMPLE.name, other)),
    }
}

fn sort_by_label(call: &Call<'_>) -> Result<Value, String> {
    let name = call.text(0)?;
    let mut keyed = Vec::new();
    for sample in call.list(1)? {
        let key = label(sample, name)?;
        keyed.push((key.as_text().unwrap_or_default().to_owned(), sample.clone()));
    }
    keyed.sort_by(|a, b| a.0.cmp(&b.0));
    let sorted = keyed.into_iter().map(|(_, sample)| sample).collect();
    Ok(List::of(&SAMPLES, sorted).into())
}

fn graph(call: &Call<'_>, tab: u8) -> Result<Value, String> {
    let expression = escape::query(call.text(0)?);
    Ok(format!("/graph?g0.expr={expression}&g0.tab={tab}").into())
}
