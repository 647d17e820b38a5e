//! Makes values safe for the place they are put in.

use std::fmt::Write;

/// What stands for a value that could do harm.
const REFUSED: &str = "ZgotmplZ";

/// For text between tags.
pub(super) fn text(text: &str) -> String {
    replace(text, false, false)
}

/// For an attribute; `bare` is without quotes, `entities` keeps `&amp;` as it is.
pub(super) fn attribute(text: &str, bare: bool, entities: bool) -> String {
    match bare && text.is_empty() {
        true => REFUSED.into(),
        false => replace(text, bare, entities),
    }
}

/// For trusted HTML where tags are no tags.
pub(super) fn markup(text: &str) -> String {
    replace(text, false, true)
}

fn replace(text: &str, bare: bool, entities: bool) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '\0' => out.push('\u{fffd}'),
            '&' if entities => out.push('&'),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '+' if entities && !bare => out.push('+'),
            '"' | '\'' | '+' => number(&mut out, c),
            '\t' | '\n' | '\x0b' | '\x0c' | '\r' | ' ' | '=' | '`' if bare => number(&mut out, c),
            c => out.push(c),
        }
    }
    out
}

fn number(out: &mut String, c: char) {
    // Writing to a string cannot fail.
    let _ = write!(out, "&#{};", u32::from(c));
}

/// For the name of an element or an attribute.
pub(super) fn name(text: &str) -> String {
    let plain = super::Attribute::named(&text.to_ascii_lowercase()) == super::Attribute::Plain;
    match plain && !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric()) {
        true => text.to_ascii_lowercase(),
        false => REFUSED.into(),
    }
}

/// For a style: a value like a colour or a size, nothing that has structure.
pub(super) fn css(text: &str) -> String {
    let structure = |c| "\0\"'()/;@[\\]`{}<>".contains(c);
    let letters: String = text
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-' || *c == '_')
        .map(|c| c.to_ascii_lowercase())
        .collect();
    let code = letters.contains("expression") || letters.contains("mozbinding");
    match text.contains(structure) || text.contains("--") || code {
        true => REFUSED.into(),
        false => text.to_owned(),
    }
}

/// The URL if a click on it can do no harm.
pub(super) fn known_scheme(url: &str) -> &str {
    match url.split_once(':') {
        Some((scheme, _)) if !scheme.contains('/') => {
            let known = ["http", "https", "mailto"];
            match known.iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
                true => url,
                false => "#ZgotmplZ",
            }
        }
        _ => url,
    }
}

/// A whole URL, or its part before the query: what it may not hold is escaped.
pub(super) fn url(text: &str) -> String {
    percent(text, true)
}

/// A value in the query of a URL.
pub(super) fn url_part(text: &str) -> String {
    percent(text, false)
}

fn percent(text: &str, whole: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    for (at, byte) in bytes.iter().enumerate() {
        let hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
        let keep = match byte {
            b'-' | b'.' | b'_' | b'~' => true,
            b'%' => whole && hex(at + 1) && hex(at + 2),
            byte if byte.is_ascii_alphanumeric() => true,
            byte => whole && b"!#$&*+,/:;=?@[]".contains(byte),
        };
        match keep {
            true => out.push(char::from(*byte)),
            false => {
                let _ = write!(out, "%{byte:02x}");
            }
        }
    }
    out
}

/// The text of trusted HTML.
pub(super) fn without_tags(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(tag) = rest.find('<') {
        out.push_str(&rest[..tag]);
        let Some(end) = rest[tag..].find('>') else {
            return out;
        };
        rest = &rest[tag + end + 1..];
    }
    out.push_str(rest);
    out
}

/// The text that `html` has escaped.
pub(super) fn unescaped(html: &str) -> String {
    let entities = [
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&amp;", "&"),
    ];
    entities
        .iter()
        .fold(html.to_owned(), |text, (entity, c)| text.replace(entity, c))
}
