//! The `heartbeat` section of belfry.yml.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::ping::{uuid, valid_name};
use super::{Cron, Schedule};
use crate::deadman::{self, Deadman};
use crate::labels;

settings::section! {
    /// Heartbeats that jobs send, by asking for /ping/NAME.
    pub struct Config {
        /// The heartbeats that are waited for, by name: letters, digits, `.`, `_` and `-`.
        pub expect: BTreeMap<String, Expected> = BTreeMap::new(),
        /// What /ping/NAME must carry, as `Authorization: Bearer` or `?token=`. Empty: nothing, unless the heartbeat has a token of its own.
        pub token: settings::Secret = settings::Secret::default(),
        /// The key of the form /ping/KEY/NAME, as Healthchecks has it. Empty: that form is off.
        pub ping_key: settings::Secret = settings::Secret::default(),
        /// URLs elsewhere that are told that this watch works, while and only while it does.
        pub out: Vec<Deadman> = vec![],
        /// Whether a ping by a name that nobody expects makes a heartbeat of that name.
        pub create: bool = false,
        /// The period of heartbeats that were made by a ping.
        pub period: Duration = Duration::from_secs(24 * 3600),
        /// The grace of heartbeats that were made by a ping.
        pub grace: Duration = Duration::from_secs(3600),
        /// So many heartbeats there may be; pings for further names are refused.
        pub most: usize = 1000,
        /// So much of what a ping carries is kept of each heartbeat.
        pub body: settings::Size = settings::Size(10 << 10),
    }
}

settings::section! {
    /// One heartbeat.
    pub struct Expected {
        /// The longest time between two signs of life.
        pub period: Duration = Duration::from_secs(24 * 3600),
        /// When it is expected instead, as a cron line of five fields or @daily and the like.
        pub cron: String = String::new(),
        /// The IANA time zone of the cron line. Empty: the one of the whole configuration.
        pub timezone: String = String::new(),
        /// How much later than expected it may come, and how long it may run after a start.
        pub grace: Duration = Duration::from_secs(3600),
        /// The secret UUID of the form /ping/UUID. Empty: it has none.
        pub uuid: String = String::new(),
        /// What /ping/NAME must carry for this heartbeat.
        pub token: settings::Secret = settings::Secret::default(),
        /// Whether its silence means nothing for now.
        pub paused: bool = false,
        /// Further labels of its series.
        pub labels: BTreeMap<String, String> = BTreeMap::new(),
    }
}

/// Labels that a heartbeat has already.
const TAKEN: [&str; 4] = ["heartbeat", "state", "kind", "lost"];

/// The largest part of a body that can be kept.
const MOST_BODY: u64 = 1 << 20;

impl Config {
    /// What is wrong with the section, as (key, message).
    #[must_use]
    pub fn faults(&self) -> Vec<(String, String)> {
        let mut faults = deadman::faults(&self.out);
        let mut uuids = BTreeSet::new();
        for (name, expected) in &self.expect {
            let mut fault = |key: &str, message: String| {
                faults.push((format!("heartbeat.expect[{name}]{key}"), message));
            };
            if !valid_name(name) {
                fault(
                    "",
                    "a name has 1 to 64 letters, digits, `.`, `_` and `-`".to_owned(),
                );
            }
            if expected.period < Duration::from_secs(1) {
                fault(".period", "less than 1s cannot be told apart".to_owned());
            }
            if let Err(err) = expected.schedule("") {
                let key = if err.starts_with("no IANA") {
                    ".timezone"
                } else {
                    ".cron"
                };
                fault(key, err);
            }
            if !expected.uuid.is_empty() {
                match uuid(&expected.uuid) {
                    None => fault(
                        ".uuid",
                        "not a UUID; write one such as the answer of uuidgen".to_owned(),
                    ),
                    Some(id) if !uuids.insert(id) => {
                        fault(".uuid", "another heartbeat has it".to_owned());
                    }
                    Some(_) => {}
                }
            }
            for (key, message) in labels::faults(&expected.labels, &TAKEN) {
                fault(&key, message);
            }
        }
        if self.body.bytes() > MOST_BODY {
            faults.push((
                "heartbeat.body".to_owned(),
                "more than 1MiB of each heartbeat is not kept".to_owned(),
            ));
        }
        if self.most < self.expect.len() {
            faults.push((
                "heartbeat.most".to_owned(),
                format!("{} are expected already", self.expect.len()),
            ));
        }
        faults
    }
}

impl Expected {
    /// When it is expected; `zone` is where the whole configuration is at home.
    pub fn schedule(&self, zone: &str) -> Result<Schedule, String> {
        if self.cron.is_empty() {
            return Ok(Schedule::Every(self.period));
        }
        let name = if self.timezone.is_empty() {
            zone
        } else {
            &self.timezone
        };
        let zone = match name {
            "" => jiff::tz::TimeZone::system(),
            name => jiff::tz::TimeZone::get(name)
                .map_err(|_| format!("no IANA time zone is named {name:?}"))?,
        };
        Ok(Schedule::Cron(Box::new(Cron::parse(&self.cron)?), zone))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, String)> {
        let config: Config = settings::read("belfry.yml".as_ref(), text, &|_| None).unwrap();
        config.faults()
    }

    #[test]
    fn every_fault_is_told_with_its_key() {
        let uuid = "3f8e8f0a-6c1b-4a53-9b43-7f0a1d2c3b4e";
        for (text, key, message) in [
            ("expect: {'a b': {}}", "heartbeat.expect[a b]", "letters"),
            (
                "expect: {a: {cron: '61 * * * *'}}",
                "heartbeat.expect[a].cron",
                "61",
            ),
            (
                "expect: {a: {cron: '@daily', timezone: Mars/Base}}",
                "heartbeat.expect[a].timezone",
                "Mars/Base",
            ),
            ("expect: {a: {uuid: x}}", "heartbeat.expect[a].uuid", "UUID"),
            (
                "expect: {a: {period: 0s}}",
                "heartbeat.expect[a].period",
                "1s",
            ),
            (
                "expect: {a: {labels: {state: x}}}",
                "heartbeat.expect[a].labels",
                "state",
            ),
            ("body: 2MiB", "heartbeat.body", "1MiB"),
            ("{most: 0, expect: {a: {}}}", "heartbeat.most", "1 are"),
        ] {
            let faults = read(text);
            assert_eq!(faults.len(), 1, "{text}: {faults:?}");
            assert!(
                faults[0].0 == key && faults[0].1.contains(message),
                "{text}: {faults:?}"
            );
        }
        let twice = format!(
            "expect: {{a: {{uuid: {uuid}}}, b: {{uuid: {}}}}}",
            uuid.to_uppercase()
        );
        assert_eq!(read(&twice)[0].1, "another heartbeat has it");
        let good = format!(
            "expect: {{a: {{uuid: {uuid}, cron: '*/5 8-18 * * mon-fri', labels: {{team: web}}}}}}"
        );
        assert_eq!(read(&good), []);
    }

    #[test]
    fn labels_that_no_series_can_have_are_refused() {
        let long = |count: usize| "x".repeat(count);
        for (most, text, key) in [
            (512, "{? '{}' : y}", "heartbeat.expect[a].labels"),
            (4096, "{b: '{}'}", "heartbeat.expect[a].labels.b"),
        ] {
            let keys = |length| -> Vec<_> {
                let labels = text.replace("{}", &long(length));
                let faults = read(&format!("expect: {{a: {{labels: {labels}}}}}"));
                faults.into_iter().map(|(key, _)| key).collect()
            };
            assert_eq!(keys(most), Vec::<String>::new(), "{text}");
            assert_eq!(keys(most + 1), [key], "{text}");
        }
        for (count, faults) in [(40, 0), (41, 1)] {
            let labels: String = (0..count).map(|at| format!("l{at}: x, ")).collect();
            let read = read(&format!("expect: {{a: {{labels: {{{labels}}}}}}}"));
            assert_eq!(read.len(), faults, "{count}: {read:?}");
        }
    }
}
