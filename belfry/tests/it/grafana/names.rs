//! Which metrics a query reads, and which there are.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The contracts of the established exporters, beside the workspace. Where they
/// are absent, what our own sources name has to do.
const CONTRACTS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../shared/reference/metrics"
);
const SOURCES: [&str; 5] = [
    concat!(env!("CARGO_MANIFEST_DIR"), "/../alerter/src"),
    concat!(env!("CARGO_MANIFEST_DIR"), "/../backup/src"),
    concat!(env!("CARGO_MANIFEST_DIR"), "/../exporter/src"),
    concat!(env!("CARGO_MANIFEST_DIR"), "/../healthchecks/src"),
    concat!(env!("CARGO_MANIFEST_DIR"), "/src"),
];

/// Names that applications and proxies give to their own metrics.
const APPLICATIONS: [&str; 2] = ["http_requests_total", "http_request_duration_seconds"];

/// The names of metrics in an expression.
pub(crate) fn of(expr: &str) -> BTreeSet<String> {
    let mut bare = String::new();
    // Without texts, matchers and ranges.
    let (mut quoted, mut depth) = (false, 0_u32);
    for letter in expr.chars() {
        match letter {
            '"' => quoted = !quoted,
            '{' | '[' if !quoted => depth += 1,
            '}' | ']' if !quoted => {
                depth -= 1;
                bare.push(' ');
            }
            _ if quoted || depth > 0 => {}
            letter => bare.push(letter),
        }
    }
    // Without the lists of labels behind these words.
    for word in [
        "by",
        "without",
        "on",
        "ignoring",
        "group_left",
        "group_right",
    ] {
        while let Some(at) = bare.find(&format!(" {word} (")) {
            let end = bare[at..].find(')').expect("a closed list") + at;
            bare.replace_range(at..=end, " ");
        }
    }
    let mut names = BTreeSet::new();
    let mut rest = bare.as_str();
    while let Some(at) = rest.find(|letter: char| letter.is_ascii_alphabetic() || letter == '_') {
        let before = rest[..at].chars().next_back();
        rest = &rest[at..];
        let end = rest
            .find(|letter: char| !(letter.is_ascii_alphanumeric() || "_:".contains(letter)))
            .unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        rest = behind;
        let number = before.is_some_and(|letter| letter.is_ascii_digit() || letter == '$');
        let called = behind.trim_start().starts_with('(');
        let keyword = ["and", "or", "unless", "bool", "offset"].contains(&word);
        if !number && !called && !keyword {
            names.insert(word.to_owned());
        }
    }
    names
}

/// All names that the contracts, our pages, our sources and the shipped rules have.
pub(crate) fn known(page: &str) -> Known {
    let mut names: BTreeSet<String> = ["up", "scrape_duration_seconds", "ALERTS"]
        .iter()
        .chain(&APPLICATIONS)
        .map(|name| (*name).to_owned())
        .collect();
    let families = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    names.extend(families.filter_map(|line| line.split(' ').next().map(str::to_owned)));
    for (_, text) in rules::pack::FILES {
        let records = text.lines();
        names.extend(
            records.filter_map(|line| line.trim().strip_prefix("- record: ").map(str::to_owned)),
        );
    }
    match fs::read_dir(CONTRACTS) {
        Ok(files) => {
            for file in files.flatten() {
                let text = fs::read_to_string(file.path()).unwrap_or_default();
                let first = text.lines().filter_map(|line| line.split('\t').next());
                names.extend(first.map(str::to_owned));
            }
        }
        Err(_) => println!("{CONTRACTS} is absent: contracts of other exporters are left out"),
    }
    let mut sources = String::new();
    for folder in SOURCES {
        read_all(Path::new(folder), &mut sources);
    }
    Known { names, sources }
}

/// What is exported.
pub(crate) struct Known {
    names: BTreeSet<String>,
    sources: String,
}

impl Known {
    pub(crate) fn contains(&self, name: &str) -> bool {
        let family = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|part| name.strip_suffix(part));
        [Some(name), family]
            .into_iter()
            .flatten()
            .any(|name| self.names.contains(name) || self.sources.contains(&format!("\"{name}\"")))
    }
}

fn read_all(folder: &Path, out: &mut String) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            read_all(&path, out);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            out.push_str(&fs::read_to_string(&path).unwrap_or_default());
        }
    }
}

#[test]
fn names_are_told_from_labels_functions_and_words() {
    for (expr, expected) in [
        ("up", vec!["up"]),
        (
            "100 * sum by (job, le) (rate(a_total{b=\"c{d\"}[5m])) / on (job) group_left (x) b:c > 5e8",
            vec!["a_total", "b:c"],
        ),
        ("count(up == 0) or vector(0)", vec!["up"]),
        ("a unless on (name) b offset 5m", vec!["a", "b"]),
    ] {
        assert_eq!(of(expr).into_iter().collect::<Vec<_>>(), expected, "{expr}");
    }
}
