//! A scrape as Prometheus does it: which forms it takes, and over a connection that it keeps.

use std::cell::RefCell;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// What Debian's Prometheus asks for.
const HEADERS: &str = "Accept: application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
    text/plain;version=0.0.4;q=0.5,*/*;q=0.1\r\nAccept-Encoding: gzip\r\nUser-Agent: bench\r\n";

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client of one server.
pub(super) struct Client {
    address: String,
    open: RefCell<Option<TcpStream>>,
}

impl Client {
    pub(super) fn new(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            open: RefCell::default(),
        }
    }

    /// Fetches a path; how long that took, to the last byte.
    pub(super) fn fetch(&self, path: &str) -> Duration {
        let began = Instant::now();
        let kept = self.open.take();
        // A server may have closed it meanwhile.
        let again = kept.and_then(|stream| self.exchange(stream, path));
        let stream = again.or_else(|| {
            let stream = TcpStream::connect(&self.address).ok()?;
            stream.set_nodelay(true).ok()?;
            stream.set_read_timeout(Some(PATIENCE)).ok()?;
            self.exchange(stream, path)
        });
        assert!(stream.is_some(), "{}{path}: no answer", self.address);
        self.open.replace(stream);
        began.elapsed()
    }

    fn exchange(&self, mut stream: TcpStream, path: &str) -> Option<TcpStream> {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\n{HEADERS}\r\n",
            self.address
        );
        stream.write_all(request.as_bytes()).ok()?;
        let mut bytes = Vec::new();
        let mut piece = vec![0; 64 << 10];
        loop {
            let read = stream.read(&mut piece).ok()?;
            bytes.extend_from_slice(&piece[..read]);
            match whole(&bytes) {
                Some(true) => return Some(stream),
                // It ends with the connection.
                _ if read == 0 => return bytes.starts_with(b"HTTP/1.").then_some(stream),
                _ => {}
            }
        }
    }
}

/// Whether an answer is there to its end; nothing where only the end of the connection tells.
fn whole(bytes: &[u8]) -> Option<bool> {
    let split = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..split]).to_ascii_lowercase();
    assert!(head.contains(" 200 "), "{head}");
    if head.contains("transfer-encoding: chunked") {
        return Some(bytes.ends_with(b"\r\n0\r\n\r\n"));
    }
    let length = head.split("content-length: ").nth(1)?;
    let length: usize = length.split("\r\n").next()?.parse().ok()?;
    Some(bytes.len() >= split + 4 + length)
}
