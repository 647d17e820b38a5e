//! `belfry run`: the watch, until a signal or a fault ends it.

use anyhow::Context as _;

use super::Place;
use crate::app::App;
use crate::config::{self, Loaded};
use crate::daemon::{self, Signals};
use crate::exit::{self, Exit};
use crate::log;
use crate::out;

/// Runs; a configuration that is at fault ends it before anything starts.
pub(super) fn run(place: &Place) -> Exit {
    let loaded = match config::load(place) {
        Ok(loaded) => loaded,
        Err(err) => {
            out::error(format_args!(
                "{}\nbelfry: the configuration is at fault; nothing was started",
                out::told(&err, &std::io::stderr())
            ));
            return exit::USAGE;
        }
    };
    let log = log::start(loaded.config.log.level, log::Form::Text);
    daemon::run(&log, 16, watch(loaded, place.clone()))
}

async fn watch(loaded: Loaded, place: Place) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let file = loaded.file.clone();
    let host = loaded.config.host_name();
    // On a task of its own: a start that hangs must not hold up the signals.
    let start = tokio::spawn(App::start(loaded, place));
    let mut app = tokio::select! {
        started = start => started.context("the start failed")??,
        () = signals.end() => return Ok(()),
    };
    let address = app.address();
    out::line(format_args!(
        "belfry {} watches {host}",
        env!("CARGO_PKG_VERSION")
    ));
    match file {
        Some(file) => out::line(format_args!("config {}", file.display())),
        None => {
            out::line(
                "config none found, defaults serve (belfry config reference lists every key)",
            );
        }
    }
    out::line(format_args!("page   http://{address}"));
    if address.ip().is_loopback() {
        let port = address.port();
        out::line(format_args!(
            "       from elsewhere: ssh -L {port}:127.0.0.1:{port} {host}, then http://localhost:{port}"
        ));
    }
    loop {
        tokio::select! {
            _ = signals.terminate.recv() => break,
            _ = signals.interrupt.recv() => break,
            _ = signals.hangup.recv() => {
                // The reason of a refusal is logged where it is found. Not awaited
                // here: a file that cannot be read must not hold up the signals.
                let watch = std::sync::Arc::clone(app.watch());
                tokio::spawn(async move { watch.reload().await });
            }
            result = app.ended() => return result.and_then(|()| Err(anyhow::anyhow!("the watch ended by itself"))),
        }
    }
    tracing::info!("stopping; a second signal ends at once");
    tokio::select! {
        result = app.stop() => result,
        () = signals.end() => Err(anyhow::anyhow!("ended at once by a second signal")),
    }
}
