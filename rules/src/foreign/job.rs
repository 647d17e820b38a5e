//! A scrape job as a configuration file has it: in Prometheus' own grammar, or
//! in a few words.

use std::collections::BTreeMap;
use std::time::Duration;

use exposition::Format;
use settings::{LateSecret, Secret, Size};

use super::discovery::{DockerConfig, FileConfig, StaticConfig};
use super::fetch::Asking;
use super::tls::Tls;
use crate::Limits;
use crate::config::pattern_fault;
use crate::relabel::Relabel;

settings::section! {
    /// Targets elsewhere that serve metrics over HTTP. Keys are those of a scrape_config of Prometheus; the short ones do for a fixed list of targets.
    pub struct Job {
        /// The label `job`.
        pub job: String = String::new(),
        /// The same, as Prometheus calls it.
        pub job_name: String = String::new(),
        /// Where the targets are, each as host:port; it becomes the label `instance`.
        pub targets: Vec<String> = vec![],
        /// Further labels for the series of `targets`.
        pub labels: BTreeMap<String, String> = BTreeMap::new(),
        /// Lists of targets, each with its labels.
        pub static_configs: Vec<StaticConfig> = vec![],
        /// Files that list targets; changes are noticed.
        pub file_sd_configs: Vec<FileConfig> = vec![],
        /// Containers of the Docker engine.
        pub docker_sd_configs: Vec<DockerConfig> = vec![],
        /// The path of the metrics. Absent: /metrics.
        pub path: String = String::new(),
        /// The same, as Prometheus calls it.
        pub metrics_path: String = String::new(),
        /// How targets are reached.
        pub scheme: Scheme = Scheme::Http,
        /// Parameters of the request.
        pub params: BTreeMap<String, Vec<String>> = BTreeMap::new(),
        /// Time between two scrapes. Absent: as often as everything else.
        pub interval: Option<Duration> = None,
        /// The same, as Prometheus calls it.
        pub scrape_interval: Option<Duration> = None,
        /// The longest wait for a page; never longer than the interval. Absent: 10 s.
        pub timeout: Option<Duration> = None,
        /// The same, as Prometheus calls it.
        pub scrape_timeout: Option<Duration> = None,
        /// Whether labels of the page win over those of the target.
        pub honor_labels: bool = false,
        /// Whether a time that the page states for a sample counts.
        pub honor_timestamps: bool = true,
        /// Whether series with times of the page's own end when they are missing.
        pub track_timestamps_staleness: bool = false,
        /// The user for basic authentication. Empty: none.
        pub username: String = String::new(),
        /// The password for basic authentication. Its file is read for each scrape, so that it can be changed; without it only these targets fail.
        pub password: LateSecret = LateSecret::default(),
        /// The same, as Prometheus has it.
        pub basic_auth: Option<BasicAuth> = None,
        /// A token that is sent as a bearer; its file is read for each scrape. Empty: none.
        pub bearer_token: LateSecret = LateSecret::default(),
        /// What stands in the header `Authorization`.
        pub authorization: Option<Authorization> = None,
        /// How the other side of https is known.
        pub tls_config: Tls = Tls::default(),
        /// Whether redirects are followed.
        pub follow_redirects: bool = true,
        /// Whether packed pages are asked for.
        pub enable_compression: bool = true,
        /// What becomes of targets before they are scraped.
        pub relabel_configs: Vec<Relabel> = vec![],
        /// What becomes of series before they are stored.
        pub metric_relabel_configs: Vec<Relabel> = vec![],
        /// The most samples that a page may have after relabelling; 0 is no limit.
        pub sample_limit: usize = 50_000,
        /// The most labels that a series may have; 0 is no limit.
        pub label_limit: usize = 64,
        /// The longest name of a label, in bytes; 0 is no limit.
        pub label_name_length_limit: usize = 512,
        /// The longest value of a label, in bytes; 0 is no limit.
        pub label_value_length_limit: usize = 4096,
        /// The most targets; beyond it all of them fail, without being asked. 0 is no limit.
        pub target_limit: usize = 0,
        /// The largest page, unpacked; 0 is no limit.
        pub body_limit: Size = Size::mib(16),
        /// The same, as Prometheus calls it.
        pub body_size_limit: Option<Size> = None,
        /// The forms of pages that are asked for, the preferred first. Empty: all that are read, OpenMetrics first.
        pub scrape_protocols: Vec<Offer> = vec![],
        /// What a page is taken for that does not say what it is. Absent: such a page fails.
        pub fallback_scrape_protocol: Option<Protocol> = None,
    }
}

settings::choice! {
    /// How a target is reached.
    pub enum Scheme {
        /// Without encryption.
        Http = "http",
        /// With TLS.
        Https = "https",
    }
}

settings::choice! {
    /// Formats of pages, as Prometheus names them.
    pub enum Protocol {
        /// Text, version 0.0.4.
        Text004 = "PrometheusText0.0.4",
        /// Text, version 1.0.0.
        Text100 = "PrometheusText1.0.0",
        /// OpenMetrics, version 0.0.1.
        OpenMetrics001 = "OpenMetricsText0.0.1",
        /// OpenMetrics, version 1.0.0.
        OpenMetrics100 = "OpenMetricsText1.0.0",
    }
}

settings::choice! {
    /// Formats of pages that can be asked for, as Prometheus names them.
    pub enum Offer {
        /// Text, version 0.0.4.
        Text004 = "PrometheusText0.0.4",
        /// Text, version 1.0.0.
        Text100 = "PrometheusText1.0.0",
        /// OpenMetrics, version 0.0.1.
        OpenMetrics001 = "OpenMetricsText0.0.1",
        /// OpenMetrics, version 1.0.0.
        OpenMetrics100 = "OpenMetricsText1.0.0",
        /// Protocol buffers; never asked for, as they are not read.
        Proto = "PrometheusProto",
    }
}

settings::section! {
    /// Basic authentication.
    pub struct BasicAuth {
        /// The user.
        pub username: String = String::new(),
        /// The password.
        pub password: LateSecret = LateSecret::default(),
    }
}

settings::section! {
    /// The header `Authorization`.
    pub struct Authorization {
        /// The scheme.
        pub r#type: String = "Bearer".into(),
        /// What proves who we are.
        pub credentials: LateSecret = LateSecret::default(),
    }
}

impl Protocol {
    fn format(self) -> Format {
        match self {
            Self::Text004 | Self::Text100 => Format::Text,
            Self::OpenMetrics001 | Self::OpenMetrics100 => Format::OpenMetrics,
        }
    }
}

/// No interval is shorter.
const SHORTEST: Duration = Duration::from_secs(1);
/// The longest wait where none is stated.
const PATIENCE: Duration = Duration::from_secs(10);

fn either<'a>(one: &'a str, other: &'a str, default: &'a str) -> &'a str {
    match (one, other) {
        ("", "") => default,
        ("", other) => other,
        (one, _) => one,
    }
}

impl Job {
    /// Its name, which is also the name of the pool of its targets.
    #[must_use]
    pub fn name(&self) -> &str {
        either(&self.job, &self.job_name, "foreign")
    }

    /// Whether files say where its targets are, or how they are reached.
    #[must_use]
    pub fn reads_files(&self) -> bool {
        !self.file_sd_configs.is_empty() || self.tls_config.is_in_files()
    }

    /// Which of its secrets lie in files that cannot be read now, and why. The files'
    /// names stay out: one may be the secret itself, under the wrong key.
    pub async fn unreadable(&self) -> Vec<String> {
        let basic = self.basic_auth.as_ref().map(|basic| &basic.password);
        let given = self.authorization.as_ref().map(|given| &given.credentials);
        let all = [
            ("password_file", Some(&self.password)),
            ("basic_auth.password_file", basic),
            ("bearer_token_file", Some(&self.bearer_token)),
            ("authorization.credentials_file", given),
        ];
        let mut unreadable = Vec::new();
        for (key, secret) in all {
            let Some(secret) = secret.filter(|secret| secret.is_in_file()) else {
                continue;
            };
            if let Err(err) = secret.read().await {
                unreadable.push(format!("{key}: cannot read the file it names: {err}"));
            }
        }
        unreadable
    }

    /// Where it looks for containers, each with its key in the job.
    pub(crate) fn engines(&self) -> impl Iterator<Item = (String, &DockerConfig)> {
        let all = self.docker_sd_configs.iter().enumerate();
        all.map(|(at, config)| (format!("docker_sd_configs[{at}].host"), config))
    }

    pub(super) fn metrics_path(&self) -> &str {
        either(&self.path, &self.metrics_path, "/metrics")
    }

    /// Time between two scrapes; `every` is that of everything else.
    pub(super) fn every(&self, every: Duration) -> Duration {
        let own = self.interval.or(self.scrape_interval);
        own.unwrap_or(every).max(SHORTEST)
    }

    pub(super) fn patience(&self, every: Duration) -> Duration {
        let own = self.timeout.or(self.scrape_timeout);
        own.unwrap_or(PATIENCE).min(every)
    }

    pub(crate) fn limits(&self) -> Limits {
        let bound = |limit: usize| if limit == 0 { usize::MAX } else { limit };
        let body = self.body_size_limit.unwrap_or(self.body_limit).bytes();
        Limits {
            body_bytes: bound(usize::try_from(body).unwrap_or(usize::MAX)),
            samples: bound(self.sample_limit),
            labels: bound(self.label_limit),
            name_bytes: bound(self.label_name_length_limit),
            value_bytes: bound(self.label_value_length_limit),
        }
    }

    pub(super) fn asking(&self) -> Asking {
        let basic = match &self.basic_auth {
            Some(basic) => Some((basic.username.clone(), Secret::clone(&basic.password))),
            None if self.username.is_empty() => None,
            None => Some((self.username.clone(), Secret::clone(&self.password))),
        };
        let authorization = match &self.authorization {
            Some(said) => Some((said.r#type.clone(), Secret::clone(&said.credentials))),
            None if self.bearer_token.is_empty() => None,
            None => Some(("Bearer".to_owned(), Secret::clone(&self.bearer_token))),
        };
        Asking {
            basic,
            authorization,
            fallback: self.fallback_scrape_protocol.map(Protocol::format),
            packed: self.enable_compression,
            offers: self.scrape_protocols.clone(),
        }
    }

    /// What contradicts itself, as (key, message).
    #[must_use]
    pub fn faults(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        for (one, other, both) in [
            (
                "job",
                "job_name",
                !self.job.is_empty() && !self.job_name.is_empty(),
            ),
            (
                "path",
                "metrics_path",
                !self.path.is_empty() && !self.metrics_path.is_empty(),
            ),
            (
                "interval",
                "scrape_interval",
                self.interval.is_some() && self.scrape_interval.is_some(),
            ),
            (
                "timeout",
                "scrape_timeout",
                self.timeout.is_some() && self.scrape_timeout.is_some(),
            ),
        ] {
            if both {
                faults.push((
                    one.to_owned(),
                    format!("at most one of {one} and {other} can be set"),
                ));
            }
        }
        let proofs = [
            self.basic_auth.is_some() || !self.username.is_empty(),
            self.authorization.is_some() || !self.bearer_token.is_empty(),
        ];
        if proofs == [true, true] {
            let message = "at most one of basic authentication and authorization can be set";
            faults.push(("authorization".to_owned(), message.to_owned()));
        }
        for (key, rules) in [
            ("relabel_configs", &self.relabel_configs),
            ("metric_relabel_configs", &self.metric_relabel_configs),
        ] {
            for (at, rule) in rules.iter().enumerate() {
                let found = rule.faults().into_iter();
                faults.extend(
                    found.map(|(inner, message)| (format!("{key}[{at}].{inner}"), message)),
                );
            }
        }
        for (at, offer) in self.scrape_protocols.iter().enumerate() {
            if self.scrape_protocols[..at].contains(offer) {
                let message = format!("{} stands twice", offer.as_str());
                faults.push((format!("scrape_protocols[{at}]"), message));
            }
        }
        for (at, config) in self.file_sd_configs.iter().enumerate() {
            for (inner, pattern) in config.files.iter().enumerate() {
                if let Some(message) = pattern_fault(pattern) {
                    let key = format!("file_sd_configs[{at}].files[{inner}]");
                    faults.push((key, message.to_owned()));
                }
            }
        }
        if let Err(message) = self.tls_config.check() {
            faults.push(("tls_config".to_owned(), message));
        }
        faults
    }
}
