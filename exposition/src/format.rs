//! The two formats of pages: by which header they are known, and how one reads
//! their lines.

use crate::{Entry, ParseError, openmetrics, text};

/// How a page is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Prometheus' text, versions 0.0.4 and 1.0.0.
    #[default]
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// The format that a `Content-Type` names; none for any other.
    #[must_use]
    pub fn from_content_type(kind: &str) -> Option<Self> {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if kind.eq_ignore_ascii_case("text/plain") {
            Some(Self::Text)
        } else if kind.eq_ignore_ascii_case("application/openmetrics-text") {
            Some(Self::OpenMetrics)
        } else {
            None
        }
    }

    /// Reads a page line by line; see [`parse`](crate::parse).
    pub fn parse(self, page: &str) -> impl Iterator<Item = Result<Entry<'_>, ParseError>> {
        let (lines, fault) = match self.body(page) {
            Ok(body) => (Some(body), None),
            Err(fault) => (None, Some(Err(fault))),
        };
        let entries = lines.into_iter().flat_map(move |body| {
            body.split('\n').enumerate().filter_map(move |(at, line)| {
                let entry = self.line(line).transpose()?;
                Some(entry.map_err(|what| ParseError { line: at + 1, what }))
            })
        });
        entries.chain(fault)
    }

    /// The lines of a page without what only marks its end.
    ///
    /// # Errors
    /// The page should have such a mark and has none: it was cut off.
    pub fn body(self, page: &str) -> Result<&str, ParseError> {
        match self {
            Self::Text => Ok(page),
            Self::OpenMetrics => openmetrics::body(page),
        }
    }

    /// Reads one line; nothing for what says nothing.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn line(self, line: &str) -> Result<Option<Entry<'_>>, &'static str> {
        match self {
            Self::Text => text::line(line),
            Self::OpenMetrics => openmetrics::line(line),
        }
    }

    /// Reads what stands behind the series of a line: its value, and its time in
    /// milliseconds where it names one.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn tail(self, rest: &str) -> Result<(f64, Option<i64>), &'static str> {
        match self {
            Self::Text => text::tail(rest),
            Self::OpenMetrics => openmetrics::tail(rest),
        }
    }
}
