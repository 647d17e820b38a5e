//! Lines in text format 0.0.4, and in 1.0.0, which adds quoted names.

use crate::series::{self, Spaces};
use crate::{Entry, Kind, Sample, parse_value};

pub(crate) fn line(line: &str) -> Result<Option<Entry<'_>>, &'static str> {
    let line = line.trim_matches([' ', '\t', '\r']);
    if line.is_empty() {
        return Ok(None);
    }
    if let Some(comment) = line.strip_prefix('#') {
        return meta(comment);
    }
    let (labels, rest) = series::read(line, Spaces::Free)?;
    let (value, time_ms) = tail(rest)?;
    Ok(Some(Entry::Sample(Sample {
        labels,
        value,
        time_ms,
    })))
}

pub(crate) fn tail(rest: &str) -> Result<(f64, Option<i64>), &'static str> {
    let mut words = rest.split_ascii_whitespace();
    let value = words.next().ok_or("a sample needs a value")?;
    let value = parse_value(value).ok_or("bad value")?;
    let time_ms = match words.next() {
        None => None,
        Some(word) => Some(word.parse().map_err(|_| "bad timestamp")?),
    };
    if words.next().is_some() {
        return Err("text behind the timestamp");
    }
    Ok((value, time_ms))
}

fn meta(comment: &str) -> Result<Option<Entry<'_>>, &'static str> {
    let comment = comment.trim_start_matches([' ', '\t']);
    if let Some(rest) = comment.strip_prefix("HELP ") {
        let (name, text) = series::family(rest.trim_start())?;
        let text = series::unescape(text.trim_start_matches([' ', '\t']), false);
        return Ok(Some(Entry::Help(name, text)));
    }
    if let Some(rest) = comment.strip_prefix("TYPE ") {
        let (name, word) = series::family(rest.trim_start())?;
        let kind = match word.trim() {
            "counter" => Kind::Counter,
            "gauge" => Kind::Gauge,
            "histogram" => Kind::Histogram,
            "summary" => Kind::Summary,
            "untyped" | "unknown" => Kind::Untyped,
            _ => return Err("TYPE is none of counter, gauge, histogram, summary, untyped"),
        };
        return Ok(Some(Entry::Type(name, kind)));
    }
    Ok(None)
}
