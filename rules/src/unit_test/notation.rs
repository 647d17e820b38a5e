//! The short notations of test files: `name{label="value"}` and `0+10x5 _ stale`.

use exposition::{Labels, LabelsBuilder, NAME, stale};

/// More samples than this in one series are refused.
const MAX_SAMPLES: usize = 1_000_000;

/// Reads `name{label="value", other='x'}`.
pub(super) fn labels(text: &str) -> Result<Labels, String> {
    let text = text.trim();
    let bad = |what: &str| format!("bad series {text:?}: {what}");
    let (name, rest) = match text.split_once('{') {
        Some((name, rest)) => (
            name.trim(),
            rest.strip_suffix('}')
                .ok_or_else(|| bad("no closing brace"))?,
        ),
        None => (text, ""),
    };
    if name.contains(char::is_whitespace) {
        return Err(bad("white space in the name"));
    }
    let mut builder = LabelsBuilder::default();
    builder.set(NAME, name);
    let mut rest = rest.trim();
    while !rest.is_empty() {
        let (label, behind) = rest.split_once('=').ok_or_else(|| bad("no equals sign"))?;
        let label = label.trim().trim_matches('"');
        let (value, behind) = quoted(behind.trim_start()).ok_or_else(|| bad("bad quotes"))?;
        builder.set(label, value);
        rest = behind.trim_start();
        match rest.strip_prefix(',') {
            Some(behind) => rest = behind.trim_start(),
            None if rest.is_empty() => {}
            None => return Err(bad("no comma between labels")),
        }
    }
    Ok(builder.build())
}

/// Reads a quoted text and gives what stands behind it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let quote = text
        .chars()
        .next()
        .filter(|c| matches!(c, '"' | '\'' | '`'))?;
    let mut out = String::new();
    let mut letters = text.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        match letter {
            _ if letter == quote => return Some((out, &text[at + 1..])),
            '\\' if quote != '`' => out.push(match letters.next()?.1 {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                other @ ('\\' | '"' | '\'') => other,
                _ => return None,
            }),
            _ => out.push(letter),
        }
    }
    None
}

/// Reads a list of values; nothing stands for a missing sample.
pub(super) fn values(text: &str) -> Result<Vec<Option<f64>>, String> {
    let mut out = Vec::new();
    for word in text.split_ascii_whitespace() {
        let bad = || format!("bad values at {word:?}; write 1, 1+2x5, 1-2x5, 1x5, _, _x5 or stale");
        let (body, times) = repeated(word).ok_or_else(bad)?;
        let more = times.unwrap_or(0);
        if out.len().saturating_add(more) > MAX_SAMPLES {
            return Err(format!("more than {MAX_SAMPLES} samples at {word:?}"));
        }
        match body {
            // A gap stands for as many samples as it says; a value is one more.
            "_" => out.extend(std::iter::repeat_n(None, times.unwrap_or(1))),
            "stale" => out.extend(std::iter::repeat_n(Some(stale()), more + 1)),
            _ => {
                // A step says nothing without a count.
                let (mut value, step) = series(body)
                    .filter(|(_, step)| step.is_none() || times.is_some())
                    .ok_or_else(bad)?;
                for _ in 0..=more {
                    out.push(Some(value));
                    value += step.unwrap_or(0.0);
                }
            }
        }
    }
    Ok(out)
}

/// Splits the `xN` off.
fn repeated(word: &str) -> Option<(&str, Option<usize>)> {
    match word.rsplit_once('x') {
        Some((body, times)) => Some((body, Some(times.parse().ok()?))),
        None => Some((word, None)),
    }
}

/// Reads `1`, `1+2` or `1-2`.
fn series(body: &str) -> Option<(f64, Option<f64>)> {
    if let Some(value) = number(body) {
        return Some((value, None));
    }
    // The sign that parts them is neither the first letter nor that of an exponent.
    let letters = body.as_bytes();
    let at = (1..letters.len()).find(|&at| {
        matches!(letters[at], b'+' | b'-') && !matches!(letters[at - 1], b'e' | b'E')
    })?;
    let first = number(&body[..at])?;
    let step = number(&body[at + 1..])?;
    Some((first, Some(if letters[at] == b'-' { -step } else { step })))
}

/// Reads one number, as expressions spell them.
pub(super) fn number(text: &str) -> Option<f64> {
    match text.to_ascii_lowercase().as_str() {
        "nan" => Some(f64::NAN),
        "inf" | "+inf" => Some(f64::INFINITY),
        "-inf" => Some(f64::NEG_INFINITY),
        word if word.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) => {
            word.parse().ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_promtool_reads_them() {
        for (text, expected) in [
            ("1", "1"),
            ("1 2.5 -3", "1 2.5 -3"),
            ("0+10x3", "0 10 20 30"),
            ("5-2x2", "5 3 1"),
            ("-2+1x2", "-2 -1 0"),
            ("1e-3+1e1x1", "0.001 10.001"),
            ("7x2", "7 7 7"),
            ("_ _x3 1", "_ _ _ _ 1"),
            ("0+0x10", "0 0 0 0 0 0 0 0 0 0 0"),
            ("Inf -Inf NaN", "+Inf -Inf NaN"),
        ] {
            let read: Vec<String> = values(text)
                .unwrap()
                .into_iter()
                .map(|value| value.map_or("_".into(), exposition::format_value))
                .collect();
            assert_eq!(read.join(" "), expected, "{text}");
        }
        assert!(values("stale").unwrap()[0].is_some_and(exposition::is_stale));
        for text in [
            "x",
            "1+x3",
            "1x",
            "1x-1",
            "a",
            "1+2",
            "{{schema:1}}",
            "1x99999999",
        ] {
            assert!(values(text).is_err(), "{text}");
        }
    }

    #[test]
    fn labels_are_read_with_escapes() {
        for (text, expected) in [
            ("up", "up"),
            (r#"up{job="a", x='b"c',}"#, r#"up{job="a", x="b\"c"}"#),
            (r#"{__name__="up", a="\\d\n"}"#, r#"up{a="\\d\n"}"#),
            ("{}", "{}"),
            ("up{a=`\\d`}", r#"up{a="\\d"}"#),
        ] {
            assert_eq!(labels(text).unwrap().to_string(), expected);
        }
        for text in [
            "up{a=\"b\"",
            "up{a}",
            "up{a=b}",
            "u p",
            "up{a=\"b\" c=\"d\"}",
        ] {
            assert!(labels(text).is_err(), "{text}");
        }
    }
}
