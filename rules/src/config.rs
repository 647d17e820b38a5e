//! The `rules` section of belfry.yml, and the files it names.

mod files;
mod glob;
#[cfg(test)]
mod tests;

pub use files::RuleFiles;
pub(crate) use glob::fault as pattern_fault;
pub use glob::{files as matching_files, listed as listed_files};

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Job;
use crate::foreign::engine_faults;

/// An hour at the default interval: beyond, what is over would be repeated as if it fired.
const MOST_RECOVERY: u32 = 240;

settings::section! {
    /// Rules that turn what is measured into alerts.
    pub struct Config {
        /// Rule files in Prometheus' format; `?` and `[a-z]` stand for parts of a name, and so does `*` in the last part of a path.
        pub files: Vec<String> = vec![],
        /// Whether the shipped rules are used.
        pub pack: bool = true,
        /// A folder of runbooks: its NAME.md takes the place of the shipped runbook NAME, or is one more. Empty: the shipped ones.
        pub runbooks: PathBuf = PathBuf::new(),
        /// Names of alerts that are left out, of the shipped rules and of the files.
        pub disable: Vec<String> = vec![],
        /// Time between evaluations of a group that states none. Absent: at each collection.
        pub interval: Option<Duration> = None,
        /// Time after which an alert that goes on is handed to the alerter again.
        pub resend: Duration = Duration::from_secs(60),
        /// How many evaluations in a row must find the condition of an alert over until it ends; those that fail do not count, nor those sooner after another than the interval; 240 at most. When an end is told is for `alerter.recovery` to say.
        pub recovery: u32 = 1,
        /// Labels for every alert that does not have them.
        pub external_labels: BTreeMap<String, String> = BTreeMap::new(),
        /// An existing prometheus.yml whose scrape jobs, rule files at their evaluation_interval, external labels and Alertmanagers are used as well. Empty: none.
        pub prometheus_file: PathBuf = PathBuf::new(),
        /// Targets elsewhere, such as an application's own metrics.
        pub scrape: Vec<Job> = vec![],
        /// Whether containers are scraped that ask for it by the label `belfry.scrape`, which holds a port and maybe a path.
        pub scrape_labelled: bool = true,
    }
}

impl Config {
    /// What contradicts itself, as (key, message).
    #[must_use]
    pub fn faults(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        if self.recovery > MOST_RECOVERY {
            let given = self.recovery;
            let message = format!("{given} evaluations are too many, the most is {MOST_RECOVERY}");
            faults.push(("recovery".into(), message));
        }
        for (at, pattern) in self.files.iter().enumerate() {
            if let Some(message) = glob::fault(Path::new(pattern)) {
                faults.push((format!("files[{at}]"), message.to_owned()));
            }
        }
        for (at, job) in self.scrape.iter().enumerate() {
            let key = |inner: String| format!("scrape[{at}].{inner}");
            let found = job.faults().into_iter();
            faults.extend(found.map(|(inner, message)| (key(inner), message)));
            let same = |had: &Job| !job.job_name.is_empty() && had.job_name == job.job_name;
            if self.scrape[..at].iter().any(same) {
                let message = format!("the job_name {:?} stands twice", job.job_name);
                faults.push((key("job_name".into()), message));
            }
        }
        let engines = self.scrape.iter().enumerate().flat_map(|(at, job)| {
            let key = move |inner: String| format!("scrape[{at}].{inner}");
            job.engines()
                .map(move |(inner, engine)| (key(inner), engine))
        });
        faults.extend(engine_faults(engines));
        faults
    }
}
