//! Runs Prometheus' own language tests, which lie beside the workspace as data.
//!
//! Every statement in scope must pass: as it stands, in the middle of a range
//! query, and with its selectors pinned by `@` while the time is another.
//!
//! Where no such data lies beside the workspace the statements are left out, and that
//! is said. CI must not pass without them where the folder for data is there.

#![expect(
    clippy::unwrap_used,
    reason = "the files are what they are; a surprise in them has to end the test"
)]

mod check;
mod pin;
mod script;
mod values;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use script::{Script, Statement};

/// The folder for data beside the workspace; absent where there is none at all.
fn shared() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared")
}

/// Whether the statements may be left out for want of data.
fn may_be_left_out(on_ci: bool, shared: &Path) -> bool {
    !on_ci || !shared.exists()
}

#[test]
fn on_ci_statements_are_left_out_only_where_no_data_lies_beside_the_workspace() {
    let (there, absent) = (Path::new(env!("CARGO_MANIFEST_DIR")), Path::new("/absent"));
    assert!(!may_be_left_out(true, there));
    assert!(may_be_left_out(true, absent));
    assert!(may_be_left_out(false, there));
}

#[test]
fn every_statement_in_scope_passes() {
    let shared = shared();
    let folder = shared.join("conformance/promql");
    let Ok(scope) = std::fs::read_to_string(folder.join("scope.json")) else {
        let told = format!(
            "LEFT OUT: no conformance data in {}; the tables in src/ still ran\n",
            folder.display()
        );
        // Not by a macro, whose words are kept from who runs tests that pass.
        std::io::stderr().write_all(told.as_bytes()).unwrap();
        let on_ci = std::env::var_os("CI").is_some();
        assert!(
            may_be_left_out(on_ci, &shared),
            "on CI the data must be there"
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
