//! Files that list targets, as Prometheus' file_sd has them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use settings::Fault;

use super::Labels;
use crate::config::matching_files;
use crate::file::fields::{entries, get, list, text, texts};

/// A file of targets is no longer than this, in bytes.
const LONGEST: u64 = 16 << 20;

/// What tells that a file has changed.
type Stamp = (SystemTime, u64);

/// A file with what stood in it when it was read last.
#[derive(Debug)]
struct Known {
    stamp: Option<Stamp>,
    targets: Vec<Labels>,
    /// Why it cannot be used now.
    fault: Option<String>,
}

/// All files that were asked for.
#[derive(Debug, Default)]
pub(super) struct Files(BTreeMap<PathBuf, Known>);

impl Files {
    /// The targets in the files behind a pattern.
    pub(super) fn targets(
        &mut self,
        pattern: &Path,
        seen: &mut Vec<PathBuf>,
        faults: &mut Vec<String>,
    ) -> Vec<Labels> {
        let mut out = Vec::new();
        let paths = match matching_files(pattern) {
            Ok(paths) => paths,
            Err(err) => {
                faults.push(format!("{}: {err}", pattern.display()));
                return out;
            }
        };
        for path in paths {
            let known = self.0.entry(path.clone()).or_insert(Known {
                stamp: None,
                targets: Vec::new(),
                fault: None,
            });
            look(&path, known);
            out.extend(known.targets.iter().cloned());
            faults.extend(known.fault.clone());
            seen.push(path);
        }
        out
    }

    /// Files that no job names any more are forgotten.
    pub(super) fn forget_all_but(&mut self, seen: &[PathBuf]) {
        self.0.retain(|path, _| seen.contains(path));
    }
}

/// Reads the file again when it is another than before.
fn look(path: &Path, known: &mut Known) {
    let stamp = std::fs::metadata(path)
        .and_then(|about| Ok((about.modified()?, about.len())))
        .ok();
    if stamp.is_some() && stamp == known.stamp {
        return;
    }
    known.stamp = stamp;
    let name = path.display().to_string();
    let found = match settings::read_file(path, LONGEST) {
        Ok(body) => read(&name, &body).map_err(|fault| fault.to_string()),
        Err(err) => Err(format!("{name}: cannot be read: {err}")),
    };
    match found {
        Ok(targets) => (known.targets, known.fault) = (targets, None),
        // What was good goes on, and the fault is told.
        Err(fault) => known.fault = Some(fault),
    }
}

/// Reads a list of targets; JSON is YAML.
fn read(name: &str, body: &str) -> Result<Vec<Labels>, Fault> {
    let root = settings::parse(name, body)?;
    let mut faults = Vec::new();
    let mut out = Vec::new();
    for node in list(Some(&root), "a file of targets", &mut faults) {
        let fields = entries(node, "a group", &["targets", "labels"], &mut faults);
        let labels = texts(get(fields, "labels"), "labels", &mut faults, |_, _| Ok(()));
        for node in list(get(fields, "targets"), "targets", &mut faults) {
            let Some(address) = text(node, "a target", &mut faults) else {
                continue;
            };
            let mut labels = labels.clone();
            labels.insert("__address__".into(), address);
            labels.insert("__meta_filepath".into(), name.to_owned());
            out.push(labels);
        }
    }
    match faults.into_iter().next() {
        Some(fault) => Err(fault),
        None => Ok(out),
    }
}
