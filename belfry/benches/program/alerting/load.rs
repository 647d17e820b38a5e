//! Alerts and silences, and putting them through a few connections that are kept.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

/// Connections at a time, and alerts in a request.
const CONNECTIONS: usize = 4;
const BATCH: usize = 64;

/// An alert with eight labels and two annotations, as JSON.
pub(super) fn alert(number: usize) -> String {
    format!(
        "{{\"labels\":{{\"alertname\":\"Load{}\",\"instance\":\"host-{number}.example.org:9100\",\"job\":\"node\",\
         \"severity\":\"warning\",\"cluster\":\"eu-west-{}\",\"team\":\"platform\",\"namespace\":\"default\",\"number\":\"{number}\"}},\
         \"annotations\":{{\"summary\":\"the load of host-{number} is high\",\"description\":\"It has been above ten for five minutes.\"}},\
         \"generatorURL\":\"http://prometheus.example.org/graph?g0.expr=node_load1&number={number}\"}}",
        number % 100,
        number % 7,
    )
}

/// A silence that matches one of these alerts, as JSON: every other by an
/// expression, as those are that people make for a few hosts.
fn silence(number: usize) -> String {
    let host = format!("host-{number}.example.org:9100");
    let (value, is_regex) = match number % 2 {
        0 => (host, false),
        _ => (format!("{host}|other-{number}"), true),
    };
    format!(
        "{{\"matchers\":[{{\"name\":\"instance\",\"value\":\"{value}\",\"isRegex\":{is_regex},\"isEqual\":true}}],\
         \"startsAt\":\"2020-01-01T00:00:00Z\",\"endsAt\":\"2100-01-01T00:00:00Z\",\
         \"createdBy\":\"bench\",\"comment\":\"host {number} is being rebuilt\"}}"
    )
}

/// So many of them, written down before the clock starts.
pub(super) struct Load {
    path: &'static str,
    bodies: Vec<Vec<String>>,
}

impl Load {
    /// Alerts.
    pub(super) fn of(alerts: usize) -> Self {
        let batches = (0..alerts).step_by(BATCH).map(|begin| {
            let batch: Vec<_> = (begin..alerts.min(begin + BATCH)).map(alert).collect();
            format!("[{}]", batch.join(","))
        });
        Self::dealt("/api/v2/alerts", batches)
    }

    /// Silences, of which each is a request.
    pub(super) fn silences(silences: usize) -> Self {
        Self::dealt("/api/v2/silences", (0..silences).map(silence))
    }

    fn dealt(path: &'static str, all: impl Iterator<Item = String>) -> Self {
        let mut bodies = vec![Vec::new(); CONNECTIONS];
        for (at, body) in all.enumerate() {
            bodies[at % CONNECTIONS].push(body);
        }
        Self { path, bodies }
    }

    /// Puts them, and says how long that took.
    pub(super) fn put(self, address: &str) -> Duration {
        let begun = Instant::now();
        let path = self.path;
        let threads = self.bodies.into_iter().map(|bodies| {
            let address = address.to_owned();
            thread::spawn(move || {
                let mut stream = connect(&address);
                for body in bodies {
                    send(&mut stream, &address, path, &body);
                }
            })
        });
        for thread in threads.collect::<Vec<_>>() {
            thread.join().expect("a connection that works");
        }
        begun.elapsed()
    }
}

/// Puts one body of alerts.
pub(super) fn post(address: &str, body: &str) {
    send(&mut connect(address), address, "/api/v2/alerts", body);
}

/// Reads a page to its end, and says how long it is.
pub(super) fn get(address: &str, path: &str) -> usize {
    let mut stream = connect(address);
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream
        .get_mut()
        .write_all(request.as_bytes())
        .expect("a request");
    let mut buffer = vec![0; 64 << 10];
    let mut bytes = 0;
    loop {
        match stream.read(&mut buffer).expect("an answer") {
            0 => return bytes,
            read => bytes += read,
        }
    }
}

fn connect(address: &str) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(address).expect("a server");
    stream.set_nodelay(true).expect("a socket");
    BufReader::new(stream)
}

fn send(stream: &mut BufReader<TcpStream>, address: &str, path: &str, body: &str) {
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream
        .get_mut()
        .write_all(request.as_bytes())
        .expect("a request");
    let mut line = String::new();
    stream.read_line(&mut line).expect("an answer");
    assert!(line.contains(" 200 "), "{line}");
    let mut length = 0;
    loop {
        line.clear();
        stream.read_line(&mut line).expect("an answer");
        let lower = line.to_ascii_lowercase();
        if let Some(text) = lower.strip_prefix("content-length:") {
            length = text.trim().parse().expect("a length");
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut rest = vec![0; length];
    stream.read_exact(&mut rest).expect("an answer");
}
