//! What the last answer must be.

use hyper::header::{self, HeaderMap};
use hyper::http::uri::Scheme;
use hyper::{Uri, Version};
use tokio::time::Instant;

use super::super::module::{HeaderMatch, Http};
use super::super::reason::{Failure, Reason, Step};
use super::super::samples::Samples;
use super::body::{self, Packing, Wanted};
use super::exchange::Answer;
use super::{PHASES, json};

/// Judges an answer; the first thing that is wrong is what it fails by, but all
/// is measured first.
pub(super) async fn judge(
    http: &Http,
    url: &Uri,
    mut answer: Answer,
    deadline: Instant,
    samples: &mut Samples,
) -> Step<()> {
    let head = &answer.head;
    let (number, name) = match head.version {
        Version::HTTP_10 => (1.0, "HTTP/1.0"),
        Version::HTTP_11 => (1.1, "HTTP/1.1"),
        Version::HTTP_2 => (2.0, "HTTP/2.0"),
        _ => (0.0, "unknown"),
    };
    samples.set("probe_http_version", number);
    let mut wrong = None;
    let mut blame = |failure: Failure| {
        wrong.get_or_insert(failure);
    };
    let status = head.status.as_u16();
    let good = if http.accept_any_response {
        true
    } else if http.valid_status_codes.is_empty() {
        (200..300).contains(&status)
    } else {
        http.valid_status_codes.contains(&status)
    };
    if !good {
        blame(Failure::new(
            Reason::Status,
            format!("the status is {status}"),
        ));
    }
    if !http.valid_http_versions.is_empty()
        && !http
            .valid_http_versions
            .iter()
            .any(|version| version == name)
    {
        blame(Failure::new(Reason::HttpVersion, format!("it is {name}")));
    }
    let secure = url.scheme() == Some(&Scheme::HTTPS);
    if http.fail_if_ssl && secure {
        blame(Failure::new(
            Reason::SslUnexpected,
            "the last request used TLS",
        ));
    }
    if http.fail_if_not_ssl && !secure {
        blame(Failure::new(
            Reason::SslExpected,
            "the last request used no TLS",
        ));
    }
    let mut by_pattern = false;
    if let Some(why) = headers(http, &head.headers) {
        by_pattern = true;
        blame(Failure::new(Reason::Header, why));
    }
    let length = head
        .headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok());
    let stated = length.and_then(|length| length.parse::<u64>().ok());
    let length = length.and_then(|length| length.parse::<f64>().ok());
    samples.set("probe_http_content_length", length.unwrap_or(-1.0));
    if let Some(changed) = head
        .headers
        .get(header::LAST_MODIFIED)
        .and_then(|value| date(value.to_str().ok()?))
    {
        samples.set("probe_http_last_modified_timestamp_seconds", changed);
    }

    let packed = packing(http, &head.headers);
    let has_patterns = !http.fail_if_body_matches_regexp.is_empty()
        || !http.fail_if_body_not_matches_regexp.is_empty();
    let keep = has_patterns || !http.json.is_empty();
    let most = match http.body_size_limit.bytes() {
        0 => body::MOST,
        limit => limit,
    };
    let packing = packed.unwrap_or(Packing::None);
    let wanted = Wanted {
        packing,
        keep,
        most,
        stated: stated.filter(|_| packing == Packing::None),
    };
    let (length, read) = body::read(&mut answer.body, wanted, deadline).await;
    samples.phase(PHASES, "transfer", answer.began.elapsed().as_secs_f64());
    #[expect(clippy::cast_precision_loss, reason = "a length far below 2^53")]
    samples.set("probe_http_uncompressed_body_length", length as f64);
    match (read, packed) {
        (Err(failure), _) => blame(failure),
        (Ok(_), None) => blame(Failure::new(
            Reason::Protocol,
            "the body is not packed as it was asked for",
        )),
        (Ok(kept), Some(_)) => {
            let bytes = &kept.bytes;
            if let Some(why) = patterns(http, bytes) {
                by_pattern = true;
                blame(Failure::new(Reason::Body, why));
            }
            if !http.json.is_empty() {
                let wrong = json::violated(&http.json, bytes);
                samples.flag("probe_failed_due_to_json", wrong.is_some());
                if let Some(why) = wrong {
                    blame(Failure::new(Reason::Json, why));
                }
            }
        }
    }
    samples.flag("probe_failed_due_to_regex", by_pattern);
    wrong.map_or(Ok(()), Err)
}

/// How the body is packed; nothing if not as it was asked for.
fn packing(http: &Http, headers: &HeaderMap) -> Option<Packing> {
    let stated = headers
        .get(header::CONTENT_ENCODING)
        .map_or("", |value| value.to_str().unwrap_or("unknown"));
    match (http.compression.as_str(), stated) {
        // Nobody asked for it: the bytes are looked at as they are.
        ("", _) | (_, "identity") => Some(Packing::None),
        ("identity", "") => Some(Packing::None),
        ("gzip", "gzip" | "x-gzip") => Some(Packing::Gzip),
        ("deflate", "deflate") => Some(Packing::Deflate),
        _ => None,
    }
}

fn headers(http: &Http, headers: &HeaderMap) -> Option<String> {
    let matches = |rule: &HeaderMatch| {
        let mut values = headers.get_all(rule.header.as_str()).iter().peekable();
        values
            .peek()
            .is_some()
            .then(|| values.any(|value| rule.regexp.regex().is_match(value.as_bytes())))
    };
    for rule in &http.fail_if_header_matches {
        match matches(rule) {
            Some(true) => return Some(format!("the header {} matches", rule.header)),
            None if !rule.allow_missing => {
                return Some(format!("the header {} is missing", rule.header));
            }
            _ => {}
        }
    }
    for rule in &http.fail_if_header_not_matches {
        match matches(rule) {
            Some(false) => return Some(format!("the header {} does not match", rule.header)),
            None if !rule.allow_missing => {
                return Some(format!("the header {} is missing", rule.header));
            }
            _ => {}
        }
    }
    None
}

fn patterns(http: &Http, body: &[u8]) -> Option<String> {
    if let Some(pattern) = http
        .fail_if_body_matches_regexp
        .iter()
        .find(|pattern| pattern.regex().is_match(body))
    {
        return Some(format!("the body matches {:?}", pattern.as_str()));
    }
    let missing = http
        .fail_if_body_not_matches_regexp
        .iter()
        .find(|pattern| !pattern.regex().is_match(body));
    missing.map(|pattern| format!("the body does not match {:?}", pattern.as_str()))
}

#[expect(clippy::cast_precision_loss, reason = "seconds far below 2^53")]
fn date(text: &str) -> Option<f64> {
    let zoned = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(zoned.timestamp().as_second() as f64)
}
