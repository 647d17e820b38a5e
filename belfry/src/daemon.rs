//! What all programs have in common that run until a signal or a fault ends
//! them: their runtime, the signals they listen for, how they end.

use std::future::Future;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::{self, Exit};
use crate::files;
use crate::image;
use crate::log::Log;

/// Two workers: one that waits for nothing must be left when the other is busy.
const WORKERS: usize = 2;

/// Runs `work`, on at most so many threads where it may block, until it ends.
pub(crate) fn run(
    log: &Log,
    blocking: usize,
    work: impl Future<Output = anyhow::Result<()>>,
) -> Exit {
    files::raise();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(blocking)
        .enable_all()
        .build();
    let result = runtime.context("cannot start").and_then(|runtime| {
        runtime.spawn(image::let_go());
        let result = runtime.block_on(work);
        // A read that hangs must not hold up the end.
        runtime.shutdown_background();
        result
    });
    let exit = match result {
        Ok(()) => exit::OK,
        Err(err) => {
            log.say(format_args!("belfry: {err:#}"));
            exit::CRITICAL
        }
    };
    log.finish();
    exit
}

/// The signals that a program which runs takes notice of.
pub(crate) struct Signals {
    pub(crate) terminate: Signal,
    pub(crate) interrupt: Signal,
    pub(crate) hangup: Signal,
}

impl Signals {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let on = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            terminate: on(SignalKind::terminate())?,
            interrupt: on(SignalKind::interrupt())?,
            hangup: on(SignalKind::hangup())?,
        })
    }

    /// Waits for one that says to end.
    pub(crate) async fn end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
