//! Belfry beside Prometheus and VictoriaMetrics: the same targets, the same
//! 200 rules, at the same time on the same machine.
//!
//! `BENCH_SERIES` is how many series the targets have, `10000,100000` if not
//! set; `BENCH_MINUTES` how long processor time is counted, 4 if not set;
//! `BENCH_DAY` how many series get a day of history, `10000,100000` if not set, with
//! a sample each 15 s, and each 60 s where they are more than 10,000. Either may be
//! empty. `BENCH_SETTLE` is how many seconds pass after the history came, 200 if not set.

mod ask;
mod pages;
mod rules;
mod servers;
mod write;

use std::thread;
use std::time::{Duration, Instant};

use pages::{EACH, Pages, STEP};
use servers::{Cost, Peer};

use crate::support::poll;
use crate::support::scratch::Scratch;

/// Before anything is counted: what the start leaves to do is over by then, and
/// every window of a rule has samples.
const WARM_UP: Duration = Duration::from_secs(90);

/// Those that answer questions; the last one only scrapes.
const PEERS: usize = 4;

/// After a day came in: Prometheus compacts its head every minute, and Belfry puts
/// away what is not recent.
const SETTLE: u64 = 200;

/// Of more series history has a sample each minute: of 100,000 that is 138 million.
const MANY: usize = 10_000;

/// All sizes, one after the other.
pub(crate) fn run() {
    let sizes = std::env::var("BENCH_SERIES").unwrap_or("10000,100000".into());
    let minutes = std::env::var("BENCH_MINUTES").map_or(4, |text| text.parse().expect("minutes"));
    let _ = rustls::crypto::ring::default_provider().install_default();
    for size in sizes.split(',').filter(|size| !size.is_empty()) {
        let series: usize = size.parse().expect("a number of series");
        beside(series, Duration::from_secs(60 * minutes));
    }
    let sizes = std::env::var("BENCH_DAY").unwrap_or("10000,100000".into());
    for size in sizes.split(',').filter(|size| !size.is_empty()) {
        a_day(size.parse().expect("a number of series"));
    }
}

fn beside(series: usize, time: Duration) {
    println!("\n{series} series at {STEP} s, 200 rules");
    let scratch = Scratch::new();
    let rules = scratch.file("rules.yml", &rules::file());
    let pages = Pages::start();
    let mut started = servers::start(&scratch, &pages, series / EACH, &rules);
    let peers = &mut started.all;
    for peer in peers.iter().filter(|peer| !peer.address.is_empty()) {
        poll::within(Duration::from_secs(120), peer.name, || {
            let answer = crate::support::http::get(&peer.address, ask::COUNT).ok()?;
            answer.body.contains(&format!("\"{series}\"")).then_some(())
        });
    }
    thread::sleep(WARM_UP);
    let parts = |peers: &[Peer]| -> Vec<Cost> { peers.iter().flat_map(Peer::costs).collect() };
    let parts_before = parts(peers);
    let look = |peers: &[Peer]| -> Vec<_> {
        let look = |peer: &Peer| (peer.cpu(), peer.evaluations());
        peers.iter().map(look).collect()
    };
    let (began, before) = (Instant::now(), look(peers));
    thread::sleep(time);
    let cycles = began.elapsed().as_secs_f64() / STEP as f64;
    let cost: Vec<Vec<f64>> = peers
        .iter()
        .zip(before)
        .map(|(peer, (cpu, evaluated))| {
            let (pss, anonymous) = peer.memory();
            let cpu = (peer.cpu() - cpu).as_secs_f64() * 1e3 / cycles;
            let evaluated = (peer.evaluations() - evaluated) / cycles;
            vec![pss, anonymous, cpu, evaluated, cpu / evaluated * 200.0]
        })
        .collect();
    row("", &peers.iter().map(|peer| peer.name).collect::<Vec<_>>());
    let figures = [
        "memory (PSS), MiB",
        "  of it anonymous",
        "CPU per cycle, ms",
        // Who is short of processor time skips some.
        "  rules evaluated in it, of 200",
        "  CPU per 200 of them, ms",
    ];
    for (at, figure) in figures.into_iter().enumerate() {
        values(figure, &cost.iter().map(|of| of[at]).collect::<Vec<_>>());
    }
    apart(&parts_before, &parts(peers), cycles);
    peers.truncate(PEERS);
    check(peers);
    ask::instant(peers);
    let ready: Vec<f64> = peers
        .iter_mut()
        .map(|peer| peer.restart("bench_f00").as_secs_f64())
        .collect();
    values("restart to the first answer, s", &ready);
}

/// A line for each program of those that are several, and one for the two that scrape
/// and evaluate without storing anything.
fn apart(before: &[Cost], after: &[Cost], cycles: f64) {
    let cost = |name: &str| -> [f64; 3] {
        let at = after.iter().position(|part| part.name == name);
        let at = at.expect("a program of this name");
        let cpu = (after[at].cpu - before[at].cpu).as_secs_f64() * 1e3 / cycles;
        [after[at].memory.0, after[at].memory.1, cpu]
    };
    let line = |name: &str, [pss, anonymous, cpu]: [f64; 3]| {
        println!(
            "  {name:<36} PSS {pss:.2} MiB, of it anonymous {anonymous:.2}, CPU per cycle {cpu:.2} ms"
        );
    };
    let (agent, alert) = (cost("vmagent"), cost("vmalert"));
    line("VictoriaMetrics alone", cost("VictoriaMetrics"));
    line("vmalert alone", alert);
    line("vmagent alone", agent);
    let both = [0, 1, 2].map(|at| agent[at] + alert[at]);
    line("vmagent + vmalert", both);
}

/// A day of many series, for programs that do nothing else: Prometheus takes no
/// samples of yesterday once it has some of today.
fn a_day(series: usize) {
    let every = if series > MANY { 4 } else { 1 };
    let samples = write::samples(series, every);
    let step = every * STEP;
    println!("\n{series} series over 23 h, one sample each {step} s, {samples} by remote_write");
    let scratch = Scratch::new();
    let rules = scratch.file("rules.yml", "groups: []\n");
    let mut started = servers::start(&scratch, &Pages::start(), 0, &rules);
    let peers = &mut started.all[..PEERS];
    for peer in peers.iter() {
        poll::within(Duration::from_secs(120), peer.name, || {
            let path = "/api/v1/query?query=1";
            let answer = crate::support::http::get(&peer.address, path).ok()?;
            (answer.status == 200).then_some(())
        });
    }
    row("", &peers.iter().map(|peer| peer.name).collect::<Vec<_>>());
    let had = kept(&peers[0]);
    let before: Vec<_> = peers.iter().map(Peer::cpu).collect();
    let url = |peer: &Peer| format!("http://{}/api/v1/write", peer.address);
    let urls: Vec<_> = peers.iter().map(url).collect();
    let began = Instant::now();
    write::history(&urls, series, every);
    let took = peers
        .iter()
        .zip(before)
        .map(|(peer, before)| peer.cpu() - before);
    let took: Vec<_> = took.map(|took| took.as_secs_f64()).collect();
    values("taking them in, s of CPU", &took);
    println!(
        "  all of them at once, in {:.0} s",
        began.elapsed().as_secs_f64()
    );
    let settle =
        std::env::var("BENCH_SETTLE").map_or(SETTLE, |text| text.parse().expect("seconds"));
    thread::sleep(Duration::from_secs(settle));
    let memory: Vec<_> = peers.iter().map(Peer::memory).collect();
    values(
        "memory (PSS), MiB",
        &memory.iter().map(|of| of.0).collect::<Vec<_>>(),
    );
    values(
        "  of it anonymous",
        &memory.iter().map(|of| of.1).collect::<Vec<_>>(),
    );
    ask::range(peers, series);
    bytes(peers, had, samples);
    let ready = peers
        .iter_mut()
        .map(|peer| peer.restart("history").as_secs_f64());
    values("restart to the first answer, s", &ready.collect::<Vec<_>>());
}

/// Bytes of samples: in memory and in the archive here.
fn kept(ours: &Peer) -> f64 {
    let names = ["belfry_series_chunk_bytes", "belfry_series_archive_bytes"];
    let all = names.map(|name| ours.metric(name).unwrap_or(f64::NAN));
    all.iter().sum()
}

/// Nobody is measured who does not do the work.
fn check(peers: &[Peer]) {
    for peer in peers {
        let (answer, _) = peer.ask("/api/v1/query?query=count(%7B__name__=~%22bench:.*%22%7D)");
        assert!(
            answer.body.contains("value"),
            "{}: no rule has recorded",
            peer.name
        );
    }
    let (answer, _) = peers[0].ask("/api/v1/rules");
    let groups = answer.json()["data"]["groups"].clone();
    let rules: Vec<_> = groups
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default())
        .collect();
    assert_eq!(rules.len(), 200);
    for rule in rules {
        assert_eq!(rule["health"], "ok", "{rule}");
    }
}

/// Bytes of one sample: in memory and in the archive here, in blocks on the disk there.
fn bytes(peers: &[Peer], had: f64, all: f64) {
    let ours = kept(&peers[0]);
    let sums = [
        "prometheus_tsdb_compaction_chunk_size_bytes_sum",
        "prometheus_tsdb_compaction_chunk_samples_sum",
    ];
    let [size, samples] = sums.map(|name| peers[1].metric(name).unwrap_or(f64::NAN));
    values(
        "bytes per sample of history",
        &[(ours - had) / all, size / samples],
    );
}

fn row(name: &str, columns: &[&str]) {
    println!(
        "{name:<38} {}",
        columns
            .iter()
            .map(|text| format!("{text:>28}"))
            .collect::<String>()
    );
}

/// Prints one figure of each, and what part of Prometheus' ours is: of the whole
/// program, and of `belfry prometheus`.
fn values(name: &str, all: &[f64]) {
    let columns: String = all.iter().map(|value| format!("{value:>28.2}")).collect();
    let ratio = |ours: &f64| format!("{:.2}", ours / all[1]);
    let alone = all.get(3).map(ratio).unwrap_or_default();
    println!(
        "{name:<38} {columns}   ours/Prometheus' {} {alone}",
        ratio(&all[0])
    );
}
