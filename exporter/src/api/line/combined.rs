//! nginx's `combined` format, Apache's too, with a host in front or more fields
//! behind.

use std::borrow::Cow;

use super::{Request, parts, status};

/// Reads `ADDRESS - USER [TIME] "REQUEST" STATUS BYTES "REFERER" "AGENT" ...`.
pub(super) fn read(line: &[u8]) -> Option<Request<'_>> {
    let head_end = find(line, b"] \"")?;
    let (request, rest) = quoted(&line[head_end + 2..])?;
    let rest = std::str::from_utf8(rest).map_or_else(|_| text(rest), Cow::Borrowed);
    let mut words = rest.split_ascii_whitespace();
    let status = status(words.next()?)?;
    let bytes = words.next()?;
    // What follows the agent is up to whoever wrote the format.
    let behind = outside_quotes(&rest);
    let mut fields = behind.split_ascii_whitespace().skip(2);
    let seconds = fields.clone().find_map(seconds);
    let host = host(&line[..head_end]).or_else(|| {
        let named = fields.find_map(|field| {
            let (name, value) = field.split_once('=')?;
            let known = ["host", "vhost", "sn", "server_name"].contains(&name);
            known.then(|| value.to_owned())
        });
        named.map(Cow::Owned)
    });
    let request = text(request);
    let (method, path) = match request {
        Cow::Borrowed(request) => {
            let (method, path) = parts(request);
            (Cow::Borrowed(method), Cow::Borrowed(path))
        }
        Cow::Owned(request) => {
            let (method, path) = parts(&request);
            (Cow::Owned(method.to_owned()), Cow::Owned(path.to_owned()))
        }
    };
    Some(Request {
        host: host.unwrap_or_default(),
        method,
        path,
        status,
        seconds,
        bytes: bytes.parse().ok(),
    })
}

/// `HOST ADDRESS - USER` instead of `ADDRESS - USER`.
fn host(head: &[u8]) -> Option<Cow<'_, str>> {
    let mut words = head
        .split(|byte| *byte == b' ')
        .filter(|word| !word.is_empty());
    let (first, second, third) = (words.next()?, words.next()?, words.next()?);
    (second != b"-" && third == b"-").then(|| text(first))
}

/// A time among the last fields: `0.012`, `rt=0.012`, `request_time=0.012`.
fn seconds(field: &str) -> Option<f64> {
    let value = match field.split_once('=') {
        Some(("rt" | "request_time" | "duration" | "time", value)) => value,
        Some(_) => return None,
        // Whole numbers are counts of bytes.
        None => field.contains('.').then_some(field)?,
    };
    let digits = |letter: char| letter.is_ascii_digit() || letter == '.';
    value.chars().all(digits).then(|| value.parse().ok())?
}

/// What stands between quotes at the begin of `text`, and what follows.
fn quoted(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.strip_prefix(b"\"")?;
    let mut escaped = false;
    let end = text.iter().position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    })?;
    Some((&text[..end], &text[end + 1..]))
}

/// The text without what stands in quotes; `rt="0.1"` stays.
fn outside_quotes(text: &str) -> String {
    let mut out = String::new();
    let (mut inside, mut kept, mut escaped) = (false, false, false);
    for letter in text.chars() {
        if letter == '"' && !escaped {
            inside = !inside;
            kept = inside && out.ends_with('=');
            continue;
        }
        escaped = letter == '\\' && !escaped;
        if !inside || kept {
            out.push(letter);
        }
    }
    out
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}
