//! The configuration: whose logs are read, and what is looked for in them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use regex::Regex;

use crate::tail::Spot;

settings::section! {
    /// Logs of services: patterns become counters, and the last lines are kept in memory. Services that are not named are left alone.
    pub struct Config {
        /// The services.
        pub services: Vec<Service> = Vec::new(),
        /// The folder of the journal, where `unit` names one; in a container, where
        /// it is mounted. Empty: the system's own.
        pub journal: PathBuf = PathBuf::new(),
        /// How many lines of each are kept in memory. Secrets are masked before.
        pub lines: u32 = 50,
    }
}

settings::section! {
    /// A service whose log is read: the output of a container, a unit of systemd's journal, or a file.
    pub struct Service {
        /// The container.
        pub container: String = String::new(),
        /// The unit, such as api.service; read through journalctl.
        pub unit: String = String::new(),
        /// The file that is appended to now.
        pub file: PathBuf = PathBuf::new(),
        /// The label `instance` of its series. Empty: the container, unit or file.
        pub name: String = String::new(),
        /// What is looked for.
        pub patterns: Vec<Pattern> = Vec::new(),
    }
}

settings::section! {
    /// Something that lines are searched for.
    pub struct Pattern {
        /// The label `pattern` of its counter.
        pub name: String = String::new(),
        /// A regular expression; it may fit anywhere in a line. What named
        /// groups, `(?P<queue>\w+)`, hold become labels.
        pub regex: String = String::new(),
        /// Whether lines that fit fire the alert LogPattern, and how grave that is.
        pub severity: Severity = Severity::None,
    }
}

settings::choice! {
    /// How grave it is that a line fits a pattern.
    pub enum Severity {
        /// It is only counted.
        None = "none",
        /// It fires a warning.
        Warning = "warning",
        /// It fires a critical alert.
        Critical = "critical",
    }
}

/// So many lines are kept at most.
const MOST_LINES: u32 = 1000;
/// So many patterns of one service are looked for.
const MOST_PATTERNS: usize = 50;
/// A compiled expression takes no more, in bytes.
const LARGEST: usize = 1 << 20;
/// Labels that are ours.
const OURS: [&str; 4] = ["instance", "job", "pattern", "le"];

impl Config {
    /// What contradicts itself, as (key, message).
    #[must_use]
    pub fn faults(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        let mut names = BTreeSet::new();
        for (at, service) in self.services.iter().enumerate() {
            let key = format!("logs.services[{at}]");
            if let Some((below, message)) = service.spot().fault() {
                faults.push((format!("{key}{below}"), message.to_owned()));
                if below.is_empty() {
                    continue;
                }
            }
            if !names.insert(service.label()) {
                let message = format!("{:?} stands twice", service.label());
                faults.push((format!("{key}.name"), message));
            }
            if service.patterns.len() > MOST_PATTERNS {
                let message = format!("{MOST_PATTERNS} are the most");
                faults.push((format!("{key}.patterns"), message));
            }
            let mut patterns = BTreeSet::new();
            for (at, pattern) in service.patterns.iter().enumerate() {
                let key = format!("{key}.patterns[{at}]");
                if pattern.name.is_empty() {
                    faults.push((format!("{key}.name"), "a name is wanted".to_owned()));
                } else if !patterns.insert(&pattern.name) {
                    let message = format!("{:?} stands twice", pattern.name);
                    faults.push((format!("{key}.name"), message));
                }
                if let Err(message) = pattern.compile() {
                    faults.push((format!("{key}.regex"), message));
                }
            }
        }
        if self.lines > MOST_LINES {
            let message = format!("{MOST_LINES} are the most");
            faults.push(("logs.lines".to_owned(), message));
        }
        faults
    }
}

impl Service {
    /// What tells it from others.
    #[must_use]
    pub fn label(&self) -> String {
        self.spot().label(&self.name)
    }

    /// Where its lines come from.
    pub(super) fn spot(&self) -> Spot<'_> {
        Spot {
            file: &self.file,
            container: &self.container,
            unit: &self.unit,
        }
    }
}

impl Pattern {
    /// The expression, or what is wrong with it.
    pub(super) fn compile(&self) -> Result<Regex, String> {
        if self.regex.is_empty() {
            return Err("an expression is wanted; an empty one fits every line".to_owned());
        }
        let mut builder = regex::RegexBuilder::new(&self.regex);
        let regex = builder.size_limit(LARGEST).build().map_err(|err| {
            // The rest of the message draws the expression over several lines.
            let text = err.to_string();
            let last = text.lines().last().unwrap_or_default();
            last.trim_start_matches("error: ").to_owned()
        })?;
        for name in regex.capture_names().flatten() {
            let sound = name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if !sound || OURS.contains(&name) || name.starts_with("__") {
                return Err(format!("{name:?} cannot be a label"));
            }
        }
        Ok(regex)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_contradicts_itself_is_named() {
        let text = r"
services:
  - {container: a, patterns: [{name: x, regex: 'a('}, {name: x, regex: b}, {regex: '(?P<job>.)'}, {name: y}]}
  - {container: b, unit: c}
  - {file: d}
  - {unit: e, name: a}
lines: 1001
";
        let config: Config = settings::read("x.yml".as_ref(), text, &|_| None).unwrap();
        let faults = config.faults();
        let keys: Vec<&str> = faults.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(
            keys,
            [
                "logs.services[0].patterns[0].regex",
                "logs.services[0].patterns[1].name",
                "logs.services[0].patterns[2].name",
                "logs.services[0].patterns[2].regex",
                "logs.services[0].patterns[3].regex",
                "logs.services[1]",
                "logs.services[2].file",
                "logs.services[3].name",
                "logs.lines",
            ]
        );
        assert_eq!(faults[0].1, "unclosed group");
        assert_eq!(Config::default().faults(), []);
    }
}
