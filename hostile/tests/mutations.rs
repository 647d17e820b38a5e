//! Samples of every kind of input, changed at random: none may be read with harm.
//!
//! The changes are the same in each run; `SEED` in the environment chooses others,
//! `ROUNDS` more of them. A failure prints the bytes.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use hostile::ENTRIES;

/// Changes of each entry's samples.
const ROUNDS: usize = 1000;

/// No input may cost more than this. Far beyond what any does, even where the
/// machine is busy: only work without an end gets there.
const LONG: Duration = Duration::from_secs(60);

const WORDS: [&str; 24] = [
    "{{",
    "}}",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "\\",
    "\n",
    "#",
    "# EOF\n",
    "le=\"",
    "expr:",
    "1e999",
    "-",
    "NaN",
    "offset",
    "[9y:1ms]",
    "\u{0}",
    "é",
    "range",
    "9223372036854775807",
];

struct Dice(u64);

impl Dice {
    fn below(&mut self, count: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % count.max(1)
    }
}

/// Some bytes of `one`, with pieces of `two` and of nothing in particular.
fn changed(dice: &mut Dice, one: &[u8], two: &[u8]) -> Vec<u8> {
    let mut out = one.to_vec();
    for _ in 0..=dice.below(4) {
        let at = dice.below(out.len() + 1);
        let end = (at + 1 + dice.below(12)).min(out.len());
        match dice.below(8) {
            0 if at < out.len() => out[at] ^= 1 << dice.below(8),
            1 if at < out.len() => out[at] = [0, 1, 0x7f, 0x80, 0xff][dice.below(5)],
            2 => drop(out.drain(at.min(end)..end)),
            3 => out.truncate(at),
            4 => {
                let word = WORDS[dice.below(WORDS.len())].as_bytes();
                out.splice(at..at, word.iter().copied());
            }
            5 => {
                let piece = out[at.min(end)..end].to_vec();
                let to = dice.below(out.len() + 1);
                out.splice(to..to, piece);
            }
            6 => {
                let from = dice.below(two.len());
                let piece = &two[from..(from + 1 + dice.below(40)).min(two.len())];
                out.splice(at..at, piece.iter().copied());
            }
            _ => {
                let piece = out[at.min(end)..end].repeat(1 + dice.below(60));
                out.splice(at..at, piece);
            }
        }
    }
    out
}

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

fn throw(name: &str) {
    let (_, entry, samples) = ENTRIES.into_iter().find(|entry| entry.0 == name).unwrap();
    let samples = samples();
    assert!(samples.len() > 1);
    let seed = number("SEED", 1);
    println!("seed {seed}");
    let mut dice = Dice(seed as u64 * 0x9e37_79b9 + 1);
    for sample in &samples {
        entry(sample);
    }
    for _ in 0..number("ROUNDS", ROUNDS) {
        let one = &samples[dice.below(samples.len())];
        let two = &samples[dice.below(samples.len())];
        let bytes = changed(&mut dice, one, two);
        let began = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| entry(&bytes)));
        let shown = String::from_utf8_lossy(&bytes);
        assert!(outcome.is_ok(), "{name}: {bytes:?}\n{shown}");
        assert!(began.elapsed() < LONG, "{name}: {bytes:?}\n{shown}");
    }
}

#[test]
fn pages_are_read_without_harm() {
    throw("exposition");
}

#[test]
fn queries_are_read_without_harm() {
    throw("promql");
}

#[test]
fn rule_files_are_read_without_harm() {
    throw("rule_files");
}

#[test]
fn templates_are_read_without_harm() {
    throw("templates");
}

#[test]
fn bodies_of_remote_write_are_read_without_harm() {
    throw("remote_write");
}

#[test]
fn chunks_and_roll_ups_are_read_without_harm() {
    throw("chunks");
}

#[test]
fn answers_to_probes_are_read_without_harm() {
    throw("wire");
}

#[test]
fn configurations_of_the_alerter_are_read_without_harm() {
    throw("alerting");
}

#[test]
fn matchers_are_read_without_harm_and_everywhere_alike() {
    throw("matchers");
}

#[test]
fn requests_for_the_alerters_api_are_answered_without_harm() {
    throw("alert_api");
}

#[test]
fn lines_of_logs_are_read_without_harm() {
    throw("log_lines");
}

#[test]
fn pings_are_taken_without_harm() {
    throw("ping");
}

#[test]
fn answers_of_peers_are_taken_without_harm() {
    throw("peers");
}

#[test]
fn modules_for_probes_are_read_without_harm() {
    throw("blackbox");
}

#[test]
fn mails_that_came_back_are_read_without_harm() {
    throw("bounces");
}

#[test]
fn archives_are_unpacked_without_harm() {
    throw("archives");
}

#[test]
fn compose_files_are_read_without_harm() {
    throw("compose_files");
}

#[test]
fn configurations_of_proxies_are_read_without_harm() {
    throw("sites");
}

#[test]
fn every_entry_has_a_fuzz_target_of_its_name() {
    let targets = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/fuzz_targets");
    let files = std::fs::read_dir(targets).unwrap().flatten();
    let mut targets: Vec<_> = files
        .map(|file| file.file_name().into_string().unwrap().replace(".rs", ""))
        .collect();
    targets.sort_unstable();
    let mut entries = ENTRIES.map(|entry| entry.0);
    entries.sort_unstable();
    assert_eq!(targets, entries);
}

#[test]
fn files_of_the_kernel_are_read_without_harm() {
    throw("kernel_files");
}

#[test]
fn answers_of_the_exporters_sources_are_read_without_harm() {
    throw("sources");
}
