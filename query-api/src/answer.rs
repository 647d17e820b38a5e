//! An answer, written piece by piece when it is sent.

use serde::Serialize;

use crate::failure::Failure;

/// Writes the next piece of an answer; false after the last.
pub(crate) type Fill = Box<dyn FnMut(&mut Vec<u8>) -> bool + Send>;

/// What is sent back.
pub(crate) enum Answer {
    /// There is nothing to say: 204.
    Nothing,
    /// A body.
    Body {
        content_type: &'static str,
        fill: Fill,
    },
}

/// What there is to say beside the answer.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) warnings: Vec<String>,
    pub(crate) infos: Vec<String>,
}

const JSON: &str = "application/json";
const OPEN: &[u8] = b"{\"status\":\"success\",\"data\":";

impl Notes {
    /// Says that `limit` cut the answer.
    pub(crate) fn truncated(&mut self) {
        let warning = "results truncated due to limit";
        self.warnings.push(warning.into());
    }

    /// What closes the answer behind `data`.
    fn close(&self, close: &[u8]) -> Vec<u8> {
        let mut out = close.to_vec();
        for (name, notes) in [("warnings", &self.warnings), ("infos", &self.infos)] {
            if let Some((first, rest)) = notes.split_first() {
                out.extend_from_slice(format!(",\"{name}\":[").as_bytes());
                crate::json::string(&mut out, first);
                for note in rest {
                    out.push(b',');
                    crate::json::string(&mut out, note);
                }
                out.push(b']');
            }
        }
        out.push(b'}');
        out
    }
}

impl Answer {
    /// A small `data`.
    pub(crate) fn json(data: &impl Serialize) -> Result<Self, Failure> {
        let data = serde_json::to_vec(data).map_err(|err| Failure::Internal(err.to_string()))?;
        Ok(Self::written(data, &Notes::default()))
    }

    /// A page for a browser.
    pub(crate) fn page(html: String) -> Self {
        Self::Body {
            content_type: "text/html; charset=utf-8",
            fill: Box::new(move |out| {
                out.extend_from_slice(html.as_bytes());
                false
            }),
        }
    }

    /// A `data` that is JSON already.
    pub(crate) fn written(data: Vec<u8>, notes: &Notes) -> Self {
        let close = notes.close(b"");
        Self::Body {
            content_type: JSON,
            fill: Box::new(move |out| {
                out.extend_from_slice(OPEN);
                out.extend_from_slice(&data);
                out.extend_from_slice(&close);
                false
            }),
        }
    }

    /// A `data` with a long list: `open`, the rows with commas between them, `close`.
    pub(crate) fn rows<T>(
        open: &[u8],
        mut rows: impl Iterator<Item = T> + Send + 'static,
        write: impl Fn(&mut Vec<u8>, T) + Send + 'static,
        close: &[u8],
        notes: &Notes,
    ) -> Self {
        let close = notes.close(close);
        let mut before = [OPEN, open].concat();
        let fill = move |out: &mut Vec<u8>| {
            let Some(row) = rows.next() else {
                // Still there if there was no row at all.
                if before != b"," {
                    out.append(&mut before);
                }
                out.extend_from_slice(&close);
                return false;
            };
            out.extend_from_slice(&before);
            before.clear();
            before.push(b',');
            write(out, row);
            true
        };
        Self::Body {
            content_type: JSON,
            fill: Box::new(fill),
        }
    }
}
