//! The remote_write 1.0 receiver.
//!
//! A request that cannot be read changes nothing. Of one that can, whatever the
//! store takes is kept, and a 400 tells the sender how much it did not take:
//! sending that again would not help.

mod wire;

#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use exposition::{Labels, LabelsBuilder, NAME};
use series::Store;

use crate::ask::read_body;
use crate::failure::Failure;
use crate::gate::aside;
use crate::routes::Api;
use wire::{Broken, Series};

/// The most labels of a series, and the most bytes of a name and of a value.
const MOST_LABELS: usize = 128;
const MOST_NAME: usize = 1024;
const MOST_VALUE: usize = 16 << 10;

/// Nobody sends for longer.
const READING: Duration = Duration::from_secs(30);

/// Earlier than the first of year 1 is no time.
const EARLIEST_MS: i64 = -62_135_596_800_000;

/// `POST /api/v1/write`.
pub(crate) async fn receive(State(api): State<Arc<Api>>, request: Request) -> Response {
    match take(api, request).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(response) => response,
    }
}

async fn take(api: Arc<Api>, request: Request) -> Result<(), Response> {
    let limits = &api.source.limits;
    let refused = |failure: Failure| failure.plain();
    if !api.source.receives {
        let what =
            "remote write receiver needs to be enabled with --web.enable-remote-write-receiver\n";
        return Err((StatusCode::NOT_FOUND, what).into_response());
    }
    let (parts, body) = request.into_parts();
    let length = check(&parts.headers, limits.write_bytes)
        .map_err(|(status, what)| (status, format!("{what}\n")).into_response())?;
    let deadline = Instant::now() + limits.timeout.min(READING);
    // Room first, bytes after that: senders wait with their bytes, not we.
    let room = api.room.acquire(length, deadline).await.map_err(refused)?;
    let packed = read_body(body, length, deadline).await.map_err(refused)?;
    let turn = api.writes.enter(deadline).await.map_err(refused)?;
    let shared = api.clone();
    let taken = aside(Arc::default(), move || {
        let _held = (room, turn);
        let source = &shared.source;
        let latest = (source.now_ms)().saturating_add(millis(source.limits.write_ahead));
        let body = unpack(&packed, source.limits.write_bytes)?;
        drop(packed);
        append(&source.store, &body, latest)
    });
    let left_out = taken.await.and_then(|taken| taken).map_err(refused)?;
    match left_out.told() {
        None => Ok(()),
        Some(what) => {
            tracing::warn!("remote_write: {what}");
            Err((StatusCode::BAD_REQUEST, format!("{what}\n")).into_response())
        }
    }
}

fn millis(duration: Duration) -> i64 {
    duration.as_millis().try_into().unwrap_or(i64::MAX)
}

/// Looks at the headers, and says how long the body can be at most.
fn check(headers: &HeaderMap, most: usize) -> Result<usize, (StatusCode, String)> {
    let header = |name: HeaderName| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_ascii_lowercase()
    };
    let unsupported = |what: String| Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, what));
    let content = header(header::CONTENT_TYPE);
    let mut words = content.split(';').map(str::trim);
    let kind = words.next().unwrap_or_default();
    if !matches!(kind, "" | "application/x-protobuf") {
        return unsupported(format!("expected application/x-protobuf, got {kind:?}"));
    }
    if let Some(proto) = words.find_map(|word| word.strip_prefix("proto="))
        && proto.trim_matches('"') != "prometheus.writerequest"
    {
        return unsupported(format!("{proto} is not accepted; remote_write 1.0 is"));
    }
    let coding = header(header::CONTENT_ENCODING);
    if !matches!(coding.as_str(), "" | "snappy") {
        return unsupported(format!("{coding} is not accepted; snappy is"));
    }
    let length = header(header::CONTENT_LENGTH);
    match length.parse::<usize>() {
        Ok(length) if length > most => Err((
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is longer than {most} bytes"),
        )),
        Ok(length) => Ok(length),
        Err(_) => Ok(most),
    }
}

/// Unpacks snappy's block format, if that gives no more than `most` bytes.
fn unpack(packed: &[u8], most: usize) -> Result<Vec<u8>, Failure> {
    let refused = |err: snap::Error| Failure::BadData(format!("snappy: {err}"));
    // The length comes first: a bomb is seen before it goes off.
    let length = snap::raw::decompress_len(packed).map_err(refused)?;
    if length > most {
        let what = format!("snappy: {length} bytes are more than the limit of {most}");
        return Err(Failure::BadData(what));
    }
    let mut decoder = snap::raw::Decoder::new();
    decoder.decompress_vec(packed).map_err(refused)
}

/// What was not taken.
#[derive(Debug, Default, PartialEq, Eq)]
struct LeftOut {
    /// Series whose labels are not valid.
    series: usize,
    /// Samples that the store refused or whose time is out of bounds.
    samples: usize,
    /// What was wrong with the first of them.
    first: String,
}

impl LeftOut {
    fn note(&mut self, labels: &Labels, why: &str) {
        if self.first.is_empty() {
            let labels: String = labels.to_string().chars().take(200).collect();
            self.first = format!("{why} for series {labels}");
        }
    }

    fn told(&self) -> Option<String> {
        let mut what = String::new();
        if self.samples > 0 {
            let _ = write!(what, "{} samples ", self.samples);
        }
        if self.series > 0 {
            let and = if what.is_empty() { "" } else { "and " };
            let _ = write!(what, "{and}{} series ", self.series);
        }
        (!what.is_empty()).then(|| format!("{what}left out; the first: {}", self.first))
    }
}

/// Adds all that the store takes.
fn append(store: &Store, body: &[u8], latest_ms: i64) -> Result<LeftOut, Failure> {
    let broken = |err: Broken| Failure::BadData(format!("protobuf: {err}"));
    // All of it is read before any of it is stored.
    for series in wire::request(body) {
        series.and_then(Series::check).map_err(broken)?;
    }
    let mut left_out = LeftOut::default();
    for series in wire::request(body).flatten() {
        let labels = match labels(series) {
            Ok(labels) => labels,
            Err(why) => {
                left_out.series += 1;
                left_out.note(&Labels::empty(), &why);
                continue;
            }
        };
        let native = series.histograms();
        if native > 0 {
            left_out.samples += native;
            left_out.note(&labels, "native histograms are not supported");
        }
        for (time_ms, value) in series.samples().flatten() {
            let appended = match time_ms {
                EARLIEST_MS.. if time_ms <= latest_ms => store
                    .append(&labels, time_ms, value)
                    .map_err(|rejected| rejected.to_string()),
                _ => Err("out of bounds".to_owned()),
            };
            if let Err(why) = appended {
                left_out.samples += 1;
                left_out.note(&labels, &why);
            }
        }
    }
    Ok(left_out)
}

/// The labels of a series, if they are valid.
fn labels(series: Series<'_>) -> Result<Labels, String> {
    let mut builder = LabelsBuilder::default();
    let mut count = 0;
    for (name, value) in series.labels().flatten() {
        count += 1;
        if count > MOST_LABELS {
            return Err(format!("more than {MOST_LABELS} labels"));
        }
        let (Ok(name), Ok(value)) = (str::from_utf8(name), str::from_utf8(value)) else {
            return Err("invalid labels: not UTF-8".into());
        };
        if name.is_empty() || name.len() > MOST_NAME || value.len() > MOST_VALUE {
            return Err("invalid labels: empty or too long".into());
        }
        if !builder.get(name).is_empty() {
            return Err(format!("invalid labels: {name:?} twice"));
        }
        builder.set(name, value);
    }
    match builder.get(NAME) {
        "" => Err("invalid labels: no metric name".into()),
        _ => Ok(builder.build()),
    }
}
