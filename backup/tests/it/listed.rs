//! The list of faults in `docs/backup-faults.md` names tests: each of them is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn sources(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|is| is == "rs") {
            into.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_test_that_the_list_of_faults_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let list = fs::read_to_string(root.join("docs/backup-faults.md")).unwrap();
    let mut all = String::new();
    for folder in [
        "backup/src",
        "backup/tests",
        "belfry/src",
        "belfry/tests",
        "healthchecks/src",
    ] {
        sources(&root.join(folder), &mut all);
    }
    // Names of tests are sentences; what else stands in quotes is none.
    let quoted = list.split('`').skip(1).step_by(2);
    let named: BTreeSet<_> = quoted
        .filter(|name| name.matches('_').count() > 2 && !name.contains(['/', '.', ' ']))
        .collect();
    assert!(named.len() > 60, "the list is read: {}", named.len());
    let missing: Vec<_> = named
        .iter()
        .filter(|name| !all.contains(&format!("fn {name}()")))
        .collect();
    assert!(missing.is_empty(), "no such tests: {missing:?}");
    // A row without a test is no row.
    let rows = list.split("## By name").nth(1).unwrap().lines();
    for row in rows.filter(|row| row.starts_with("| ")).skip(1) {
        let tests = row.split('|').nth(2).unwrap_or_default();
        assert!(tests.contains('`') || tests.contains("the same"), "{row}");
    }
}
