//! Quoted and hexadecimal text, as Go's strconv and fmt write them.

use std::fmt::Write;

/// In double quotes; with `ascii` nothing above 0x7f is left as it is.
pub(super) fn string(text: &str, ascii: bool) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        one(&mut out, c, '"', ascii);
    }
    out.push('"');
    out
}

/// In single quotes.
pub(super) fn char(c: char, ascii: bool) -> String {
    let mut out = String::from("'");
    one(&mut out, c, '\'', ascii);
    out.push('\'');
    out
}

fn one(out: &mut String, c: char, quote: char, ascii: bool) {
    match c {
        '\\' => out.push_str("\\\\"),
        c if c == quote => {
            out.push('\\');
            out.push(c);
        }
        c if printable(c) && (c.is_ascii() || !ascii) => out.push(c),
        '\x07' => out.push_str("\\a"),
        '\x08' => out.push_str("\\b"),
        '\x0c' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\x0b' => out.push_str("\\v"),
        c => {
            let code = u32::from(c);
            // Writing to a string cannot fail.
            let _ = match code {
                0..0x20 | 0x7f => write!(out, "\\x{code:02x}"),
                0..=0xffff => write!(out, "\\u{code:04x}"),
                _ => write!(out, "\\U{code:08x}"),
            };
        }
    }
}

/// Whether Go shows the character as it is: letters, marks, numbers,
/// punctuation, symbols and the ASCII space.
pub(crate) fn printable(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    // `str::escape_debug` keeps what is printable, and marks after the first
    // character, which the prefix makes sure of.
    let mut after = ['a', c].iter().collect::<String>();
    after = after.escape_debug().collect();
    after.chars().nth(1) == Some(c)
}

/// Whether the text can stand in backquotes.
pub(super) fn can_be_raw(text: &str) -> bool {
    text.chars()
        .all(|c| c == '\t' || !(c.is_control() || c == '`' || c == '\u{feff}'))
}

/// The bytes in hexadecimal; `spaced` puts a space between them and `sharp` a
/// 0x in front, of each one where they are spaced.
pub(super) fn hex(bytes: &[u8], upper: bool, spaced: bool, sharp: bool) -> String {
    let prefix = if upper { "0X" } else { "0x" };
    let mut out = String::with_capacity(bytes.len() * 2);
    for (at, byte) in bytes.iter().enumerate() {
        if spaced && at > 0 {
            out.push(' ');
        }
        if sharp && (spaced || at == 0) {
            out.push_str(prefix);
        }
        let _ = match upper {
            true => write!(out, "{byte:02X}"),
            false => write!(out, "{byte:02x}"),
        };
    }
    out
}
