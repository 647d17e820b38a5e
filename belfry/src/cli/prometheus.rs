//! `belfry prometheus`: in Prometheus' place, until a signal or a fault ends it.

use std::ffi::OsString;
use std::sync::Arc;

use anyhow::Context as _;

use super::Place;
use crate::daemon::{self, Signals};
use crate::exit::{self, Exit};
use crate::prometheus::{self, Alone, Setup};
use crate::web::{self, Door};
use crate::{log, out};

pub(super) use crate::prometheus::Flags;

/// Takes flags out of the command line that mean nothing here; returns what is
/// left, and those flags.
pub(super) fn sift(words: &[OsString]) -> Result<(Vec<OsString>, Vec<String>), String> {
    let plain = |word: &OsString| word.clone().into_string().ok();
    // What is no text is no flag that we know.
    let Some(texts) = words.iter().map(plain).collect::<Option<Vec<_>>>() else {
        return Ok((words.to_vec(), Vec::new()));
    };
    let sifted = prometheus::sift(texts)?;
    let words = sifted.words.into_iter().map(OsString::from).collect();
    Ok((words, sifted.idle))
}

/// Runs; a configuration that is at fault ends it before anything starts.
pub(super) fn run(place: &Place, mut flags: Flags, idle: &[String]) -> Exit {
    if place.data.is_some() || place.listen.is_some() {
        out::error(
            "belfry: here it is --storage.tsdb.path and --web.listen-address, not --data and --listen",
        );
        return exit::USAGE;
    }
    let door = match web::door(flags.web_config.as_deref()) {
        Ok(door) => door,
        Err(reason) => {
            out::error(reason);
            return exit::USAGE;
        }
    };
    flags.scheme = web::scheme(door.as_ref());
    let setup = match Setup::load(&flags, flags.listen_address.port()) {
        Ok(setup) => setup,
        Err(faults) => {
            out::error(format_args!(
                "{}\nbelfry: the configuration is at fault; nothing was started",
                prometheus::lines(&faults)
            ));
            return exit::USAGE;
        }
    };
    let log = log::start(flags.log_level, flags.log_format);
    for flag in idle {
        tracing::warn!("{flag} changes nothing here");
    }
    for remark in &setup.remarks {
        tracing::warn!("{remark}");
    }
    daemon::run(&log, 32, alone(flags, setup, door))
}

async fn alone(flags: Flags, setup: Setup, door: Option<Arc<Door>>) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let file = flags.config_file.clone();
    // On a task of its own: a start that hangs must not hold up the signals.
    let scheme = flags.scheme;
    let start = tokio::spawn(Alone::start(flags, setup, door));
    let mut alone = tokio::select! {
        started = start => started.context("the start failed")??,
        () = signals.end() => return Ok(()),
    };
    out::line(format_args!(
        "belfry {} in Prometheus' place\nconfig {}\napi    {scheme}://{}",
        env!("CARGO_PKG_VERSION"),
        file.display(),
        alone.address()
    ));
    loop {
        tokio::select! {
            _ = signals.terminate.recv() => break,
            _ = signals.interrupt.recv() => break,
            _ = signals.hangup.recv() => {
                // The reason of a refusal is logged where it is found. Not awaited
                // here: a file that cannot be read must not hold up the signals.
                let shared = Arc::clone(alone.shared());
                tokio::spawn(async move { shared.reload().await });
            }
            // Told so over HTTP, or a fault.
            result = alone.ended() => return result,
        }
    }
    tracing::info!("stopping; a second signal ends at once");
    tokio::select! {
        result = alone.stop() => result,
        () = signals.end() => Err(anyhow::anyhow!("ended at once by a second signal")),
    }
}
