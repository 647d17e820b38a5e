//! A `prometheus.yml` beside `belfry.yml`: its jobs, rule files and labels are
//! added to our own; alerts go to its Alertmanagers as well as to our own alerter.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rules::relabel::Relabel;
use rules::{Alertmanager, PrometheusFile};
use settings::{Fault, Place};

/// A file is no longer than this, in bytes.
const LONGEST: u64 = 4 << 20;

/// Reads a `prometheus.yml`; the faults are complete.
pub(crate) fn read(file: &Path) -> Result<PrometheusFile, Vec<Fault>> {
    let text = settings::read_file(file, LONGEST).map_err(|err| {
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

/// From the root: relative names of our own section are taken from another folder.
fn whole(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
