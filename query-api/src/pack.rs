//! From an answer to the bytes on the wire: whole and with its length where it
//! is small, else in pieces made as the reader takes them, packed if wanted.

use std::io::{self, Write as _};
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::body::Body;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream;
use tokio::task::JoinHandle;

use crate::answer::Fill;
use crate::gate::Turn;

/// Pieces are at least so long, in bytes.
const PIECE: usize = 64 << 10;

/// Shorter answers are not packed.
const SHORT: usize = 512;

/// An answer on its way.
pub(crate) struct Pieces {
    fill: Fill,
    gzip: bool,
    encoder: Option<GzEncoder<Vec<u8>>>,
    done: bool,
}

impl Pieces {
    pub(crate) fn new(fill: Fill, gzip: bool) -> Self {
        Self {
            fill,
            gzip,
            encoder: None,
            done: false,
        }
    }

    /// Whether the last piece has been made.
    pub(crate) fn done(&self) -> bool {
        self.done
    }

    /// Whether the pieces are packed; known after the first.
    pub(crate) fn packed(&self) -> bool {
        self.gzip
    }

    /// The next piece; empty after the last.
    pub(crate) fn next(&mut self) -> Vec<u8> {
        let mut plain = Vec::new();
        while !self.done {
            while plain.len() < PIECE && !self.done {
                self.done = !(self.fill)(&mut plain);
            }
            if self.done && self.encoder.is_none() && plain.len() < SHORT {
                self.gzip = false;
            }
            if !self.gzip {
                return plain;
            }
            let encoder = self
                .encoder
                .get_or_insert_with(|| GzEncoder::new(Vec::new(), Compression::fast()));
            // Writing into memory does not fail.
            let _ = encoder.write_all(&plain);
            plain.clear();
            if self.done {
                let encoder = self.encoder.take();
                return encoder
                    .map(GzEncoder::finish)
                    .transpose()
                    .unwrap_or_default()
                    .unwrap_or_default();
            }
            if encoder.get_ref().len() >= PIECE {
                return mem::take(encoder.get_mut());
            }
        }
        plain
    }
}

/// The rest of an answer, and the turn it holds while it is in memory.
type Rest = Arc<Mutex<Option<(Pieces, Turn)>>>;

/// Ends when it is dropped.
struct Watchdog(JoinHandle<()>);

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A body in pieces. Whoever has not read all of it by the deadline gets no
/// more, and the answer leaves memory, even when its reader stands still.
pub(crate) fn stream(first: Vec<u8>, pieces: Pieces, turn: Turn, deadline: Instant) -> Body {
    let rest: Rest = Arc::new(Mutex::new(Some((pieces, turn))));
    let watched = rest.clone();
    let watchdog = Watchdog(tokio::spawn(async move {
        tokio::time::sleep_until(deadline.into()).await;
        watched
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }));
    let mut first = Some(first);
    let mut ended = false;
    let next = move || {
        let _ = &watchdog;
        if let Some(first) = first.take() {
            return Some(Ok(first));
        }
        if ended {
            return None;
        }
        let mut rest = rest.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((pieces, _)) = rest.as_mut() else {
            ended = true;
            return Some(Err(io::Error::from(io::ErrorKind::TimedOut)));
        };
        let piece = pieces.next();
        if pieces.done() {
            ended = true;
            rest.take();
        }
        Some(Ok(piece))
    };
    Body::from_stream(stream::iter(std::iter::from_fn(next)))
}
