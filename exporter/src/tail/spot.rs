//! Where a log is, as sections of the configuration say it.

use std::path::Path;

use super::{Source, Streams};

/// A file, a container or a unit; what is empty is not said.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spot<'a> {
    pub(crate) file: &'a Path,
    pub(crate) container: &'a str,
    pub(crate) unit: &'a str,
}

impl Spot<'_> {
    /// What tells it from others: `name`, unless that is empty.
    pub(crate) fn label(self, name: &str) -> String {
        let mut texts = [name, self.container, self.unit].into_iter();
        let label = texts.find(|text| !text.is_empty()).map(str::to_owned);
        label.unwrap_or_else(|| self.file.display().to_string())
    }

    /// Where its lines come from.
    pub(crate) fn source(self, journal: &Path) -> Source {
        if !self.container.is_empty() {
            Source::Container(self.container.to_owned(), Streams::Both)
        } else if !self.unit.is_empty() {
            Source::Unit(self.unit.to_owned(), journal.to_owned())
        } else {
            Source::File(self.file.to_owned())
        }
    }

    /// Why it cannot be followed, as (key below the section's, message).
    pub(crate) fn fault(self) -> Option<(&'static str, &'static str)> {
        let has_file = !self.file.as_os_str().is_empty();
        let said = [has_file, !self.container.is_empty(), !self.unit.is_empty()];
        if said.iter().filter(|one| **one).count() != 1 {
            Some(("", "one of file, container and unit is wanted"))
        } else if has_file && !self.file.is_absolute() {
            Some((".file", "the whole path is wanted, from / on"))
        } else {
            None
        }
    }
}
