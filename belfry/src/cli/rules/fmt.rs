//! `belfry rules fmt`: expressions in canonical form, in the files themselves.

use std::fs::{self, File, Metadata};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::Path;

use serde_json::{Value, json};
use settings::Fault;

use super::colour::Paint;
use super::{Files, as_json, place, plural, read};
use crate::exit::{self, Exit};
use crate::out;

/// What came of one file.
struct Outcome {
    name: String,
    text: String,
    result: Result<rules::Formatted, Vec<Fault>>,
    /// Why the new text is not in the file.
    unwritten: Option<io::Error>,
}

/// Formats each file, or with `check` says which would change.
pub(super) fn run(files: &Files, check: bool) -> Exit {
    let paint = Paint::for_output();
    let all: Vec<_> = files.files.iter().map(|path| one(path, check)).collect();
    if files.json {
        out::line(json!({ "files": all.iter().map(program).collect::<Vec<_>>() }));
    } else {
        for outcome in &all {
            tell(outcome, check, paint);
        }
    }
    let grade = |outcome: &Outcome| match &outcome.result {
        Err(_) => exit::CRITICAL,
        Ok(_) if outcome.unwritten.is_some() => exit::CRITICAL,
        Ok(done) if check && !done.changed.is_empty() => exit::WARNING,
        Ok(_) => exit::OK,
    };
    all.iter().map(grade).max().unwrap_or(exit::OK)
}

fn one(path: &Path, check: bool) -> Outcome {
    let mut outcome = Outcome {
        name: path.display().to_string(),
        text: String::new(),
        result: Err(Vec::new()),
        unwritten: None,
    };
    match read(path) {
        Ok(source) => {
            outcome.result = rules::format(&source);
            outcome.text = source.text;
        }
        Err(fault) => outcome.result = Err(vec![fault]),
    }
    if let Ok(done) = &outcome.result
        && !check
        && done.text != outcome.text
    {
        outcome.unwritten = replace(path, &done.text).err();
    }
    outcome
}

fn tell(outcome: &Outcome, check: bool, paint: Paint) {
    let name = &outcome.name;
    let done = match &outcome.result {
        Ok(done) => done,
        Err(faults) => {
            for fault in faults {
                out::line(format_args!(
                    "{} {}",
                    paint.bad("FAIL"),
                    fault.show(&outcome.text)
                ));
            }
            return;
        }
    };
    if let Some(err) = &outcome.unwritten {
        out::line(format_args!(
            "{} cannot write {name}: {err}",
            paint.bad("FAIL")
        ));
    } else if !done.changed.is_empty() {
        let verb = if check { "would change" } else { "changed" };
        let count = plural(done.changed.len(), "expression");
        out::line(format_args!(
            "{} {name}: {count} {verb}",
            paint.doubtful("fmt ")
        ));
    }
    for left in &done.left {
        out::line(format_args!("{} {left}", paint.doubtful("left")));
    }
}

fn program(outcome: &Outcome) -> Value {
    let mut faults = Vec::new();
    let (mut changed, mut left) = (Vec::new(), Vec::new());
    match &outcome.result {
        Ok(done) => {
            let at = done.changed.iter().map(place);
            changed.extend(at.map(|(_, line, column)| json!({ "line": line, "column": column })));
            left.extend(done.left.iter().map(as_json));
        }
        Err(found) => faults.extend(found.iter().map(as_json)),
    }
    json!({
        "file": outcome.name,
        "changed": changed,
        "left": left,
        "faults": faults,
        "unwritten": outcome.unwritten.as_ref().map(ToString::to_string),
    })
}

/// Puts a text in the place of a file, whole or not at all; its owner and its rights stay.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    // Behind a link it is the file that changes, not the link.
    let path = path.canonicalize()?;
    let about = fs::metadata(&path)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    // A file of that name would be somebody else's. The number of a process would not do:
    // in a container it is the same each time, and a crash leaves its file behind.
    let number = getrandom::u64().map_err(io::Error::other)?;
    name.push(format!(".{number:016x}.new"));
    let fresh = path.with_file_name(name);
    let mut file = File::create_new(&fresh)?;
    let written = write(&mut file, text, &about).and_then(|()| fs::rename(&fresh, &path));
    if written.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    written
}

fn write(file: &mut File, text: &str, about: &Metadata) -> io::Result<()> {
    file.write_all(text.as_bytes())?;
    let own = file.metadata()?;
    if (own.uid(), own.gid()) != (about.uid(), about.gid()) {
        fchown(&*file, Some(about.uid()), Some(about.gid()))?;
    }
    file.set_permissions(about.permissions())?;
    file.sync_all()
}
