//! Classes: what stands between brackets.

use super::{set, sign};

/// Takes the class at the start of `rest` and returns what stands behind it.
pub(super) fn take<'a>(rest: &'a str, out: &mut String) -> &'a str {
    out.push('[');
    let mut rest = &rest[1..];
    if let Some(behind) = rest.strip_prefix('^') {
        out.push('^');
        rest = behind;
    }
    let mut is_first = true;
    while !rest.is_empty() {
        if !is_first && let Some(behind) = rest.strip_prefix(']') {
            out.push(']');
            return behind;
        }
        is_first = false;
        rest = named(rest, out)
            .or_else(|| set(rest, out))
            .unwrap_or_else(|| range(rest, out));
    }
    // Without an end it is refused.
    rest
}

/// Takes one sign, or a range from one to another. A dash is one end of it or the other or
/// between them: the fewest that make sense.
fn range<'a>(rest: &'a str, out: &mut String) -> &'a str {
    let behind = member(rest, out);
    match behind.strip_prefix('-') {
        Some(last) if !last.is_empty() && !last.starts_with(']') => {
            out.push('-');
            member(last, out)
        }
        _ => behind,
    }
}

/// Takes `[:alpha:]` and its like.
fn named<'a>(rest: &'a str, out: &mut String) -> Option<&'a str> {
    let name = rest.strip_prefix("[:")?;
    let mut bytes = name.bytes();
    let end = bytes.position(|byte| !(byte.is_ascii_lowercase() || byte == b'^'))?;
    if !name[end..].starts_with(":]") {
        return None;
    }
    let (class, behind) = rest.split_at(end + 4);
    out.push_str(class);
    Some(behind)
}

fn member<'a>(rest: &'a str, out: &mut String) -> &'a str {
    let Some(letter) = rest.chars().next() else {
        return rest;
    };
    if letter == '\\' {
        return sign(rest, out);
    }
    if "[]^&~-".contains(letter) {
        out.push('\\');
    }
    out.push(letter);
    &rest[letter.len_utf8()..]
}
