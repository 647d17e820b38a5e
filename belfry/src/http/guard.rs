//! Whose requests may change something: those of programs and of our own pages,
//! never those that a page of another site makes a browser send.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::uri::{Authority, Uri};
use axum::http::{HeaderName, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app::Watch;

/// Refuses what another site may have made a browser send.
pub(super) async fn check(
    State(watch): State<Arc<Watch>>,
    request: Request,
    next: Next,
) -> Response {
    let config = watch.config();
    let loopback = watch.address.ip().is_loopback();
    guarded(request, next, loopback, &config.external_url).await
}

/// The same for whoever says where it is served, and under which address people
/// reach it.
pub(crate) async fn guarded(
    request: Request,
    next: Next,
    loopback: bool,
    external_url: &str,
) -> Response {
    let (parts, body) = request.into_parts();
    match refusal(&parts, loopback, external_url) {
        None => next.run(Request::from_parts(parts, body)).await,
        Some(why) => {
            tracing::debug!(path = parts.uri.path(), "a request was refused: {why}");
            (StatusCode::FORBIDDEN, format!("refused: {why}\n")).into_response()
        }
    }
}

/// Why a request may not change anything; `None` if it may, or does not want to.
fn refusal(request: &Parts, loopback: bool, external_url: &str) -> Option<String> {
    if !changes(&request.method, request.uri.path()) {
        return None;
    }
    let text = |name: HeaderName| {
        let value = request.headers.get(name);
        value.map(|value| value.to_str().unwrap_or_default())
    };
    let site = text(HeaderName::from_static("sec-fetch-site"));
    if site.is_some_and(|site| site != "same-origin" && site != "none") {
        return Some("it comes from a page of another site".to_owned());
    }
    let external = external_url.parse::<Uri>().ok();
    let external = external.as_ref().and_then(Uri::authority);
    let host = match request.uri.authority() {
        Some(authority) => Some(authority.clone()),
        None => match text(header::HOST).map(str::parse::<Authority>) {
            Some(Err(_)) => return Some("its Host is no host".to_owned()),
            host => host.and_then(Result::ok),
        },
    };
    if let Some(origin) = text(header::ORIGIN) {
        // `null` is the origin of pages that hide theirs.
        let origin_host = origin.parse::<Uri>().ok();
        let origin_host = origin_host.as_ref().and_then(Uri::authority);
        if origin_host.is_none() || (origin_host != host.as_ref() && origin_host != external) {
            return Some(format!(
                "it comes from {origin:?}, which is not this site; behind a proxy, external_url must name it"
            ));
        }
    }
    // A name of another site's may be made to point at our loopback address.
    let host = host.filter(|_| loopback)?;
    let ours = is_loopback(host.host())
        || external.is_some_and(|ours| ours.host().eq_ignore_ascii_case(host.host()));
    (!ours).then(|| {
        format!(
            "it is for {:?}, which is neither the loopback interface nor external_url",
            host.host()
        )
    })
}

/// Whether a request may change something. Prometheus' API takes questions by
/// POST as well, and heartbeats come by GET too.
fn changes(method: &Method, path: &str) -> bool {
    let question = path.starts_with("/api/v1/") && path != "/api/v1/write";
    path.starts_with("/ping/") || !(method.is_safe() || question && method == Method::POST)
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let name = host.to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a POST with these headers is let through.
    fn passes(loopback: bool, external_url: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::post("/-/reload");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        refusal(&parts, loopback, external_url).is_none()
    }

    #[test]
    fn pages_of_other_sites_change_nothing() {
        const OURS: (&str, &str) = ("host", "localhost:9911");
        for (headers, pass) in [
            (vec![OURS], true),
            (vec![OURS, ("origin", "http://localhost:9911")], true),
            (vec![OURS, ("origin", "http://LOCALHOST:9911")], true),
            (vec![OURS, ("origin", "https://watch.example.org")], true),
            (vec![OURS, ("origin", "http://localhost:3000")], false),
            (vec![OURS, ("origin", "https://evil.example")], false),
            (vec![OURS, ("origin", "null")], false),
            (vec![OURS, ("sec-fetch-site", "same-origin")], true),
            (vec![OURS, ("sec-fetch-site", "none")], true),
            (vec![OURS, ("sec-fetch-site", "same-site")], false),
            (vec![OURS, ("sec-fetch-site", "cross-site")], false),
        ] {
            for loopback in [true, false] {
                let passed = passes(loopback, "https://watch.example.org/belfry", &headers);
                assert_eq!(passed, pass, "{headers:?}");
            }
        }
    }

    #[test]
    fn on_the_loopback_interface_a_host_of_another_name_changes_nothing() {
        for (host, pass) in [
            ("127.0.0.1:9911", true),
            ("127.0.0.2", true),
            ("[::1]:9911", true),
            ("localhost:8080", true),
            ("belfry.localhost", true),
            ("watch.example.org", true),
            ("WATCH.example.org:443", true),
            ("rebound.example:9911", false),
            ("127.0.0.1.rebound.example", false),
            ("10.0.0.1:9911", false),
            ("not a host", false),
        ] {
            let url = "https://watch.example.org";
            assert_eq!(passes(true, url, &[("host", host)]), pass, "{host}");
        }
        assert!(passes(false, "", &[("host", "server7:9911")]));
        assert!(passes(true, "", &[]), "no browser leaves it out");
    }

    #[test]
    fn questions_change_nothing_by_whatever_method_they_come() {
        for (method, path, change) in [
            (Method::GET, "/-/reload", false),
            (Method::HEAD, "/", false),
            (Method::OPTIONS, "/api/v2/silences", false),
            (Method::POST, "/api/v1/query", false),
            (Method::POST, "/api/v1/write", true),
            (Method::POST, "/api/v2/alerts", true),
            (Method::DELETE, "/api/v2/silence/1", true),
            (Method::PUT, "/-/reload", true),
            (Method::GET, "/ping/job", true),
            (Method::HEAD, "/ping/job/fail", true),
        ] {
            assert_eq!(changes(&method, path), change, "{method} {path}");
        }
    }
}
