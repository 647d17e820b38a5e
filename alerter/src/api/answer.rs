//! Answers, and the two shapes in which clients are told what is wrong.

use axum::body::Body;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::Stopped;
use crate::json;

/// Why a request is not done. What the program itself finds wrong is a JSON
/// text, what the frame around it finds wrong is an object with a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// 400 with a text.
    Bad(String),
    /// 404 with a text.
    Unknown(String),
    /// 404 with nothing.
    Missing,
    /// 400 with an object: the body is not what it should be.
    Malformed { what: &'static str, why: String },
    /// 422 with an object; the code says what kind of constraint it is.
    Invalid { code: u16, message: String },
    /// 406.
    NotAcceptable,
    /// 413.
    TooLarge,
    /// 415 with what was sent.
    MediaType(String),
    /// 500 with a text.
    Internal(String),
}

impl From<Stopped> for Failure {
    fn from(err: Stopped) -> Self {
        Self::Internal(err.to_string())
    }
}

impl Failure {
    pub(super) fn into_response(self) -> Response {
        match self {
            Self::Bad(text) => said(StatusCode::BAD_REQUEST, &text),
            Self::Unknown(text) => said(StatusCode::NOT_FOUND, &text),
            Self::Missing => StatusCode::NOT_FOUND.into_response(),
            Self::Malformed { what, why } => {
                let message = format!("parsing {what} body from \"\" failed, because {why}");
                framework(400, &message)
            }
            Self::Invalid { code, message } => framework_with(422, code, &message),
            Self::NotAcceptable => framework(
                406,
                "unsupported media type requested, only [application/json] are available",
            ),
            Self::TooLarge => framework(413, "http: request body too large"),
            Self::MediaType(sent) => {
                let only = "only [application/json] are allowed";
                framework(415, &format!("unsupported media type {sent:?}, {only}"))
            }
            Self::Internal(text) => said(StatusCode::INTERNAL_SERVER_ERROR, &text),
        }
    }
}

/// A body that is JSON, but for its line end.
pub(super) fn done(mut json: Vec<u8>) -> Response {
    json.push(b'\n');
    body(StatusCode::OK, Body::from(json))
}

/// A body that is written while it is sent.
pub(super) fn stream(body: Body) -> Response {
    self::body(StatusCode::OK, body)
}

/// An error that is a text.
fn said(status: StatusCode, text: &str) -> Response {
    let mut out = Vec::new();
    json::text(&mut out, text);
    out.push(b'\n');
    body(status, Body::from(out))
}

/// An error of the frame around the program.
pub(super) fn framework(status: u16, message: &str) -> Response {
    framework_with(status, status, message)
}

fn framework_with(status: u16, code: u16, message: &str) -> Response {
    let mut out = format!("{{\"code\":{code},\"message\":").into_bytes();
    json::text(&mut out, message);
    out.push(b'}');
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    body(status, Body::from(out))
}

pub(super) fn not_allowed(method: &Method, allowed: &[Method]) -> Response {
    let allowed: Vec<&str> = allowed.iter().map(Method::as_str).collect();
    let allowed = allowed.join(",");
    let message = format!("method {method} is not allowed, but [{allowed}] are");
    let mut response = framework(405, &message);
    if let Ok(allowed) = HeaderValue::from_str(&allowed) {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}

pub(super) fn busy(limit: usize) -> Response {
    let text = format!("Limit of concurrent GET requests reached ({limit}), try again later.\n");
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

fn body(status: StatusCode, body: Body) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (status, kind, body).into_response()
}
