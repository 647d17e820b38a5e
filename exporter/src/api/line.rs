//! One line of an access log: which request it tells of, if any.

mod combined;
mod json;

use std::borrow::Cow;

use super::config::{Format, Keys};

/// A request, as its line tells of it. What the line lacks is empty.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Request<'a> {
    /// As the client named it, with a port maybe.
    pub(super) host: Cow<'a, str>,
    pub(super) method: Cow<'a, str>,
    /// With what stands behind a question mark.
    pub(super) path: Cow<'a, str>,
    /// 0 where the proxy wrote no status: the client had gone, or the proxy hung up. Caddy
    /// writes it too where none of its handlers said anything, and answers an empty 200.
    pub(super) status: u16,
    /// How long answering took.
    pub(super) seconds: Option<f64>,
    /// Bytes of the answer.
    pub(super) bytes: Option<u64>,
}

/// What a line is.
#[derive(Debug, PartialEq)]
pub(super) enum Line<'a> {
    Request(Request<'a>),
    /// Something else that the proxy says there.
    Other,
    /// Nothing that we can read.
    Unreadable,
}

/// What nginx's own image says at its start, where its access log goes too.
const IMAGE: [&[u8]; 3] = [
    b"/docker-entrypoint",
    b"10-listen-on-ipv6-by-default.sh:",
    b"20-envsubst-on-templates.sh:",
];

/// Reads a line. Bytes that are no text are read as far as they are.
pub(super) fn read<'a>(line: &'a [u8], format: Format, keys: &Keys) -> Line<'a> {
    let is_json = match format {
        Format::Auto => line.trim_ascii_start().starts_with(b"{"),
        Format::Json => true,
        Format::Combined => false,
    };
    if line.trim_ascii().is_empty() || IMAGE.iter().any(|begin| line.starts_with(begin)) {
        return Line::Other;
    }
    match is_json {
        true => json::read(line, keys),
        false => combined::read(line).map_or(Line::Unreadable, Line::Request),
    }
}

/// The three parts of `GET /path HTTP/1.1`; all empty where a client sent no request.
fn parts(request: &str) -> (&str, &str) {
    let (method, rest) = request.split_once(' ').unwrap_or((request, ""));
    (method, rest.split(' ').next().unwrap_or_default())
}

/// A status that HTTP has, or 0, which proxies write where they have none to tell of.
fn status(text: &str) -> Option<u16> {
    let status = text.parse().ok()?;
    (status == 0 || (100..600).contains(&status)).then_some(status)
}

#[cfg(test)]
mod tests;
