//! A `prometheus.yml` beside `belfry.yml`: its jobs, rule files and labels are
//! added to our own; alerts go to the alerter of this program all the same.

use std::path::{Path, PathBuf};

use rules::PrometheusFile;
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

/// Adds what the file asks for that the section names, if it names one. What we
/// say ourselves wins. Returns what of the file changes nothing.
pub(super) fn join(rules: &mut rules::Config) -> Result<Vec<Fault>, Vec<Fault>> {
    if rules.prometheus_file.as_os_str().is_empty() {
        return Ok(Vec::new());
    }
    let file = read(&rules.prometheus_file)?;
    rules.scrape.extend(file.jobs);
    rules
        .files
        .extend(file.rule_files.iter().map(|path| whole(path)));
    for (name, value) in file.external_labels {
        rules.external_labels.entry(name).or_insert(value);
    }
    let mut remarks = file.idle;
    remarks.extend(file.alerting_at.map(|place| Fault {
        place,
        key: "alerting".to_owned(),
        message: "it changes nothing here: alerts go to Belfry's own alerter".to_owned(),
    }));
    Ok(remarks)
}

/// From the root: relative names of our own section are taken from another folder.
fn whole(path: &Path) -> String {
    let whole: PathBuf = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    whole.display().to_string()
}
