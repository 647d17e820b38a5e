//! The configuration: which access logs, how they are read, and what is kept of
//! them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use crate::tail::Spot;

settings::section! {
    /// Requests, errors and times of what is served over HTTP, from the access logs of reverse proxies, and the proxies' own status.
    pub struct Config {
        /// Access logs. Caddy's JSON, nginx's combined and nginx's JSON are told
        /// apart by themselves.
        pub logs: Vec<Log> = Vec::new(),
        /// Whether the access logs of Caddy and nginx in containers, which they write to their output, are found by themselves.
        pub find: bool = true,
        /// The hosts that requests are told apart by; requests to others count
        /// as `other`. Empty: those that are asked for, see `most_hosts`.
        pub hosts: Vec<String> = Vec::new(),
        /// How many hosts are told apart in each log where `hosts` names none.
        pub most_hosts: u32 = 20,
        /// Patterns of paths that requests are told apart by, the first that
        /// fits counts; `*` is anything: `/api/orders/*`. Empty: paths are not
        /// told apart.
        pub paths: Vec<String> = Vec::new(),
        /// Where nginx serves its stub_status.
        pub nginx: Vec<Proxy> = Vec::new(),
        /// Where Caddy serves its metrics, such as http://127.0.0.1:2019/metrics.
        pub caddy: Vec<Proxy> = Vec::new(),
        /// The folder of the journal, where `unit` names one; in a container, where
        /// it is mounted. Empty: the system's own.
        pub journal: PathBuf = PathBuf::new(),
        /// How often nginx and Caddy are asked for their status.
        pub interval: Duration = Duration::from_secs(15),
        /// How long they may take to answer.
        pub deadline: Duration = Duration::from_secs(5),
    }
}

settings::section! {
    /// An access log: a file, the output of a container, or a unit of systemd's journal.
    pub struct Log {
        /// The file that the proxy appends to now. Files that were renamed are
        /// read to their end; packed ones are not read.
        pub file: PathBuf = PathBuf::new(),
        /// The container that writes it to its output.
        pub container: String = String::new(),
        /// The unit whose output goes to the journal, such as caddy.service;
        /// read through journalctl.
        pub unit: String = String::new(),
        /// The label `instance` of its series. Empty: none with one log, the
        /// file, container or unit with several.
        pub name: String = String::new(),
        /// How its lines are written.
        pub format: Format = Format::Auto,
        /// The fields of JSON, where they have unusual names.
        pub keys: Keys = Keys::default(),
    }
}

settings::choice! {
    /// How an access log is written.
    pub enum Format {
        /// JSON where a line begins with a brace, else `combined`.
        Auto = "auto",
        /// An object of JSON a line, such as Caddy's, or nginx's with `escape=json`.
        Json = "json",
        /// nginx's `combined`, with a host in front or more fields behind.
        Combined = "combined",
    }
}

settings::section! {
    /// The names of fields in JSON; `a.b` is the field `b` in the object `a`. Empty: the usual ones.
    pub struct Keys {
        /// The host that was asked for.
        pub host: String = String::new(),
        /// The method.
        pub method: String = String::new(),
        /// The path.
        pub path: String = String::new(),
        /// The status of the answer.
        pub status: String = String::new(),
        /// How long answering took.
        pub duration: String = String::new(),
        /// The unit of `duration`.
        pub unit: Unit = Unit::Seconds,
        /// The size of the answer in bytes.
        pub bytes: String = String::new(),
    }
}

settings::choice! {
    /// A unit of time.
    pub enum Unit {
        /// Seconds, with a fraction maybe.
        Seconds = "s",
        /// Thousandths.
        Milliseconds = "ms",
        /// Millionths.
        Microseconds = "us",
        /// What some programs count in.
        Nanoseconds = "ns",
    }
}

settings::section! {
    /// A page where a proxy tells how it is.
    pub struct Proxy {
        /// Its address, beginning with http://.
        pub url: String = String::new(),
        /// The label `instance` of its series. Empty: none with one such page, host and port with several.
        pub name: String = String::new(),
    }
}

/// So many paths are told apart at most.
const MOST_PATHS: usize = 50;
/// So many hosts are told apart at most.
const MOST_HOSTS: usize = 200;

impl Unit {
    /// How many seconds it is.
    pub(super) fn seconds(self) -> f64 {
        match self {
            Self::Seconds => 1.0,
            Self::Milliseconds => 1e-3,
            Self::Microseconds => 1e-6,
            Self::Nanoseconds => 1e-9,
        }
    }
}

impl Config {
    /// What contradicts itself, as (key, message).
    #[must_use]
    pub fn faults(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        let mut names = BTreeSet::new();
        for (at, log) in self.logs.iter().enumerate() {
            let key = format!("api.logs[{at}]");
            if let Some((below, message)) = log.spot().fault() {
                faults.push((format!("{key}{below}"), message.to_owned()));
                if below.is_empty() {
                    continue;
                }
            }
            let ending = log.file.extension().and_then(|ending| ending.to_str());
            if matches!(ending, Some("gz" | "zst" | "xz" | "bz2")) {
                let message = "it is packed; the file that is written to now is wanted";
                faults.push((format!("{key}.file"), message.to_owned()));
            }
            if !names.insert(log.label()) {
                let message = format!("{:?} stands twice", log.label());
                faults.push((format!("{key}.name"), message));
            }
        }
        for (kind, proxies) in [("nginx", &self.nginx), ("caddy", &self.caddy)] {
            let mut names = BTreeSet::new();
            for (at, proxy) in proxies.iter().enumerate() {
                let key = format!("api.{kind}[{at}]");
                let Some(place) = proxy.place() else {
                    // Not repeated here: there may be a password in it.
                    let message = "an address such as http://127.0.0.1:8080/status is wanted, without a password";
                    faults.push((format!("{key}.url"), message.to_owned()));
                    continue;
                };
                let label = if proxy.name.is_empty() {
                    place
                } else {
                    &proxy.name
                };
                if !names.insert(label.to_owned()) {
                    faults.push((format!("{key}.name"), format!("{label:?} stands twice")));
                }
            }
        }
        for (key, length, most) in [
            ("paths", self.paths.len(), MOST_PATHS),
            ("hosts", self.hosts.len(), MOST_HOSTS),
            ("most_hosts", self.most_hosts as usize, MOST_HOSTS),
        ] {
            if length > most {
                faults.push((format!("api.{key}"), format!("{most} are the most")));
            }
        }
        for (key, value) in [("interval", self.interval), ("deadline", self.deadline)] {
            if value < Duration::from_millis(100) {
                let message = "it must be 100ms at least".to_owned();
                faults.push((format!("api.{key}"), message));
            }
        }
        faults
    }
}

impl Log {
    /// What tells it from others.
    pub(super) fn label(&self) -> String {
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

impl Proxy {
    /// Its host and port; nothing when the address is malformed.
    pub(super) fn place(&self) -> Option<&str> {
        let rest = self.url.strip_prefix("http://")?;
        let place = rest.split('/').next()?;
        (!place.is_empty() && !place.contains(['@', ' ', '?', '#'])).then_some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_contradicts_itself_is_named_without_passwords() {
        let text = "\
logs: [{file: a.log}, {file: /a.gz}, {container: c, file: /b}, {}, {container: d}, {file: /x, name: d}, {unit: e.service}]
nginx: [{url: 'http://a:pw@h/s'}, {url: 'https://h/s'}, {url: 'http://h/s'}, {url: 'http://h/t'}]
interval: 1ms
most_hosts: 201
";
        let config: Config = settings::read("x.yml".as_ref(), text, &|_| None).unwrap();
        let faults = config.faults();
        let keys: Vec<&str> = faults.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(
            keys,
            [
                "api.logs[0].file",
                "api.logs[1].file",
                "api.logs[2]",
                "api.logs[3]",
                "api.logs[5].name",
                "api.nginx[0].url",
                "api.nginx[1].url",
                "api.nginx[3].name",
                "api.most_hosts",
                "api.interval",
            ]
        );
        assert!(!format!("{faults:?}").contains("pw"));
        assert_eq!(Config::default().faults(), []);
    }
}
