//! One stream, sealed once, into every target at the same time.
//!
//! A target that fails leaves the others alone. A source that fails leaves
//! nothing anywhere: no target hears of an end, and gives up what it has.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::age::Recipient;
use crate::apart;
use crate::seal::{Sealer, Sum};
use crate::target::{Error, Flow, Target};

/// How many blocks may wait for each target.
const WAITING: usize = 4;

/// How a stream is sealed.
#[derive(Debug, Clone)]
pub struct Sealing {
    /// zstd's level.
    pub level: i32,
    /// To whom it is encrypted; nobody: it is not.
    pub recipients: Vec<Recipient>,
}

/// Takes what a source gives.
#[derive(Debug)]
pub struct Feed {
    give: mpsc::Sender<Raw>,
    given: AtomicU64,
}

enum Raw {
    Bytes(Bytes),
    End,
}

/// Nobody takes anything any more: every target has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped;

impl Feed {
    /// Gives the next bytes.
    ///
    /// # Errors
    /// When every target has failed.
    pub async fn give(&self, bytes: Bytes) -> Result<(), Stopped> {
        let count = bytes.len() as u64;
        let given = self.give.send(Raw::Bytes(bytes)).await;
        self.given.fetch_add(count, Ordering::Relaxed);
        given.map_err(|_| Stopped)
    }

    /// How many bytes were taken so far.
    #[must_use]
    pub fn given(&self) -> u64 {
        self.given.load(Ordering::Relaxed)
    }
}

/// How a stream went.
#[derive(Debug)]
pub struct Sent<T> {
    /// What the source said at its end.
    pub value: T,
    /// What the stream was; nothing when no target took it to its end.
    pub sum: Option<Sum>,
    /// How it went for each target, in their order.
    pub targets: Vec<Result<(), Error>>,
}

/// Sends what `source` gives to the targets, under one key. A source that does
/// not return well has sent nothing.
///
/// # Errors
/// The source's own.
pub async fn send<T, E>(
    targets: &[Target],
    key: &str,
    expected: u64,
    sealing: &Sealing,
    source: impl AsyncFnOnce(&Feed) -> Result<T, E>,
) -> Result<Sent<T>, E> {
    let mut takers = Vec::new();
    let mut taking = JoinSet::new();
    for (at, target) in targets.iter().enumerate() {
        let (give, flow) = mpsc::channel(WAITING);
        takers.push(Some(give));
        let (target, key) = (target.clone(), key.to_owned());
        taking.spawn(async move { (at, target.take(&key, expected, flow).await) });
    }
    let (give, mut raw) = mpsc::channel(WAITING);
    let sealing = sealing.clone();
    // It takes as long as the source does.
    let sealed = apart::thread(move || seal(&sealing, &mut raw, takers));
    let given = AtomicU64::default();
    let feed = Feed { give, given };
    let value = source(&feed).await;
    if value.is_ok() {
        // Whoever does not take it has said so, or will.
        let _ = feed.give.send(Raw::End).await;
    }
    drop(feed);
    let sealed = match sealed {
        Ok(sealed) => sealed
            .await
            .unwrap_or_else(|_| Err(io::Error::other("the sealing panicked"))),
        Err(err) => Err(io::Error::other(err)),
    };
    let mut results: Vec<_> = targets
        .iter()
        .map(|_| Err(Error::Failed("it panicked".into())))
        .collect();
    while let Some(joined) = taking.join_next().await {
        if let Ok((at, result)) = joined {
            results[at] = result;
        }
    }
    let value = value?;
    let sum = match sealed {
        Ok(sum) => sum,
        Err(err) => {
            // Before any target: they were only told to give up.
            let failed = Error::Failed(format!("cannot seal: {err}"));
            let told = |result: &mut Result<(), Error>| {
                if *result == Err(Error::Abandoned) {
                    *result = Err(failed.clone());
                }
            };
            results.iter_mut().for_each(told);
            None
        }
    };
    Ok(Sent {
        value,
        sum,
        targets: results,
    })
}

/// Seals until the end; nothing when the source failed, or all targets did.
fn seal(
    sealing: &Sealing,
    raw: &mut mpsc::Receiver<Raw>,
    mut takers: Vec<Option<mpsc::Sender<Flow>>>,
) -> io::Result<Option<Sum>> {
    let pass = |flow: &Flow, takers: &mut Vec<Option<mpsc::Sender<Flow>>>| {
        for taker in takers.iter_mut() {
            if taker
                .as_ref()
                .is_some_and(|taker| taker.blocking_send(flow.clone()).is_err())
            {
                *taker = None;
            }
        }
        if takers.iter().all(Option::is_none) {
            return Err(io::Error::new(
                io::ErrorKind::BrokenPipe,
                "every target has failed",
            ));
        }
        Ok(())
    };
    let mut sealer = Sealer::new(sealing.level, &sealing.recipients, |block| {
        pass(&Flow::Block(block), &mut takers)
    })?;
    loop {
        match raw.blocking_recv() {
            Some(Raw::Bytes(bytes)) => sealer.write_all(&bytes)?,
            Some(Raw::End) => break,
            None => return Ok(None),
        }
    }
    let sum = sealer.finish()?;
    pass(&Flow::End(sum.clone()), &mut takers)?;
    Ok(Some(sum))
}
