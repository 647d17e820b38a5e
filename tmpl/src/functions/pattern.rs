//! Regular expressions in Go's syntax, on the engine of this language.

use regex::{Regex, RegexBuilder};

use super::Call;
use crate::{Value, print};

/// Whether the pattern is found anywhere in the text.
pub(super) fn matches(call: &Call<'_>) -> Result<Value, String> {
    Ok(compile(call.text(0)?)?.is_match(call.text(1)?).into())
}

/// Replaces each match; `$1` and `${name}` stand for groups.
pub(super) fn replace_all(call: &Call<'_>) -> Result<Value, String> {
    let pattern = compile(call.text(0)?)?;
    let (replacement, text) = (call.text(1)?, call.text(2)?);
    let limit = call.env.limits.output;
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for found in pattern.captures_iter(text) {
        let Some(whole) = found.get(0) else { continue };
        out.push_str(&text[copied..whole.start()]);
        found.expand(replacement, &mut out);
        copied = whole.end();
        if out.len() > limit {
            return Err(print::too_large(limit));
        }
    }
    out.push_str(&text[copied..]);
    call.bounded(out).map(Value::from)
}

/// The pattern that matches the text and nothing else.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Memory that one compiled pattern may take.
const SIZE: usize = 1 << 20;

fn compile(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(&rust_regex(pattern))
        .size_limit(SIZE)
        .build()
        .map_err(|err| match err {
            regex::Error::CompiledTooBig(_) => format!("the pattern {pattern:?} is too large"),
            _ => format!("error parsing regexp: {pattern:?}"),
        })
}

/// The same pattern for the engine here: in Go `\d`, `\w`, `\s` and `\b` know
/// ASCII only, `\Q..\E` quotes, in a class `[`, `&`, `~`, `--` are themselves, and so is
/// a brace that begins no repetition.
#[must_use]
pub fn rust_regex(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut chars = pattern.chars().peekable();
    let mut class = false;
    let mut class_start = false;
    while let Some(c) = chars.next() {
        let first = std::mem::take(&mut class_start);
        match c {
            '\\' => match chars.next() {
                Some('Q') => {
                    let mut quoted = String::new();
                    while let Some(c) = chars.next() {
                        if c == '\\' && chars.next_if_eq(&'E').is_some() {
                            break;
                        }
                        quoted.push(c);
                    }
                    out.push_str(&regex::escape(&quoted));
                }
                Some(escaped) => {
                    escape(&mut out, escaped, class);
                    // \p{Greek} and \x{1F514} up to their end.
                    if "pPx".contains(escaped) && chars.peek() == Some(&'{') {
                        copy_to('}', &mut chars, &mut out);
                    }
                }
                None => out.push('\\'),
            },
            '[' if !class => {
                class = true;
                class_start = true;
                out.push('[');
                if chars.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
            }
            '[' if chars.peek() == Some(&':') => {
                // [:alpha:] up to its end.
                out.push('[');
                copy_to(']', &mut chars, &mut out);
            }
            ']' if class && first => out.push_str(r"\]"),
            ']' if class => {
                class = false;
                out.push(']');
            }
            '[' | '&' | '~' if class => {
                out.push('\\');
                out.push(c);
            }
            '-' if class && chars.peek() == Some(&'-') => out.push_str(r"\-"),
            '{' if !class && !repeats(chars.clone()) => out.push_str(r"\{"),
            c => out.push(c),
        }
    }
    out
}

fn copy_to(end: char, chars: &mut impl Iterator<Item = char>, out: &mut String) {
    for c in chars {
        out.push(c);
        if c == end {
            break;
        }
    }
}

/// Whether what follows a brace makes it a repetition: `n}`, `n,}` or `n,m}`.
fn repeats(behind: impl Iterator<Item = char>) -> bool {
    let mut inside = String::new();
    for c in behind {
        match c {
            '}' => {
                let (least, most) = inside.split_once(',').unwrap_or((&inside, ""));
                let digits = |text: &str| text.bytes().all(|it| it.is_ascii_digit());
                return !least.is_empty() && digits(least) && digits(most);
            }
            '0'..='9' | ',' => inside.push(c),
            _ => return false,
        }
    }
    false
}

fn escape(out: &mut String, escaped: char, class: bool) {
    let set = match escaped {
        'd' | 'D' => "0-9",
        'w' | 'W' => "0-9A-Za-z_",
        's' | 'S' => r"\t\n\f\r ",
        'b' | 'B' if !class => {
            out.push_str(if escaped == 'b' { r"(?-u:\b)" } else { r"\B" });
            return;
        }
        // Beginning and end of a word here, signs there.
        '<' | '>' => {
            out.push(escaped);
            return;
        }
        other => {
            out.push('\\');
            out.push(other);
            return;
        }
    };
    match (escaped.is_ascii_uppercase(), class) {
        (false, true) => out.push_str(set),
        (false, false) => out.push_str(&format!("[{set}]")),
        (true, _) => out.push_str(&format!("[^{set}]")),
    }
}
