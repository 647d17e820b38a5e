//! Runs Prometheus' own language tests, which lie beside the workspace as data.
//!
//! Every statement in scope must pass: as it stands, in the middle of a range
//! query, and with its selectors pinned by `@` while the time is another.

#![expect(
    clippy::unwrap_used,
    reason = "the files are what they are; a surprise in them has to end the test"
)]

mod check;
mod pin;
mod script;
mod values;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use script::{Script, Statement};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/conformance/promql")
}

#[test]
fn every_statement_in_scope_passes() {
    let folder = folder();
    let Ok(scope) = std::fs::read_to_string(folder.join("scope.json")) else {
        println!(
            "left out: no conformance data in {}; the tables in src/ still ran",
            folder.display()
        );
        return;
    };
    let scope: serde_json::Value = serde_json::from_str(&scope).unwrap();
    let lines: BTreeMap<String, Vec<usize>> =
        serde_json::from_value(scope["lines"].clone()).unwrap();
    let total = scope["total"].as_u64().unwrap();
    let (mut passed, mut failures) = (0, Vec::new());
    for (file, lines) in &lines {
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        let mut run = 0;
        for (line, outcome) in run_file(&text, lines) {
            run += 1;
            match outcome {
                Ok(()) => passed += 1,
                Err(what) => failures.push(format!("{file}:{line}: {what}")),
            }
        }
        assert_eq!(run, lines.len(), "statements found in {file}");
    }
    println!("{passed} of {total} statements in scope passed");
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    assert_eq!(passed, total);
}

fn run_file(text: &str, lines: &[usize]) -> Vec<(usize, Result<(), String>)> {
    let mut store = series::Store::new();
    let mut outcomes = Vec::new();
    for (line, statement) in Script::read(text) {
        match statement {
            Statement::Clear => store = series::Store::new(),
            Statement::Load(series) => {
                for (labels, samples) in series {
                    for (time, value) in samples {
                        // Some files state a series again; the first one counts.
                        let _ = store.append(&labels, time, value);
                    }
                }
            }
            Statement::Eval(eval) if lines.contains(&line) => {
                let outcome =
                    check::run(&store, &eval).map_err(|what| format!("{}\n  {what}", eval.query));
                outcomes.push((line, outcome));
            }
            Statement::Eval(_) => {}
        }
    }
    outcomes
}
