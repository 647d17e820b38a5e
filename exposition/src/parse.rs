//! Reading a page in text format 0.0.4.

use std::sync::Arc;

use crate::{Kind, LabelsBuilder, NAME, Sample, parse_value};

/// What one line of a page says.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry<'a> {
    /// `# HELP name text`, with escapes resolved.
    Help(&'a str, String),
    /// `# TYPE name kind`.
    Type(&'a str, Kind),
    /// A sample line.
    Sample(Sample),
}

/// A line that is not exposition text. A page with one is refused whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct ParseError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: &'static str,
}

/// Reads a page line by line. Iteration goes on behind a faulty line; a reader
/// that follows Prometheus refuses the page at the first error.
pub fn parse(page: &str) -> impl Iterator<Item = Result<Entry<'_>, ParseError>> {
    page.split('\n').enumerate().filter_map(|(at, line)| {
        let line_number = at + 1;
        let line = line.trim_matches([' ', '\t', '\r']);
        let entry = if line.is_empty() {
            return None;
        } else if let Some(comment) = line.strip_prefix('#') {
            meta(comment).transpose()?
        } else {
            sample(line).map(Entry::Sample)
        };
        Some(entry.map_err(|what| ParseError {
            line: line_number,
            what,
        }))
    })
}

fn meta(comment: &str) -> Result<Option<Entry<'_>>, &'static str> {
    let comment = comment.trim_start_matches([' ', '\t']);
    if let Some(rest) = comment.strip_prefix("HELP ") {
        let (name, text) = rest
            .trim_start()
            .split_once([' ', '\t'])
            .unwrap_or((rest.trim(), ""));
        return Ok(Some(Entry::Help(name, unescape(text, false)?)));
    }
    if let Some(rest) = comment.strip_prefix("TYPE ") {
        let mut words = rest.split_ascii_whitespace();
        let name = words.next().ok_or("TYPE without a metric name")?;
        let kind = match words.next() {
            Some("counter") => Kind::Counter,
            Some("gauge") => Kind::Gauge,
            Some("histogram") => Kind::Histogram,
            Some("summary") => Kind::Summary,
            Some("untyped" | "unknown") => Kind::Untyped,
            _ => return Err("TYPE is none of counter, gauge, histogram, summary, untyped"),
        };
        return Ok(Some(Entry::Type(name, kind)));
    }
    Ok(None)
}

fn sample(line: &str) -> Result<Sample, &'static str> {
    let name_end = line
        .find(['{', ' ', '\t'])
        .ok_or("a sample needs a value")?;
    let name = &line[..name_end];
    if !is_metric_name(name) {
        return Err("bad metric name");
    }
    let mut builder = LabelsBuilder::default();
    let mut rest = line[name_end..].trim_start();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = labels(inner, &mut builder)?;
    }
    builder.set(NAME, name);
    let mut words = rest.split_ascii_whitespace();
    let value = words.next().and_then(parse_value).ok_or("bad value")?;
    let time_ms = match words.next() {
        None => None,
        Some(word) => Some(word.parse().map_err(|_| "bad timestamp")?),
    };
    if words.next().is_some() {
        return Err("text behind the timestamp");
    }
    Ok(Sample {
        labels: builder.build(),
        value,
        time_ms,
    })
}

/// Reads `a="b",c="d"}` and returns what stands behind the brace.
fn labels<'a>(mut rest: &'a str, builder: &mut LabelsBuilder) -> Result<&'a str, &'static str> {
    let mut seen: Vec<&str> = Vec::new();
    loop {
        rest = rest.trim_start();
        if let Some(behind) = rest.strip_prefix('}') {
            return Ok(behind);
        }
        let (name, behind) = rest.split_once('=').ok_or("a label needs an equals sign")?;
        let name = name.trim_end();
        if !is_label_name(name) {
            return Err("bad label name");
        }
        if seen.contains(&name) {
            return Err("a label stands twice");
        }
        seen.push(name);
        let quoted = behind
            .trim_start()
            .strip_prefix('"')
            .ok_or("a label value needs quotes")?;
        let end = closing_quote(quoted).ok_or("a label value without its closing quote")?;
        let value: Arc<str> = unescape(&quoted[..end], true)?.into();
        builder.set(name, value);
        rest = quoted[end + 1..].trim_start();
        if let Some(behind) = rest.strip_prefix(',') {
            rest = behind;
        } else if !rest.starts_with('}') {
            return Err("labels need commas between them and a brace behind");
        }
    }
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

fn unescape(text: &str, quote: bool) -> Result<String, &'static str> {
    if !text.contains('\\') {
        return Ok(text.to_owned());
    }
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            out.push(letter);
            continue;
        }
        match letters.next() {
            Some('\\') => out.push('\\'),
            Some('n') => out.push('\n'),
            Some('"') if quote => out.push('"'),
            _ => return Err("unknown escape"),
        }
    }
    Ok(out)
}

fn is_metric_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_' || first == b':')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':')
}

fn is_label_name(name: &str) -> bool {
    !name.contains(':') && is_metric_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Writer;

    fn samples(page: &str) -> Result<Vec<Sample>, ParseError> {
        parse(page)
            .filter_map(|entry| match entry {
                Ok(Entry::Sample(sample)) => Some(Ok(sample)),
                Ok(_) => None,
                Err(err) => Some(Err(err)),
            })
            .collect()
    }

    #[test]
    fn a_written_page_is_read_back() {
        let mut page = Writer::new();
        page.family("a", "x", Kind::Gauge)
            .sample(&[("p", "C:\\\"\n,}{=")], -2.5)
            .sample(&[], f64::INFINITY);
        let page = page.finish();
        let read = samples(&page).unwrap();
        assert_eq!(read[0].labels.get("p"), "C:\\\"\n,}{=");
        assert_eq!(read[0].value, -2.5);
        assert_eq!(read[1].value, f64::INFINITY);
        assert_eq!(parse(&page).nth(1), Some(Ok(Entry::Type("a", Kind::Gauge))));
    }

    #[test]
    fn spaces_commas_and_times_are_taken_as_prometheus_does() {
        let read = samples("a { x = \"1\" , } 3 1600000000123\n\n# just a remark\nb\t4").unwrap();
        assert_eq!(read[0].labels.to_string(), r#"a{x="1"}"#);
        assert_eq!(read[0].time_ms, Some(1_600_000_000_123));
        assert_eq!(read[1].labels.name(), "b");
    }

    #[test]
    fn faulty_lines_are_named() {
        for (page, what) in [
            ("a", "a sample needs a value"),
            ("a x", "bad value"),
            ("a 1 x", "bad timestamp"),
            ("a 1 2 3", "text behind the timestamp"),
            ("1a 1", "bad metric name"),
            ("a{b} 1", "a label needs an equals sign"),
            ("a{b=c} 1", "a label value needs quotes"),
            ("a{b=\"c} 1", "a label value without its closing quote"),
            (
                "a{b=\"c\" d=\"e\"} 1",
                "labels need commas between them and a brace behind",
            ),
            ("a{b=\"c\",b=\"d\"} 1", "a label stands twice"),
            ("a{b=\"\\x\"} 1", "unknown escape"),
            (
                "# TYPE a number",
                "TYPE is none of counter, gauge, histogram, summary, untyped",
            ),
        ] {
            assert_eq!(samples(page), Err(ParseError { line: 1, what }), "{page}");
        }
    }
}
