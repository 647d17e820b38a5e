//! What the commands have in common that look from outside: they take what can
//! be known of the configuration, and wait for answers on one thread.

use dashboards::time::Zone;

use super::Place;
use super::client::There;
use crate::config::{self, Config};
use crate::exit::{self, Exit};
use crate::out;

/// The configuration as far as it can be known; what is wrong with it is told
/// and hinders nobody who looks, unless the data folder cannot be known.
pub(super) fn glance(place: &Place) -> Result<Config, Exit> {
    match config::glance(place) {
        Ok((config, None)) => Ok(config),
        Ok((config, Some(err))) => {
            let told = out::told(&err, &std::io::stderr());
            out::error(format_args!(
                "{told}\nbelfry: the configuration is at fault; looking with what can be known of it"
            ));
            Ok(config)
        }
        Err(err) => {
            let told = out::told(&err, &std::io::stderr());
            out::error(format_args!(
                "{told}\nbelfry: the data folder cannot be known; name it with --data"
            ));
            Err(exit::USAGE)
        }
    }
}

/// The time zone of the configuration; this host's for a Belfry elsewhere.
pub(super) fn zone(place: &Place, there: &There) -> Zone {
    let here = || match config::glance(place) {
        Ok((config, _)) => config.zone(),
        Err(_) => jiff::tz::TimeZone::system(),
    };
    Zone(match there.url {
        None => here(),
        Some(_) => jiff::tz::TimeZone::system(),
    })
}

/// Waits for an answer; what still blocks then is left behind.
pub(super) fn wait<T>(answer: impl Future<Output = T>) -> Result<T, Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => {
            let answer = runtime.block_on(answer);
            runtime.shutdown_background();
            Ok(answer)
        }
        Err(err) => {
            out::error(format_args!("belfry: cannot start: {err}"));
            Err(exit::USAGE)
        }
    }
}
