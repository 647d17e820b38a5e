//! A `prometheus.yml` beside `belfry.yml`: its jobs, rule files and labels are
//! added to our own; alerts go to its Alertmanagers as well as to our own alerter.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rules::relabel::Relabel;
use rules::{Alertmanager, DockerConfig, PrometheusFile};
use settings::{Fault, Place};

use super::Config;
use crate::app;

/// A file is no longer than this, in bytes.
const LONGEST: u64 = 4 << 20;

/// The key that names the file.
const FILE: &str = "rules.prometheus_file";

/// Reads a `prometheus.yml`; the faults are complete.
pub(crate) fn read(file: &Path) -> Result<PrometheusFile, Vec<Fault>> {
    let text = settings::read_soon(file, LONGEST).map_err(|err| {
        vec![Fault {
            place: Place::Line {
                file: file.display().to_string().into(),
                line: 1,
                column: 1,
            },
            key: String::new(),
            message: format!("cannot read it: {err}"),
        }]
    })?;
    PrometheusFile::read(file, &text, &|name| std::env::var(name).ok())
}

/// Who else is told of alerts.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Elsewhere {
    /// The Alertmanagers.
    pub(crate) alertmanagers: Vec<Alertmanager>,
    /// What becomes of alerts before they are sent there.
    pub(crate) relabel: Vec<Relabel>,
}

/// What a `prometheus.yml` asks for that no key of our own section can say.
#[derive(Debug, Default)]
pub(super) struct Joined {
    /// Who else is told of alerts.
    pub(super) elsewhere: Elsewhere,
    /// Its rule files; `*` stands for a part of a name.
    pub(super) rule_files: Vec<PathBuf>,
    /// Time between evaluations of their groups that state none.
    pub(super) evaluation_interval: Duration,
    /// What of the file changes nothing.
    pub(super) remarks: Vec<Fault>,
}

/// Adds what the file asks for that the section names, if it names one. What we
/// say ourselves wins.
pub(super) fn join(rules: &mut rules::Config) -> Result<Joined, Vec<Fault>> {
    if rules.prometheus_file.as_os_str().is_empty() {
        return Ok(Joined::default());
    }
    let file = read(&rules.prometheus_file)?;
    rules.scrape.extend(file.jobs);
    let rule_files: Vec<_> = file.rule_files.iter().map(|path| whole(path)).collect();
    let names = rule_files.iter().map(|path| path.display().to_string());
    rules.files.extend(names);
    for (name, value) in file.external_labels {
        rules.external_labels.entry(name).or_insert(value);
    }
    Ok(Joined {
        elsewhere: Elsewhere {
            alertmanagers: file.alertmanagers,
            relabel: file.alert_relabel,
        },
        rule_files,
        evaluation_interval: file.evaluation_interval,
        remarks: file.idle,
    })
}

/// Where containers are looked for at another engine than the one that is watched, as
/// (key, message). The jobs behind the first `own` are those of the `joined` file.
pub(super) fn other_engines(
    config: &Config,
    own: usize,
    joined: Option<&Joined>,
) -> Vec<(String, String)> {
    let watched = app::engine_socket(config);
    let known = watched.canonicalize().unwrap_or_else(|_| watched.clone());
    let fault = |key: String, engine: &DockerConfig| {
        let socket = engine.socket()?;
        let (path, watched) = (engine.host.strip_prefix("unix://")?, watched.display());
        let message = format!("the engine at {path} is not the one that is watched, at {watched}");
        (socket != known).then_some((key, message))
    };
    let jobs = config.rules.scrape.iter().enumerate();
    let mut faults: Vec<_> = jobs
        .flat_map(|(at, job)| {
            let engines = job.docker_sd_configs.iter().enumerate();
            engines.map(move |(inner, engine)| (at, inner, engine))
        })
        .filter_map(|(at, inner, engine)| {
            let key = match at < own {
                true => format!("rules.scrape[{at}].docker_sd_configs[{inner}].host"),
                false => FILE.to_owned(),
            };
            fault(key, engine)
        })
        .collect();
    let others = joined
        .iter()
        .flat_map(|joined| &joined.elsewhere.alertmanagers);
    let engines = others.flat_map(|one| &one.docker_sd_configs);
    faults.extend(engines.filter_map(|engine| fault(FILE.to_owned(), engine)));
    faults
}

/// From the root: relative names of our own section are taken from another folder.
fn whole(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_looked_for_at_the_engine_that_is_watched_and_at_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("watched"), "").unwrap();
        std::os::unix::fs::symlink(path("watched"), path("link")).unwrap();
        let job = |name: &str| rules::Job {
            docker_sd_configs: vec![DockerConfig {
                host: format!("unix://{}", path(name).display()),
                ..DockerConfig::default()
            }],
            ..rules::Job::default()
        };
        let mut config = Config::default();
        config.exporter.engine = path("watched");
        let jobs = ["watched", "link", "other", "watched", "other"];
        config.rules.scrape = jobs.map(job).to_vec();
        let told = other_engines(&config, 3, None);
        let keys: Vec<_> = told.iter().map(|(key, _)| &**key).collect();
        assert_eq!(keys, ["rules.scrape[2].docker_sd_configs[0].host", FILE]);
        let wanted = format!(
            "the engine at {} is not the one that is watched, at {}",
            path("other").display(),
            path("watched").display()
        );
        assert_eq!(told[0].1, wanted);
    }
}
