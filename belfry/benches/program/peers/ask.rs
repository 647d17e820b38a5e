//! The questions, and how long each waits for its answer.

use std::time::{SystemTime, UNIX_EPOCH};

use super::servers::Peer;
use super::values;
use crate::figure;

/// How many series the targets have, `up` and the like left out.
pub(crate) const COUNT: &str = "/api/v1/query?query=count(%7B__name__=~%22bench_.*%22%7D)";

const INSTANT: [(&str, &str); 5] = [
    ("newest values", "bench_f02"),
    (
        "rate by instance",
        "sum by (instance) (rate(bench_f01_total[5m]))",
    ),
    ("top ten of all", "topk(10, bench_f06)"),
    (
        "join of two families",
        "bench_f02 / on (instance, device, mode) bench_f06 > 1.03",
    ),
    (
        "quantile of a histogram",
        "histogram_quantile(0.99, sum by (le) (rate(bench_wait_seconds_bucket[5m])))",
    ),
];

const RANGE: [(&str, &str); 2] = [
    (
        "rate by mode over 23 h",
        "sum by (mode) (rate(history_total[5m]))",
    ),
    ("mean by device over 23 h", "avg by (device) (history)"),
];

const ROUNDS: usize = 25;

/// Times the instant queries, in turns, so that a busy moment hits all.
pub(crate) fn instant(peers: &[Peer]) {
    for (name, query) in INSTANT {
        let path = |now: f64| format!("/api/v1/query?query={}&time={now}", escape(query));
        time(peers, &format!("{name}, ms"), ROUNDS, path);
    }
}

/// Times the range queries over so many series: at each minute, and where they are more
/// than 10,000 at each fifth, or Prometheus would refuse them for their samples.
pub(crate) fn range(peers: &[Peer], series: usize) {
    let step = if series > 10_000 { 300 } else { 60 };
    let rounds = if series > 1000 { 3 } else { 7 };
    for (name, query) in RANGE {
        let path = |now: f64| {
            let (start, query) = (now - 23.0 * 3600.0, escape(query));
            format!("/api/v1/query_range?query={query}&start={start}&end={now}&step={step}")
        };
        time(peers, &format!("{name}, step {step} s, ms"), rounds, path);
    }
}

fn time(peers: &[Peer], name: &str, rounds: usize, path: impl Fn(f64) -> String) {
    let mut took = vec![Vec::new(); peers.len()];
    for round in 0..=rounds {
        // Another time for each round, so that nobody answers from a cache.
        let path = path((now() - 10.0).floor() - round as f64 / 8.0);
        for (peer, took) in peers.iter().zip(&mut took) {
            // One that has too much to do says so, or nothing, and has no figure.
            let answered = peer.try_ask(&path);
            let Some((answer, time)) = answered.ok().filter(|(answer, _)| answer.status == 200)
            else {
                continue;
            };
            let body = &answer.body;
            assert!(body.contains("value"), "{}: {path}: {body}", peer.name);
            // The first warms up.
            if round > 0 {
                took.push(time.as_secs_f64() * 1e3);
            }
        }
    }
    values(
        name,
        &took
            .into_iter()
            .map(|took| figure::spread(took).0)
            .collect::<Vec<_>>(),
    );
}

fn now() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("a clock after 1970").as_secs_f64()
}

fn escape(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}
