//! What heartbeats, probes and answers about services cost; blackbox_exporter
//! beside it on the same targets.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::proc;
use crate::support::belfry::{Belfry, Launch};
use crate::support::container::Container;
use crate::support::engine::Engine;
use crate::support::process::Process;
use crate::support::scratch::Scratch;
use crate::support::{claim, http, poll, program};
use crate::{bare, binary, figure, site};

/// Pings and answers a second.
const PINGS: u32 = 1000;
const ANSWERS: u32 = 200;
/// How long each is measured.
const LENGTH: Duration = Duration::from_secs(30);
const PROBES: usize = 200;
const SERVICES: u64 = 50;
const INTERVAL: Duration = Duration::from_secs(15);

pub(crate) fn run() {
    heartbeats();
    probes();
    answers();
}

fn launch(rest: &str) -> Belfry {
    let scratch = Scratch::new();
    launch_beside(&scratch.path.join("none.sock"), rest)
}

fn launch_beside(engine: &Path, rest: &str) -> Belfry {
    let config =
        format!("interval: 15s\nrules: {{pack: false}}\nexporter: {{engine: {engine:?}}}\n{rest}");
    Launch::with(&config).binary(&binary()).start()
}

/// Asks so often a second over a few connections, which are kept if `keep`; returns
/// how long after its time each answer was there, in milliseconds: what waits behind
/// a slow one has waited too. All are asked, however late.
fn ask(
    address: &str,
    path: impl Fn(u64) -> String + Sync,
    status: &str,
    rate: u32,
    length: Duration,
    keep: bool,
) -> Vec<f64> {
    const CONNECTIONS: u32 = 4;
    let next = AtomicU64::new(0);
    let began = Instant::now();
    let took = std::sync::Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let connect = || {
                    let stream = TcpStream::connect(address).expect("a connection");
                    stream.set_nodelay(true).expect("no delay");
                    stream
                };
                let close = if keep { "" } else { "Connection: close\r\n" };
                let mut stream = connect();
                let mut mine = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let due = began
                        + Duration::from_secs(1) * u32::try_from(number).expect("a number") / rate;
                    if due > began + length {
                        break;
                    }
                    thread::sleep(due.saturating_duration_since(Instant::now()));
                    if !keep {
                        stream = connect();
                    }
                    let path = path(number);
                    write!(
                        stream,
                        "GET {path} HTTP/1.1\r\nHost: {address}\r\n{close}\r\n"
                    )
                    .expect("a request");
                    let answer = whole(&mut stream);
                    assert!(
                        answer.starts_with(&format!("HTTP/1.1 {status}")),
                        "{answer}"
                    );
                    mine.push(due.elapsed().as_secs_f64() * 1e3);
                }
                took.lock().expect("nobody panicked").extend(mine);
            });
        }
    });
    let mut took = took.into_inner().expect("nobody panicked");
    took.sort_by(f64::total_cmp);
    took
}

/// One answer to its end, whichever way that is told.
fn whole(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut piece = [0; 64 << 10];
    loop {
        let read = stream.read(&mut piece).expect("an answer");
        assert!(read > 0, "{}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let head = head.to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1);
        let length = length.and_then(|rest| rest.split("\r\n").next()?.parse::<usize>().ok());
        if length.map_or(body.ends_with("0\r\n\r\n"), |length| body.len() >= length) {
            return text.into_owned();
        }
    }
}

/// Processor time of the process while something goes on, and how long that took, in seconds.
fn cost<T>(pid: u32, work: impl FnOnce() -> T) -> (f64, f64, T) {
    let (before, began) = (proc::spent(pid), Instant::now());
    let done = work();
    let used = (proc::spent(pid) - before).as_secs_f64();
    (used, began.elapsed().as_secs_f64(), done)
}

/// What it costs at rest, as a part of one core.
fn at_rest(pid: u32, length: Duration) -> f64 {
    let (used, elapsed, ()) = cost(pid, || thread::sleep(length));
    used / elapsed
}

fn heartbeats() {
    let belfry = launch("heartbeat: {create: true}");
    let rest = at_rest(belfry.pid(), LENGTH / 2);
    let (used, elapsed, took) = cost(belfry.pid(), || {
        ask(
            belfry.address(),
            |number| format!("/ping/job-{}", number % 500),
            "20",
            PINGS,
            LENGTH,
            true,
        )
    });
    // A busy machine sends them later: what counts is what each costs.
    let each = (used - rest * elapsed) / took.len() as f64;
    figure::budget(
        "1,000 heartbeats a second, of one core",
        each * f64::from(PINGS) * 100.0,
        "%",
        10.0,
    );
}

fn probes() {
    let port = site::start();
    let targets: String = (0..PROBES)
        .map(|at| format!("    - {{target: 'http://127.0.0.1:{port}/{at}'}}\n"))
        .collect();
    let without = launch("");
    let belfry = launch(&format!("probe:\n  targets:\n{targets}"));
    poll::holds("all should have been looked at", || {
        belfry
            .get("/metrics/probe")
            .body
            .matches("\nprobe_success{")
            .count()
            == PROBES
    });
    // What only the start costs is over.
    thread::sleep(Duration::from_secs(40));
    let length = INTERVAL * 8;
    let per_cycle = |part: f64| part * INTERVAL.as_secs_f64() * 1e3;
    let (idle, busy) = thread::scope(|scope| {
        let idle = scope.spawn(|| at_rest(without.pid(), length));
        let busy = at_rest(belfry.pid(), length);
        (idle.join().expect("it measures"), busy)
    });
    let ours = per_cycle(busy - idle);
    figure::plain("without probes, per cycle", per_cycle(idle), "ms");
    figure::plain("with 200 probes, per cycle", per_cycle(busy), "ms");
    figure::budget("200 probes each 15 s, per cycle", ours, "ms", 20.0);
    figure::plain(
        "threads beyond those without probes",
        proc::threads(belfry.pid()) - proc::threads(without.pid()),
        "",
    );
    let bare = bare::connections(port, PROBES);
    figure::plain("200 bare connections, nothing else", bare, "ms");
    drop((without, belfry));

    let scratch = Scratch::new();
    let claim = claim::port();
    let file = scratch.file(
        "blackbox.yml",
        "modules: {http_2xx: {prober: http, timeout: 5s}}\n",
    );
    let mut command = Command::new(program::find(
        "prometheus-blackbox-exporter",
        "prometheus-blackbox-exporter",
    ));
    command
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--web.listen-address=127.0.0.1:{}", claim.number));
    let mut blackbox = Process::spawn("blackbox_exporter", &mut command, &scratch.path.join("log"));
    let address = format!("127.0.0.1:{}", claim.number);
    blackbox.ready("it should answer", || http::get(&address, "/metrics").ok());
    let rate = u32::try_from(PROBES).expect("a number") / 15;
    let (used, _, took) = cost(blackbox.pid(), || {
        let cycle =
            |number: u64| format!("/probe?module=http_2xx&target=127.0.0.1:{port}/{number}");
        ask(&address, cycle, "200", rate, length, true)
    });
    let theirs = used / took.len() as f64 * PROBES as f64 * 1e3;
    figure::plain("blackbox_exporter on the same, per cycle", theirs, "ms");
    figure::plain("its cost, of ours", theirs / ours, "times");
}

fn answers() {
    // Each in a container of a real engine, and each but the last needs the next one.
    let engine = Engine::start();
    for at in 0..SERVICES {
        let name = format!("service-{at}");
        let next = format!("service-{}:service_started:false", at + 1);
        let mut container = Container::named(&name)
            .compose("shop", &name)
            .script("exec sleep 1000000");
        if at + 1 < SERVICES {
            container = container.label("com.docker.compose.depends_on", &next);
        }
        engine.run(&container);
    }
    let belfry = launch_beside(&engine.socket(), "");
    poll::holds("all should be ready", || {
        (0..SERVICES).all(|at| belfry.get(&format!("/health/ready/service-{at}")).status == 200)
    });
    let rest = at_rest(belfry.pid(), LENGTH / 2);
    for (what, path, status) in [
        ("readiness of 50 services", "/health/ready/service-", "200"),
        ("liveness", "/health/live?", "200"),
    ] {
        for (how, keep) in [("200/s kept", true), ("200/s anew", false)] {
            let (used, elapsed, took) = cost(belfry.pid(), || {
                let path = |number: u64| format!("{path}{}", number % SERVICES);
                ask(belfry.address(), path, status, ANSWERS, LENGTH, keep)
            });
            let what = format!("{what}, {how}");
            figure::plain(
                &format!("{what}, p50"),
                figure::percentile(&took, 0.5),
                "ms",
            );
            figure::budget(
                &format!("{what}, p99"),
                figure::percentile(&took, 0.99),
                "ms",
                5.0,
            );
            let each = (used - rest * elapsed) / took.len() as f64 * 1e3;
            figure::plain(&format!("{what}, processor time each"), each, "ms");
        }
    }
}
