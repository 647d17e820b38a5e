//! The pages of generated targets, and the server that everybody scrapes them from.
//!
//! A value follows from the series and the time alone, so all scrapers see the
//! same page whenever they come within one interval. Targets share one port and
//! differ by their loopback address.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

/// Series on one page.
pub(crate) const EACH: usize = 1000;
/// Families on one page; each has `EACH / FAMILIES` series.
pub(crate) const FAMILIES: usize = 20;
const DEVICES: usize = 10;
const MODES: usize = EACH / FAMILIES / DEVICES;
/// Seconds between two samples.
pub(crate) const STEP: u64 = 15;
const BUCKETS: [&str; MODES] = ["0.1", "0.5", "1", "5", "+Inf"];

/// The number of the interval that is now.
pub(crate) fn step_now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("a clock after 1970").as_secs() / STEP
}

/// What a family is called: counters and the histogram as such.
pub(crate) fn name(family: usize) -> String {
    match family {
        19 => "bench_wait_seconds_bucket".into(),
        _ if family % 4 == 1 => format!("bench_f{family:02}_total"),
        _ => format!("bench_f{family:02}"),
    }
}

/// The labels of one of a family's series.
pub(crate) fn labels(family: usize, at: usize) -> [(&'static str, String); 2] {
    let (device, mode) = (at / MODES, at % MODES);
    let mode = match family {
        19 => ("le", BUCKETS[mode].to_owned()),
        _ => ("mode", format!("mode-{mode}")),
    };
    [("device", format!("disk-{device:02}")), mode]
}

/// The value of a series: limits that stay, counters, sizes in pages of memory,
/// and readings with three decimal places.
pub(crate) fn value(target: usize, family: usize, at: usize, step: u64) -> f64 {
    let seed = (target * FAMILIES + family) * EACH + at;
    let noise = |salt: u64| mix(seed as u64 ^ salt << 40) as f64 / u64::MAX as f64;
    let now = |of: f64| (noise(step + 1) * of).floor();
    match family {
        // Buckets hold what the ones below them hold.
        19 => (step % 1_000_000) as f64 * (1 + at % MODES) as f64 * 20.0 + now(20.0),
        _ => match family % 4 {
            0 => 1024.0 + (noise(0) * 1e6).floor(),
            1 => (step % 1_000_000) as f64 * (5.0 + (noise(0) * 200.0).floor()) + now(5.0),
            2 => 4096.0 * (100_000.0 + now(5000.0)),
            _ => 20.0 + now(2000.0) / 1000.0,
        },
    }
}

fn mix(mut seed: u64) -> u64 {
    seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    seed = (seed ^ seed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    seed = (seed ^ seed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    seed ^ seed >> 31
}

pub(crate) fn page(target: usize, step: u64) -> String {
    let mut out = String::with_capacity(EACH * 60);
    for family in 0..FAMILIES {
        let name = name(family);
        let (of, kind) = match family {
            19 => ("bench_wait_seconds", "histogram"),
            _ if family % 4 == 1 => (name.as_str(), "counter"),
            _ => (name.as_str(), "gauge"),
        };
        let _ = writeln!(
            out,
            "# HELP {of} What the bench makes up.\n# TYPE {of} {kind}"
        );
        for at in 0..EACH / FAMILIES {
            let [(one, first), (two, second)] = labels(family, at);
            let value = value(target, family, at, step);
            let _ = writeln!(
                out,
                "{name}{{{one}=\"{first}\",{two}=\"{second}\"}} {value}"
            );
        }
    }
    out
}

/// Serves pages, and swallows whatever is sent to it.
pub(crate) struct Pages {
    port: u16,
}

type Made = Arc<Mutex<HashMap<usize, (u64, Arc<str>)>>>;

impl Pages {
    /// Serves until the process ends.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("0.0.0.0:0").expect("a port");
        let port = listener.local_addr().expect("its number").port();
        let made = Made::default();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let made = Arc::clone(&made);
                let small = thread::Builder::new().stack_size(128 << 10);
                small
                    .spawn(move || serve(stream, &made))
                    .expect("a thread for a connection");
            }
        });
        Self { port }
    }

    /// Where a target is.
    pub(crate) fn target(&self, number: usize) -> String {
        format!("127.0.1.{}:{}", number + 1, self.port)
    }

    /// Where anything may be sent.
    pub(crate) fn sink(&self) -> String {
        format!("http://127.0.0.1:{}/sink", self.port)
    }
}

/// Answers requests of one connection until it is closed.
fn serve(mut stream: TcpStream, made: &Made) {
    let Ok(std::net::SocketAddr::V4(to)) = stream.local_addr() else {
        return;
    };
    let target = usize::from(to.ip().octets()[3]) - 1;
    let mut had = Vec::new();
    while let Some(is_get) = request(&mut stream, &mut had) {
        let body: Arc<str> = match is_get {
            true => current(target, made),
            false => "".into(),
        };
        let status = if is_get { "200 OK" } else { "204 No Content" };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        if stream
            .write_all(&[head.as_bytes(), body.as_bytes()].concat())
            .is_err()
        {
            return;
        }
    }
}

fn current(target: usize, made: &Made) -> Arc<str> {
    let step = step_now();
    let mut made = made.lock().expect("pages");
    let entry = made.entry(target).or_insert_with(|| (0, "".into()));
    if entry.0 != step {
        *entry = (step, page(target, step).into());
    }
    Arc::clone(&entry.1)
}

/// Reads one request with its body; whether it is a GET. Nothing when all is read.
fn request(stream: &mut TcpStream, had: &mut Vec<u8>) -> Option<bool> {
    let mut some = [0; 16 << 10];
    let head = loop {
        if let Some(at) = had.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        let count = stream.read(&mut some).ok().filter(|count| *count > 0)?;
        had.extend_from_slice(&some[..count]);
    };
    let text = String::from_utf8_lossy(&had[..head]).to_ascii_lowercase();
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let whole = head + length.unwrap_or(0);
    while had.len() < whole {
        let count = stream.read(&mut some).ok().filter(|count| *count > 0)?;
        had.extend_from_slice(&some[..count]);
    }
    had.drain(..whole);
    Some(text.starts_with("get"))
}
