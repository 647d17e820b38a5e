//! The prober `http`: requests over HTTP and HTTPS, redirects followed, and what
//! the last answer must be.

mod body;
mod check;
mod exchange;
mod fetch;
mod json;
mod once;
mod proxy;
mod room;
mod token;

use std::borrow::Cow;

use hyper::Uri;
use hyper::header;
use tokio::time::{Instant, timeout_at};

use super::module::{Authorization, Http};
use super::reason::{Failure, Reason, Step};
use super::samples::Samples;

pub(super) use exchange::broken;
pub use fetch::fetch;
pub(super) use json::any as any_json;
pub(super) use once::any;
pub(super) use proxy::any as any_tunnel;

const PHASES: &str = "probe_http_duration_seconds";

/// A body from a file is no longer, in bytes.
const LONGEST_FILE: u64 = 1 << 20;

/// So many redirects are followed.
const REDIRECTS: u32 = 10;

/// Asks for `target`, a URL, and looks at the answer.
pub(super) async fn probe(
    target: &str,
    http: &Http,
    deadline: Instant,
    samples: &mut Samples,
) -> Step<()> {
    for name in [
        "probe_http_status_code",
        "probe_http_content_length",
        "probe_http_uncompressed_body_length",
        "probe_http_redirects",
        "probe_http_ssl",
        "probe_http_version",
        "probe_failed_due_to_regex",
    ] {
        samples.set(name, 0.0);
    }
    for phase in ["resolve", "connect", "tls", "processing", "transfer"] {
        samples.phase(PHASES, phase, 0.0);
    }
    let whole = match target.contains("://") {
        true => Cow::Borrowed(target),
        false => Cow::Owned(format!("http://{target}")),
    };
    let first = parse(&whole)
        .ok_or_else(|| Failure::new(Reason::Protocol, "the target is no URL of http or https"))?;
    // In blocks of their own: hardly any look has them, and each has room for its variables.
    let with_token;
    let http = match &http.oauth2 {
        None => http,
        Some(oauth2) => {
            let credentials = Box::pin(token::token(oauth2, deadline)).await?;
            with_token = authorized(http, credentials);
            &*with_token
        }
    };
    let with_body;
    let http = match with_file(http, deadline).await? {
        None => http,
        Some(http) => {
            with_body = http;
            &*with_body
        }
    };
    let mut url = first.clone();
    let mut method = http.method.as_str();
    let follow = http.follow_redirects && !http.no_follow_redirects;
    let mut redirects = 0;
    loop {
        let asked = exchange::Asked {
            url: &url,
            method,
            to_first: same_site(&url, &first),
        };
        let answer = exchange::run(http, &asked, deadline, samples).await?;
        let status = answer.head.status.as_u16();
        let location = answer.head.headers.get(header::LOCATION);
        if let (301 | 302 | 303 | 307 | 308, Some(location)) = (status, location) {
            // One that is not followed counts as well, as blackbox_exporter has it.
            redirects += 1;
            samples.set("probe_http_redirects", f64::from(redirects));
            if !follow {
                return check::judge(http, &url, answer, deadline, samples).await;
            }
            if redirects > REDIRECTS {
                return Err(Failure::new(
                    Reason::RedirectLoop,
                    format!("more than {REDIRECTS} redirects"),
                ));
            }
            let invalid = || {
                Failure::new(
                    Reason::RedirectInvalid,
                    format!("the redirect with status {status} leads nowhere"),
                )
            };
            url = location
                .to_str()
                .ok()
                .and_then(|to| join(&url, to))
                .ok_or_else(invalid)?;
            if status < 307 && method != "HEAD" {
                method = "GET";
            }
            continue;
        }
        return check::judge(http, &url, answer, deadline, samples).await;
    }
}

/// With the token that a server gave.
fn authorized(http: &Http, credentials: settings::Secret) -> Box<Http> {
    Box::new(Http {
        authorization: Some(Authorization {
            credentials,
            ..Authorization::default()
        }),
        ..http.clone()
    })
}

/// With the body from its file, if there is one. The disk may hang.
async fn with_file(http: &Http, deadline: Instant) -> Step<Option<Box<Http>>> {
    if !http.body.is_empty() || http.body_file.as_os_str().is_empty() {
        return Ok(None);
    }
    let failure = |why: &dyn std::fmt::Display| {
        Failure::new(
            Reason::Internal,
            format!("the body's file cannot be read: {why}"),
        )
    };
    let reading = settings::read_fresh(&http.body_file, LONGEST_FILE);
    let body = timeout_at(deadline, reading)
        .await
        .map_err(|_| failure(&"its disk does not answer"))?;
    Ok(Some(Box::new(Http {
        body: body.map_err(|err| failure(&err))?,
        ..http.clone()
    })))
}

/// Reads a URL; nothing if it is none of ours.
fn parse(text: &str) -> Option<Uri> {
    let bare = text.split('#').next().unwrap_or_default();
    let uri: Uri = bare.parse().ok()?;
    let known = matches!(uri.scheme_str(), Some("http" | "https"));
    (known && uri.host().is_some_and(|host| !host.is_empty())).then_some(uri)
}

/// Where a redirect leads.
fn join(from: &Uri, to: &str) -> Option<Uri> {
    if let Some(uri) = parse(to) {
        return Some(uri);
    }
    let (scheme, authority) = (from.scheme_str()?, from.authority()?);
    let to = to.split('#').next().unwrap_or_default();
    let text = if let Some(rest) = to.strip_prefix("//") {
        format!("{scheme}://{rest}")
    } else if to.starts_with('/') {
        format!("{scheme}://{authority}{to}")
    } else if to.contains("://") {
        return None;
    } else if to.starts_with('?') || to.is_empty() {
        format!("{scheme}://{authority}{}{to}", from.path())
    } else {
        let folder = &from.path()[..=from.path().rfind('/')?];
        format!("{scheme}://{authority}{folder}{to}")
    };
    parse(&text)
}

/// Whether a login that is for one may be sent to the other.
fn same_site(one: &Uri, other: &Uri) -> bool {
    one.scheme_str() == other.scheme_str() && one.authority() == other.authority()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_taken_from_where_they_stand() {
        let from = parse("http://a.example:81/x/y?z=1").unwrap();
        for (to, expected) in [
            ("/b", Some("http://a.example:81/b")),
            ("b", Some("http://a.example:81/x/b")),
            ("?q", Some("http://a.example:81/x/y?q")),
            ("//c.example/d", Some("http://c.example/d")),
            ("https://c.example/#f", Some("https://c.example/")),
            ("ftp://c.example/", None),
            ("http://", None),
        ] {
            assert_eq!(
                join(&from, to).map(|uri| uri.to_string()).as_deref(),
                expected,
                "{to}"
            );
        }
    }
}
