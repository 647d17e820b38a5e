//! `belfry alertmanager` beside Debian's Alertmanager: the same configuration,
//! the same alerts from the same generator, one after the other in one run.
//!
//! `BENCH_ALERTS` are the numbers of alerts whose memory is measured, `10000,50000`
//! if not set; empty for none. `BENCH_SILENCES` are numbers of silences, `10000` if
//! not set.

mod load;
mod server;

use std::time::{Duration, Instant, SystemTime};

use crate::figure;
use crate::support::poll;
use crate::support::sink::{Act, Sink};
use load::{Load, alert};
use server::Server;

/// Alerts that are put for the rate of taking them in.
const INGESTED: usize = 100_000;

/// Groups of one alert each that are mailed.
const GROUPS: usize = 10_000;

/// Tells nobody, so that only taking in and showing cost.
const QUIET: &str =
    "route: {receiver: nobody, group_by: [alertname]}\nreceivers: [{name: nobody}]\n";

/// Mails each alert at once.
const MAILS: &str = "global: {smtp_smarthost: '127.0.0.1:PORT', smtp_from: a@example.org, smtp_require_tls: false}\n\
    route: {receiver: ops, group_by: ['...'], group_wait: 0s, group_interval: 5m, repeat_interval: 4h}\n\
    receivers: [{name: ops, email_configs: [{to: ops@example.org}]}]\n";

/// All figures.
pub(crate) fn run() {
    println!(
        "\n{:<58} {:>10} {:>10} {:>8}",
        "alerting", "ours", "theirs", "ratio"
    );
    both("alerts taken in", "per s", |kind| ingest(kind));
    both("from POST to the mail at the server, p50", "ms", |kind| {
        latency(kind)
    });
    for size in sizes("BENCH_ALERTS", "10000,50000") {
        let measured = [Server::ours, Server::theirs].map(|start| memory(start, size));
        for (at, what) in MEMORY.iter().enumerate() {
            row(
                &format!("{size} alerts: {what}"),
                "MiB",
                measured[0][at],
                measured[1][at],
            );
        }
    }
    for size in sizes("BENCH_SILENCES", "10000") {
        let measured = [Server::ours, Server::theirs].map(|start| silenced(start, size));
        for (at, (what, unit)) in SILENCED.iter().enumerate() {
            let what = format!("{size} silences: {what}");
            row(&what, unit, measured[0][at], measured[1][at]);
        }
    }
    let measured = [Server::ours, Server::theirs].map(|start| mailed(start));
    for (at, (what, unit)) in MAILED.iter().enumerate() {
        let what = format!("{GROUPS} groups mailed: {what}");
        row(&what, unit, measured[0][at], measured[1][at]);
    }
}

/// The numbers that a variable names.
fn sizes(variable: &str, usual: &str) -> Vec<usize> {
    let sizes = std::env::var(variable).unwrap_or(usual.into());
    let sizes = sizes.split(',').filter(|size| !size.is_empty());
    sizes.map(|size| size.parse().expect("a number")).collect()
}

type Start = fn(&str) -> Server;

fn both(name: &str, unit: &str, measure: impl Fn(Start) -> f64) {
    let [ours, theirs] = [Server::ours as Start, Server::theirs].map(&measure);
    row(name, unit, ours, theirs);
}

fn row(name: &str, unit: &str, ours: f64, theirs: f64) {
    let name = format!("{name}, {unit}");
    println!(
        "{name:<58} {ours:>10.1} {theirs:>10.1} {:>8.2}",
        ours / theirs
    );
}

/// Alerts per second, by four connections.
fn ingest(start: Start) -> f64 {
    let server = start(QUIET);
    let took = Load::of(INGESTED).put(&server.address);
    INGESTED as f64 / took.as_secs_f64()
}

/// The middle of the times from before the POST to the mail's end, in ms.
fn latency(start: Start) -> f64 {
    let sink = Sink::start(&[Act::Accept]);
    let server = start(&MAILS.replace("PORT", &sink.port().to_string()));
    let mut times = Vec::new();
    for number in 0..200 {
        let begun = SystemTime::now();
        load::post(&server.address, &format!("[{}]", alert(number)));
        let at = poll::until("the mail", || sink.received().get(number).map(|it| it.at));
        let took = at.duration_since(begun).unwrap_or(Duration::ZERO);
        times.push(took.as_secs_f64() * 1e3);
    }
    figure::spread(times).0
}

/// What [`memory`] tells.
const MEMORY: [&str; 6] = [
    "memory (PSS)",
    "the same beyond none",
    "anonymous memory",
    "the same beyond none",
    "peak (RSS) during GET /alerts",
    "peak (RSS) during GET /groups",
];

/// Memory with so many alerts, whole and beyond that without any, and the peaks
/// while they are read.
fn memory(start: Start, alerts: usize) -> [f64; 6] {
    let server = start(QUIET);
    std::thread::sleep(Duration::from_secs(2));
    let none = server.memory();
    Load::of(alerts).put(&server.address);
    // What taking them in left behind goes first.
    std::thread::sleep(Duration::from_secs(75));
    let with = server.memory();
    let peak = |path: &str| {
        server.forget_peak();
        let bytes = load::get(&server.address, path);
        assert!(bytes > alerts * 100, "{path} has {bytes} bytes");
        server.peak()
    };
    [
        with.pss,
        with.pss - none.pss,
        with.anonymous,
        with.anonymous - none.anonymous,
        peak("/api/v2/alerts"),
        peak("/api/v2/alerts/groups"),
    ]
}

/// What [`silenced`] tells.
const SILENCED: [(&str, &str); 4] = [
    ("made", "per s"),
    ("anonymous memory beyond none", "MiB"),
    ("alerts taken in", "per s"),
    ("peak (RSS) during GET /silences", "MiB"),
];

/// What so many silences cost, and what alerts cost beside them.
fn silenced(start: Start, silences: usize) -> [f64; 4] {
    let server = start(QUIET);
    std::thread::sleep(Duration::from_secs(2));
    let none = server.memory();
    let made = Load::silences(silences).put(&server.address);
    let with = server.memory();
    let took = Load::of(GROUPS).put(&server.address);
    server.forget_peak();
    let bytes = load::get(&server.address, "/api/v2/silences");
    assert!(bytes > silences * 100, "{bytes} bytes");
    [
        silences as f64 / made.as_secs_f64(),
        with.anonymous - none.anonymous,
        GROUPS as f64 / took.as_secs_f64(),
        server.peak(),
    ]
}

/// What [`mailed`] tells.
const MAILED: [(&str, &str); 3] = [
    ("peak (RSS)", "MiB"),
    ("mails within ten minutes", "of them"),
    ("from the first POST to the last of these mails", "s"),
];

/// What it takes to mail each of many groups. Whoever does not manage on a busy machine
/// is told of with what it did: one sends all at once, and its connections time out.
fn mailed(start: Start) -> [f64; 3] {
    let sink = Sink::start(&[Act::Accept]);
    let server = start(&MAILS.replace("PORT", &sink.port().to_string()));
    let begun = SystemTime::now();
    Load::of(GROUPS).put(&server.address);
    let give_up = Instant::now() + Duration::from_secs(600);
    while sink.count() < GROUPS && Instant::now() < give_up {
        std::thread::sleep(Duration::from_millis(50));
    }
    let mails = sink.received();
    let last = mails.iter().map(|mail| mail.at).max().unwrap_or(begun);
    let took = last.duration_since(begun).unwrap_or(Duration::ZERO);
    [server.peak(), mails.len() as f64, took.as_secs_f64()]
}
