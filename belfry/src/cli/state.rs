//! `belfry state check`: what is in the data folder holds together.

use serde_json::json;

use super::{Place, offline};
use crate::app;
use crate::exit::{self, Exit};
use crate::out;
use crate::state;

/// Checks the data folder; nothing in it is changed.
pub(super) fn check(place: &Place, json: bool) -> Result<Exit, Exit> {
    let dir = app::data_folder(&offline::glance(place)?);
    let findings = offline::wait(state::check(&dir))?;
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
    Ok(if sound { exit::OK } else { exit::CRITICAL })
}
