//! What both formats share: a series as a page spells it, names, escapes.

use std::borrow::Cow;

use crate::{Labels, LabelsBuilder, NAME};

/// Where spaces may stand between the pieces of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spaces {
    /// Everywhere.
    Free,
    /// Nowhere.
    None,
}

impl Spaces {
    fn skip(self, text: &str) -> &str {
        match self {
            Self::Free => text.trim_start_matches([' ', '\t']),
            Self::None => text,
        }
    }
}

/// Reads `name{a="b"}`, or `{"name",a="b"}`, and returns what stands behind it.
pub(crate) fn read(line: &str, spaces: Spaces) -> Result<(Labels, &str), &'static str> {
    let end = line.find(['{', ' ', '\t']).unwrap_or(line.len());
    let name = &line[..end];
    let mut builder = LabelsBuilder::default();
    let mut rest = spaces.skip(&line[end..]);
    if !name.is_empty() {
        if !is_metric_name(name) {
            return Err("bad metric name");
        }
        builder.set(NAME, name);
    }
    if let Some(inner) = rest.strip_prefix('{') {
        rest = pairs(inner, spaces, |name, value| match (name, value) {
            (Some(name), value) => add(&mut builder, name, value),
            (None, name) => add(&mut builder, NAME.into(), name),
        })?;
    }
    if builder.get(NAME).is_empty() {
        return Err("a series needs a name");
    }
    Ok((builder.build(), rest))
}

/// Reads `a="b",c="d"}` without keeping it, and returns what stands behind.
pub(crate) fn labels(text: &str, spaces: Spaces) -> Result<&str, &'static str> {
    pairs(text, spaces, |name, _| {
        name.map(drop).ok_or("a label needs an equals sign")
    })
}

/// Whether a series, as a page spells it, has this label with an empty value: none to the
/// series, but said by the page.
#[must_use]
pub fn spells_empty(series: &str, label: &str) -> bool {
    let mut found = false;
    let inner = series.find('{').map_or("", |at| &series[at + 1..]);
    let read = pairs(inner, Spaces::Free, |name, value| {
        found |= value.is_empty() && name.is_some_and(|name| name == label);
        Ok(())
    });
    found && read.is_ok()
}

fn add(
    builder: &mut LabelsBuilder,
    name: Cow<'_, str>,
    value: Cow<'_, str>,
) -> Result<(), &'static str> {
    if !builder.get(&name).is_empty() {
        return Err("a label stands twice");
    }
    builder.set(name, value);
    Ok(())
}

/// Walks over `a="b","c.d"="e"}`; a quoted text without an equals sign has no name.
fn pairs<'a>(
    mut rest: &'a str,
    spaces: Spaces,
    mut take: impl FnMut(Option<Cow<'a, str>>, Cow<'a, str>) -> Result<(), &'static str>,
) -> Result<&'a str, &'static str> {
    loop {
        rest = spaces.skip(rest);
        if let Some(behind) = rest.strip_prefix('}') {
            return Ok(behind);
        }
        let (name, behind) = if rest.starts_with('"') {
            let (name, behind) = quoted(rest)?;
            let behind = spaces.skip(behind);
            if behind.starts_with([',', '}']) {
                take(None, name)?;
                rest = next(behind)?;
                continue;
            }
            (name, behind)
        } else {
            let end = rest.find(['=', ' ', '\t', ',', '}']).unwrap_or(rest.len());
            let name = &rest[..end];
            if !is_label_name(name) {
                return Err("bad label name");
            }
            (Cow::Borrowed(name), spaces.skip(&rest[end..]))
        };
        let behind = behind
            .strip_prefix('=')
            .ok_or("a label needs an equals sign")?;
        let (value, behind) = quoted(spaces.skip(behind))?;
        take(Some(name), value)?;
        rest = next(spaces.skip(behind))?;
    }
}

/// Behind a pair stands a comma, which may be the last, or the brace.
fn next(rest: &str) -> Result<&str, &'static str> {
    match rest.strip_prefix(',') {
        Some(behind) => Ok(behind),
        None if rest.starts_with('}') => Ok(rest),
        None => Err("labels need commas between them and a brace behind"),
    }
}

fn quoted(text: &str) -> Result<(Cow<'_, str>, &str), &'static str> {
    let inner = text.strip_prefix('"').ok_or("a label value needs quotes")?;
    let mut escaped = false;
    let end = inner.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    let end = end.ok_or("a label value without its closing quote")?;
    let value = &inner[..end];
    let value = if value.contains('\\') {
        Cow::Owned(unescape(value, true))
    } else {
        Cow::Borrowed(value)
    };
    Ok((value, &inner[end + 1..]))
}

/// Reads the name of a family, quoted or not, and what stands one space behind it.
pub(crate) fn family(text: &str) -> Result<(&str, &str), &'static str> {
    if let Some(inner) = text.strip_prefix('"') {
        let end = inner.find('"').ok_or("a name without its closing quote")?;
        return Ok((&inner[..end], inner[end + 1..].trim_start_matches(' ')));
    }
    let (name, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    if is_metric_name(name) {
        Ok((name, rest))
    } else {
        Err("bad metric name")
    }
}

/// Resolves the escapes of a text; `quote` says whether quotes can be escaped. Of others,
/// such as those of a path of Windows, both letters stay, as in Prometheus.
pub(crate) fn unescape(text: &str, quote: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            out.push(letter);
            continue;
        }
        match letters.next() {
            Some('\\') => out.push('\\'),
            Some('n') => out.push('\n'),
            Some('"') if quote => out.push('"'),
            other => {
                out.push('\\');
                out.extend(other);
            }
        }
    }
    out
}

fn is_metric_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_' || first == b':')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':')
}

fn is_label_name(name: &str) -> bool {
    !name.contains(':') && is_metric_name(name)
}
