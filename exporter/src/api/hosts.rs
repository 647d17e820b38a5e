//! Which hosts are told apart.
//!
//! Clients may ask for any name. One that an answer below 400 was given for is
//! a host of ours, and is told apart at once while there is room; any other
//! must be asked for several times. A host that was asked for last long ago
//! makes room when another comes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::line::Request;
use super::tally::Reading;

/// What is not told apart.
pub(super) const OTHER: &str = "other";
/// A host that is only ever refused is told apart after so many requests.
const OFTEN: u32 = 20;
/// So many of those are remembered.
const MOST_DOUBTFUL: usize = 256;
/// A host that nobody has asked for since makes room for another, in milliseconds.
const IDLE_MS: i64 = 6 * 3_600_000;
/// No host's name is longer.
const LONGEST: usize = 253;

/// The hosts of one log.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Hosts {
    /// Those that are told apart, with the time of the last request.
    known: BTreeMap<String, i64>,
    #[serde(skip)]
    doubtful: BTreeMap<String, u32>,
    /// Those that made room.
    #[serde(skip)]
    gone: Vec<String>,
}

impl Hosts {
    /// The label `host` of a request; empty where its line names none.
    pub(super) fn of(&mut self, request: &Request<'_>, how: &Reading, now_ms: i64) -> String {
        let Some(host) = plain(&request.host) else {
            return if request.host.is_empty() { "" } else { OTHER }.to_owned();
        };
        let is_known = if !how.hosts.is_empty() {
            how.hosts.contains(&host)
        } else if let Some(last_ms) = self.known.get_mut(&host) {
            *last_ms = now_ms;
            true
        } else {
            let ours = (100..400).contains(&request.status) || self.is_asked_for_often(&host);
            let admitted = ours && self.make_room(how, now_ms);
            if admitted {
                self.doubtful.remove(&host);
                self.known.insert(host.clone(), now_ms);
            }
            admitted
        };
        if is_known { host } else { OTHER.to_owned() }
    }

    /// Those that made room since this was asked last.
    pub(super) fn gone(&mut self) -> Vec<String> {
        std::mem::take(&mut self.gone)
    }

    fn is_asked_for_often(&mut self, host: &str) -> bool {
        if !self.doubtful.contains_key(host) && self.doubtful.len() >= MOST_DOUBTFUL {
            // Names that are made up come once.
            self.doubtful.retain(|_, times| *times > 1);
            if self.doubtful.len() >= MOST_DOUBTFUL {
                self.doubtful.clear();
            }
        }
        let times = self.doubtful.entry(host.to_owned()).or_default();
        *times += 1;
        *times >= OFTEN
    }

    fn make_room(&mut self, how: &Reading, now_ms: i64) -> bool {
        if self.known.len() < how.most_hosts {
            return true;
        }
        let oldest = self.known.iter().min_by_key(|(_, last_ms)| **last_ms);
        let Some(idle) = oldest.filter(|(_, last_ms)| now_ms - **last_ms >= IDLE_MS) else {
            return false;
        };
        let idle = idle.0.clone();
        self.known.remove(&idle);
        self.gone.push(idle);
        true
    }
}

/// A host in small letters, without its port; nothing for what is no host.
fn plain(host: &str) -> Option<String> {
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let host = host.trim_end_matches('.');
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
    let sound = !host.is_empty() && host.len() <= LONGEST && host.bytes().all(usual);
    sound.then(|| host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::config::{Config, Log};

    fn asked<'a>(host: &'a str, status: u16) -> Request<'a> {
        Request {
            host: host.into(),
            status,
            ..Request::default()
        }
    }

    fn reading(most_hosts: u32, hosts: &[&str]) -> Reading {
        let config = Config {
            most_hosts,
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            ..Config::default()
        };
        Reading::new(&Log::default(), &config)
    }

    #[test]
    fn hosts_are_written_alike_and_what_is_no_host_is_other() {
        let (mut hosts, how) = (Hosts::default(), reading(20, &[]));
        for (host, label) in [
            ("", ""),
            ("Shop.Example:8443", "shop.example"),
            ("shop.example.", "shop.example"),
            ("[::1]:80", "::1"),
            ("10.0.0.1", "10.0.0.1"),
            ("a b", OTHER),
            ("\"><x", OTHER),
            (":80", OTHER),
            (&"x".repeat(300), OTHER),
        ] {
            assert_eq!(hosts.of(&asked(host, 200), &how, 0), label, "{host}");
        }
    }

    #[test]
    fn names_that_are_made_up_take_no_room() {
        let (mut hosts, how) = (Hosts::default(), reading(2, &[]));
        for number in 0..100_000 {
            let name = format!("made-up-{number}.example");
            let status = if number % 2 == 0 { 404 } else { 0 };
            assert_eq!(hosts.of(&asked(&name, status), &how, 0), OTHER);
        }
        assert!(hosts.doubtful.len() <= MOST_DOUBTFUL);
        assert_eq!(hosts.of(&asked("a", 200), &how, 0), "a");
        // A site that has never worked is seen after a while.
        for _ in 1..OFTEN {
            assert_eq!(hosts.of(&asked("b", 502), &how, 0), OTHER);
        }
        assert_eq!(hosts.of(&asked("b", 502), &how, 0), "b");
        assert_eq!(hosts.of(&asked("c", 200), &how, 0), OTHER);
        assert_eq!(hosts.of(&asked("a", 200), &how, IDLE_MS), "a");
        assert_eq!(hosts.of(&asked("c", 200), &how, IDLE_MS), "c");
        assert_eq!(hosts.gone(), ["b"]);
    }

    #[test]
    fn hosts_that_are_named_are_the_only_ones() {
        let (mut hosts, how) = (Hosts::default(), reading(20, &["Shop.example"]));
        assert_eq!(
            &*hosts.of(&asked("shop.example:80", 502), &how, 0),
            "shop.example"
        );
        assert_eq!(hosts.of(&asked("b", 200), &how, 0), OTHER);
    }
}
