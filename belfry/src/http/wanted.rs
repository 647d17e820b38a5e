//! What a client takes: which form of text, and how it may be packed.

use axum::http::{HeaderMap, HeaderName, header};

/// The form of a page's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Text format 0.0.4.
    Classic,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

/// How a page is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// Not at all.
    Plain,
    Gzip,
    Zstd,
}

impl Form {
    /// The form that a client likes best; classic where it likes both alike.
    pub(super) fn wanted(headers: &HeaderMap) -> Self {
        let mut open = 0.0;
        let mut classic = 0.0_f64;
        for (kind, weight) in said(headers, header::ACCEPT) {
            match kind.as_str() {
                "application/openmetrics-text" => open = weight.max(open),
                "text/plain" | "text/*" => classic = classic.max(weight),
                _ => {}
            }
        }
        match open > classic {
            true => Self::OpenMetrics,
            false => Self::Classic,
        }
    }

    /// Its content type.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Classic => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

impl Coding {
    /// The best that a client takes.
    pub(super) fn wanted(headers: &HeaderMap) -> Self {
        let (mut gzip, mut zstd) = (0.0, 0.0);
        for (coding, weight) in said(headers, header::ACCEPT_ENCODING) {
            match coding.as_str() {
                "gzip" => gzip = weight,
                "zstd" => zstd = weight,
                _ => {}
            }
        }
        match (gzip > 0.0, zstd > gzip) {
            (_, true) => Self::Zstd,
            (true, false) => Self::Gzip,
            (false, false) => Self::Plain,
        }
    }

    /// Its name in a header; nothing for what is not packed.
    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
        }
    }
}

/// The words of a header, in small letters, with their weights.
fn said(headers: &HeaderMap, name: HeaderName) -> Vec<(String, f64)> {
    let values = headers.get_all(name);
    let words = values.iter().filter_map(|value| value.to_str().ok());
    words
        .flat_map(|value| value.split(','))
        .map(|word| {
            let mut parts = word.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default().to_ascii_lowercase();
            let weight = parts.find_map(|part| part.strip_prefix("q="));
            let weight = weight.map_or(1.0, |weight| weight.parse().unwrap_or(0.0));
            (name, weight)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, text: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, text.parse().unwrap());
        headers
    }

    #[test]
    fn gzip_and_zstd_are_for_those_who_ask_for_them() {
        for (text, coding) in [
            ("gzip", Coding::Gzip),
            ("deflate, GZIP;q=0.5", Coding::Gzip),
            ("br;q=1.0, gzip;q=0", Coding::Plain),
            ("gzip; q=0.000", Coding::Plain),
            ("zstd", Coding::Zstd),
            ("gzip, zstd", Coding::Gzip),
            ("gzip;q=0.5, zstd;q=0.8", Coding::Zstd),
            ("x-gzip-like", Coding::Plain),
            ("", Coding::Plain),
        ] {
            let headers = headers(header::ACCEPT_ENCODING, text);
            assert_eq!(Coding::wanted(&headers), coding, "{text}");
        }
        assert_eq!(Coding::wanted(&HeaderMap::new()), Coding::Plain);
    }

    #[test]
    fn open_metrics_is_for_those_who_like_it_better() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,\
            application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for (text, form) in [
            (prometheus, Form::OpenMetrics),
            ("application/openmetrics-text", Form::OpenMetrics),
            (
                "text/plain, application/openmetrics-text;q=0.9",
                Form::Classic,
            ),
            ("application/openmetrics-text;q=0", Form::Classic),
            ("text/html,*/*;q=0.8", Form::Classic),
        ] {
            assert_eq!(Form::wanted(&headers(header::ACCEPT, text)), form, "{text}");
        }
    }
}
