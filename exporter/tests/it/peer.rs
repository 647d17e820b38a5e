//! An established exporter beside ours: every family, series and value that it
//! has must be on our page, but for the differences that we chose.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use exposition::{Entry, Kind, NAME};

/// Where the differences are listed, each with its reason.
const DIFFERENCES: &str = "docs/exporter-differences.md";
/// Values may differ by so much of the larger one.
const TOLERANCE: f64 = 0.05;

/// What a program written in Go tells of itself.
const OF_A_PROGRAM: [&str; 3] = ["go_", "process_", "promhttp_"];

/// A page: the type of each family, and the value of each series.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) types: BTreeMap<String, Kind>,
    pub(crate) values: BTreeMap<String, f64>,
}

impl Page {
    /// Reads a page. The labels in `without` are left out.
    pub(crate) fn parse(text: &str, without: &[&str]) -> Self {
        let mut page = Self::default();
        for entry in exposition::parse(text) {
            match entry.unwrap_or_else(|err| panic!("{err}: {text}")) {
                Entry::Type(name, kind) => {
                    let before = page.types.insert(name.to_owned(), kind);
                    assert_eq!(before, None, "{name} is there twice");
                }
                Entry::Sample(sample) => {
                    let mut labels: Vec<String> = sample
                        .labels
                        .iter()
                        .filter(|(name, value)| {
                            *name != NAME && !value.is_empty() && !without.contains(name)
                        })
                        .map(|(name, value)| format!("{name}=\"{value}\""))
                        .collect();
                    labels.sort();
                    let mut series = sample.labels.get(NAME).to_owned();
                    if !labels.is_empty() {
                        series.push_str(&format!("{{{}}}", labels.join(",")));
                    }
                    let before = page.values.insert(series.clone(), sample.value);
                    assert_eq!(before, None, "{series} is there twice");
                }
                _ => {}
            }
        }
        page
    }

    pub(crate) fn value(&self, series: &str) -> Option<f64> {
        self.values.get(series).copied()
    }
}

/// What an address serves, by the oldest form of HTTP, which has no chunks.
pub(crate) fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.contains(" 200 ").then(|| body.to_owned())
}

/// How much of a peer's page is on ours, in per cent.
#[derive(Debug)]
pub(crate) struct Shares {
    /// Families that are there with the same type, of all.
    pub(crate) families: f64,
    /// Series that are there, of those beyond the listed differences.
    pub(crate) series: f64,
    /// Of those that are there, volatile ones too, values as the peer's before or after or between.
    pub(crate) values: f64,
}

impl Shares {
    fn of(before: &Page, ours: &Page, after: &Page, chosen: &[String]) -> Self {
        let told = |name: &str| !OF_A_PROGRAM.iter().any(|prefix| name.starts_with(prefix));
        let part = |some: usize, all: usize| some as f64 / all as f64 * 100.0;
        let families: Vec<_> = before.types.iter().filter(|(name, _)| told(name)).collect();
        let same = families
            .iter()
            .filter(|of| ours.types.get(of.0) == Some(of.1));
        // What another program takes away in between is nobody's fault.
        let stays = |of: &(&String, &f64)| told(of.0) && after.values.contains_key(of.0);
        let series: Vec<_> = before.values.iter().filter(stays).collect();
        let wanted = |name: &str| !chosen.iter().any(|pattern| fits(pattern, name));
        let (mut all, mut here, mut read, mut right) = (0, 0, 0, 0);
        for (name, low) in series {
            let high = after.value(name).unwrap_or(*low);
            let value = ours.value(name);
            if !wanted(name) {
                continue;
            }
            all += 1;
            here += usize::from(value.is_some());
            if let Some(value) = value {
                read += 1;
                let is_close = close(*low, high, value);
                right += usize::from(is_close);
                if !is_close {
                    println!("{name}: {low} to {high} there, {value} here");
                }
            }
        }
        Self {
            families: part(same.count(), families.len()),
            series: part(here, all),
            values: part(right, read),
        }
    }
}

/// Looks at the peer's page, at ours and at the peer's again until ours fits between them:
/// what wavers while others work on the machine may do so for a while, not for ever. Ours
/// of then.
pub(crate) async fn between(
    theirs: impl Fn() -> String,
    ours: impl AsyncFn() -> String,
    ignored: &[&str],
    section: &str,
    volatile: &[&str],
) -> Page {
    let began = Instant::now();
    let mut before = Page::parse(&theirs(), ignored);
    loop {
        let own = Page::parse(&ours().await, ignored);
        let after = Page::parse(&theirs(), ignored);
        match compared(&before, &own, &after, section, volatile) {
            Ok(_) => return own,
            Err(faults) => assert!(
                began.elapsed() < Duration::from_secs(120),
                "{}",
                faults.join("\n")
            ),
        }
        before = after;
    }
}

/// Compares ours with the peer's page before and after it. `section` is the
/// heading in the list of differences; of what `volatile` fits, values are not
/// compared one by one, but are in the shares that are returned.
pub(crate) fn compared(
    before: &Page,
    ours: &Page,
    after: &Page,
    section: &str,
    volatile: &[&str],
) -> Result<Shares, Vec<String>> {
    let chosen = differences(section);
    let excused = |series: &str| {
        let own = OF_A_PROGRAM.iter().any(|prefix| series.starts_with(prefix));
        own || chosen.iter().any(|pattern| fits(pattern, series))
    };
    let mut faults = Vec::new();
    let mut compared = 0;
    for (name, kind) in &before.types {
        match ours.types.get(name) {
            _ if excused(name) => {}
            None => faults.push(format!("the family {name} is missing")),
            Some(other) if other != kind => {
                faults.push(format!("{name}: {kind:?} there, {other:?} here"));
            }
            Some(_) => {}
        }
    }
    for (series, low) in before.values.iter().filter(|(series, _)| !excused(series)) {
        compared += 1;
        let high = after.value(series).unwrap_or(*low);
        match ours.value(series) {
            // A mount of another program that went away in between.
            None if after.value(series).is_none() => {}
            None => faults.push(format!("{series} is missing")),
            Some(_) if volatile.iter().any(|pattern| fits(pattern, series)) => {}
            Some(value) if !close(*low, high, value) => {
                faults.push(format!("{series}: {low} to {high} there, {value} here"));
            }
            Some(_) => {}
        }
    }
    if compared <= 50 {
        faults.push("the peer tells next to nothing".to_owned());
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let shares = Shares::of(before, ours, after, &chosen);
    println!("{section}: {shares:.2?} per cent of the peer's");
    Ok(shares)
}

fn close(low: f64, high: f64, value: f64) -> bool {
    if low.is_nan() || high.is_nan() {
        return value.is_nan();
    }
    let slack = TOLERANCE * low.abs().max(high.abs());
    (low.min(high) - slack..=low.max(high) + slack).contains(&value)
}

/// The patterns of a section: the first cell of each row of its table.
pub(crate) fn differences(section: &str) -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(DIFFERENCES);
    let text = std::fs::read_to_string(&file).unwrap();
    let (_, rest) = text
        .split_once(&format!("\n## {section}\n"))
        .unwrap_or_else(|| panic!("{DIFFERENCES} has no section {section}"));
    let rest = rest.split("\n## ").next().unwrap_or_default();
    let rows = rest.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| Some(row.split_once('`')?.0.to_owned()))
        .collect()
}

/// Whether a pattern with `*` for anything fits the whole text.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        if let Some(part) = last.replace(part) {
            match rest.split_once(part) {
                Some((_, behind)) => rest = behind,
                None => return false,
            }
        }
    }
    last.map_or(rest.is_empty(), |part| rest.ends_with(part))
}
