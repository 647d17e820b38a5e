//! OpenMetrics 1.0: one space where the text format has any, times in seconds,
//! exemplars, and a mark at the end that tells a whole page from a cut one.
//!
//! As Prometheus does, families may stand in any order, and exemplars are read
//! and left out.

use crate::series::{self, Spaces};
use crate::{Entry, Format, Kind, ParseError, Sample, parse_value};

/// Reads a page line by line; see [`parse`](crate::parse).
pub fn parse(page: &str) -> impl Iterator<Item = Result<Entry<'_>, ParseError>> {
    Format::OpenMetrics.parse(page)
}

pub(crate) fn body(page: &str) -> Result<&str, ParseError> {
    let cut = page.strip_suffix('\n').unwrap_or(page);
    let body = cut.strip_suffix("# EOF");
    match body.filter(|body| body.is_empty() || body.ends_with('\n')) {
        Some(body) => Ok(body),
        None => Err(ParseError {
            line: page.lines().count().max(1),
            what: "the page does not end with # EOF",
        }),
    }
}

pub(crate) fn line(line: &str) -> Result<Option<Entry<'_>>, &'static str> {
    // Behind the last newline of the body stands nothing.
    if line.is_empty() {
        return Ok(None);
    }
    if let Some(comment) = line.strip_prefix('#') {
        return meta(comment);
    }
    let (labels, rest) = series::read(line, Spaces::None)?;
    let (value, time_ms) = tail(rest)?;
    Ok(Some(Entry::Sample(Sample {
        labels,
        value,
        time_ms,
    })))
}

pub(crate) fn tail(rest: &str) -> Result<(f64, Option<i64>), &'static str> {
    let rest = rest
        .strip_prefix(' ')
        .ok_or("one space has to stand before the value")?;
    let (numbers, exemplar) = match rest.split_once(" # ") {
        Some((numbers, exemplar)) => (numbers, Some(exemplar)),
        None => (rest, None),
    };
    if let Some(exemplar) = exemplar {
        let labels = exemplar
            .strip_prefix('{')
            .ok_or("an exemplar needs a brace")?;
        let behind = series::labels(labels, Spaces::None)?;
        numbers_of(behind.strip_prefix(' ').ok_or("bad exemplar")?)?;
    }
    numbers_of(numbers)
}

/// Reads `value` or `value time`.
fn numbers_of(text: &str) -> Result<(f64, Option<i64>), &'static str> {
    let (value, time) = match text.split_once(' ') {
        Some((value, time)) => (value, Some(time)),
        None => (text, None),
    };
    let value = parse_value(value).ok_or("bad value")?;
    let time_ms = match time {
        None => None,
        Some(time) => {
            let seconds = parse_value(time).filter(|seconds| seconds.is_finite());
            // Cut, not rounded: so does Prometheus.
            Some((seconds.ok_or("bad timestamp")? * 1000.0) as i64)
        }
    };
    Ok((value, time_ms))
}

fn meta(comment: &str) -> Result<Option<Entry<'_>>, &'static str> {
    let (word, rest) = comment
        .strip_prefix(' ')
        .and_then(|comment| comment.split_once(' '))
        .ok_or("a remark is none of HELP, TYPE, UNIT and EOF")?;
    let (name, said) = series::family(rest)?;
    match word {
        "HELP" => Ok(Some(Entry::Help(name, series::unescape(said, true)))),
        "TYPE" => Ok(Some(Entry::Type(name, kind(said)?))),
        "UNIT" if said.is_empty() || name.strip_suffix(said).is_some_and(|n| n.ends_with('_')) => {
            Ok(Some(Entry::Unit(name, said)))
        }
        "UNIT" => Err("the unit is not the end of the name"),
        _ => Err("a remark is none of HELP, TYPE, UNIT and EOF"),
    }
}

fn kind(word: &str) -> Result<Kind, &'static str> {
    Ok(match word {
        "counter" => Kind::Counter,
        "gauge" => Kind::Gauge,
        "histogram" => Kind::Histogram,
        "gaugehistogram" => Kind::GaugeHistogram,
        "summary" => Kind::Summary,
        "info" => Kind::Info,
        "stateset" => Kind::StateSet,
        "unknown" => Kind::Untyped,
        _ => return Err("TYPE is none that OpenMetrics knows"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(page: &str) -> Result<Vec<String>, ParseError> {
        parse(page)
            .map(|entry| {
                entry.map(|entry| match entry {
                    Entry::Help(name, text) => format!("{name}: {text}"),
                    Entry::Type(name, kind) => format!("{name} is {}", kind.as_str()),
                    Entry::Unit(name, unit) => format!("{name} in {unit}"),
                    Entry::Sample(sample) => {
                        format!("{} {} {:?}", sample.labels, sample.value, sample.time_ms)
                    }
                })
            })
            .collect()
    }

    #[test]
    fn a_page_is_read_with_everything_on_it() {
        let page = "# HELP a_seconds What \\\"it\\\" \\\\ is\\n.
# TYPE a_seconds histogram
# UNIT a_seconds seconds
a_seconds_bucket{le=\"1.0\"} 3 # {trace_id=\"KOO5S4vxi0o\"} 0.67
a_seconds_bucket{le=\"+Inf\"} 3 1520879607.789 # {trace_id=\"x\",} 9.8 1520879607.789
a_seconds_count 3
a_seconds_created 1520430000.123
# TYPE b info
b_info{version=\"1 # {\"} 1
{\"c.d\",\"l.m\"=\"n\"} 1 1.5
e{f=\"g\"} NaN
# EOF
";
        assert_eq!(
            read(page).unwrap(),
            [
                "a_seconds: What \"it\" \\ is\n.",
                "a_seconds is histogram",
                "a_seconds in seconds",
                "a_seconds_bucket{le=\"1.0\"} 3 None",
                "a_seconds_bucket{le=\"+Inf\"} 3 Some(1520879607789)",
                "a_seconds_count 3 None",
                "a_seconds_created 1520430000.123 None",
                "b is info",
                "b_info{version=\"1 # {\"} 1 None",
                "c.d{l.m=\"n\"} 1 Some(1500)",
                "e{f=\"g\"} NaN None",
            ]
        );
        assert_eq!(read("# EOF").unwrap(), [""; 0]);
    }

    #[test]
    fn faulty_pages_are_refused() {
        for (page, line, what) in [
            ("a 1\n", 1, "the page does not end with # EOF"),
            ("", 1, "the page does not end with # EOF"),
            ("a 1\n# EOF\na 1\n", 3, "the page does not end with # EOF"),
            ("a 1# EOF\n", 1, "the page does not end with # EOF"),
            (
                "# EOF\na 1\n# EOF\n",
                1,
                "a remark is none of HELP, TYPE, UNIT and EOF",
            ),
            (
                "# only a remark\n# EOF\n",
                1,
                "a remark is none of HELP, TYPE, UNIT and EOF",
            ),
            ("a  1\n# EOF\n", 1, "bad value"),
            ("a 1 \n# EOF\n", 1, "bad timestamp"),
            (
                "a{b=\"c\"}1\n# EOF\n",
                1,
                "one space has to stand before the value",
            ),
            ("a {b=\"c\"} 1\n# EOF\n", 1, "bad value"),
            ("a{ b=\"c\"} 1\n# EOF\n", 1, "bad label name"),
            ("a 1 NaN\n# EOF\n", 1, "bad timestamp"),
            ("a 1 # x 1\n# EOF\n", 1, "an exemplar needs a brace"),
            ("a 1 # {b=\"c\"}\n# EOF\n", 1, "bad exemplar"),
            (
                "a 1 # {\"b\"} 1\n# EOF\n",
                1,
                "a label needs an equals sign",
            ),
            (
                "a 1\n# UNIT a s\n# EOF\n",
                2,
                "the unit is not the end of the name",
            ),
            (
                "# TYPE a number\n# EOF\n",
                1,
                "TYPE is none that OpenMetrics knows",
            ),
            ("a 0x1p-2\n# EOF\n", 1, "bad value"),
        ] {
            let (line, what) = (line, what);
            assert_eq!(read(page), Err(ParseError { line, what }), "{page}");
        }
    }
}
