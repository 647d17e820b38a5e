//! What goes wrong, in Prometheus' classes.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde_json::json;

/// Why there is no answer. Each kind has its `errorType` and its status code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The question is wrong.
    BadData(String),
    /// The question cannot be answered over these series.
    Execution(String),
    /// Whoever asked has gone.
    Canceled(String),
    /// It took too long.
    Timeout(String),
    /// Too many others ask.
    Unavailable(String),
    /// A fault of ours.
    Internal(String),
}

impl Failure {
    /// A parameter that cannot be read.
    pub(crate) fn parameter(name: &str, why: impl std::fmt::Display) -> Self {
        Self::BadData(format!("invalid parameter {name:?}: {why}"))
    }

    fn parts(&self) -> (&'static str, StatusCode, &str) {
        // No name for it in the standard: the client closed the connection.
        let gone = StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST);
        match self {
            Self::BadData(what) => ("bad_data", StatusCode::BAD_REQUEST, what),
            Self::Execution(what) => ("execution", StatusCode::UNPROCESSABLE_ENTITY, what),
            Self::Canceled(what) => ("canceled", gone, what),
            Self::Timeout(what) => ("timeout", StatusCode::SERVICE_UNAVAILABLE, what),
            Self::Unavailable(what) => ("unavailable", StatusCode::SERVICE_UNAVAILABLE, what),
            Self::Internal(what) => ("internal", StatusCode::INTERNAL_SERVER_ERROR, what),
        }
    }

    /// In words.
    pub(crate) fn what(&self) -> &str {
        self.parts().2
    }

    /// As a page that says it.
    pub(crate) fn page(&self, html: String) -> Response {
        (self.parts().1, Html(html)).into_response()
    }

    /// As a line of text, where no JSON is expected.
    pub(crate) fn plain(&self) -> Response {
        let (_, status, what) = self.parts();
        (status, format!("{what}\n")).into_response()
    }
}

impl From<promql::Error> for Failure {
    fn from(err: promql::Error) -> Self {
        let what = err.to_string();
        match err {
            promql::Error::BadData(_) => Self::parameter("query", what),
            promql::Error::Execution(_) => Self::Execution(what),
            promql::Error::Timeout => Self::Timeout(what),
            promql::Error::Canceled => Self::Canceled(what),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (kind, status, what) = self.parts();
        let body = json!({ "status": "error", "errorType": kind, "error": what });
        let content = [(header::CONTENT_TYPE, "application/json")];
        let mut response = (status, content, body.to_string()).into_response();
        if matches!(self, Self::Unavailable(_)) {
            let seconds = HeaderValue::from_static("5");
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}
