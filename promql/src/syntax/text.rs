//! String literals and Go's spellings of strings and numbers in messages.

use std::fmt::Write as _;

/// The value of a string literal. Escapes can make bytes that are no UTF-8;
/// such a text is kept as it is and refused where a name is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text(Vec<u8>);

impl Text {
    /// The text, if it is valid UTF-8.
    pub(crate) fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// The text with replacement characters for whatever is no UTF-8.
    pub(crate) fn lossy(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }

    /// The text as a label name: any non-empty UTF-8 will do.
    pub(crate) fn as_name(&self) -> Option<&str> {
        self.as_str().filter(|name| !name.is_empty())
    }

    /// As Go's `%q` prints it.
    pub(crate) fn quoted(&self) -> String {
        let mut out = String::from("\"");
        for chunk in self.0.utf8_chunks() {
            escape(&mut out, chunk.valid());
            for byte in chunk.invalid() {
                let _ = write!(out, "\\x{byte:02x}");
            }
        }
        out.push('"');
        out
    }
}

/// Go's `%q` of a string.
pub(crate) fn quote(text: &str) -> String {
    Text(text.as_bytes().to_vec()).quoted()
}

fn escape(out: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x0b' => out.push_str("\\v"),
            _ if (letter as u32) < 0x20 || letter == '\x7f' => {
                let _ = write!(out, "\\x{:02x}", letter as u32);
            }
            _ if letter.is_control() => {
                let _ = write!(out, "\\u{:04x}", letter as u32);
            }
            _ => out.push(letter),
        }
    }
}

/// Reads the inside of a literal that stands in `quote`. Backticks are raw.
pub(super) fn unquote(inside: &str, quote: u8) -> Result<Text, String> {
    if quote == b'`' || !inside.contains('\\') {
        return Ok(Text(inside.as_bytes().to_vec()));
    }
    let mut out = Vec::with_capacity(inside.len());
    let mut rest = inside.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let Some((&letter, behind)) = rest.split_first() else {
            return Err("escape sequence not terminated".into());
        };
        rest = behind;
        match letter {
            b'a' => out.push(7),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'v' => out.push(11),
            b'\\' => out.push(b'\\'),
            _ if letter == quote => out.push(quote),
            b'x' => out.push(u8::try_from(digits(&mut rest, 2, 16)?).unwrap_or(0)),
            b'0'..=b'7' => {
                let high = u32::from(letter - b'0') * 64;
                let code = high + digits(&mut rest, 2, 8)?;
                out.push(u8::try_from(code).map_err(|_| "escape sequence is out of range")?);
            }
            b'u' | b'U' => {
                let width = if letter == b'u' { 4 } else { 8 };
                let code = digits(&mut rest, width, 16)?;
                let letter = char::from_u32(code)
                    .ok_or("escape sequence is an invalid Unicode code point")?;
                out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
            }
            _ => return Err("unknown escape sequence".into()),
        }
    }
    Ok(Text(out))
}

fn digits(rest: &mut &[u8], width: usize, radix: u32) -> Result<u32, String> {
    let (head, behind) = rest
        .split_at_checked(width)
        .ok_or("escape sequence not terminated")?;
    *rest = behind;
    head.iter().try_fold(0u32, |code, &byte| {
        let digit = char::from(byte)
            .to_digit(radix)
            .ok_or("illegal character in escape sequence")?;
        Ok(code.wrapping_mul(radix).wrapping_add(digit))
    })
}

/// A number as Go's `%g` prints it: with an exponent below 1e-4 and from 1e6 on.
pub(crate) fn go_number(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 || !size.is_finite() || (1e-4..1e6).contains(&size) {
        return exposition::format_value(value);
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, power) = exponent
        .strip_prefix('-')
        .map_or(('+', exponent), |power| ('-', power));
    format!("{digits}e{sign}{power:0>2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_gos() {
        for (inside, quote, bytes) in [
            (r"a\tb", b'"', &b"a\tb"[..]),
            (r#"\""#, b'"', b"\""),
            (r"\'", b'\'', b"'"),
            (r"\x41\101\u00e9", b'"', "AA\u{e9}".as_bytes()),
            (r"\xff", b'"', b"\xff"),
            (r"\d", b'`', br"\d"),
        ] {
            assert_eq!(unquote(inside, quote).unwrap().0, bytes, "{inside}");
        }
        for (inside, quote) in [
            (r"\d", b'"'),
            (r"\'", b'"'),
            (r"\x4", b'"'),
            (r"\ud800", b'"'),
        ] {
            assert!(unquote(inside, quote).is_err(), "{inside}");
        }
    }

    #[test]
    fn numbers_print_as_percent_g() {
        for (value, text) in [
            (0.0, "0"),
            (-0.1, "-0.1"),
            (999_999.0, "999999"),
            (1e6, "1e+06"),
            (0.00015, "0.00015"),
            (1.5e-9, "1.5e-09"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(go_number(value), text);
        }
    }

    #[test]
    fn broken_text_is_quoted_byte_by_byte_and_is_no_name() {
        let text = unquote(r"a\xc5z", b'"').unwrap();
        assert_eq!(text.quoted(), r#""a\xc5z""#);
        assert_eq!(text.as_name(), None);
    }
}
