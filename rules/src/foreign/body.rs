//! The body of an answer as a page: bounded, unpacked, and text.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;
use reqwest::Response;
use reqwest::header::CONTENT_ENCODING;

use super::fetch::cause;

/// Bytes up to a limit; what would go beyond it is an error, so that a small
/// packed body cannot become a large page.
struct Bounded {
    bytes: Vec<u8>,
    limit: usize,
}

impl Write for Bounded {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if piece.len() > self.limit - self.bytes.len() {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How the body is packed.
enum Unpack {
    Plain(Bounded),
    Gzip(Box<MultiGzDecoder<Bounded>>),
}

/// Reads the whole body, of at most so many bytes when it is unpacked.
pub(super) async fn read(mut answer: Response, limit: usize) -> Result<String, String> {
    let packed = answer.headers().get(CONTENT_ENCODING);
    let sink = Bounded {
        bytes: Vec::new(),
        limit,
    };
    let mut unpack = match packed.map(|packed| packed.as_bytes().to_ascii_lowercase()) {
        None => Unpack::Plain(sink),
        Some(kind) if kind == b"identity" => Unpack::Plain(sink),
        Some(kind) if kind == b"gzip" => Unpack::Gzip(Box::new(MultiGzDecoder::new(sink))),
        Some(kind) => {
            let kind = String::from_utf8_lossy(&kind).into_owned();
            return Err(format!("the page is packed as {kind}, not as gzip"));
        }
    };
    let bad = |err: io::Error| match err.kind() {
        io::ErrorKind::FileTooLarge => format!("the page is larger than {limit} bytes"),
        _ => format!("the page cannot be unpacked: {err}"),
    };
    while let Some(piece) = answer.chunk().await.map_err(|err| cause(&err))? {
        match &mut unpack {
            Unpack::Plain(sink) => sink.write_all(&piece),
            Unpack::Gzip(sink) => sink.write_all(&piece),
        }
        .map_err(bad)?;
    }
    let sink = match unpack {
        Unpack::Plain(sink) => sink,
        Unpack::Gzip(sink) => sink.finish().map_err(bad)?,
    };
    String::from_utf8(sink.bytes).map_err(|_| "the page is not UTF-8".into())
}
