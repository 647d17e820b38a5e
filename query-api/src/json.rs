//! JSON of samples and labels, written piece by piece: answers with millions of
//! numbers are never held as a tree.

use std::io::Write as _;

use exposition::Labels;

/// A string with its quotes.
pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut from = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[from..at]);
        from = at + 1;
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            // Writing into memory does not fail.
            _ => drop(write!(out, "\\u{byte:04x}")),
        }
    }
    out.extend_from_slice(&bytes[from..]);
    out.push(b'"');
}

/// An object of names and values.
pub(crate) fn labels(out: &mut Vec<u8>, labels: &Labels) {
    out.push(b'{');
    for (at, (name, value)) in labels.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        string(out, name);
        out.push(b':');
        string(out, value);
    }
    out.push(b'}');
}

/// `[1600000000.5,"1.25"]`
pub(crate) fn point(out: &mut Vec<u8>, (time_ms, value): (i64, f64)) {
    out.push(b'[');
    seconds(out, time_ms);
    out.extend_from_slice(b",\"");
    number(out, value);
    out.extend_from_slice(b"\"]");
}

/// Milliseconds as seconds, with three decimals where there are any.
pub(crate) fn seconds(out: &mut Vec<u8>, time_ms: i64) {
    let sign = if time_ms < 0 { "-" } else { "" };
    let size = time_ms.unsigned_abs();
    let _ = match size % 1000 {
        0 => write!(out, "{sign}{}", size / 1000),
        rest => write!(out, "{sign}{}.{rest:03}", size / 1000),
    };
}

/// A value without its quotes: shortest digits, as Go writes them.
pub(crate) fn number(out: &mut Vec<u8>, value: f64) {
    let whole = value as i64;
    // Most values are whole numbers, and those print fast.
    if whole as f64 == value && whole.unsigned_abs() < 1 << 53 && whole != 0 {
        let _ = write!(out, "{whole}");
    } else {
        out.extend_from_slice(exposition::format_value(value).as_bytes());
    }
}

/// The same, but never with an exponent: so scalars are shown.
pub(crate) fn plain_number(out: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        let _ = write!(out, "{value}");
    } else {
        number(out, value);
    }
}

/// A value in Go's `%e` with shortest digits: so alerts show theirs.
pub(crate) fn exponent(value: f64) -> String {
    if !value.is_finite() {
        return exposition::format_value(value);
    }
    let text = format!("{value:e}");
    let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, power) = power
        .strip_prefix('-')
        .map_or(('+', power), |power| ('-', power));
    format!("{digits}e{sign}{power:0>2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn strings_are_escaped_and_read_back() {
        for plain in ["", "a", "a\"b\\c", "\n\t\r\u{1}\u{7f}", "é€😀", "</script>"] {
            let written = text(|out| string(out, plain));
            assert_eq!(serde_json::from_str::<String>(&written).unwrap(), plain);
        }
        assert_eq!(text(|out| string(out, "\u{1}\"")), r#""\u0001\"""#);
    }

    #[test]
    fn points_are_written_as_prometheus_does() {
        for (time, value, written) in [
            (1_600_000_000_000, 1.0, r#"[1600000000,"1"]"#),
            (1_600_000_000_500, -2.5, r#"[1600000000.500,"-2.5"]"#),
            (1, 0.0, r#"[0.001,"0"]"#),
            (-1500, -0.0, r#"[-1.500,"-0"]"#),
            (0, 1e-7, r#"[0,"1e-07"]"#),
            (0, 1.2e21, r#"[0,"1.2e+21"]"#),
            (0, 1e20, r#"[0,"100000000000000000000"]"#),
            (0, f64::NAN, r#"[0,"NaN"]"#),
            (0, f64::NEG_INFINITY, r#"[0,"-Inf"]"#),
            (0, 9_007_199_254_740_992.0, r#"[0,"9007199254740992"]"#),
        ] {
            assert_eq!(text(|out| point(out, (time, value))), written);
        }
    }

    #[test]
    fn scalars_have_no_exponent_and_alerts_always_one() {
        assert_eq!(text(|out| plain_number(out, 1e-7)), "0.0000001");
        assert_eq!(
            text(|out| plain_number(out, 1e21)),
            "1000000000000000000000"
        );
        assert_eq!(text(|out| plain_number(out, f64::INFINITY)), "+Inf");
        for (value, written) in [(1.0, "1e+00"), (0.00015, "1.5e-04"), (1e300, "1e+300")] {
            assert_eq!(exponent(value), written);
        }
        assert_eq!(exponent(f64::NAN), "NaN");
    }
}
