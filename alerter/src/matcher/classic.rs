//! The classic grammar: `name op value`, the value quoted or not.

use super::{Matcher, Op};

/// Reads matchers parted by commas; outer braces are optional.
pub(super) fn parse(text: &str) -> Result<Vec<Matcher>, String> {
    let text = text.trim();
    let inner = text.strip_prefix('{').unwrap_or(text);
    let inner = inner.strip_suffix('}').unwrap_or(inner);
    split(inner)?.into_iter().map(one).collect()
}

/// Splits at commas outside of quotes. A comma at the end is allowed.
fn split(text: &str) -> Result<Vec<&str>, String> {
    let mut parts = Vec::new();
    let (mut start, mut quoted, mut escaped) = (0, false, false);
    for (at, letter) in text.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    if quoted {
        return Err(format!(
            "matcher value contains unescaped double quote: {text}"
        ));
    }
    if !text[start..].trim().is_empty() || parts.is_empty() && !text.is_empty() {
        parts.push(&text[start..]);
    }
    Ok(parts)
}

pub(super) fn one(text: &str) -> Result<Matcher, String> {
    let bad = || format!("bad matcher format: {text}");
    let trimmed = text.trim();
    let name_len = trimmed
        .bytes()
        .enumerate()
        .take_while(|(at, letter)| {
            letter.is_ascii_alphabetic()
                || *letter == b'_'
                || *letter == b':'
                || *at > 0 && letter.is_ascii_digit()
        })
        .count();
    let (name, rest) = trimmed.split_at(name_len);
    if name.is_empty() {
        return Err(bad());
    }
    let rest = rest.trim_start();
    // `=~` before `=`, as the longer operator is meant.
    let (op, value) = [
        ("=~", Op::Regex),
        ("!=", Op::NotEqual),
        ("!~", Op::NotRegex),
        ("=", Op::Equal),
    ]
    .into_iter()
    .find_map(|(sign, op)| Some((op, rest.strip_prefix(sign)?)))
    .ok_or_else(bad)?;
    let value = unquote(value.trim())
        .ok_or_else(|| format!("matcher value contains unescaped double quote: {value}"))?;
    Matcher::new(name, op, value)
}

/// Takes the quotes off and reads `\n`, `\"` and `\\`; other backslashes stay.
fn unquote(text: &str) -> Option<String> {
    let (inner, mut open) = match text.strip_prefix('"') {
        Some(inner) => (inner, true),
        None => (text, false),
    };
    let mut value = String::with_capacity(inner.len());
    let mut letters = inner.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some('n') => value.push('\n'),
                Some(next @ ('"' | '\\')) => value.push(next),
                Some(next) => value.extend(['\\', next]),
                None => value.push('\\'),
            },
            '"' if open && letters.peek().is_none() => open = false,
            '"' => return None,
            _ => value.push(letter),
        }
    }
    (!open).then_some(value)
}
