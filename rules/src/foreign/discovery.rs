//! What might be scraped: lists in the configuration, lists in files, and the
//! containers of an engine, each with the labels that relabelling decides by.

mod docker;
mod file;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use docker::{Container, Network, NetworkFacts, Port};

use super::{Foreign, Job, pool};

settings::section! {
    /// A list of targets.
    pub struct StaticConfig {
        /// Where they are, each as host:port.
        pub targets: Vec<String> = vec![],
        /// Labels for their series.
        pub labels: BTreeMap<String, String> = BTreeMap::new(),
    }
}

settings::section! {
    /// Files that list targets, in YAML or JSON.
    pub struct FileConfig {
        /// The files; `*` stands for a part of a name.
        pub files: Vec<PathBuf> = vec![],
        /// Files are looked at every few seconds, whatever stands here.
        pub refresh_interval: Duration = Duration::from_secs(300),
    }
}

settings::section! {
    /// Containers of the Docker engine that Belfry watches.
    pub struct DockerConfig {
        /// The engine; it can only be the one that is watched.
        pub host: String = String::new(),
        /// The port of containers that state none.
        pub port: u16 = 80,
        /// The address of containers in the host's network.
        pub host_networking_host: String = "localhost".into(),
        /// Whether only the first network of a container counts.
        pub match_first_network: bool = true,
        /// Containers are known at once, whatever stands here.
        pub refresh_interval: Duration = Duration::from_secs(60),
    }
}

impl DockerConfig {
    /// The engine's socket where the host names one, by the name that it has everywhere:
    /// /var/run may be a link.
    #[must_use]
    pub fn socket(&self) -> Option<PathBuf> {
        let path = Path::new(self.host.strip_prefix("unix://")?);
        Some(path.canonicalize().unwrap_or_else(|_| path.to_owned()))
    }
}

/// What is wrong with the engines that are named under these keys, as (key, message): only
/// one can be asked, on this host.
pub(crate) fn engine_faults<'a>(
    named: impl Iterator<Item = (String, &'a DockerConfig)>,
) -> Vec<(String, String)> {
    let mut faults = Vec::new();
    let mut asked: Option<PathBuf> = None;
    for (key, config) in named.filter(|(_, config)| !config.host.is_empty()) {
        let Some(socket) = config.socket() else {
            let message = "only an engine on this host can be asked: unix://...";
            faults.push((key, message.to_owned()));
            continue;
        };
        if *asked.get_or_insert_with(|| socket.clone()) != socket {
            let host = &config.host;
            let message = format!("only one engine can be asked, and {host} is not the first");
            faults.push((key, message));
        }
    }
    faults
}

/// A target before relabelling.
pub(super) type Labels = BTreeMap<String, String>;

/// A target that relabelling dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// The job it was found for.
    pub pool: String,
    /// Its labels before relabelling.
    pub discovered: Labels,
}

/// Everything that is to be scraped at a time, and what is not.
#[derive(Debug, Default, PartialEq)]
pub struct Scrapes {
    /// The targets, each once.
    pub targets: Vec<Foreign>,
    /// The targets that relabelling dropped.
    pub dropped: Vec<Dropped>,
    /// What is wrong, in words: files that cannot be read, targets that cannot be reached.
    pub faults: Vec<String>,
}

impl Scrapes {
    /// Adds what was found for other jobs. Two targets that come out the same are one.
    pub fn join(&mut self, others: Self) {
        let before = self.targets.len();
        for target in others.targets {
            if !self.targets[..before]
                .iter()
                .any(|had| had.is_same(&target))
            {
                self.targets.push(target);
            }
        }
        self.dropped.extend(others.dropped);
        self.faults.extend(others.faults);
    }
}

/// Finds targets again and again, and remembers the files of before.
#[derive(Debug, Default)]
pub struct Discovery {
    files: file::Files,
}

impl Discovery {
    /// All targets of these jobs. Files are read when they changed; one that
    /// cannot be read leaves its last good targets. `every` is the interval of
    /// everything else, `labelled` whether containers are scraped that a label
    /// of theirs asks for.
    pub fn look(
        &mut self,
        jobs: &[Job],
        containers: &[Container],
        every: Duration,
        labelled: bool,
    ) -> Scrapes {
        let mut out = Scrapes::default();
        let mut seen = Vec::new();
        for job in jobs {
            let mut found = lists(job);
            for config in &job.file_sd_configs {
                for pattern in &config.files {
                    found.extend(self.files.targets(pattern, &mut seen, &mut out.faults));
                }
            }
            for config in &job.docker_sd_configs {
                found.extend(docker::targets(config, containers));
            }
            pool::add(job, found, every, &mut out);
        }
        if labelled {
            for (job, target) in docker::labelled(containers) {
                pool::add(&job, vec![target], every, &mut out);
            }
        }
        self.files.forget_all_but(&seen);
        out
    }
}

fn lists(job: &Job) -> Vec<Labels> {
    let short = (&job.targets, &job.labels);
    let long = job.static_configs.iter();
    let all = std::iter::once(short).chain(long.map(|list| (&list.targets, &list.labels)));
    let mut found = Vec::new();
    for (targets, labels) in all {
        for target in targets {
            let mut labels = labels.clone();
            labels.insert("__address__".into(), target.clone());
            found.push(labels);
        }
    }
    found
}
