//! What goes wrong, in the classes that Prometheus' HTTP API knows.

/// The text is not a valid expression. Its class is `bad_data`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: parse error: {what}")]
pub struct ParseError {
    /// The line of the fault, counted from 1.
    pub line: usize,
    /// The byte in that line, counted from 1.
    pub column: usize,
    /// Where the fault begins, in bytes from the start of the text.
    pub start: usize,
    /// Where it ends; never before `start`.
    pub end: usize,
    /// What is wrong, without the place.
    pub what: String,
}

/// Why a query has no answer. The caller chooses the status code by variant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The question itself is wrong, such as a range query for a range vector.
    #[error("{0}")]
    BadData(String),
    /// The expression cannot be evaluated over these series, or costs too much.
    #[error("{0}")]
    Execution(String),
    /// It took longer than the limit.
    #[error("query timed out in expression evaluation")]
    Timeout,
    /// The caller cancelled it.
    #[error("query was canceled in expression evaluation")]
    Canceled,
}

impl Error {
    /// The `errorType` that Prometheus' API states for it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::BadData(_) => "bad_data",
            Self::Execution(_) => "execution",
            Self::Timeout => "timeout",
            Self::Canceled => "canceled",
        }
    }
}

/// An execution error, in one word where they are raised.
pub(crate) fn execution<T>(what: impl Into<String>) -> Result<T, Error> {
    Err(Error::Execution(what.into()))
}

/// Two series of one vector have the same labels.
pub(crate) const SAME_LABELSET: &str = "vector cannot contain metrics with the same labelset";
