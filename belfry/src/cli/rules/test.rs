//! `belfry rules test`: unit tests of rules, as promtool reads them.

use std::path::Path;

use rules::Source;
use rules::unit_test::{self, Report};
use serde_json::{Value, json};
use settings::Fault;

use super::colour::Paint;
use super::{Files, as_json, place, plural, read};
use crate::exit::{self, Exit};
use crate::out;

/// What came of one file, with its text for the carets.
struct Outcome {
    name: String,
    text: String,
    result: Result<Report, Vec<Fault>>,
}

/// Runs the tests of all files; one that fails does not keep the others.
pub(super) fn run(files: &Files) -> Exit {
    let paint = Paint::for_output();
    let mut all = Vec::new();
    let (mut checked, mut wrong) = (0, 0);
    for path in &files.files {
        let outcome = one(path);
        match &outcome.result {
            Ok(report) => {
                checked += report.checked;
                wrong += report.failures.len();
            }
            Err(faults) => wrong += faults.len(),
        }
        // Told at once: some tests take their time.
        if files.json {
            all.push(program(&outcome));
        } else {
            tell(&outcome, paint);
        }
    }
    if files.json {
        out::line(json!({ "passed": wrong == 0, "files": all }));
    } else {
        out::line(format_args!(
            "{}, {} held against the rules, {} wrong",
            plural(files.files.len(), "file"),
            plural(checked, "expectation"),
            wrong
        ));
    }
    if wrong == 0 { exit::OK } else { exit::CRITICAL }
}

fn one(path: &Path) -> Outcome {
    let folder = path.parent().unwrap_or(Path::new(""));
    let name = path.display().to_string();
    match read(path) {
        Ok(source) => Outcome {
            result: unit_test::run(&source, |pattern| behind(folder, pattern)),
            text: source.text,
            name,
        },
        Err(fault) => Outcome {
            name,
            text: String::new(),
            result: Err(vec![fault]),
        },
    }
}

/// The rule files that a test names, from the folder of its file.
fn behind(folder: &Path, pattern: &str) -> Result<Vec<Source>, String> {
    let pattern = folder.join(pattern);
    let paths = rules::matching_files(&pattern).map_err(|err| err.to_string())?;
    if paths.is_empty() {
        return Err(format!("no file is behind {}", pattern.display()));
    }
    let texts = paths.iter().map(|path| read(path));
    texts
        .collect::<Result<_, Fault>>()
        .map_err(|fault| fault.to_string())
}

fn tell(outcome: &Outcome, paint: Paint) {
    let name = &outcome.name;
    match &outcome.result {
        Ok(report) if report.failures.is_empty() => out::line(format_args!(
            "{} {name}: {}",
            paint.good("ok  "),
            plural(report.checked, "expectation")
        )),
        Ok(report) => {
            out::line(format_args!(
                "{} {name}: {} of {} wrong",
                paint.bad("FAIL"),
                report.failures.len(),
                plural(report.checked, "expectation")
            ));
            for failure in &report.failures {
                let test = if failure.test.is_empty() {
                    String::new()
                } else {
                    format!("in {:?}, ", failure.test)
                };
                out::line(format_args!(
                    "{}: {test}{}",
                    failure.place,
                    painted(&failure.message, paint)
                ));
            }
        }
        Err(faults) => {
            out::line(format_args!("{} {name}: not run", paint.bad("FAIL")));
            for fault in faults {
                // A fault may stand in one of the rule files.
                let here = place(&fault.place).0 == name;
                let text = if here { &*outcome.text } else { "" };
                out::line(fault.show(text));
            }
        }
    }
}

/// What was expected in one colour, what was there in another.
fn painted(message: &str, paint: Paint) -> String {
    let lines: Vec<String> = message
        .lines()
        .map(|line| match line.trim_start() {
            word if word.starts_with("expected") => paint.good(line),
            word if word.starts_with("firing") || word.starts_with("got") => paint.bad(line),
            _ => line.to_owned(),
        })
        .collect();
    lines.join("\n")
}

fn program(outcome: &Outcome) -> Value {
    match &outcome.result {
        Ok(report) => {
            let failures: Vec<_> = report
                .failures
                .iter()
                .map(|failure| {
                    let (file, line, column) = place(&failure.place);
                    json!({
                        "file": file, "line": line, "column": column,
                        "test": failure.test, "message": failure.message,
                    })
                })
                .collect();
            json!({ "file": outcome.name, "checked": report.checked, "failures": failures, "faults": [] })
        }
        Err(faults) => {
            let faults: Vec<_> = faults.iter().map(as_json).collect();
            json!({ "file": outcome.name, "checked": 0, "failures": [], "faults": faults })
        }
    }
}
