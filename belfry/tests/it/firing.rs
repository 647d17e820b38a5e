//! The shipped rules fire for real: each where its condition can be made true
//! on this test bed. `docs/rules.md` lists them, and why the others are tested
//! with made-up series only.
//!
//! The rules are copies in which every duration (`for:`, ranges, offsets, and the
//! limits that are times) is divided by sixty, so that minutes become seconds;
//! what must hold for hours by sixty times that. Nothing else differs.

mod api;
mod backups;
mod caddy;
mod celery;
mod containers;
mod copies;
mod guest;
mod host;
mod itself;
mod kernel;
mod logs;
mod machines;
mod postgres;
mod probes;
mod redis;
mod servers;
mod targets;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use std::{fmt, thread};

use serde_json::Value;

use crate::setup::Setup;
use crate::support::belfry::{Belfry, Launch};
use crate::support::poll;
use crate::support::prometheus::escaped;
use crate::support::scratch::Scratch;

/// Longer than the longest `for:` that a test here waits for, and its range.
const PATIENCE: Duration = Duration::from_secs(300);

/// A Belfry with the quick rules.
struct Watched {
    belfry: Belfry,
    _kept: Kept,
}

/// What must stay for as long as it runs: the rules, and what the setup wrote.
struct Kept {
    rules: Scratch,
    setup: Setup,
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
fn quick(setup: Setup) -> (String, Kept) {
    let scratch = Scratch::new();
    for (name, text) in rules::pack::FILES {
        scratch.file(name, &quickened(text));
    }
    let files = scratch.path.join("*.yml");
    let setup = setup.part(&format!("rules: {{pack: false, files: [{files:?}]}}"));
    let kept = Kept {
        rules: scratch,
        setup,
    };
    (kept.setup.config(), kept)
}

impl Watched {
    fn start(setup: Setup) -> Self {
        let (config, kept) = quick(setup);
        Self::launch(Launch::with(&config), kept)
    }

    #[track_caller]
    fn launch(launch: Launch, kept: Kept) -> Self {
        Self {
            belfry: launch.start(),
            _kept: kept,
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
            for firing in self.fired(started.elapsed()) {
                wanted.remove(&firing);
            }
            thread::sleep(Duration::from_millis(200));
        }
    }

    /// Waits until an expression gives something.
    #[track_caller]
    fn is_known(&self, expr: &str) {
        let path = format!("/api/v1/query?query={}", escaped(expr));
        poll::holds(expr, || {
            let answer = self.belfry.get(&path).json();
            answer["data"]["result"]
                .as_array()
                .is_some_and(|all| !all.is_empty())
        });
    }

    /// What fires now, and what has fired in this time, be it for a moment.
    fn fired(&self, within: Duration) -> Vec<Level> {
        let expr = format!(
            "count_over_time(ALERTS{{alertstate=\"firing\"}}[{}s])",
            within.as_secs().max(1)
        );
        let path = format!("/api/v1/query?query={}", escaped(&expr));
        let answer = self.belfry.get(&path).json();
        let series = answer["data"]["result"].as_array().cloned();
        let label = |one: &Value, name: &str| {
            let label = one["metric"][name].as_str().unwrap_or_default();
            label.to_owned()
        };
        let mut all = self.firing();
        all.extend(
            series
                .iter()
                .flatten()
                .map(|one| Level(label(one, "alertname"), label(one, "severity"))),
        );
        all
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

/// Limits that are times themselves, and what becomes of them.
const LIMITS: [(&str, &str); 7] = [
    (
        "queue_oldest_age_seconds > 900",
        "queue_oldest_age_seconds > 15",
    ),
    (
        "queue_oldest_age_seconds > 7200",
        "queue_oldest_age_seconds > 120",
    ),
    (
        "(celery_task_queue_wait_time_bucket[15m]))\n          ) > 300",
        "(celery_task_queue_wait_time_bucket[15m]))\n          ) > 5",
    ),
    (
        "(belfry_postgres_idle_in_transaction_seconds) > 600",
        "(belfry_postgres_idle_in_transaction_seconds) > 10",
    ),
    (") > 1800\n", ") > 30\n"),
    (
        "pg_replication_lag_seconds > 300",
        "pg_replication_lag_seconds > 5",
    ),
    (
        "probe_duration_seconds[15m]) > 3 ",
        "probe_duration_seconds[15m]) > 0.05 ",
    ),
];

/// What holds for so long or longer, in seconds, is divided twice.
const LONG: u64 = 6 * 3600;

/// The rules with every duration divided by sixty.
fn quickened(text: &str) -> String {
    let mut text = text.to_owned();
    for (limit, short) in LIMITS {
        text = text.replace(limit, short);
    }
    let mut out = String::new();
    for line in text.lines() {
        let hold = ["for: ", "keep_firing_for: "]
            .iter()
            .find_map(|key| Some((key, line.trim().strip_prefix(key)?)));
        match hold {
            Some((key, duration)) => {
                let indent = &line[..line.len() - line.trim_start().len()];
                let twice = seconds(duration) >= LONG;
                let by = if twice { 3600 } else { 60 };
                out.push_str(&format!("{indent}{key}{}", divided(duration, by)));
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
            out.push_str(&divided(duration, 60));
        } else {
            out.push_str(duration);
        }
        rest = behind;
    }
    out + rest
}

fn seconds(duration: &str) -> u64 {
    let (number, unit) = duration.split_at(duration.len() - 1);
    let seconds: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => panic!("not a duration: {duration}"),
    };
    number.parse::<u64>().expect("a number") * seconds
}

fn divided(duration: &str, by: u64) -> String {
    format!("{}ms", seconds(duration) * 1000 / by)
}

#[test]
fn only_durations_differ_in_the_quick_rules() {
    assert_eq!(
        quickened("  for: 10m\n  expr: rate(a[5m]) offset 1h > 600 and b[1d]\n  for: 2d\n"),
        "  for: 10000ms\n  expr: rate(a[5000ms]) offset 60000ms > 600 and b[1440000ms]\n  for: 48000ms\n"
    );
    for (limit, _) in LIMITS {
        let in_pack = |(_, text): &(&str, &str)| text.contains(limit);
        assert!(rules::pack::FILES.iter().any(in_pack), "{limit}");
    }
    for (name, text) in rules::pack::FILES {
        let quick = rules::Source {
            name: name.into(),
            text: quickened(text),
        };
        assert!(rules::check(&[quick])[0].faults.is_empty(), "{name}");
    }
}

/// The tests below, as they are written: what they wait for is what fires.
const TESTS: [&str; 17] = [
    include_str!("firing/api.rs"),
    include_str!("firing/backups.rs"),
    include_str!("firing/caddy.rs"),
    include_str!("firing/celery.rs"),
    include_str!("firing/containers.rs"),
    include_str!("firing/guest.rs"),
    include_str!("firing/guest/shortage.rs"),
    include_str!("firing/host.rs"),
    include_str!("firing/itself.rs"),
    include_str!("firing/kernel.rs"),
    include_str!("firing/logs.rs"),
    include_str!("firing/machines.rs"),
    include_str!("firing/postgres.rs"),
    include_str!("firing/probes.rs"),
    include_str!("firing/redis.rs"),
    include_str!("firing/servers.rs"),
    include_str!("firing/targets.rs"),
];

/// Those whose conditions are made of copies of what the kernel would say.
const COPIES: &str = include_str!("firing/copies.rs");

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
                let waited = format!("(\"{name}\", \"{level}\")");
                let real = TESTS.iter().any(|text| text.contains(&waited));
                let told = cell == "yes" || cell.split(", ").any(|one| one == level);
                assert_eq!(real, told, "{name} {level}: {cell}");
                let copied = !real && COPIES.contains(&waited);
                assert_eq!(copied, cell.starts_with("by a copy"), "{name}: {cell}");
            }
            let reason = cell.strip_prefix("no: ").is_none_or(|why| why.len() > 5);
            assert!(reason, "{name}: {cell}");
        }
    }
    assert!(rows.is_empty(), "no such rules: {rows:?}");
}

/// The text of every source below a folder, tests left out.
fn sources(folder: &std::path::Path, out: &mut String) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() {
            if name != "tests" && name != "target" && name != "shared" {
                sources(&path, out);
            }
        } else if path.extension().is_some_and(|end| end == "rs") {
            out.push_str(&std::fs::read_to_string(&path).expect("a source"));
        }
    }
}

#[test]
fn every_name_of_our_own_that_a_rule_asks_for_is_written_by_a_part() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let mut written = String::new();
    for part in [
        "alerter",
        "backup",
        "belfry",
        "exporter",
        "healthchecks",
        "rules",
    ] {
        sources(&std::path::Path::new(root).join(part), &mut written);
    }
    let known = |name: &str| {
        let family = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| name.strip_suffix(end));
        // What is also told under the name of a peer is written with a place for it.
        [Some(name), family].iter().flatten().any(|name| {
            let placed = name.replacen("belfry_", "{program}_", 1);
            [*name, &placed]
                .iter()
                .any(|name| written.contains(&format!("\"{name}\"")))
        })
    };
    let mut missing = BTreeSet::new();
    for (_, text) in rules::pack::FILES {
        for word in text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_') {
            if word.starts_with("belfry_") && !known(word) {
                missing.insert(word);
            }
        }
    }
    assert!(missing.is_empty(), "nobody writes {missing:?}");
}
