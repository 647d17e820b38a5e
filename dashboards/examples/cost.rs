//! What the templates cost: resident memory and time for each page.
//! `cargo run --release -p dashboards --example cost`

use std::hint::black_box;
use std::io::Write as _;
use std::time::{Duration, Instant};

use dashboards::{mail, page};

#[path = "../tests/it/mails.rs"]
mod mails;
#[path = "../tests/it/states.rs"]
mod states;
#[path = "../tests/it/trouble.rs"]
mod trouble;

const ROUNDS: u32 = 1000;

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout();
    let (pages, mails) = (states::all(), mails::all());
    writeln!(out, "start               {:>6} KiB anonymous", anonymous()?)?;
    black_box(mail::render(&mails::first())).ok();
    writeln!(out, "templates read      {:>6} KiB anonymous", anonymous()?)?;
    for (name, now) in &pages {
        let each = time(|| drop(black_box(page::render(now))));
        writeln!(
            out,
            "page {name:14} {:>6} KiB anonymous  {each:?} each",
            anonymous()?
        )?;
    }
    for (name, told) in &mails {
        let each = time(|| drop(black_box(mail::render(told))));
        writeln!(
            out,
            "mail {name:14} {:>6} KiB anonymous  {each:?} each",
            anonymous()?
        )?;
    }
    Ok(())
}

fn time(what: impl Fn()) -> Duration {
    let begun = Instant::now();
    (0..ROUNDS).for_each(|_| what());
    begun.elapsed() / ROUNDS
}

/// Anonymous resident memory of this process in KiB.
fn anonymous() -> std::io::Result<u64> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    Ok(number.unwrap_or(0))
}
