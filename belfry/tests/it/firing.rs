//! The shipped rules fire for real: each where its condition can be made true
//! on this test bed. `docs/rules.md` lists them, and why the others are tested
//! with made-up series only.
//!
//! The rules are copies in which every duration (`for:`, ranges, offsets) is
//! divided by sixty, so that minutes become seconds; nothing else differs.

mod api;
mod containers;
mod host;
mod itself;
mod servers;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use std::{fmt, thread};

use crate::setup::Setup;
use crate::support::belfry::{Belfry, Launch};
use crate::support::scratch::Scratch;

/// Longer than the longest `for:` that a test here waits for, and its range.
const PATIENCE: Duration = Duration::from_secs(180);

/// A Belfry with the quick rules.
struct Watched {
    belfry: Belfry,
    _rules: Scratch,
}

/// A level of an alert.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Level(String, String);

impl fmt::Debug for Level {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} ({})", self.0, self.1)
    }
}

/// The configuration with the quick rules in the place of the shipped ones.
fn quick(setup: Setup) -> (String, Scratch) {
    let scratch = Scratch::new();
    for (name, text) in rules::pack::FILES {
        scratch.file(name, &quickened(text));
    }
    let files = scratch.path.join("*.yml");
    let setup = setup.part(&format!("rules: {{pack: false, files: [{files:?}]}}"));
    (setup.config(), scratch)
}

impl Watched {
    fn start(setup: Setup) -> Self {
        let (config, rules) = quick(setup);
        Self {
            belfry: Launch::with(&config).start(),
            _rules: rules,
        }
    }

    /// Waits until each of these has fired at least once, and does `stir`
    /// again and again meanwhile.
    #[track_caller]
    fn fires(&self, wanted: &[(&str, &str)], mut stir: impl FnMut()) {
        let mut wanted: BTreeSet<Level> = wanted
            .iter()
            .map(|(name, severity)| Level((*name).to_owned(), (*severity).to_owned()))
            .collect();
        let started = Instant::now();
        while !wanted.is_empty() {
            assert!(
                started.elapsed() < PATIENCE,
                "these never fired: {wanted:?}"
            );
            stir();
            for firing in self.firing() {
                wanted.remove(&firing);
            }
            thread::sleep(Duration::from_millis(200));
        }
    }

    fn firing(&self) -> Vec<Level> {
        let answer = self.belfry.get("/api/v1/alerts").json();
        let alerts = answer["data"]["alerts"].as_array().expect("alerts");
        alerts
            .iter()
            .filter(|alert| alert["state"] == "firing")
            .map(|alert| {
                let label = |name: &str| alert["labels"][name].as_str().unwrap_or_default();
                Level(label("alertname").to_owned(), label("severity").to_owned())
            })
            .collect()
    }
}

/// The rules with every duration divided by sixty.
fn quickened(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let hold = ["for: ", "keep_firing_for: "]
            .iter()
            .find_map(|key| Some((key, line.trim().strip_prefix(key)?)));
        match hold {
            Some((key, duration)) => {
                let indent = &line[..line.len() - line.trim_start().len()];
                out.push_str(&format!("{indent}{key}{}", divided(duration)));
            }
            None => out.push_str(&windows(line)),
        }
        out.push('\n');
    }
    out
}

/// A line whose ranges and offsets are divided.
fn windows(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = [rest.find('['), rest.find("offset ").map(|at| at + 6)]
        .into_iter()
        .flatten()
        .min()
    {
        let (head, tail) = rest.split_at(at + 1);
        out.push_str(head);
        let end = tail
            .find(|letter: char| !letter.is_ascii_alphanumeric())
            .unwrap_or(tail.len());
        let (duration, behind) = tail.split_at(end);
        // `[1-5]` in a pattern is no range.
        if duration.ends_with(['s', 'm', 'h', 'd']) && duration.len() > 1 {
            out.push_str(&divided(duration));
        } else {
            out.push_str(duration);
        }
        rest = behind;
    }
    out + rest
}

fn divided(duration: &str) -> String {
    let (number, unit) = duration.split_at(duration.len() - 1);
    let seconds: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => panic!("not a duration: {duration}"),
    };
    let number: u64 = number.parse().expect("a number");
    format!("{}ms", number * seconds * 1000 / 60)
}

#[test]
fn only_durations_differ_in_the_quick_rules() {
    assert_eq!(
        quickened("  for: 10m\n  expr: rate(a[5m]) offset 1h > 600 and b[1d]\n"),
        "  for: 10000ms\n  expr: rate(a[5000ms]) offset 60000ms > 600 and b[1440000ms]\n"
    );
    for (name, text) in rules::pack::FILES {
        let quick = rules::Source {
            name: name.into(),
            text: quickened(text),
        };
        assert!(rules::check(&[quick])[0].faults.is_empty(), "{name}");
    }
}

/// The tests below, as they are written: what they wait for is what fires.
const TESTS: [&str; 5] = [
    include_str!("firing/api.rs"),
    include_str!("firing/containers.rs"),
    include_str!("firing/host.rs"),
    include_str!("firing/itself.rs"),
    include_str!("firing/servers.rs"),
];

#[test]
fn the_list_of_rules_is_complete_and_says_what_fires_for_real() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/rules.md");
    let list = std::fs::read_to_string(file).expect("the list of rules");
    let mut rows = list.lines().filter(|line| line.starts_with("| "));
    rows.next();
    let mut rows: Vec<Vec<&str>> = rows.map(|row| row.split(" | ").collect()).collect();
    for (file, text) in rules::pack::FILES {
        let mut levels: Vec<(&str, Vec<&str>)> = Vec::new();
        for line in text.lines() {
            if let Some(name) = line.trim().strip_prefix("- alert: ") {
                if levels.iter().all(|(have, _)| *have != name) {
                    levels.push((name, Vec::new()));
                }
            } else if let Some((_, rest)) = line.split_once("severity: ") {
                let level = rest.split(',').next().expect("a level");
                let last = levels.iter_mut().next_back().expect("an alert");
                last.1.push(level);
            }
        }
        for (name, levels) in levels {
            let at = rows.iter().position(|row| row[1] == name);
            let row = rows.remove(at.unwrap_or_else(|| panic!("{name} is not listed")));
            assert_eq!(
                row[0].trim_start_matches("| "),
                file.trim_end_matches(".yml")
            );
            let cell = row[3].trim_end_matches(" |");
            for level in levels {
                assert!(row[2].split(", ").any(|one| one == level), "{name} {level}");
                let real = TESTS
                    .iter()
                    .any(|text| text.contains(&format!("(\"{name}\", \"{level}\")")));
                let told = cell == "yes" || cell.split(", ").any(|one| one == level);
                assert_eq!(real, told, "{name} {level}: {cell}");
            }
            let reason = cell.strip_prefix("no: ").is_none_or(|why| why.len() > 5);
            assert!(reason, "{name}: {cell}");
        }
    }
    assert!(rows.is_empty(), "no such rules: {rows:?}");
}
