//! Bodies of requests: JSON, of bounded size.

use axum::body::{Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::answer::Failure;
use crate::times;

/// Whether the request says that its body is JSON.
pub(super) fn is_json(headers: &HeaderMap) -> Result<(), Failure> {
    let said = headers.get(header::CONTENT_TYPE);
    let said = said.and_then(|value| value.to_str().ok()).unwrap_or("");
    let kind = said.split(';').next().unwrap_or("").trim();
    let kind = if kind.is_empty() {
        "application/octet-stream"
    } else {
        kind
    };
    match kind.eq_ignore_ascii_case("application/json") {
        true => Ok(()),
        false => Err(Failure::MediaType(kind.to_owned())),
    }
}

/// Reads the body of `what`, of `limit` bytes at most. One that is JSON's null
/// is the default.
pub(super) async fn read<T: DeserializeOwned + Default>(
    request: Request,
    what: &'static str,
    limit: usize,
) -> Result<T, Failure> {
    parse(&bytes(request, what, limit).await?, what)
}

/// The body of `what`, of `limit` bytes at most.
pub(super) async fn bytes(
    request: Request,
    what: &'static str,
    limit: usize,
) -> Result<Bytes, Failure> {
    let declared = request.headers().get(header::CONTENT_LENGTH);
    let declared = declared.and_then(|value| value.to_str().ok()?.parse().ok());
    if declared.is_some_and(|bytes: usize| bytes > limit) {
        return Err(Failure::TooLarge);
    }
    let bytes = to_bytes(request.into_body(), limit)
        .await
        .map_err(|_| Failure::TooLarge)?;
    if bytes.trim_ascii().is_empty() {
        return Err(required(what));
    }
    Ok(bytes)
}

/// The value of a body of `what`; see [`read`].
pub(super) fn parse<'de, T: Deserialize<'de> + Default>(
    bytes: &'de [u8],
    what: &'static str,
) -> Result<T, Failure> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Option::<T>::deserialize(&mut reader).map_err(|err| Failure::Malformed {
        what,
        why: match err.is_eof() {
            true => "unexpected EOF".into(),
            false => without_place(&err),
        },
    })?;
    Ok(value.unwrap_or_default())
}

/// What is wrong, without the line and column that Go does not say.
fn without_place(err: &serde_json::Error) -> String {
    let text = err.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// Something that is absent.
pub(super) fn required(what: &str) -> Failure {
    Failure::Invalid {
        code: 602,
        message: format!("{what} in body is required"),
    }
}

/// A time in a body; see [`times::parse`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Time(pub Option<i64>);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        times::parse(&text)
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}
