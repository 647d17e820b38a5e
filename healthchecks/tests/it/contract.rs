//! The families that dashboards and rules for blackbox_exporter ask for, and those that it has
//! by default: all probers together tell every one, with its type and its labels.
//!
//! The list is conformance data beside the repository; without it nothing is checked. What
//! the exporter tells of itself is on `/metrics/belfry`, and checked there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use exposition::{Entry, Kind, NAME};

/// What pages tell: the type and the labels of each family that has a sample.
#[derive(Debug, Default)]
pub(crate) struct Told(BTreeMap<String, (Option<Kind>, BTreeSet<String>)>);

impl Told {
    pub(crate) fn add(&mut self, page: &str) {
        for entry in exposition::parse(page) {
            match entry.unwrap() {
                Entry::Type(name, kind) => {
                    self.0.entry(name.to_owned()).or_default().0 = Some(kind);
                }
                Entry::Sample(sample) => {
                    let family = self
                        .0
                        .entry(sample.labels.get(NAME).to_owned())
                        .or_default();
                    let names = sample.labels.iter().map(|(name, _)| name);
                    family
                        .1
                        .extend(names.filter(|name| *name != NAME).map(str::to_owned));
                }
                _ => {}
            }
        }
    }

    #[expect(clippy::print_stderr, reason = "a test says what it leaves out")]
    pub(crate) fn check(&self) {
        let file = "../../shared/reference/metrics/blackbox_exporter.tsv";
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let Ok(text) = std::fs::read_to_string(&file) else {
            eprintln!("{} is missing: the contract is not checked", file.display());
            return;
        };
        let mut faults = Vec::new();
        let mut checked = 0;
        for line in text.lines().skip(1) {
            let cells: Vec<&str> = line.split('\t').collect();
            let [name, kind, labels, _, tier, source] = cells[..] else {
                panic!("{line}");
            };
            if tier == "3" || source == "exporter /metrics" {
                continue;
            }
            checked += 1;
            let wanted = labels.split(',').filter(|label| !label.is_empty());
            let wanted: BTreeSet<String> = wanted.map(str::to_owned).collect();
            match self.0.get(name) {
                Some((Some(own), labels)) if own.as_str() == kind && *labels == wanted => {}
                other => faults.push(format!("{line}: {other:?}")),
            }
        }
        assert!(checked > 35, "the contract has {checked} rows");
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }
}
