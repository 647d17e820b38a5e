//! The head of a request as it is sent, and that of an answer as it is read.

use std::io::Write as _;

use hyper::body::Bytes;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode, Version};

use super::super::super::reason::{Failure, Reason, Step};
use super::body::Left;

/// So many headers are read.
const HEADERS: usize = 100;

/// What stands before the body of an answer.
pub(in super::super) struct Head {
    pub(in super::super) status: StatusCode,
    pub(in super::super) version: Version,
    pub(in super::super) headers: HeaderMap,
}

impl Head {
    /// Whether another answer follows.
    pub(super) fn is_interim(&self) -> bool {
        self.status.is_informational() && self.status != StatusCode::SWITCHING_PROTOCOLS
    }

    /// How much of the body follows the head.
    pub(super) fn left(&self, method: &Method) -> Step<Left> {
        let none = match self.status.as_u16() {
            101 | 204 | 304 => true,
            200..=299 if *method == Method::CONNECT => true,
            _ => *method == Method::HEAD,
        };
        if none {
            return Ok(Left::Bytes(0));
        }
        let mut coded = self.headers.get_all(header::TRANSFER_ENCODING).iter();
        if let Some(coding) = coded.next_back() {
            if self.version == Version::HTTP_10 {
                return Err(none_of("HTTP/1.0 has no Transfer-Encoding"));
            }
            let last = coding.to_str().unwrap_or_default().rsplit(',').next();
            let last = last.unwrap_or_default().trim();
            return Ok(match last.eq_ignore_ascii_case("chunked") {
                true => Left::chunks(),
                false => Left::UntilClosed,
            });
        }
        let mut length = None;
        for value in self.headers.get_all(header::CONTENT_LENGTH) {
            for one in value.to_str().unwrap_or("none").split(',') {
                let one = one.trim();
                let digits = one.bytes().all(|byte| byte.is_ascii_digit());
                let bytes = one.parse::<u64>().ok().filter(|_| digits);
                if bytes.is_none() || length.is_some_and(|length| Some(length) != bytes) {
                    return Err(none_of("its Content-Length is none"));
                }
                length = bytes;
            }
        }
        Ok(length.map_or(Left::UntilClosed, Left::Bytes))
    }
}

fn none_of(what: &str) -> Failure {
    Failure::new(Reason::Protocol, format!("this is not HTTP: {what}"))
}

/// A request as it is sent, its body included: what its headers say of a body's length
/// and coding is so.
pub(super) fn written(request: &Request<Bytes>) -> Vec<u8> {
    let body = request.body();
    let mut out = Vec::with_capacity(body.len() + 400);
    // Writing into memory does not fail.
    let _ = write!(out, "{} {} HTTP/1.1\r\n", request.method(), request.uri());
    let coding = request.headers().get_all(header::TRANSFER_ENCODING);
    let last = coding.iter().next_back();
    let last = last.and_then(|value| value.to_str().ok()?.rsplit(',').next());
    let chunked = last.is_some() && !body.is_empty();
    for (name, value) in request.headers() {
        let is_idle = match *name {
            header::TRANSFER_ENCODING => body.is_empty(),
            // What it says is said below.
            header::CONTENT_LENGTH => true,
            _ => false,
        };
        if is_idle {
            continue;
        }
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    if chunked && !last.is_some_and(|last| last.trim().eq_ignore_ascii_case("chunked")) {
        out.extend_from_slice(b"transfer-encoding: chunked\r\n");
    }
    // Without a body some servers want it.
    let wanted = request.headers().contains_key(header::CONTENT_LENGTH);
    if !chunked && (wanted || !body.is_empty()) {
        let _ = write!(out, "content-length: {}\r\n", body.len());
    }
    out.extend_from_slice(b"\r\n");
    if chunked {
        let _ = write!(out, "{:X}\r\n", body.len());
    }
    out.extend_from_slice(body);
    if chunked {
        out.extend_from_slice(b"\r\n0\r\n\r\n");
    }
    out
}

/// Whether there is an end of a head in what came behind the first `before` bytes.
pub(super) fn ends(bytes: &[u8], before: usize) -> bool {
    let new = &bytes[before.saturating_sub(3)..];
    let lines = new.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    lines
        .map(|(at, _)| &new[at + 1..])
        .any(|rest| rest.starts_with(b"\n") || rest.starts_with(b"\r\n"))
}

/// Reads a head and says how long it is; nothing if more of it is to come.
pub(super) fn read(bytes: &[u8]) -> Step<Option<(Head, usize)>> {
    let mut room = [httparse::EMPTY_HEADER; HEADERS];
    let mut parsed = httparse::Response::new(&mut room);
    let length = match parsed.parse(bytes) {
        Ok(httparse::Status::Partial) => return Ok(None),
        Ok(httparse::Status::Complete(length)) => length,
        Err(err) => return Err(none_of(&err.to_string())),
    };
    let status = parsed.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or_else(|| none_of("its status is none"))?;
    let version = match parsed.version {
        Some(0) => Version::HTTP_10,
        _ => Version::HTTP_11,
    };
    let mut headers = HeaderMap::with_capacity(parsed.headers.len());
    for one in parsed.headers.iter() {
        let name = HeaderName::from_bytes(one.name.as_bytes());
        let value = HeaderValue::from_bytes(one.value);
        let (Ok(name), Ok(value)) = (name, value) else {
            return Err(none_of("a header is none"));
        };
        headers.append(name, value);
    }
    let head = Head {
        status,
        version,
        headers,
    };
    Ok(Some((head, length)))
}
