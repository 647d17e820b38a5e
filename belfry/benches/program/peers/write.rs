//! A day of samples for those who take remote_write: requests by hand.

use std::ops::Range;
use std::time::Duration;

use axum::body::Bytes;
use tokio::task::JoinSet;

use super::pages::{STEP, step_now, value};

/// Samples of each: a little less than a day, so that none is too old when it comes.
const SAMPLES: u64 = 23 * 3600 / STEP;
/// Steps of a series in one request, half an hour: Prometheus takes nothing that is an
/// hour older than the newest sample of any other series.
const AT_ONCE: u64 = 120;
/// Samples in one request.
const TOGETHER: u64 = 6000;
/// Requests to each that may be under way.
const UNDER_WAY: usize = 2;

/// Samples that [`history`] sends of so many series.
pub(crate) fn samples(of: usize, every: u64) -> f64 {
    (of as u64 * (SAMPLES / every)) as f64
}

/// Sends a day of history of so many series to all of these, half counters and half
/// readings, with a sample at each step or at `every` so many. Half hours come one after
/// the other, oldest first; within one the series do not wait for each other.
pub(crate) fn history(urls: &[String], count: usize, every: u64) {
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let first = step_now() - SAMPLES - 40;
    let together = (TOGETHER * every / AT_ONCE) as usize;
    runtime.block_on(async {
        for from in (first..first + SAMPLES).step_by(AT_ONCE as usize) {
            let steps = (from..(from + AT_ONCE).min(first + SAMPLES)).step_by(every as usize);
            let mut under_way = JoinSet::new();
            for some in (0..count).step_by(together) {
                let body = body(some..(some + together).min(count), &steps);
                for url in urls {
                    if under_way.len() >= UNDER_WAY * urls.len() {
                        let ended = under_way.join_next().await.expect("a request");
                        ended.expect("an answer");
                    }
                    under_way.spawn(send(client.clone(), url.clone(), body.clone()));
                }
            }
            while let Some(ended) = under_way.join_next().await {
                ended.expect("an answer");
            }
        }
    });
}

/// One request with these series at these steps.
fn body(some: Range<usize>, steps: &(impl Iterator<Item = u64> + Clone)) -> Bytes {
    let mut body = Vec::new();
    for at in some {
        field(&mut body, 1, &series(at, steps.clone()));
    }
    let packed = snap::raw::Encoder::new().compress_vec(&body);
    packed.expect("a packed body").into()
}

/// Sends again what a server could not take just then, as who writes to one does.
async fn send(client: reqwest::Client, url: String, body: Bytes) {
    let mut left = 10;
    loop {
        let request = client
            .post(&url)
            .header("content-type", "application/x-protobuf")
            .header("content-encoding", "snappy")
            .header("x-prometheus-remote-write-version", "0.1.0")
            .body(body.clone());
        let answer = request.send().await.expect("an answer");
        let status = answer.status();
        if status.is_success() {
            return;
        }
        let said = answer.text().await.unwrap_or_default();
        left -= 1;
        assert!(
            status.is_server_error() && left > 0,
            "{url}: {status} {said}"
        );
        println!("{url}: {status} {said}");
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}

fn series(at: usize, steps: impl Iterator<Item = u64>) -> Vec<u8> {
    let (name, family) = match at % 2 {
        0 => ("history_total", 1),
        _ => ("history", 3),
    };
    let labels = [
        ("__name__", name.to_owned()),
        ("device", format!("disk-{:03}", at / 20)),
        ("mode", format!("mode-{}", at / 2 % 10)),
    ];
    let mut out = Vec::new();
    for (name, value) in labels {
        let mut label = Vec::new();
        field(&mut label, 1, name.as_bytes());
        field(&mut label, 2, value.as_bytes());
        field(&mut out, 1, &label);
    }
    for step in steps {
        let mut sample = vec![1 << 3 | 1];
        sample.extend(value(at, family, 0, step).to_bits().to_le_bytes());
        sample.push(2 << 3);
        varint(&mut sample, step * STEP * 1000);
        field(&mut out, 2, &sample);
    }
    out
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
