//! Bodies of remote_write.

use std::sync::{Arc, LazyLock};

use axum::body::Body;
use axum::http::Request;
use query_api::Source;
use series::Store;
use tokio::runtime::Runtime;
use tower::util::ServiceExt as _;

use crate::NOW;

static RUNTIME: LazyLock<Option<Runtime>> = LazyLock::new(|| {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().max_blocking_threads(1).build().ok()
});

/// Sends the bytes as they are, and packed as a sound sender packs them.
///
/// # Panics
/// If the answer blames us, or a sample is taken that lies far ahead.
pub fn write(bytes: &[u8]) {
    let Some(runtime) = &*RUNTIME else {
        return;
    };
    let packed = snap::raw::Encoder::new().compress_vec(bytes);
    for body in [Some(bytes.to_vec()), packed.ok()].into_iter().flatten() {
        let mut source = Source::new(Arc::new(Store::new()), Arc::new(|| NOW));
        source.receives = true;
        let store = Arc::clone(&source.store);
        let request = Request::post("/api/v1/write")
            .header("content-type", "application/x-protobuf")
            .header("content-encoding", "snappy")
            .header("x-prometheus-remote-write-version", "0.1.0")
            .body(Body::from(body));
        let Ok(request) = request else {
            return;
        };
        let answer = runtime.block_on(query_api::router(source).oneshot(request));
        let status = answer.map_or(500, |answer| answer.status().as_u16());
        assert!(status < 500, "{status}");
        let ahead = store.select(&[], NOW + 3_600_000, i64::MAX);
        assert!(ahead.is_empty(), "{ahead:?}");
    }
}

/// A request with one series and two samples.
pub(crate) fn samples() -> Vec<Vec<u8>> {
    let mut series = Vec::new();
    for (name, value) in [("__name__", "up"), ("host", "a")] {
        let mut label = Vec::new();
        field(&mut label, 1, name.as_bytes());
        field(&mut label, 2, value.as_bytes());
        field(&mut series, 1, &label);
    }
    for at in 0..2 {
        let mut sample = vec![1 << 3 | 1];
        sample.extend(f64::from(at).to_bits().to_le_bytes());
        sample.push(2 << 3);
        varint(&mut sample, (NOW + i64::from(at)).cast_unsigned());
        field(&mut series, 2, &sample);
    }
    let mut request = Vec::new();
    field(&mut request, 1, &series);
    let twice = [request.clone(), request.clone()].concat();
    vec![request, twice]
}

fn field(out: &mut Vec<u8>, number: u8, content: &[u8]) {
    out.push(number << 3 | 2);
    varint(out, content.len() as u64);
    out.extend_from_slice(content);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
