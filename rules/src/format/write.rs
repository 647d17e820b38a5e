//! A scalar's text in the place of another, in the style that stands there.

use crate::file::spelled::{Spelled, Style};

/// The file with `wanted` in the place of a scalar.
pub(super) fn replaced(file: &str, old: &Spelled, wanted: &str) -> String {
    let before = &file[old.range.clone()];
    let written = match old.style {
        Style::Block(indent) => indented(wanted, indent),
        Style::Double => format!("\"{}\"", wanted.replace('\\', "\\\\").replace('"', "\\\"")),
        Style::Single => single(wanted),
        Style::Plain if is_plain(wanted) => {
            let second = before.split('\n').nth(1).unwrap_or_default();
            indented(wanted, second.len() - second.trim_start().len())
        }
        Style::Plain => single(&wanted.replace('\n', " ")),
    };
    format!(
        "{}{written}{}",
        &file[..old.range.start],
        &file[old.range.end..]
    )
}

/// All lines but the first behind so many spaces; empty ones stay empty.
fn indented(text: &str, indent: usize) -> String {
    let mut out = String::new();
    for (at, line) in text.split('\n').enumerate() {
        if at > 0 {
            out.push('\n');
            if !line.is_empty() {
                out.extend(std::iter::repeat_n(' ', indent));
            }
        }
        out.push_str(line);
    }
    out
}

fn single(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Whether YAML takes it without quotes. Inside of YAML's own brackets it may
/// not; whoever reads the file again sees that.
fn is_plain(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '(' | '+'))
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with(':')
}
