//! Pages in pieces: what one server has to tell, family by family, so that a
//! page of several servers still has each family once.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use exposition::{Entry, Kind, Spelled, Writer};

/// The families of one server, while they are written.
#[derive(Debug)]
pub(crate) struct Sheet {
    /// The label `instance` of every sample; without labels for none.
    instance: Spelled,
    families: BTreeMap<String, Writer>,
}

/// The families of one server, written. Each text begins with its two lines of
/// help and type.
#[derive(Debug, Default)]
pub(crate) struct Pieces(BTreeMap<String, String>);

/// A family that is open for samples.
#[derive(Debug)]
pub(crate) struct Family<'a> {
    instance: &'a Spelled,
    writer: &'a mut Writer,
}

impl Sheet {
    /// A sheet without families.
    pub(crate) fn new(instance: &Arc<str>) -> Self {
        Self {
            instance: Spelled::new(&[("instance", instance)]),
            families: BTreeMap::new(),
        }
    }

    /// Opens a family, or goes on with one that was opened before.
    pub(crate) fn family(&mut self, name: &str, help: &str, kind: Kind) -> Family<'_> {
        if !self.families.contains_key(name) {
            let mut writer = Writer::new();
            writer.family(name, help, kind);
            self.families.insert(name.to_owned(), writer);
        }
        Family {
            instance: &self.instance,
            writer: self.families.entry(name.to_owned()).or_default(),
        }
    }

    /// Labels for many samples of this sheet.
    pub(crate) fn spell(&self, labels: &[(&str, &str)]) -> Spelled {
        self.instance.and(labels)
    }

    /// A family of one sample without labels.
    pub(crate) fn single(&mut self, name: &str, help: &str, kind: Kind, value: f64) {
        self.family(name, help, kind).sample(&[], value);
    }

    /// The finished families.
    pub(crate) fn finish(self) -> Pieces {
        let families = self.families.into_iter();
        Pieces(
            families
                .map(|(name, writer)| {
                    let mut text = writer.finish();
                    // It may be kept for long.
                    text.shrink_to_fit();
                    (name, text)
                })
                .collect(),
        )
    }
}

impl Family<'_> {
    /// One sample.
    pub(crate) fn sample(&mut self, labels: &[(&str, &str)], value: f64) -> &mut Self {
        self.suffixed("", labels, value)
    }

    /// One sample whose name has `suffix` behind it.
    pub(crate) fn suffixed(
        &mut self,
        suffix: &str,
        labels: &[(&str, &str)],
        value: f64,
    ) -> &mut Self {
        self.writer.spelled(suffix, self.instance, labels, value);
        self
    }

    /// One sample with the labels that [`Sheet::spell`] made.
    pub(crate) fn spelled(&mut self, labels: &Spelled, value: f64) {
        self.writer.spelled("", labels, &[], value);
    }
}

/// One page of the pieces of several servers.
pub(crate) fn page(all: &[Arc<Pieces>]) -> String {
    let mut families: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut size = 0;
    for pieces in all {
        for (name, text) in &pieces.0 {
            size += text.len();
            families.entry(name).or_default().push(text);
        }
    }
    let mut page = String::with_capacity(size);
    for texts in families.values() {
        for (at, text) in texts.iter().enumerate() {
            page.push_str(if at == 0 { text } else { samples(text) });
        }
    }
    page
}

/// A family's text behind its lines of help and type.
fn samples(text: &str) -> &str {
    text.splitn(3, '\n').nth(2).unwrap_or_default()
}

/// Looks at a page that was made of what others sent, for those who throw any bytes at
/// what makes it.
///
/// # Panics
/// If it is no page, or has a series twice.
pub(crate) fn check(page: &str) {
    let mut seen = HashSet::new();
    for entry in exposition::parse(page) {
        assert!(entry.is_ok(), "{entry:?} in {page}");
        if let Ok(Entry::Sample(sample)) = entry {
            let twice = !seen.insert(sample.labels.clone());
            assert!(!twice, "{:?} is there twice in {page}", sample.labels);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(instance: &str, value: f64) -> Arc<Pieces> {
        let mut sheet = Sheet::new(&instance.into());
        sheet.single("b", "B.", Kind::Gauge, value);
        sheet
            .family("a_total", "A.", Kind::Counter)
            .sample(&[("x", "1")], value);
        // Opened again, as a second database of the same server does.
        sheet
            .family("a_total", "A.", Kind::Counter)
            .sample(&[("x", "2")], value);
        Arc::new(sheet.finish())
    }

    #[test]
    fn several_servers_share_a_page_with_each_family_once() {
        assert_eq!(
            page(&[pieces("one", 1.0), pieces("two", 2.0)]),
            "# HELP a_total A.\n# TYPE a_total counter\n\
             a_total{instance=\"one\",x=\"1\"} 1\na_total{instance=\"one\",x=\"2\"} 1\n\
             a_total{instance=\"two\",x=\"1\"} 2\na_total{instance=\"two\",x=\"2\"} 2\n\
             # HELP b B.\n# TYPE b gauge\nb{instance=\"one\"} 1\nb{instance=\"two\"} 2\n"
        );
    }

    #[test]
    fn one_server_alone_needs_no_label() {
        assert_eq!(
            page(&[pieces("", 1.0)]),
            "# HELP a_total A.\n# TYPE a_total counter\na_total{x=\"1\"} 1\na_total{x=\"2\"} 1\n\
             # HELP b B.\n# TYPE b gauge\nb 1\n"
        );
    }
}
