//! What was counted of one access log, and how far the log was read: both are
//! kept together, so that after a restart nothing is missing or counted twice.
//!
//! However many hosts clients make up, what is kept is bounded.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::config::{Config, Log};
use super::hosts::{Hosts, OTHER};
use super::line::{self, Line, Request};
use crate::tail::{Batch, Position};

/// Upper bounds in seconds. The shipped rules look at 1 and 5.
pub(super) const BOUNDS: [f64; 13] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];
/// The methods that are told apart.
pub(super) const METHODS: [&str; 9] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE",
];
/// So many pairs of method and status are told apart of one host and path.
const MOST_COUNTS: usize = 64;
/// So many pairs of host and path are told apart.
const MOST_PLACES: usize = 400;
/// The status of a connection that becomes something else, for hours maybe.
const SWITCHED: u16 = 101;

/// The counts of one log.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Tally {
    pub(super) position: Position,
    pub(super) hosts: Hosts,
    pub(super) lines: u64,
    /// Lines that could not be read, those that were too long included.
    pub(super) unreadable: u64,
    pub(super) rotations: u64,
    /// When a line came last, in milliseconds since 1970.
    pub(super) last_ms: Option<i64>,
    /// By host, then by path.
    pub(super) places: BTreeMap<String, BTreeMap<String, Place>>,
}

/// The counts of one host and path.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Place {
    /// Method as a place in [`METHODS`], status, and how many; a method that
    /// is none of these, and a status that is none, are behind their ends.
    pub(super) counts: Vec<(u8, u16, u64)>,
    /// Those up to each bound, and not up to the one before.
    pub(super) times: [u64; BOUNDS.len()],
    /// Requests whose time is known.
    pub(super) timed: u64,
    pub(super) seconds: f64,
    pub(super) bytes: u64,
}

/// How lines of a log are read and told apart.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reading {
    pub(super) log: Log,
    pub(super) hosts: Vec<String>,
    pub(super) most_hosts: usize,
    pub(super) paths: Vec<String>,
}

impl Reading {
    pub(super) fn new(log: &Log, config: &Config) -> Self {
        Self {
            log: log.clone(),
            hosts: config
                .hosts
                .iter()
                .map(|host| host.to_ascii_lowercase())
                .collect(),
            most_hosts: config.most_hosts as usize,
            paths: config.paths.clone(),
        }
    }
}

impl Tally {
    /// Counts a batch that came at `now_ms`.
    pub(super) fn take(&mut self, batch: &Batch, how: &Reading, now_ms: i64) {
        for line in batch.lines() {
            self.lines += 1;
            match line::read(line, how.log.format, &how.log.keys) {
                Line::Request(request) => self.count(&request, how, now_ms),
                Line::Other => {}
                Line::Unreadable => self.unreadable += 1,
            }
        }
        self.lines += batch.too_long;
        self.unreadable += batch.too_long;
        self.rotations += batch.rotations;
        if !batch.text.is_empty() || batch.too_long > 0 {
            self.last_ms = Some(now_ms);
        }
        self.position = batch.position.clone();
    }

    fn count(&mut self, request: &Request<'_>, how: &Reading, now_ms: i64) {
        let host = self.hosts.of(request, how, now_ms);
        for gone in self.hosts.gone() {
            self.places.remove(&gone);
        }
        let path = path(&request.path, &how.paths);
        self.place(&host, path).add(request);
    }

    fn place(&mut self, host: &str, path: &str) -> &mut Place {
        let (mut host, mut path) = (host, path);
        let paths = self.places.get(host);
        let is_known = paths.is_some_and(|paths| paths.contains_key(path));
        if !is_known && self.places.values().map(BTreeMap::len).sum::<usize>() >= MOST_PLACES {
            host = OTHER;
            path = if path.is_empty() { "" } else { OTHER };
        }
        let paths = self.places.entry(host.to_owned()).or_default();
        paths.entry(path.to_owned()).or_default()
    }
}

impl Place {
    fn add(&mut self, request: &Request<'_>) {
        let method = METHODS.iter().position(|method| *method == request.method);
        let mut key = (method.unwrap_or(METHODS.len()) as u8, request.status);
        let find = |counts: &[(u8, u16, u64)], key| {
            counts
                .iter()
                .position(|(method, status, _)| (*method, *status) == key)
        };
        let mut at = find(&self.counts, key);
        if at.is_none() && self.counts.len() >= MOST_COUNTS {
            key = (METHODS.len() as u8, request.status / 100 * 100);
            at = find(&self.counts, key);
        }
        match at {
            Some(at) => self.counts[at].2 += 1,
            None => self.counts.push((key.0, key.1, 1)),
        }
        self.bytes = self.bytes.saturating_add(request.bytes.unwrap_or(0));
        if let Some(seconds) = request.seconds.filter(|_| request.status != SWITCHED) {
            if let Some(at) = BOUNDS.iter().position(|bound| seconds <= *bound) {
                self.times[at] += 1;
            }
            self.timed += 1;
            self.seconds += seconds;
        }
    }
}

/// The pattern that a path fits; `other` where it fits none of them.
fn path<'a>(path: &str, patterns: &'a [String]) -> &'a str {
    if patterns.is_empty() {
        return "";
    }
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let mut patterns = patterns.iter();
    patterns
        .find(|pattern| fits(pattern, path))
        .map_or(OTHER, String::as_str)
}

/// Whether a text fits a pattern in which `*` is anything.
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests;
