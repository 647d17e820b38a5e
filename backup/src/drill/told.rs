//! What a drill came to is told beside the copy: by a mark, and by a report that survives
//! this host as the copy does.

use std::time::Duration;

use tokio::time::timeout;

use super::Report;
use crate::catalogue::Copy;
use crate::id::Id;
use crate::marks::{Kind, Mark};
use crate::run::Say;
use crate::target::Target;

/// A target that does not answer must not hold up the end with a report. A mark is worth
/// all the time that a target has for anything.
const REPORTING: Duration = Duration::from_secs(60);

/// Stands for what is read of an encrypted copy: who may see the copy may not read it.
const UNTOLD: &str = "told only on the host that drilled, since the copy is encrypted";

/// Marks a copy with what was found, and puts the report beside it. That a mark of a copy
/// that is not sound was not taken is of the report: retention goes on counting the copy.
pub(super) async fn told(report: &mut Report, target: &Target, copy: &Copy, say: Say<'_>) {
    let Some(id) = Id::parse(&copy.manifest.id) else {
        return;
    };
    let shelf = copy.manifest.shelf();
    let at_ms = report.started_ms;
    let put = async |kind, text| {
        let put = Mark { kind, at_ms }.set_with(target, &shelf, &id, text);
        put.await.map_err(|err| err.to_string())
    };
    let name = target.name();
    let refused = |what: &str, err: &str| {
        tracing::warn!(
            target = name,
            copy = copy.manifest.id,
            "the target does not take the {what}: {err}"
        );
        say(format!("warn    {name} does not take the {what}: {err}"));
    };
    let found = match (report.passed, report.unsound) {
        (true, _) => Some(Kind::Drilled),
        (false, true) => Some(Kind::Unsound),
        (false, false) => None,
    };
    if let Some(kind) = found
        && let Err(err) = put(kind, json(&open(report, copy))).await
    {
        refused("mark", &err);
        if let Some(why) = report.error.as_mut().filter(|_| report.unsound) {
            why.push_str(&format!("; {name} does not take the mark of that: {err}"));
        }
    }
    let shown = open(report, copy);
    let text = format!("{}\n```json\n{}```\n", shown.markdown(), json(&shown));
    let put = timeout(REPORTING, put(Kind::Report, text)).await;
    if let Err(err) = put.unwrap_or_else(|_| Err("it does not answer".to_owned())) {
        refused("report", &err);
    }
}

fn json(report: &Report) -> String {
    serde_json::to_string_pretty(report).unwrap_or_default() + "\n"
}

/// The report without what was read of a copy that is encrypted.
fn open(report: &Report, copy: &Copy) -> Report {
    let mut open = report.clone();
    let manifest = &copy.manifest;
    if manifest
        .pieces
        .iter()
        .all(|piece| piece.recipients.is_empty())
    {
        return open;
    }
    for check in &mut open.checks {
        UNTOLD.clone_into(&mut check.answer);
        // Names of files, where no question of the user's is asked.
        if manifest.files.is_some() {
            UNTOLD.clone_into(&mut check.sql);
        }
    }
    if let Some(error) = &mut open.error {
        UNTOLD.clone_into(error);
    }
    open
}
