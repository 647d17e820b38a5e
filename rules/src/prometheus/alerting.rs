//! The section `alerting` of a `prometheus.yml`.

use std::time::Duration;

use settings::Secret;

use crate::Job;
use crate::foreign::{
    Authorization, BasicAuth, DockerConfig, FileConfig, Scheme, StaticConfig, Tls,
};
use crate::relabel::Relabel;

settings::section! {
    /// Where alerts go.
    pub struct Alerting {
        /// What becomes of alerts before they are sent.
        pub alert_relabel_configs: Vec<Relabel> = vec![],
        /// Who is told.
        pub alertmanagers: Vec<Alertmanager> = vec![],
    }
}

settings::section! {
    /// Alertmanagers that are reached in one way.
    pub struct Alertmanager {
        /// Where they are.
        pub static_configs: Vec<StaticConfig> = vec![],
        /// Files that list them.
        pub file_sd_configs: Vec<FileConfig> = vec![],
        /// Containers of the Docker engine.
        pub docker_sd_configs: Vec<DockerConfig> = vec![],
        /// How they are reached.
        pub scheme: Scheme = Scheme::Http,
        /// What stands before the path of their API.
        pub path_prefix: String = String::new(),
        /// The longest wait for an answer.
        pub timeout: Duration = Duration::from_secs(10),
        /// The version of their API.
        pub api_version: Api = Api::V2,
        /// Basic authentication.
        pub basic_auth: Option<BasicAuth> = None,
        /// What stands in the header `Authorization`.
        pub authorization: Option<Authorization> = None,
        /// A token that is sent as a bearer.
        pub bearer_token: Secret = Secret::default(),
        /// How the other side of https is known.
        pub tls_config: Tls = Tls::default(),
        /// Whether redirects are followed.
        pub follow_redirects: bool = true,
        /// What becomes of them before they are told anything.
        pub relabel_configs: Vec<Relabel> = vec![],
        /// What becomes of alerts before they are sent to these.
        pub alert_relabel_configs: Vec<Relabel> = vec![],
    }
}

settings::choice! {
    /// Versions of Alertmanager's API; the first is no more.
    pub enum Api {
        /// The one of today.
        V2 = "v2",
    }
}

/// The label that holds the path of an Alertmanager's API while it is relabelled;
/// and the one of a scrape job, which it is found as.
const PATHS: [&str; 2] = ["__alerts_path__", "__metrics_path__"];

impl Alertmanager {
    /// The same as a job whose targets are the Alertmanagers. `at` is its place
    /// in the file, which gives it a name.
    #[must_use]
    pub fn job(&self, at: usize) -> Job {
        let path = self.path_prefix.trim_matches('/');
        let slash = if path.is_empty() { "" } else { "/" };
        let renamed = |name: &String| match name {
            name if name == PATHS[0] => PATHS[1].to_owned(),
            name => name.clone(),
        };
        let rules = self.relabel_configs.iter().map(|rule| Relabel {
            source_labels: rule.source_labels.iter().map(renamed).collect(),
            target_label: renamed(&rule.target_label),
            ..rule.clone()
        });
        Job {
            job_name: format!("config-{at}"),
            static_configs: self.static_configs.clone(),
            file_sd_configs: self.file_sd_configs.clone(),
            docker_sd_configs: self.docker_sd_configs.clone(),
            scheme: self.scheme,
            metrics_path: format!("{slash}{path}/api/v2/alerts"),
            scrape_interval: Some(self.timeout.max(Duration::from_secs(1))),
            scrape_timeout: Some(self.timeout),
            basic_auth: self.basic_auth.clone(),
            authorization: self.authorization.clone(),
            bearer_token: self.bearer_token.clone().into(),
            tls_config: self.tls_config.clone(),
            follow_redirects: self.follow_redirects,
            relabel_configs: rules.collect(),
            ..Job::default()
        }
    }
}

impl Alerting {
    /// Where containers are looked for, each with its key.
    pub(super) fn engines(&self) -> impl Iterator<Item = (String, &DockerConfig)> {
        let all = self.alertmanagers.iter().enumerate();
        all.flat_map(|(at, one)| {
            let configs = one.docker_sd_configs.iter().enumerate();
            configs.map(move |(inner, config)| {
                let key = format!("alerting.alertmanagers[{at}].docker_sd_configs[{inner}].host");
                (key, config)
            })
        })
    }

    /// What contradicts itself, as (key, message).
    pub(super) fn faults(&self) -> Vec<(String, String)> {
        let mut told = Vec::new();
        let mut rules = |key: String, rules: &[Relabel]| {
            for (at, rule) in rules.iter().enumerate() {
                let found = rule.faults().into_iter();
                told.extend(
                    found.map(|(inner, message)| (format!("{key}[{at}].{inner}"), message)),
                );
            }
        };
        let all = "alerting.alert_relabel_configs".to_owned();
        rules(all, &self.alert_relabel_configs);
        for (at, one) in self.alertmanagers.iter().enumerate() {
            let key = format!("alerting.alertmanagers[{at}].alert_relabel_configs");
            rules(key, &one.alert_relabel_configs);
        }
        for (at, one) in self.alertmanagers.iter().enumerate() {
            let found = one.job(at).faults().into_iter();
            let key = |inner: String| format!("alerting.alertmanagers[{at}].{inner}");
            told.extend(found.map(|(inner, message)| (key(inner), message)));
        }
        told
    }
}
