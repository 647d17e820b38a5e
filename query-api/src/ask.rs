//! A question: its parameters, and until when its answer is wanted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{Method, header};

use crate::failure::Failure;
use crate::form::Form;
use crate::{Limits, times};

/// What is asked. Answering ends soon after `cancel` is set or `deadline` has
/// passed.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) form: Form,
    /// The name in the path, where the path has one.
    pub(crate) name: String,
    pub(crate) cancel: Arc<AtomicBool>,
    pub(crate) deadline: Instant,
    /// How long it waited for its turn.
    pub(crate) waited: Duration,
    /// Whether the answer may be packed.
    pub(crate) gzip: bool,
    /// Whether names outside the old alphabet may stand in quotes on a page.
    pub(crate) quotes: bool,
}

impl Ask {
    /// Reads a request.
    pub(crate) async fn read(
        request: Request,
        name: String,
        limits: &Limits,
    ) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        let header = |name| {
            let value = parts.headers.get(name);
            value.and_then(|value| value.to_str().ok()).unwrap_or("")
        };
        let begun = Instant::now();
        let latest = begun + limits.timeout;
        let is_form = header(header::CONTENT_TYPE)
            .trim_start()
            .to_ascii_lowercase()
            .starts_with("application/x-www-form-urlencoded");
        let posted = match parts.method == Method::POST && is_form {
            true => read_body(body, limits.form_bytes, latest).await?,
            false => Vec::new(),
        };
        let form = Form::read(&posted, parts.uri.query().unwrap_or_default())?;
        // A time-out that cannot be read is told by whoever knows the parameter.
        let wanted = times::duration(form.get("timeout")).ok();
        let wanted = wanted.map(|wanted| Duration::from_nanos(wanted.try_into().unwrap_or(0)));
        let deadline = wanted
            .and_then(|wanted| begun.checked_add(wanted))
            .map_or(latest, |wanted| wanted.min(latest));
        Ok(Self {
            name,
            cancel: Arc::default(),
            deadline,
            waited: Duration::ZERO,
            gzip: takes_gzip(header(header::ACCEPT_ENCODING)),
            quotes: header(header::ACCEPT).contains("escaping=allow-utf-8"),
            form,
        })
    }

    /// Fails when nobody wants the answer any more.
    pub(crate) fn go_on(&self) -> Result<(), Failure> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(promql::Error::Canceled.into());
        }
        if Instant::now() >= self.deadline {
            return Err(promql::Error::Timeout.into());
        }
        Ok(())
    }
}

fn takes_gzip(accepted: &str) -> bool {
    accepted.split(',').any(|coding| {
        let mut words = coding.split(';').map(str::trim);
        let gzip = words
            .next()
            .is_some_and(|name| matches!(name, "gzip" | "*"));
        let refused = |word: &str| matches!(word, "q=0" | "q=0.0" | "q=0.00" | "q=0.000");
        gzip && !words.any(refused)
    })
}

/// All of a body, if it comes in time and is not too long.
pub(crate) async fn read_body(
    body: Body,
    most: usize,
    deadline: Instant,
) -> Result<Vec<u8>, Failure> {
    match tokio::time::timeout_at(deadline.into(), to_bytes(body, most)).await {
        Ok(Ok(bytes)) => Ok(bytes.into()),
        Ok(Err(_)) => Err(Failure::BadData(format!(
            "error reading the body: it ended early or is longer than {most} bytes"
        ))),
        Err(_) => Err(Failure::Timeout("the body did not come in time".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_used_where_it_is_accepted() {
        for (accepted, takes) in [
            ("", false),
            ("gzip", true),
            ("deflate, gzip;q=0.5", true),
            ("gzip;q=0", false),
            ("br", false),
            ("*", true),
        ] {
            assert_eq!(takes_gzip(accepted), takes, "{accepted}");
        }
    }
}
