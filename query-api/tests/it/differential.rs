//! Generated queries over generated series, asked of Debian's Prometheus and of
//! us: 5,000 instant ones and 1,000 ranges, and no answer may differ.
//!
//! A third of the series both scrape from the same pages, which state the times of
//! their samples; the others, whose samples end with markers, are sent to both. Of
//! a page that states no times, and fails or changes from phase to phase, 300 more
//! queries are asked, which do not look at times.
//!
//! `SEED=7` in the environment chooses other series and queries. What the 2.42 of
//! Debian does differently from 3.x is kept out by how series and queries are
//! made (see [`coverage`]), or listed in [`Verdict::Listed`].

mod chance;
mod coverage;
mod grammar;
mod pages;
mod samples;

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::support::prometheus::Prometheus;
use crate::support::{Server, escape, serve, source, wire};
use chance::Chance;
use grammar::{Grammar, Query};
use pages::{Pages, now_ms};

const INSTANT: usize = 5000;
const RANGES: usize = 1000;
/// Of each phase.
const STILL: usize = 30;

/// The part of a value that an answer may be off by.
const TOLERANCE: f64 = 1e-9;

/// What it may be off by where inexact values are added up and cancel: means, least
/// squares, deviations, sums and differences of rates. 2.42 does not compensate sums,
/// and the addends are at most some 1e6, each exact to 1e-16 of that.
const FLOOR: f64 = 1e-9;

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

fn verdict(
    query: &Query,
    (status, ours): &(u16, Value),
    (their_status, theirs): &(u16, Value),
) -> Verdict {
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
    let in_order = query.sorted && ours["resultType"] == "vector";
    if in_order && !is_order_same(ours, theirs) {
        return Verdict::Different;
    }
    let (ours, theirs) = (rows(ours), rows(theirs));
    let floor = if query.cancels { FLOOR } else { 0.0 };
    let mut both = ours.iter().zip(&theirs);
    if ours.len() != theirs.len() || !both.all(|(one, two)| is_same(one, two, floor)) {
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

/// Whether the values stand in the same order; equal ones may in any.
fn is_order_same(ours: &Value, theirs: &Value) -> bool {
    let values = |data: &Value| -> Vec<f64> {
        let result = data["result"].as_array();
        let value = |row: &Value| point(&row["value"]).1;
        result.into_iter().flatten().map(value).collect()
    };
    let (ours, theirs) = (values(ours), values(theirs));
    ours.iter().zip(&theirs).all(|(a, b)| is_near(*a, *b, 0.0))
}

fn is_near(a: f64, b: f64, floor: f64) -> bool {
    let size = a.abs().max(b.abs());
    // Infinities are the same or not near.
    let within = size.is_finite() && (a - b).abs() <= (TOLERANCE * size).max(floor);
    a == b || within || (a.is_nan() && b.is_nan())
}

fn is_same(one: &Row, two: &Row, floor: f64) -> bool {
    let mut points = one.1.iter().zip(&two.1);
    one.0 == two.0
        && one.1.len() == two.1.len()
        && points.all(|(one, two)| one.0 == two.0 && is_near(one.1, two.1, floor))
}

/// Asks both, and counts how the answers compare.
async fn compare(both: [&Server; 2], asked: Vec<(Query, String)>) -> HashMap<Verdict, usize> {
    let [ours, theirs] = both;
    let answers = stream::iter(asked).map(async |(query, path)| {
        let (left, right) = tokio::join!(ours.get(&path), theirs.get(&path));
        let verdict = verdict(&query, &left, &right);
        let differs = verdict == Verdict::Different;
        let text = &query.text;
        let told = differs.then(|| {
            format!(
                "{text}\n  {path}\n  ours   {}\n  theirs {}",
                left.1, right.1
            )
        });
        (verdict, told)
    });
    let mut answers = std::pin::pin!(answers.buffered(4));
    let (mut counts, mut differ) = (HashMap::new(), Vec::new());
    while let Some((verdict, told)) = answers.next().await {
        *counts.entry(verdict).or_insert(0) += 1;
        differ.extend(told);
    }
    println!("{counts:?}");
    let shown: Vec<_> = differ.iter().take(10).cloned().collect();
    assert!(
        differ.is_empty(),
        "{} differ\n{}",
        differ.len(),
        shown.join("\n")
    );
    counts
}

fn seconds(time_ms: i64) -> String {
    format!("{}.{:03}", time_ms / 1000, time_ms % 1000)
}

fn questions(chance: &mut Chance, start_ms: i64) -> Vec<(Query, String)> {
    let question = |at: usize| {
        let query = Grammar::new(chance, start_ms).query();
        let text = escape(&query.text);
        // Never on a sample or a step: 2.42 has windows closed on the left.
        let time = start_ms + chance.below(60) as i64 * 60_000 + 7;
        let path = if at < INSTANT {
            format!("/api/v1/query?query={text}&time={}", seconds(time))
        } else {
            let end = seconds(time + chance.below(25) as i64 * 60_000);
            let step = chance.of(&[15, 37, 60, 100]);
            let start = seconds(time);
            format!("/api/v1/query_range?query={text}&start={start}&end={end}&step={step}")
        };
        (query, path)
    };
    (0..INSTANT + RANGES).map(question).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn generated_queries_have_prometheus_answers() {
    let seed: u64 = std::env::var("SEED").map_or(1, |seed| seed.parse().unwrap());
    let mut chance = Chance::new(seed);
    // All within the hour that Prometheus takes, on a whole step of every query.
    let start_ms = (now_ms() - 53 * 60_000) / 180_000 * 180_000;
    println!("seed {seed}, from {start_ms}");
    let made = samples::all(&mut chance, start_ms);
    let pages = Pages::serve(samples::pages(&made)).await;
    let config = pages.config();
    let prometheus = Prometheus::start(&config, "").await;
    let theirs = &prometheus.server;
    let mut source = source(series::Store::new());
    source.now_ms = Arc::new(now_ms);
    let store = Arc::clone(&source.store);
    let ours = serve(source).await;
    let both = [&ours, theirs];
    for body in samples::requests(&made).map(|series| wire::request(&series)) {
        for server in both {
            let (status, told) = server.write(&body).await;
            assert_eq!(status, 204, "{}: {told}", server.url);
        }
    }
    let stop = CancellationToken::new();
    pages::scrape(&config, store, &stop);
    let phases = pages.phases(&mut chance).await;
    stop.cancel();

    let mut still = Vec::new();
    for (time, up) in phases {
        let time = seconds(time);
        // A page that came too late for one of the two is another one there.
        let wanted = format!(
            "/api/v1/query?query=up{{job=\"live\"}}=={}&time={time}",
            u8::from(up)
        );
        let (one, two) = (ours.data(&wanted).await, theirs.data(&wanted).await);
        if [one, two].iter().any(|data| data["result"][0].is_null()) {
            continue;
        }
        for _ in 0..STILL {
            let query = Grammar::still(&mut chance).query();
            let path = format!("/api/v1/query?query={}&time={time}", escape(&query.text));
            still.push((query, path));
        }
    }
    let all = still.len();
    assert!(all >= 7 * STILL, "{all} queries without times");
    let counts = compare(both, still).await;
    let count = |verdict| counts.get(&verdict).copied().unwrap_or(0);
    assert!(count(Verdict::Same) > all / 3, "{counts:?}");

    let counts = compare(both, questions(&mut chance, start_ms)).await;
    // Otherwise they would show nothing.
    let count = |verdict| counts.get(&verdict).copied().unwrap_or(0);
    assert!(count(Verdict::Same) > (INSTANT + RANGES) / 2, "{counts:?}");
    assert!(
        count(Verdict::Listed) < (INSTANT + RANGES) / 50,
        "{counts:?}"
    );
    // What is scraped is asked of, not sent alone.
    let found = ours.data("/api/v1/series?match[]={a=\"3\"}").await;
    assert_eq!(found, theirs.data("/api/v1/series?match[]={a=\"3\"}").await);
    assert!(found.as_array().unwrap().len() > 30, "{found}");
}
