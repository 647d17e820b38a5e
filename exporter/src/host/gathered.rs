//! Samples that are found device by device, written family by family.

use std::collections::BTreeMap;

use exposition::{Kind, Writer};

/// What was found, by family.
#[derive(Debug, Default)]
pub(super) struct Gathered(BTreeMap<String, Family>);

#[derive(Debug)]
struct Family {
    help: &'static str,
    kind: Kind,
    samples: Vec<(Vec<(&'static str, String)>, f64)>,
}

impl Gathered {
    /// Adds one sample. A family that counts says so by its name.
    pub(super) fn add(
        &mut self,
        name: &str,
        help: &'static str,
        labels: &[(&'static str, &str)],
        value: f64,
    ) {
        let kind = if name.ends_with("_total") {
            Kind::Counter
        } else {
            Kind::Gauge
        };
        self.of_kind(name, help, kind, labels, value);
    }

    /// Adds one sample of a family of this kind.
    pub(super) fn of_kind(
        &mut self,
        name: &str,
        help: &'static str,
        kind: Kind,
        labels: &[(&'static str, &str)],
        value: f64,
    ) {
        let family = self.0.entry(name.to_owned()).or_insert_with(|| Family {
            help,
            kind,
            samples: Vec::new(),
        });
        let labels = labels
            .iter()
            .map(|(name, text)| (*name, (*text).to_owned()));
        family.samples.push((labels.collect(), value));
    }

    /// Whether nothing was found.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes all of it.
    pub(super) fn write(&self, page: &mut Writer) {
        for (name, family) in &self.0 {
            page.family(name, family.help, family.kind);
            for (labels, value) in &family.samples {
                let labels: Vec<_> = labels.iter().map(|(name, text)| (*name, &**text)).collect();
                page.sample(&labels, *value);
            }
        }
    }
}
