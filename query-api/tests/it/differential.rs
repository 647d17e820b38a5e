//! Generated queries over generated series, asked of Debian's Prometheus and of
//! us: 5,000 instant ones and 1,000 ranges, and no answer may differ.
//!
//! `SEED=7` in the environment chooses other series and queries. What the 2.42 of
//! Debian does differently from 3.x is kept out by how series and queries are
//! made (see there), or listed in [`Verdict::Listed`].

mod chance;
mod grammar;
mod samples;

use std::sync::Arc;

use serde_json::Value;

use crate::support::prometheus::Prometheus;
use crate::support::{Server, T0, escape, serve, source, wire};
use chance::Chance;
use grammar::Grammar;

const INSTANT: usize = 5000;
const RANGES: usize = 1000;

/// The part of a value that an answer may be off by; 2.42 does not compensate
/// sums, so where they cancel it is off by about that much altogether.
const TOLERANCE: f64 = 1e-9;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Verdict {
    Same,
    /// Both without any series.
    Empty,
    /// Both refuse.
    Refused,
    /// 3.x refuses several series for one match even where a comparison would
    /// have filtered all but one.
    Listed,
    Different,
}

fn verdict((status, ours): &(u16, Value), (their_status, theirs): &(u16, Value)) -> Verdict {
    let matches = "multiple matches for labels";
    match (*status, *their_status) {
        (200, 200) => {}
        (422, 200) if ours["error"].to_string().contains(matches) => return Verdict::Listed,
        (one, two) if one == two && ours["errorType"] == theirs["errorType"] => {
            return Verdict::Refused;
        }
        _ => return Verdict::Different,
    }
    let (ours, theirs) = (&ours["data"], &theirs["data"]);
    if ours["resultType"] != theirs["resultType"] {
        return Verdict::Different;
    }
    let (ours, theirs) = (rows(ours), rows(theirs));
    if ours.len() != theirs.len() || !ours.iter().zip(&theirs).all(|(one, two)| is_same(one, two)) {
        return Verdict::Different;
    }
    if ours.is_empty() {
        Verdict::Empty
    } else {
        Verdict::Same
    }
}

/// Labels, and times with values.
type Row = (String, Vec<(f64, f64)>);

fn rows(data: &Value) -> Vec<Row> {
    let Some(result) = data["result"].as_array() else {
        return Vec::new();
    };
    if data["resultType"] == "scalar" {
        return vec![(String::new(), vec![point(&data["result"])])];
    }
    let row = |row: &Value| {
        let points = match row["values"].as_array() {
            Some(points) => points.iter().map(point).collect(),
            None => vec![point(&row["value"])],
        };
        (row["metric"].to_string(), points)
    };
    let mut rows: Vec<Row> = result.iter().map(row).collect();
    rows.sort_by(|one, two| one.0.cmp(&two.0));
    rows
}

fn point(point: &Value) -> (f64, f64) {
    let value = exposition::parse_value(point[1].as_str().unwrap());
    (point[0].as_f64().unwrap(), value.unwrap())
}

fn is_same(one: &Row, two: &Row) -> bool {
    one.0 == two.0
        && one.1.len() == two.1.len()
        && one.1.iter().zip(&two.1).all(|(one, two)| {
            let (a, b) = (one.1, two.1);
            let size = a.abs().max(b.abs()).max(1.0);
            let near = a == b || (a - b).abs() <= TOLERANCE * size;
            one.0 == two.0 && (near || (a.is_nan() && b.is_nan()))
        })
}

/// Sends the same bytes to both, in the order of time.
async fn load(chance: &mut Chance, both: [&Server; 2]) {
    for body in samples::all(chance).map(|series| wire::request(&series)) {
        for server in both {
            let (status, told) = server.write(&body).await;
            assert_eq!(status, 204, "{}: {told}", server.url);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn generated_queries_have_prometheus_answers() {
    let seed: u64 = std::env::var("SEED").map_or(1, |seed| seed.parse().unwrap());
    println!("seed {seed}");
    let mut chance = Chance::new(seed);
    let config = "global: {scrape_interval: 1h, evaluation_interval: 1m}\n";
    let prometheus = Prometheus::start(config, "").await;
    let theirs = &prometheus.server;
    let mut source = source(series::Store::new());
    source.now_ms = Arc::new(|| T0 + 2 * 3_600_000);
    let ours = serve(source).await;
    load(&mut chance, [&ours, theirs]).await;
    let mut counts = std::collections::HashMap::new();
    let mut differ = Vec::new();
    for at in 0..INSTANT + RANGES {
        let query = escape(&Grammar::new(&mut chance).query());
        let seconds = |time: i64| format!("{}.{:03}", time / 1000, time % 1000);
        // Never on a sample or a step: 2.42 has windows closed on the left.
        let time = T0 + chance.below(70) as i64 * 60_000 + 7;
        let path = if at < INSTANT {
            format!("/api/v1/query?query={query}&time={}", seconds(time))
        } else {
            let end = seconds(time + chance.below(25) as i64 * 60_000);
            let step = chance.of(&[15, 37, 60, 100]);
            let start = seconds(time);
            format!("/api/v1/query_range?query={query}&start={start}&end={end}&step={step}")
        };
        let (left, right) = tokio::join!(ours.get(&path), theirs.get(&path));
        let verdict = verdict(&left, &right);
        *counts.entry(verdict).or_insert(0usize) += 1;
        if verdict == Verdict::Different {
            differ.push(format!("{path}\n  ours   {}\n  theirs {}", left.1, right.1));
        }
    }
    println!("{counts:?}");
    let shown = differ
        .iter()
        .take(10)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n");
    assert!(
        differ.is_empty(),
        "seed {seed}: {} differ\n{shown}",
        differ.len()
    );
    // Otherwise they would show nothing.
    let count = |verdict| counts.get(&verdict).copied().unwrap_or(0);
    assert!(count(Verdict::Same) > (INSTANT + RANGES) / 2, "{counts:?}");
    assert!(
        count(Verdict::Listed) < (INSTANT + RANGES) / 50,
        "{counts:?}"
    );
}
