//! One question to the engine over a connection of its own, and the bytes of
//! its answer.
//!
//! For answers whose form differs from engine to engine: a client with types
//! for everything gives a whole listing up for one word that it does not know.

use std::io;
use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// A longer answer is taken for a lie.
const LONGEST: u64 = 64 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The engine refused.
    #[error("status {0}")]
    Status(u16),
    #[error("the answer is no HTTP, or endless")]
    Malformed,
    #[error("no answer in time")]
    Late,
    #[error("the answer makes no sense: {0}")]
    Senseless(#[from] serde_json::Error),
}

/// Asks for `path` in this version of the interface.
pub(super) async fn get(socket: &Path, version: &str, path: &str) -> Result<Vec<u8>, Fault> {
    let mut stream = UnixStream::connect(socket).await?;
    // The oldest form of HTTP: the answer ends with the connection.
    let question = format!("GET /v{version}{path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
    stream.write_all(question.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(LONGEST + 1).read_to_end(&mut answer).await?;
    body(answer)
}

pub(super) fn body(mut answer: Vec<u8>) -> Result<Vec<u8>, Fault> {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let end = end.ok_or(Fault::Malformed)?;
    let head = String::from_utf8_lossy(&answer[..end]);
    let mut words = head.split_ascii_whitespace();
    let http = words.next().is_some_and(|word| word.starts_with("HTTP/1."));
    let status: u16 = words
        .next()
        .and_then(|word| word.parse().ok())
        .filter(|_| http)
        .ok_or(Fault::Malformed)?;
    if status != 200 {
        return Err(Fault::Status(status));
    }
    if answer.len() as u64 > LONGEST {
        return Err(Fault::Malformed);
    }
    answer.drain(..end + 4);
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_good_answer_has_a_body() {
        let told = |text: &str| body(text.as_bytes().to_vec()).map_err(|fault| fault.to_string());
        assert_eq!(
            told("HTTP/1.0 200 OK\r\nA: b\r\n\r\n[1]"),
            Ok(b"[1]".to_vec())
        );
        assert_eq!(
            told("HTTP/1.1 404 Not Found\r\n\r\n{}"),
            Err("status 404".into())
        );
        for wrong in [
            "",
            "HTTP/1.0 200 OK\r\n",
            "SSH-2.0 200\r\n\r\n",
            "HTTP/1.0 x\r\n\r\n",
        ] {
            assert_eq!(
                told(wrong),
                Err("the answer is no HTTP, or endless".into()),
                "{wrong:?}"
            );
        }
    }
}
