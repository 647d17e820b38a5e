//! Backups beside the commands that they stand in for: the same data, the same
//! machine, in turns.
//!
//! Prints figures and asserts nothing. `BENCH_MIB` is about how large the dump is,
//! 1024 if not set; `BENCH_FILES` how many small files there are, 1000000 if not
//! set; `BENCH_RUNS` how often each is done, 5 if not set, but what takes long and
//! varies little (gzip, the aws command, restores, archives of files) three times at
//! most. Words pick parts: `cargo bench -p backup -- retention database files`.

#[cfg(test)]
#[path = "backup/child.rs"]
mod child;
#[cfg(test)]
#[path = "../../belfry/tests/it/support/claim.rs"]
#[expect(dead_code, reason = "networks are claimed by tests")]
mod claim;
#[cfg(test)]
#[path = "../tests/it/cluster.rs"]
#[expect(dead_code, reason = "tests use the rest of it")]
mod cluster;
#[cfg(test)]
#[path = "backup/database.rs"]
mod database;
#[cfg(test)]
#[path = "backup/files.rs"]
mod files;
#[cfg(test)]
#[path = "backup/place.rs"]
mod place;
#[cfg(test)]
#[path = "backup/sink.rs"]
mod sink;
#[cfg(test)]
#[path = "../tests/it/store.rs"]
#[expect(dead_code, reason = "tests use the rest of it")]
mod store;

#[cfg(not(test))]
fn main() {}

#[cfg(test)]
fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    // Run by a test runner, a bench only has to start.
    if words.iter().any(|word| word == "--test") {
        return;
    }
    if words.first().is_some_and(|word| word == child::WORD) {
        return child::run(&words[1..]);
    }
    let wanted: Vec<_> = words.iter().filter(|word| !word.starts_with('-')).collect();
    for (name, part) in [
        ("retention", retention as fn()),
        ("database", || {
            database::run(number("BENCH_MIB", 1024), number("BENCH_RUNS", 5));
        }),
        ("files", || {
            files::run(number("BENCH_FILES", 1_000_000), number("BENCH_RUNS", 5));
        }),
    ] {
        if wanted.is_empty() || wanted.iter().any(|word| *word == name) {
            part();
        }
    }
}

#[cfg(test)]
fn number(variable: &str, usual: usize) -> usize {
    std::env::var(variable).map_or(usual, |text| text.parse().expect("a number"))
}

/// Prints a figure.
#[cfg(test)]
fn plain(name: &str, value: f64, unit: &str) {
    println!("{name:<58} {value:>10.2} {unit}");
}

/// Prints a figure that should be no larger than another.
#[cfg(test)]
fn budget(name: &str, value: f64, unit: &str, most: f64) {
    let ratio = value / most;
    println!("{name:<58} {value:>10.2} {unit:<5} of {most:>8.2} {ratio:>6.2}");
}

#[cfg(test)]
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Ten thousand backups, one an hour, a few of them bad or pinned.
#[cfg(test)]
fn retention() {
    use std::time::Instant;

    use backup::Keep;
    use backup::retain::{Held, Proof, plan};
    use jiff::tz::TimeZone;

    const NOW: i64 = 1_787_454_600_000;
    let held: Vec<_> = (0..10_000)
        .map(|at| Held {
            id: format!("{at:08}"),
            started_ms: NOW - at * 3_600_000,
            good: at % 17 != 3,
            pinned_until_ms: (at % 500 == 7).then_some(NOW + 1),
            proof: Proof::default(),
        })
        .collect();
    let zone = TimeZone::get("Europe/Berlin").expect("a zone");
    let times = (0..21).map(|_| {
        let began = Instant::now();
        let planned = plan(&held, &Keep::default(), &zone, NOW, true);
        assert_eq!(planned.expect("a plan").len(), held.len());
        began.elapsed().as_secs_f64() * 1e3
    });
    let time = median(times.collect());
    budget("retention of 10,000 backups planned", time, "ms", 50.0);
}
