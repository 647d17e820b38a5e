//! `belfry rules check`: all faults of all files at once.

use rules::{Checked, Source};
use serde_json::json;

use super::colour::Paint;
use super::{Files, as_json, plural, read};
use crate::exit::{self, Exit};
use crate::out;

/// Checks; the exit code is that of the worst thing found.
pub(super) fn run(files: &Files) -> Exit {
    let (mut sources, mut unread) = (Vec::new(), Vec::new());
    for path in &files.files {
        match read(path) {
            Ok(source) => sources.push(source),
            Err(fault) => unread.push(fault),
        }
    }
    let checked = rules::check(&sources);
    let faults = unread.len() + checked.iter().map(|one| one.faults.len()).sum::<usize>();
    let lints: usize = checked.iter().map(|one| one.lints.len()).sum();
    if files.json {
        let all: Vec<_> = checked
            .iter()
            .map(|one| {
                json!({
                    "file": one.file,
                    "groups": one.groups,
                    "alerts": one.alerts,
                    "records": one.records,
                    "faults": one.faults.iter().map(as_json).collect::<Vec<_>>(),
                    "warnings": one.lints.iter().map(as_json).collect::<Vec<_>>(),
                })
            })
            .collect();
        let unread: Vec<_> = unread.iter().map(as_json).collect();
        out::line(json!({ "files": all, "unreadable": unread }));
    } else {
        let paint = Paint::for_output();
        for (one, source) in checked.iter().zip(&sources) {
            tell(one, source, paint);
        }
        for fault in &unread {
            out::line(format_args!("{} {fault}", paint.bad("FAIL")));
        }
        out::line(format_args!(
            "{}, {}, {}",
            plural(files.files.len(), "file"),
            plural(faults, "fault"),
            plural(lints, "warning")
        ));
    }
    match (faults, lints) {
        (0, 0) => exit::OK,
        (0, _) => exit::WARNING,
        _ => exit::CRITICAL,
    }
}

fn tell(one: &Checked, source: &Source, paint: Paint) {
    let grade = match (one.faults.is_empty(), one.lints.is_empty()) {
        (true, true) => paint.good("ok  "),
        (true, false) => paint.doubtful("warn"),
        (false, _) => paint.bad("FAIL"),
    };
    out::line(format_args!(
        "{grade} {}: {}, {}, {}",
        one.file,
        plural(one.groups, "group"),
        plural(one.alerts, "alerting rule"),
        plural(one.records, "recording rule")
    ));
    for fault in &one.faults {
        out::line(fault.show(&source.text));
    }
    for lint in &one.lints {
        out::line(format_args!(
            "{} {}",
            paint.doubtful("warning:"),
            lint.show(&source.text)
        ));
    }
}
