//! `belfry query` against a Belfry that runs.

use std::path::Path;
use std::process::{Command, Output};

use crate::support::alone::{Alone, Page, free_address};
use crate::support::belfry::Launch;
use crate::support::poll;
use crate::support::scratch::Scratch;

/// Exit code, what is printed, and what is said beside.
fn query(data: &Path, words: &[&str]) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(env!("CARGO_BIN_EXE_belfry"))
        .arg("query")
        .args(words)
        .arg("--data")
        .arg(data)
        .env_remove("BELFRY_CONFIG")
        .output()
        .expect("the binary runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn a_running_belfry_is_asked_for_values_and_courses() {
    let page = Page::serve("disk{mount=\"/\"} 0.25\ndisk{mount=\"/home\"} 12\n");
    let config = format!(
        "interval: 1s\nrules: {{pack: false, scrape: [{{job: app, targets: ['{}'], interval: 1s}}]}}",
        page.address
    );
    let belfry = Launch::with(&config).start();
    let data = belfry.data();
    poll::holds("the page should be scraped", || {
        query(&data, &["count_over_time(disk[1m]) > 1"]).0 == Some(0)
    });
    let (code, shown, _) = query(&data, &["disk"]);
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(code, Some(0), "{shown}");
    assert!(
        lines[0].starts_with("disk{instance=\"127.0.0.1:"),
        "{shown}"
    );
    assert_eq!(
        lines[1..],
        [
            "{mount=\"/\"}      0.25",
            "{mount=\"/home\"}    12",
            "2 series"
        ]
    );
    let (code, shown, _) = query(&data, &["1 + 1"]);
    assert_eq!((code, &*shown), (Some(0), "2\n"));
    let (code, shown, _) = query(&data, &["max(disk)", "--range", "30s", "--step", "1s"]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains('█') && shown.ends_with("12\n"), "{shown}");
    let (code, shown, _) = query(&data, &["disk", "--at", "-2d"]);
    assert_eq!((code, &*shown), (Some(1), "no series fits at this time\n"));
    let (code, shown, _) = query(&data, &["disk", "--json"]);
    let answer: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(code, Some(0));
    assert_eq!(answer["data"]["result"].as_array().map(Vec::len), Some(2));
}

#[test]
fn faults_are_told_in_words_and_by_the_exit_code() {
    let alone = Alone::start(Scratch::new(), "", &[]);
    let data = alone.scratch.path.join("data");
    let (code, shown, said) = query(&data, &["sum(up"]);
    assert_eq!((code, &*shown), (Some(3), ""));
    assert!(
        said.starts_with("belfry: ") && said.contains("parse error"),
        "{said}"
    );
    let (code, _, said) = query(&data, &["up", "--range", "1y", "--step", "1s"]);
    assert_eq!(code, Some(3));
    assert!(said.contains("11,000"), "{said}");
    let (code, _, said) = query(&data, &["up", "--at", "soon"]);
    assert_eq!(code, Some(3));
    assert!(said.contains("not a time"), "{said}");
    let nowhere = alone.scratch.path.join("nowhere");
    let (code, _, said) = query(&nowhere, &["up"]);
    assert_eq!(code, Some(3));
    assert!(said.contains("no belfry runs on the data folder"), "{said}");
    let (silent, _claim) = free_address();
    let silent = format!("http://user:hunter2@{silent}");
    let (code, _, said) = query(&nowhere, &["up", "--url", &silent]);
    assert_eq!(code, Some(3));
    assert!(
        said.contains("there is no answer") && !said.contains("hunter2"),
        "{said}"
    );
    let (code, shown, _) = query(&nowhere, &["vector(7)", "--url", &alone.url()]);
    assert_eq!((code, &*shown), (Some(0), "{}  7\n"));
}
