//! What the running program costs, measured on the release binary beside a real engine and mail server.
//!
//! Prints figures beside their budgets and asserts nothing. Processor time is
//! the process' own, so it means something on a busy machine too; times on the
//! clock do not.
//!
//! `BENCH_BINARY` names the binary, else it is the one that cargo built for this
//! bench. `BENCH_MINUTES` is the length of the long run, 10 if not set.
//! `BENCH_COMPARE`, binaries separated by colons, sets them beside each other
//! under load instead; `BENCH_ONLY` picks parts (size, start, page, rest, alerting, peers,
//! exporters, health) by name; the parts of `exporters` have names too.

#[cfg(test)]
mod alerting;
#[cfg(test)]
mod bare;
#[cfg(test)]
mod compare;
#[cfg(test)]
mod exporters;
#[cfg(test)]
mod figure;
#[cfg(test)]
mod health;
#[cfg(test)]
mod host;
#[cfg(test)]
mod page;
#[cfg(test)]
mod peers;
#[cfg(test)]
mod proc;
#[cfg(test)]
mod rest;
#[cfg(test)]
mod site;
#[cfg(test)]
mod start;
#[cfg(test)]
#[path = "../../tests/it/support/mod.rs"]
#[expect(dead_code, reason = "tests use the rest of it")]
mod support;

#[cfg(test)]
fn main() {
    // Run by a test runner, a bench only has to start.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    if let Ok(binaries) = std::env::var("BENCH_COMPARE") {
        return compare::run(binaries.split(':').map(Into::into).collect(), minutes());
    }
    let only = std::env::var("BENCH_ONLY").unwrap_or_default();
    let wanted = |name: &str| only.is_empty() || only.split(',').any(|part| part == name);
    figure::head();
    if wanted("size") {
        size();
    }
    if wanted("start") {
        start::run();
    }
    if wanted("page") {
        page::run();
    }
    if wanted("rest") {
        rest::run(minutes());
    }
    if wanted("health") {
        health::run();
    }
    exporters::run(minutes(), wanted);
    if wanted("alerting") {
        alerting::run();
    }
    if wanted("peers") {
        peers::run();
    }
}

#[cfg(not(test))]
fn main() {}

/// The length of long runs.
#[cfg(test)]
fn minutes() -> u32 {
    std::env::var("BENCH_MINUTES").map_or(10, |text| text.parse().expect("a number of minutes"))
}

/// The binary to measure.
#[cfg(test)]
fn binary() -> std::path::PathBuf {
    std::env::var_os("BENCH_BINARY").map_or_else(|| env!("CARGO_BIN_EXE_belfry").into(), Into::into)
}

#[cfg(test)]
fn size() {
    let bytes = std::fs::metadata(binary()).expect("the binary").len();
    figure::budget("binary", bytes as f64 / 1e6, "MB", 30.0);
}
