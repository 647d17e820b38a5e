//! Bytes from outside, thrown at everything that reads them.
//!
//! Each function here takes any bytes at all and must come back: it panics where
//! a reader breaks a promise, such as that what it prints it also reads. The
//! targets under `fuzz/` call them with bytes that a fuzzer finds, the test of
//! this crate with samples that are changed at random, the same in each run.
//! No program uses this crate.

mod alerting;
mod archive;
mod bounces;
mod compose_files;
mod files;
mod health;
mod kernel;
mod log;
mod page;
mod peers;
mod query;
mod rule_file;
mod sites;
mod sources;
mod template;
mod wire;
mod write;

pub use alerting::{alert_api, alerting, matchers};
pub use archive::archive;
pub use bounces::bounces;
pub use compose_files::compose_files;
pub use files::files;
pub use health::{blackbox, ping};
pub use kernel::kernel;
pub use log::log;
pub use page::page;
pub use peers::peers;
pub use query::query;
pub use rule_file::rule_file;
pub use sites::sites;
pub use sources::sources;
pub use template::template;
pub use wire::wire;
pub use write::write;

/// A way in: its name, which is also the one of its fuzz target, what takes the bytes, and samples that are sound.
pub type Entry = (&'static str, fn(&[u8]), fn() -> Vec<Vec<u8>>);

/// All ways in.
pub const ENTRIES: [Entry; 20] = [
    ("archives", archive, archive::samples),
    ("alerting", alerting, alerting::alerting_samples),
    ("alert_api", alert_api, alerting::alert_api_samples),
    ("bounces", bounces, bounces::samples),
    ("blackbox", blackbox, health::blackbox_samples),
    ("compose_files", compose_files, compose_files::samples),
    ("exposition", page, page::samples),
    ("peers", peers, peers::samples),
    ("ping", ping, health::ping_samples),
    ("promql", query, query::samples),
    ("rule_files", rule_file, rule_file::samples),
    ("sites", sites, sites::samples),
    ("sources", sources, sources::samples),
    ("templates", template, template::samples),
    ("wire", wire, wire::samples),
    ("remote_write", write, write::samples),
    ("chunks", files, files::samples),
    ("kernel_files", kernel, kernel::samples),
    ("log_lines", log, log::samples),
    ("matchers", matchers, alerting::matchers_samples),
];

/// All times here are around this one, in milliseconds since 1970.
const NOW: i64 = 1_700_000_000_000;

/// A store with a few series of some minutes.
fn store() -> series::Store {
    let store = series::Store::new();
    for (name, host) in [
        ("up", "a"),
        ("up", "b"),
        ("x_total", "a"),
        ("x_bucket", "a"),
    ] {
        let labels = [("__name__", name), ("host", host), ("le", "0.5")];
        let labels = exposition::Labels::from_pairs(labels);
        for at in 0..20 {
            // Those that are refused are not missed.
            let _ = store.append(&labels, NOW - (20 - at) * 15_000, at as f64 / 4.0);
        }
    }
    store
}

/// An engine whose queries end soon.
fn engine() -> promql::Engine {
    promql::Engine::new(promql::Limits {
        samples: 20_000,
        timeout: std::time::Duration::from_secs(2),
        ..promql::Limits::default()
    })
}

/// Samples of text as bytes.
fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}
