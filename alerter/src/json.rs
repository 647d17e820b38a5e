//! Writing JSON as Go's library does: `<`, `>` and `&` stand escaped.

use std::io::Write as _;

use alert::Set;

use crate::pairs::Pairs;
use crate::times;

/// Writes a text in quotes.
pub(crate) fn text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut plain = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            b'<' => b"\\u003c",
            b'>' => b"\\u003e",
            b'&' => b"\\u0026",
            0..=0x1f => &control(*byte),
            // U+2028 and U+2029, which end lines in scripts.
            0xe2 if bytes[at..].starts_with("\u{2028}".as_bytes()) => b"\\u2028",
            0xe2 if bytes[at..].starts_with("\u{2029}".as_bytes()) => b"\\u2029",
            _ => continue,
        };
        out.extend_from_slice(&bytes[plain..at]);
        out.extend_from_slice(escape);
        plain = at + if *byte == 0xe2 { 3 } else { 1 };
    }
    out.extend_from_slice(&bytes[plain..]);
    out.push(b'"');
}

fn control(byte: u8) -> [u8; 6] {
    let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
    [b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 0xf)]
}

/// Writes labels or annotations.
pub(crate) fn set(out: &mut Vec<u8>, set: &Set) {
    object(out, set.iter().map(|(name, value)| (&**name, &**value)));
}

/// The same of those that are kept in one piece.
pub(crate) fn pairs(out: &mut Vec<u8>, pairs: &Pairs) {
    object(out, pairs.iter());
}

fn object<'a>(out: &mut Vec<u8>, pairs: impl Iterator<Item = (&'a str, &'a str)>) {
    out.push(b'{');
    for (place, (name, value)) in pairs.enumerate() {
        if place > 0 {
            out.push(b',');
        }
        text(out, name);
        out.push(b':');
        text(out, value);
    }
    out.push(b'}');
}

/// Writes a list.
pub(crate) fn list<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut Vec<u8>, T),
) {
    out.push(b'[');
    for (place, item) in items.into_iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

/// Writes `"name":`, with a comma before it unless it is the object's first.
pub(crate) fn key(out: &mut Vec<u8>, name: &str) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    // Writing to memory cannot fail.
    let _ = write!(out, "\"{name}\":");
}

/// Writes a time (milliseconds since 1970).
pub(crate) fn time(out: &mut Vec<u8>, time_ms: i64) {
    let _ = write!(out, "\"{}\"", times::print(time_ms));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped_as_gos_library_does() {
        for (plain, wanted) in [
            ("", r#""""#),
            ("a\"b\\c", r#""a\"b\\c""#),
            (
                "\n\r\t\u{1}\u{1f}\u{7f}",
                "\"\\n\\r\\t\\u0001\\u001f\u{7f}\"",
            ),
            (
                "<a> & é\u{2028}\u{2029}…",
                "\"\\u003ca\\u003e \\u0026 é\\u2028\\u2029…\"",
            ),
        ] {
            let mut out = Vec::new();
            text(&mut out, plain);
            assert_eq!(String::from_utf8(out).unwrap(), wanted);
        }
    }

    #[test]
    fn whatever_is_written_is_read_back() {
        let pairs = [("a\"", "\\\u{0}<"), ("é", "\u{2028}x")];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let written: Set = pairs.into();
        let mut out = Vec::new();
        set(&mut out, &written);
        assert_eq!(serde_json::from_slice::<Set>(&out).unwrap(), written);
    }
}
