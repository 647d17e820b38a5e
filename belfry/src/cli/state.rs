//! `belfry state check`: what is in the data folder holds together.

use serde_json::json;

use super::Place;
use crate::app;
use crate::config;
use crate::exit::{self, Exit};
use crate::out;
use crate::state;

/// Checks the data folder; nothing in it is changed.
pub(super) fn check(place: &Place, json: bool) -> Exit {
    let loaded = match config::load(place) {
        Ok(loaded) => loaded,
        Err(err) => {
            out::error(err);
            return exit::USAGE;
        }
    };
    let dir = app::data_folder(&loaded.config);
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(err) => {
            out::error(format_args!("belfry: cannot start: {err}"));
            return exit::USAGE;
        }
    };
    let findings = runtime.block_on(state::check(&dir));
    let sound = findings.iter().all(|finding| finding.sound);
    if json {
        let findings: Vec<_> = findings
            .iter()
            .map(|finding| json!({ "what": finding.what, "sound": finding.sound, "said": finding.said }))
            .collect();
        out::line(json!({ "folder": dir, "sound": sound, "findings": findings }));
    } else {
        out::line(format_args!("data folder {}", dir.display()));
        for finding in &findings {
            let word = if finding.sound { "ok" } else { "FAIL" };
            out::line(format_args!(
                "{word:<5} {:<9} {}",
                finding.what, finding.said
            ));
        }
    }
    if sound { exit::OK } else { exit::CRITICAL }
}
