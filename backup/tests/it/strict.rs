//! A layer before the S3 server that enforces R2's rules, and breaks what it is
//! told to break.

#[path = "strict/harm.rs"]
mod harm;
#[path = "strict/uploads.rs"]
mod uploads;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};

pub(crate) use harm::{Harm, To};
use harm::{endless, pages, slow, stalled, streamed};

/// The layer.
#[derive(Clone)]
pub(crate) struct Strict(Arc<Inner>);

struct Inner {
    upstream: u16,
    http: reqwest::Client,
    /// What happens, after how many that it leaves alone, and how often.
    harm: Mutex<Vec<(To, Harm, usize, usize)>>,
    seen: Mutex<Vec<To>>,
    struck: AtomicUsize,
    parts: Mutex<HashMap<String, HashMap<u32, usize>>>,
    written: Mutex<HashMap<String, Instant>>,
    broken: Mutex<Vec<String>>,
    uploads: uploads::Pages,
}

impl Strict {
    /// Listens before the server at this port; gives its own port.
    pub(crate) async fn start(upstream: u16) -> (Self, u16) {
        let strict = Self(Arc::new(Inner {
            upstream,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            harm: Mutex::default(),
            seen: Mutex::default(),
            struck: AtomicUsize::default(),
            parts: Mutex::default(),
            written: Mutex::default(),
            broken: Mutex::default(),
            uploads: uploads::Pages::default(),
        }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let app = Router::new().fallback(pass).with_state(strict.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (strict, port)
    }

    /// Does this to the next so many of those requests.
    pub(crate) fn harm(&self, to: To, harm: Harm, times: usize) {
        self.harm_later(to, harm, 0, times);
    }

    /// The same after so many others, which are left alone.
    pub(crate) fn harm_later(&self, to: To, harm: Harm, after: usize, times: usize) {
        let mut all = self.0.harm.lock().unwrap();
        all.push((to, harm, after, times));
    }

    pub(crate) fn heal(&self) {
        self.0.harm.lock().unwrap().clear();
    }

    /// How many of those requests came since this was last asked for any.
    pub(crate) fn seen(&self, to: To) -> usize {
        self.0
            .seen
            .lock()
            .unwrap()
            .iter()
            .filter(|seen| **seen == to)
            .count()
    }

    pub(crate) fn forget(&self) {
        self.0.seen.lock().unwrap().clear();
    }

    /// How many requests were harmed, from the start on: what comes of a trouble
    /// says nothing where it never struck.
    pub(crate) fn struck(&self) -> usize {
        self.0.struck.load(Ordering::Relaxed)
    }

    fn strike(&self) {
        self.0.struck.fetch_add(1, Ordering::Relaxed);
    }

    /// Rules that were broken.
    pub(crate) fn broken(&self) -> Vec<String> {
        self.0.broken.lock().unwrap().clone()
    }

    /// Tells so many open uploads at once, and not a thousand.
    pub(crate) fn tells_at_once(&self, most: usize) {
        self.0.uploads.tell(most);
    }

    fn next_harm(&self, to: To) -> Option<Harm> {
        let mut all = self.0.harm.lock().unwrap();
        let found = all
            .iter_mut()
            .find(|(kind, _, _, times)| *kind == to && *times > 0)?;
        if found.2 > 0 {
            found.2 -= 1;
            return None;
        }
        found.3 -= 1;
        Some(found.1)
    }

    /// What R2 answers to a request that breaks its rules.
    fn rule(
        &self,
        to: To,
        uri: &Uri,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Option<(u16, &'static str)> {
        let header = |name: &str| {
            headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
        };
        let hash = header("x-amz-content-sha256");
        let sends = matches!(to, To::Put | To::Part | To::Complete);
        if hash.starts_with("STREAMING-") || !header("x-amz-trailer").is_empty() {
            return Some((501, "NotImplemented"));
        }
        if sends && (header("content-length").is_empty() || !header("transfer-encoding").is_empty())
        {
            return Some((411, "MissingContentLength"));
        }
        if sends && hash != HEXLOWER.encode(digest(&SHA256, body).as_ref()) {
            return Some((400, "XAmzContentSHA256Mismatch"));
        }
        let summed = ["sha1", "sha256"]
            .iter()
            .any(|sum| headers.contains_key(format!("x-amz-checksum-{sum}")));
        if to == To::Part && (summed || headers.contains_key("x-amz-sdk-checksum-algorithm")) {
            return Some((501, "NotImplemented"));
        }
        if !header("x-amz-tagging").is_empty() {
            return Some((501, "NotImplemented"));
        }
        let query = query(uri);
        let upload = query.get("uploadId").cloned().unwrap_or_default();
        match to {
            To::Part => {
                let number = query["partNumber"].parse().unwrap();
                let mut parts = self.0.parts.lock().unwrap();
                parts.entry(upload).or_default().insert(number, body.len());
            }
            To::Complete => {
                let parts = self.0.parts.lock().unwrap();
                let sizes = parts.get(&upload).cloned().unwrap_or_default();
                let mut numbers: Vec<_> = sizes.keys().copied().collect();
                numbers.sort_unstable();
                let sizes: Vec<_> = numbers.iter().map(|number| sizes[number]).collect();
                let (last, rest) = sizes.split_last()?;
                if rest
                    .iter()
                    .any(|size| size != &rest[0] || *size < 5 << 20 || last > size)
                {
                    return Some((400, "InvalidPart"));
                }
            }
            To::Put => {
                let mut written = self.0.written.lock().unwrap();
                let before = written.get(uri.path());
                if before.is_some_and(|before| before.elapsed() < Duration::from_secs(1)) {
                    return Some((429, "TooManyRequests"));
                }
                // What was refused has written nothing: the next try is a second after the last that did.
                written.insert(uri.path().to_owned(), Instant::now());
            }
            _ => {}
        }
        None
    }
}

fn query(uri: &Uri) -> HashMap<String, String> {
    let pairs = uri.query().unwrap_or_default().split('&');
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

fn kind(method: &Method, uri: &Uri) -> To {
    let query = query(uri);
    let upload = query.contains_key("uploadId");
    match *method {
        Method::POST if upload => To::Complete,
        Method::POST => To::Create,
        Method::PUT if upload => To::Part,
        Method::PUT => To::Put,
        Method::DELETE if upload => To::Abort,
        Method::DELETE => To::Delete,
        Method::HEAD => To::Head,
        _ if query.contains_key("list-type") => To::List,
        _ if query.contains_key("uploads") => To::Uploads,
        _ => To::Get,
    }
}

fn answer(status: u16, code: &str) -> Response {
    let text = format!(
        "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>hunter2hunter2</Message></Error>"
    );
    let mut answer = Response::new(Body::from(text));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    answer
}

/// The connection ends without an answer, and without a word in the log.
fn reset() -> ! {
    std::panic::resume_unwind(Box::new(()))
}

async fn pass(State(strict): State<Strict>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let to = kind(&head.method, &head.uri);
    strict.0.seen.lock().unwrap().push(to);
    // Who goes away within a request has asked for nothing, and broken no rule.
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        reset()
    };
    let mut body = body.to_vec();
    let harm = strict.next_harm(to);
    if harm.is_some_and(Harm::is_early) {
        strict.strike();
    }
    match harm {
        Some(Harm::Answer(status, code)) => return answer(status, code),
        Some(Harm::Reset) => reset(),
        Some(Harm::Hang) => std::future::pending().await,
        Some(Harm::ErrorInside) => return answer(200, "InternalError"),
        Some(Harm::CorruptUp) => {
            let middle = body.len() / 2;
            body[middle] ^= 1;
        }
        _ => {}
    }
    if let Some((status, code)) = strict.rule(to, &head.uri, &head.headers, &body) {
        if harm.is_none() {
            strict
                .0
                .broken
                .lock()
                .unwrap()
                .push(format!("{to:?} {status} {code}"));
        }
        return answer(status, code);
    }
    let url = format!("http://127.0.0.1:{}{}", strict.0.upstream, head.uri);
    let mut headers = head.headers;
    headers.remove("content-length");
    // The signature is over the host as the client knows it.
    let sent = strict
        .0
        .http
        .request(head.method.clone(), url)
        .headers(headers)
        .body(body)
        .send()
        .await;
    let Ok(sent) = sent else { reset() };
    let (status, mut headers) = (sent.status(), sent.headers().clone());
    let mut bytes = sent.bytes().await.unwrap_or_default();
    if to == To::Uploads && status.is_success() {
        bytes = strict.0.uploads.page(&query(&head.uri), &bytes);
    }
    let late = harm.filter(|harm| !harm.is_early() && harm.finds(&bytes));
    if late.is_some() {
        strict.strike();
    }
    match late {
        Some(Harm::LoseAnswer) => reset(),
        Some(Harm::Lie(status, code)) => return answer(status, code),
        Some(Harm::CorruptDown) => {
            let mut changed = bytes.to_vec();
            let middle = changed.len() / 2;
            changed[middle] ^= 1;
            bytes = changed.into();
        }
        Some(Harm::CutDown) => {
            bytes = bytes.slice(..bytes.len() / 2);
            headers.remove("content-length");
            headers.insert("content-length", bytes.len().into());
        }
        Some(Harm::LongDown) => bytes = [&bytes[..], b"x"].concat().into(),
        Some(Harm::Torn) => {
            // Its length stays: less of it comes.
            let half = bytes.slice(..bytes.len() / 2);
            let torn = Err(std::io::Error::other("torn"));
            let parts = futures_util::stream::iter([Ok(half), torn]);
            return streamed(status, headers, Body::from_stream(parts));
        }
        Some(Harm::Slow(pieces)) => {
            return streamed(status, headers, slow(&bytes, pieces));
        }
        Some(Harm::Stall) => return streamed(status, headers, stalled(&bytes)),
        Some(Harm::LosePage(_) | Harm::TwicePage) => {
            bytes = pages(&bytes, late).unwrap_or(bytes);
        }
        Some(Harm::WrongEtag) => {
            headers.insert(
                "etag",
                "\"0123456789abcdef0123456789abcdef\"".parse().unwrap(),
            );
        }
        Some(Harm::Endless) => {
            bytes = endless(&bytes);
            headers.remove("content-length");
        }
        _ => {}
    }
    headers.remove("transfer-encoding");
    if head.method != Method::HEAD {
        headers.remove("content-length");
    }
    let mut answer = Response::new(Body::from(bytes));
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    answer
}

/// Each case on a thread, so many at once: they wait more than they work.
pub(crate) fn all_of<T: Copy + Sync>(at_once: usize, cases: &[T], each: impl Fn(usize, T) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(at) else { return };
                    each(at, *case);
                }
            });
        }
    });
}
