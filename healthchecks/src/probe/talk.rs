//! Talking in lines over a connection: bounded, and never beyond the deadline.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout_at};

use super::reason::{Failure, Reason, Step};
use super::stream::Stream;

/// So much is read of one talk.
const MOST: usize = 64 << 10;

/// A connection with what was read ahead of it.
pub(super) struct Talk {
    stream: Stream,
    ahead: Vec<u8>,
    read: usize,
    deadline: Instant,
}

impl Talk {
    pub(super) fn new(stream: Stream, deadline: Instant) -> Self {
        Self {
            stream,
            ahead: Vec::new(),
            read: 0,
            deadline,
        }
    }

    /// The connection itself; what was read ahead is let go.
    pub(super) fn into_stream(self) -> Stream {
        self.stream
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> Step<()> {
        let sending = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        timeout_at(self.deadline, sending)
            .await
            .map_err(|_| Failure::new(Reason::SendTimeout, "the other side takes nothing"))?
            .map_err(|err| Failure::talking(&err))
    }

    /// Reads more; an end is a failure.
    async fn more(&mut self) -> Step<()> {
        let mut piece = [0; 2048];
        let begun = self.read > 0;
        let read = timeout_at(self.deadline, self.stream.read(&mut piece))
            .await
            .map_err(|_| {
                let reason = if begun {
                    Reason::BodyTimeout
                } else {
                    Reason::FirstByteTimeout
                };
                Failure::new(reason, "nothing more came in time")
            })?
            .map_err(|err| Failure::talking(&err))?;
        if read == 0 {
            return Err(Failure::new(
                Reason::Closed,
                "the other side closed the connection",
            ));
        }
        self.read += read;
        if self.read > MOST {
            return Err(Failure::new(
                Reason::BodyTooLarge,
                format!("more than {MOST} bytes came"),
            ));
        }
        self.ahead.extend_from_slice(&piece[..read]);
        Ok(())
    }

    /// The status of an answer of HTTP/1, by its first line; nothing where it is none.
    pub(super) async fn status(&mut self) -> Step<Option<u16>> {
        let line = String::from_utf8_lossy(&self.line().await?).into_owned();
        let rest = line.strip_prefix("HTTP/1.");
        Ok(rest.and_then(|rest| rest.split(' ').nth(1)?.parse().ok()))
    }

    /// The next line, without its end.
    pub(super) async fn line(&mut self) -> Step<Vec<u8>> {
        loop {
            if let Some(at) = self.ahead.iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.ahead.drain(..=at).collect();
                while matches!(line.last(), Some(b'\n' | b'\r')) {
                    line.pop();
                }
                return Ok(line);
            }
            self.more().await?;
        }
    }

    /// Just so many bytes.
    pub(super) async fn bytes(&mut self, count: usize) -> Step<Vec<u8>> {
        while self.ahead.len() < count {
            self.more().await?;
        }
        Ok(self.ahead.drain(..count).collect())
    }

    /// A new message begins: what was read before counts no more.
    pub(super) fn begin(&mut self) {
        self.read = self.ahead.len();
    }

    /// Waits until these bytes have come.
    pub(super) async fn until(&mut self, wanted: &[u8]) -> Step<()> {
        loop {
            if let Some(at) = self
                .ahead
                .windows(wanted.len())
                .position(|part| part == wanted)
            {
                self.ahead.drain(..at + wanted.len());
                return Ok(());
            }
            self.more().await?;
        }
    }
}
