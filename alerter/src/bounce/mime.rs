//! Header fields and parts of a mail, as far as a bounce needs them.
//!
//! Lenient: what is broken is taken as it stands, and nothing is read twice as deep as
//! mails are.

use std::borrow::Cow;

use data_encoding::{BASE64, BASE64_NOPAD};

/// Parts within parts, at most.
const DEPTH: usize = 6;

/// Parts in all, at most.
const PARTS: usize = 100;

/// Header fields of a part, at most.
const FIELDS: usize = 1_000;

/// Names and values, unfolded.
pub(super) type Fields = Vec<(String, String)>;

/// A mail, or a part of one.
#[derive(Debug, Clone)]
pub(super) struct Part<'a> {
    fields: Fields,
    body: &'a str,
}

/// The header that a text begins with, and what follows it.
pub(super) fn fields(text: &str) -> (Fields, &str) {
    let mut fields: Fields = Vec::new();
    let mut rest = text;
    while let Some((line, after)) = next_line(rest) {
        if line.is_empty() {
            return (fields, after);
        }
        if let Some(more) = line.strip_prefix([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut() {
                value.push(' ');
                value.push_str(more.trim());
            }
        } else if let Some((name, value)) = line.split_once(':')
            && !name.is_empty()
            && name.trim_end().bytes().all(|it| it.is_ascii_graphic())
        {
            if fields.len() == FIELDS {
                return (fields, after);
            }
            fields.push((name.trim_end().to_owned(), value.trim().to_owned()));
        } else {
            // No header, or its end was forgotten.
            return (fields, rest);
        }
        rest = after;
    }
    (fields, rest)
}

/// The first value of a name, in whatever case it is written.
pub(super) fn value<'a>(fields: &'a Fields, name: &str) -> &'a str {
    let found = fields.iter().find(|(it, _)| it.eq_ignore_ascii_case(name));
    found.map_or("", |(_, value)| value)
}

fn next_line(text: &str) -> Option<(&str, &str)> {
    if text.is_empty() {
        return None;
    }
    let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
    Some((line.strip_suffix('\r').unwrap_or(line), rest))
}

impl<'a> Part<'a> {
    /// A whole mail; pipes of mail servers put a line `From ` before it.
    pub(super) fn of_mail(text: &'a str) -> Self {
        let text = text.trim_start_matches('\u{feff}');
        let mail = match next_line(text) {
            Some((line, rest)) if line.trim_start_matches('>').starts_with("From ") => rest,
            _ => text,
        };
        Self::of(mail)
    }

    fn of(text: &'a str) -> Self {
        let (fields, body) = fields(text);
        Self { fields, body }
    }

    /// A field of its header; empty if it has none of that name.
    pub(super) fn field(&self, name: &str) -> &str {
        value(&self.fields, name)
    }

    /// What it holds, without parameters, in small letters: `text/plain`.
    pub(super) fn kind(&self) -> String {
        let kind = self.field("Content-Type").split(';').next();
        let kind = kind.unwrap_or_default().trim().to_ascii_lowercase();
        match kind.is_empty() {
            true => "text/plain".into(),
            false => kind,
        }
    }

    /// The parts that have no parts, in their order; the mail itself if it has none.
    pub(super) fn leaves(&self) -> Vec<Part<'a>> {
        let mut leaves = Vec::new();
        self.collect(0, &mut leaves);
        leaves
    }

    fn collect(&self, depth: usize, leaves: &mut Vec<Part<'a>>) {
        let boundary = parameter(self.field("Content-Type"), "boundary");
        let parted = depth < DEPTH && self.kind().starts_with("multipart/");
        let Some(boundary) = boundary.filter(|it| parted && !it.is_empty()) else {
            leaves.push(self.clone());
            return;
        };
        for text in split(self.body, &boundary) {
            if leaves.len() >= PARTS {
                return;
            }
            Self::of(text).collect(depth + 1, leaves);
        }
    }

    /// Its text, decoded.
    pub(super) fn text(&self) -> Cow<'a, str> {
        let encoding = self.field("Content-Transfer-Encoding").to_ascii_lowercase();
        match encoding.trim() {
            "base64" => Cow::Owned(base64(self.body)),
            "quoted-printable" => Cow::Owned(quoted_printable(self.body)),
            _ => Cow::Borrowed(self.body),
        }
    }
}

/// What stands between the lines `--boundary`; the last may lack its end.
fn split<'a>(body: &'a str, boundary: &str) -> Vec<&'a str> {
    let mut parts = Vec::new();
    let (mut at, mut began) = (0, None);
    let mut rest = body;
    while let Some((line, after)) = next_line(rest) {
        let next = body.len() - after.len();
        let mark = line
            .strip_prefix("--")
            .and_then(|it| it.strip_prefix(boundary));
        let mark = mark.map(str::trim_end);
        if matches!(mark, Some("" | "--")) {
            if let Some(began) = began.take() {
                parts.push(&body[began..at]);
            }
            if mark == Some("--") || parts.len() == PARTS {
                return parts;
            }
            began = Some(next);
        }
        (at, rest) = (next, after);
    }
    parts.extend(began.map(|began| &body[began..]));
    parts
}

/// A parameter of a field: `boundary` of `multipart/report; boundary="a b"`.
fn parameter(value: &str, name: &str) -> Option<String> {
    let mut rest = value.split_once(';')?.1;
    loop {
        let (key, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let (word, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted_word(quoted),
            None => {
                let end = after.find(';').unwrap_or(after.len());
                (after[..end].trim().to_owned(), &after[end..])
            }
        };
        // What has no value is passed over.
        let key = key.rsplit(';').next().unwrap_or_default();
        if key.trim().eq_ignore_ascii_case(name) {
            return Some(word);
        }
        rest = next.split_once(';')?.1;
    }
}

/// What a quote ends, and what follows it.
fn quoted_word(text: &str) -> (String, &str) {
    let mut word = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (word, &text[at + 1..]),
            '\\' => word.extend(letters.next().map(|(_, letter)| letter)),
            _ => word.push(letter),
        }
    }
    (word, "")
}

fn base64(text: &str) -> String {
    let bytes: Vec<u8> = text
        .bytes()
        .filter(|it| it.is_ascii_alphanumeric() || matches!(it, b'+' | b'/'))
        .collect();
    // The end may be filled up, or cut off: that costs itself, and no more.
    let (whole, rest) = bytes.split_at(bytes.len() / 4 * 4);
    let mut decoded = BASE64.decode(whole).unwrap_or_default();
    decoded.extend(BASE64_NOPAD.decode(rest).unwrap_or_default());
    String::from_utf8_lossy(&decoded).into_owned()
}

fn quoted_printable(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let digit = |it: u8| (it as char).to_digit(16);
        match rest {
            [b'=', b'\r', b'\n', ..] => at += 3,
            [b'=', b'\n', ..] => at += 2,
            [b'=', high, low, ..] if digit(*high).is_some() && digit(*low).is_some() => {
                let byte = digit(*high).unwrap_or(0) * 16 + digit(*low).unwrap_or(0);
                out.push(u8::try_from(byte).unwrap_or(b'?'));
                at += 3;
            }
            _ => {
                out.push(rest[0]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_in_base64_is_read_to_its_end() {
        for (text, read) in [
            ("aGVsbG8=", "hello"),
            ("aGVsbG8h", "hello!"),
            ("aGVsbA", "hell"),
            ("aGVsb", "hel"),
        ] {
            assert_eq!(base64(text), read);
        }
    }
}
