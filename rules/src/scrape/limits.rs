//! What a page may hold at most; beyond any of these the scrape fails.

use exposition::{LONGEST_VALUE, Labels};

/// Bounds on one page. They keep a runaway target from filling the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the page.
    pub body_bytes: usize,
    /// Samples on the page.
    pub samples: usize,
    /// Labels of one series, those of the target included.
    pub labels: usize,
    /// Bytes of one label's name.
    pub name_bytes: usize,
    /// Bytes of one label's value.
    pub value_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 16 << 20,
            samples: 50_000,
            labels: 64,
            name_bytes: 512,
            value_bytes: LONGEST_VALUE,
        }
    }
}

impl Limits {
    /// Refuses a page by its size.
    pub(super) fn body(&self, bytes: usize) -> Result<(), String> {
        within("bytes", bytes, self.body_bytes)
    }

    /// Refuses a page by the number of its samples.
    pub(super) fn count(&self, samples: usize) -> Result<(), String> {
        within("samples", samples, self.samples)
    }

    /// Refuses a page by one of its series.
    pub(super) fn series(&self, labels: &Labels) -> Result<(), String> {
        within("labels in one series", labels.len(), self.labels)?;
        for (name, value) in labels.iter() {
            within("bytes in a label name", name.len(), self.name_bytes)?;
            within("bytes in a label value", value.len(), self.value_bytes)
                .map_err(|err| format!("{err}, in {name}"))?;
        }
        Ok(())
    }
}

fn within(what: &str, count: usize, limit: usize) -> Result<(), String> {
    if count <= limit {
        return Ok(());
    }
    Err(format!("too many {what}: {count}, the limit is {limit}"))
}
