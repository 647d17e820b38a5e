//! One page as samples with the labels of its target.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use exposition::{Entry, Labels, Sample, parse};

use super::Target;

/// Samples further ahead of the clock than this are not taken.
const MAX_AHEAD_MS: i64 = 10 * 60_000;

/// What a page holds, ready for the store.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) samples: Vec<Sample>,
    /// Hashes of the series that end when the next page is without them, sorted.
    pub(super) series: Vec<u64>,
    /// Samples left out: a series stood twice, or a time lay in the future.
    pub(super) refused: u64,
}

impl Page {
    /// Reads a page. `counted` is how far it came, also when it fails.
    pub(super) fn read(
        text: &str,
        target: &Target,
        labels: &[(Arc<str>, Arc<str>)],
        time_ms: i64,
        counted: &mut usize,
    ) -> Result<Self, String> {
        target.limits.body(text.len())?;
        let mut page = Self::default();
        let mut too_many = Ok(());
        for entry in parse(text) {
            let Entry::Sample(mut sample) = entry.map_err(|err| err.to_string())? else {
                continue;
            };
            *counted += 1;
            // Counted to the end, so that the reader sees how far over it is.
            too_many = target.limits.count(*counted);
            if too_many.is_err() {
                continue;
            }
            sample.labels = merged(&sample.labels, labels, target.honor_labels);
            target.limits.series(&sample.labels)?;
            page.samples.push(sample);
        }
        too_many?;
        page.settle(time_ms);
        Ok(page)
    }

    /// Leaves out what cannot be stored, and lists the series. A series that
    /// states its own time never ends by absence, as in Prometheus.
    fn settle(&mut self, time_ms: i64) {
        let mut seen = std::collections::HashSet::with_capacity(self.samples.len());
        let before = self.samples.len();
        self.samples.retain(|sample| match sample.time_ms {
            Some(at_ms) => at_ms <= time_ms + MAX_AHEAD_MS,
            None => seen.insert(hash(&sample.labels)),
        });
        self.refused = (before - self.samples.len()) as u64;
        self.series = seen.into_iter().collect();
        self.series.sort_unstable();
    }
}

/// The identity of a series within its target.
pub(super) fn hash(labels: &Labels) -> u64 {
    let mut hasher = DefaultHasher::new();
    labels.hash(&mut hasher);
    hasher.finish()
}

/// The labels of a sample together with those of its target.
fn merged(scraped: &Labels, target: &[(Arc<str>, Arc<str>)], honor: bool) -> Labels {
    let mut builder = scraped.edit();
    let mut clashes = Vec::new();
    for (name, value) in target {
        let there = scraped.get(name);
        if there.is_empty() {
            builder.set(Arc::clone(name), Arc::clone(value));
        } else if !honor {
            clashes.push((name, Arc::<str>::from(there)));
            builder.set(Arc::clone(name), Arc::clone(value));
        }
    }
    // All of the target's labels are in place before a free name is looked for.
    for (name, value) in clashes {
        let mut renamed = format!("exported_{name}");
        while !builder.get(&renamed).is_empty() {
            renamed.insert_str(0, "exported_");
        }
        builder.set(renamed, value);
    }
    builder.build()
}
