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
    let spelt = re2::rust_regex(pattern).map_err(|err| err.to_string())?;
    RegexBuilder::new(&spelt)
        .size_limit(SIZE)
        .build()
        .map_err(|err| match err {
            regex::Error::CompiledTooBig(_) => format!("the pattern {pattern:?} is too large"),
            _ => format!("error parsing regexp: {pattern:?}"),
        })
}
