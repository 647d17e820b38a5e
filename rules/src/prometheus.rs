//! Reading a `prometheus.yml`: what is to be scraped, which rules are evaluated,
//! and where alerts go.
//!
//! What Prometheus knows and Belfry cannot do refuses the file; what would change
//! nothing here is left out and told. Both with line and column: nothing is
//! passed over in silence. No other file is opened: one that a key `..._file` names is
//! read when it is needed.

mod alerting;
mod keys;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use settings::{Fault, Page, Place, Reading};

use crate::config::pattern_fault;
use crate::foreign::{Offer, engine_faults};
use crate::relabel::Relabel;
use crate::{Config, Job};
use alerting::Alerting;
pub use alerting::Alertmanager;

settings::section! {
    /// The whole file.
    struct File {
        /// What holds where nothing else is said.
        pub global: Global = Global::default(),
        /// Files of rules; `*` stands for a part of a name.
        pub rule_files: Vec<PathBuf> = vec![],
        /// What is scraped.
        pub scrape_configs: Vec<Job> = vec![],
        /// Where alerts go.
        pub alerting: Alerting = Alerting::default(),
    }
}

settings::section! {
    /// What holds where nothing else is said.
    struct Global {
        /// Time between two scrapes.
        pub scrape_interval: Duration = Duration::from_secs(60),
        /// The longest wait for a page.
        pub scrape_timeout: Option<Duration> = None,
        /// Time between two evaluations of a group.
        pub evaluation_interval: Duration = Duration::from_secs(60),
        /// Labels for all that leaves this program.
        pub external_labels: BTreeMap<String, String> = BTreeMap::new(),
        /// The largest page.
        pub body_size_limit: String = String::new(),
        /// The most samples of a page.
        pub sample_limit: usize = 0,
        /// The most targets of a job.
        pub target_limit: usize = 0,
        /// The forms of pages that are asked for.
        pub scrape_protocols: Vec<Offer> = vec![],
        /// The most labels of a series.
        pub label_limit: usize = 0,
        /// The longest name of a label.
        pub label_name_length_limit: usize = 0,
        /// The longest value of a label.
        pub label_value_length_limit: usize = 0,
    }
}

/// The longest wait for a page where none is stated.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a `prometheus.yml` asks for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PrometheusFile {
    /// The scrape jobs, with intervals and limits of their own.
    pub jobs: Vec<Job>,
    /// Rule files; `*` and `?` stand for parts of a name.
    pub rule_files: Vec<PathBuf>,
    /// Time between two scrapes where a job states none.
    pub scrape_interval: Duration,
    /// Time between evaluations of a group that states none.
    pub evaluation_interval: Duration,
    /// Labels for every alert that does not have them.
    pub external_labels: BTreeMap<String, String>,
    /// Where alerts are sent.
    pub alertmanagers: Vec<Alertmanager>,
    /// What becomes of alerts before they are sent.
    pub alert_relabel: Vec<Relabel>,
    /// Keys that change nothing here.
    pub idle: Vec<Fault>,
}

impl PrometheusFile {
    /// Reads the text of a file. `environment` fills variables in external labels.
    ///
    /// # Errors
    /// Everything that is wrong with it, or that Belfry cannot do.
    pub fn read(
        file: &Path,
        text: &str,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Vec<Fault>> {
        let name = file.display().to_string();
        let mut root = settings::parse(&name, text).map_err(|fault| vec![fault])?;
        let found = keys::survey(&mut root);
        let mut reading: Reading<File> = settings::read_tree(file, root);
        let mut faults = found.refused;
        check(&mut reading);
        let (read, more) = reading.end();
        faults.extend(more);
        faults.sort_by_key(|fault| match fault.place {
            Place::Line { line, column, .. } => (line, column),
            Place::Environment(_) => (usize::MAX, 0),
        });
        if !faults.is_empty() {
            return Err(faults);
        }
        let File {
            global,
            rule_files,
            scrape_configs,
            alerting,
        } = read;
        let labels = global.external_labels.into_iter();
        Ok(Self {
            jobs: scrape_configs
                .into_iter()
                .map(|job| timed(job, global.scrape_interval, global.scrape_timeout))
                .collect(),
            rule_files,
            scrape_interval: global.scrape_interval,
            evaluation_interval: global.evaluation_interval,
            external_labels: labels
                .map(|(name, value)| (name, filled(&value, environment)))
                .collect(),
            alertmanagers: alerting.alertmanagers,
            alert_relabel: alerting.alert_relabel_configs,
            idle: found.idle,
        })
    }
}

impl PrometheusFile {
    /// The engine that it names; empty where it leaves that open.
    #[must_use]
    pub fn engine(&self) -> &str {
        let jobs = self.jobs.iter().flat_map(|job| &job.docker_sd_configs);
        let alerting = self.alertmanagers.iter();
        let all = jobs.chain(alerting.flat_map(|one| &one.docker_sd_configs));
        let mut hosts = all.map(|config| &*config.host);
        hosts.find(|host| !host.is_empty()).unwrap_or_default()
    }

    /// The configuration as a file would say it, without secrets.
    #[must_use]
    pub fn print(&self) -> String {
        let mut page = Page::default();
        page.section("global", |page| {
            page.value("scrape_interval", &self.scrape_interval);
            page.value("evaluation_interval", &self.evaluation_interval);
            page.value("external_labels", &self.external_labels);
        });
        page.section("alerting", |page| {
            page.value("alert_relabel_configs", &self.alert_relabel);
            page.value("alertmanagers", &self.alertmanagers);
        });
        page.value("rule_files", &self.rule_files);
        page.value("scrape_configs", &self.jobs);
        page.finish()
    }
}

/// Tells what contradicts itself.
fn check(reading: &mut Reading<File>) {
    let mut told = Vec::new();
    let (global, file) = (&reading.value.global, &reading.value);
    for (key, interval) in [
        ("global.scrape_interval", global.scrape_interval),
        ("global.evaluation_interval", global.evaluation_interval),
    ] {
        if interval.is_zero() {
            told.push((
                key.to_owned(),
                "an interval must be longer than nothing".to_owned(),
            ));
        }
    }
    let longer = "the timeout is longer than the interval";
    if global.scrape_timeout > Some(global.scrape_interval) {
        told.push(("global.scrape_timeout".to_owned(), longer.to_owned()));
    }
    for (at, pattern) in file.rule_files.iter().enumerate() {
        if let Some(message) = pattern_fault(pattern) {
            told.push((format!("rule_files[{at}]"), message.to_owned()));
        }
    }
    for (at, job) in file.scrape_configs.iter().enumerate() {
        let key = |name: &str| format!("scrape_configs[{at}].{name}");
        if job.job_name.is_empty() {
            told.push((key("job_name"), "a job needs a job_name".to_owned()));
        }
        let every = job.scrape_interval.unwrap_or(global.scrape_interval);
        if every.is_zero() {
            let message = "an interval must be longer than nothing";
            told.push((key("scrape_interval"), message.to_owned()));
        } else if job.scrape_timeout > Some(every) {
            told.push((key("scrape_timeout"), longer.to_owned()));
        }
    }
    let jobs = Config {
        scrape: file.scrape_configs.clone(),
        ..Config::default()
    };
    let found = jobs.faults().into_iter();
    told.extend(found.map(|(key, message)| (key.replacen("scrape", "scrape_configs", 1), message)));
    told.extend(file.alerting.faults());
    let engines = file.scrape_configs.iter().flat_map(Job::engines);
    let engines = engines.chain(file.alerting.engines());
    let ours = |(key, _): &(String, String)| key.starts_with("alerting.");
    told.extend(engine_faults(engines).into_iter().filter(ours));
    for (key, message) in told {
        reading.contradict(&key, &message);
    }
}

/// The job with its times, whoever states them.
fn timed(mut job: Job, every: Duration, timeout: Option<Duration>) -> Job {
    let every = job.scrape_interval.unwrap_or(every);
    let timeout = job.scrape_timeout.or(timeout).unwrap_or(PATIENCE);
    job.scrape_interval = Some(every);
    job.scrape_timeout = Some(timeout.min(every));
    job
}

/// A label with `$NAME` and `${NAME}` from the environment; `$$` stands for `$`.
fn filled(text: &str, environment: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let letters = |text: &str| {
            let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
            text.bytes().take_while(word).count()
        };
        let (name, behind) = match rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            Some(found) => found,
            None => rest.split_at(letters(rest)),
        };
        if let Some(behind) = rest.strip_prefix('$') {
            out.push('$');
            rest = behind;
        } else if name.is_empty() {
            out.push('$');
        } else {
            out.push_str(&environment(name).unwrap_or_default());
            rest = behind;
        }
    }
    out + rest
}
