//! From the page of a target to samples in the store.
//!
//! Own exporters and foreign ones go the same way: text in, samples out. A page
//! is taken whole or not at all; whatever is wrong with it counts as a scrape
//! that found nothing, so every series of the target ends there and then.
//! Nothing here reads a clock or a socket.

mod limits;
mod page;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use exposition::{Labels, LabelsBuilder, NAME, stale};
use series::{Matcher, Op, Store};

pub use limits::Limits;
use page::Page;

/// Where a page comes from, and what every series of it is labelled with.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Target {
    /// The `job` label.
    pub job: String,
    /// The `instance` label.
    pub instance: String,
    /// Further labels.
    pub labels: BTreeMap<String, String>,
    /// Whether a label of the page wins over one of the target. Otherwise the
    /// page's one is renamed to `exported_...`.
    pub honor_labels: bool,
    /// What the page may hold at most.
    pub limits: Limits,
}

/// What a target looked like at its last scrape.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Status {
    /// Whether it worked; unknown before the first one.
    pub up: Option<bool>,
    /// Why it failed.
    pub last_error: Option<String>,
    /// When it was, in milliseconds since 1970.
    pub last_scrape_ms: Option<i64>,
    /// How long it took.
    pub took: Duration,
    /// How many samples the page had.
    pub samples: usize,
    /// Samples that the store refused, ever: out of order, twice at one time,
    /// or from the future.
    pub refused_total: u64,
}

/// Takes in the pages of one target, and remembers which series it has.
#[derive(Debug)]
pub struct Intake {
    target: Target,
    labels: Vec<(Arc<str>, Arc<str>)>,
    /// Hashes of the series of the last page, sorted. The labels themselves are
    /// in the store already and need no second place.
    known: Vec<u64>,
    known_at_ms: i64,
    status: Status,
}

impl Intake {
    /// An intake that knows no series yet.
    #[must_use]
    pub fn new(target: Target) -> Self {
        let mut labels: BTreeMap<Arc<str>, Arc<str>> = target
            .labels
            .iter()
            .map(|(name, value)| (name.as_str().into(), value.as_str().into()))
            .collect();
        labels.insert("job".into(), target.job.as_str().into());
        labels.insert("instance".into(), target.instance.as_str().into());
        labels.retain(|_, value| !value.is_empty());
        Self {
            labels: labels.into_iter().collect(),
            target,
            known: Vec::new(),
            known_at_ms: 0,
            status: Status::default(),
        }
    }

    /// The target.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// How the last scrape went.
    #[must_use]
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// Takes one scrape in: the page, or why there is none. `took` is how long
    /// the reading took. Returns whether the target is up.
    pub fn take(
        &mut self,
        page: Result<&str, &str>,
        time_ms: i64,
        took: Duration,
        store: &Store,
    ) -> bool {
        let mut counted = 0;
        let read = match page {
            Ok(text) => Page::read(text, &self.target, &self.labels, time_ms, &mut counted),
            Err(err) => Err(err.to_owned()),
        };
        let error = read.as_ref().err().cloned();
        let page = read.unwrap_or_default();
        let scraped = counted;
        let new = self.store(page, time_ms, store);
        let up = error.is_none();
        self.report(store, time_ms, took, up, scraped, new);
        if let Some(err) = &error
            && self.status.last_error.is_none()
        {
            let (job, instance) = (&self.target.job, &self.target.instance);
            tracing::warn!(job, instance, "scrape failed: {err}");
        }
        self.status = Status {
            up: Some(up),
            last_error: error,
            last_scrape_ms: Some(time_ms),
            took,
            samples: scraped,
            refused_total: self.status.refused_total,
        };
        up
    }

    /// The target is gone for good: ends its series, `up` among them.
    pub fn end(&mut self, time_ms: i64, store: &Store) {
        self.store(Page::default(), time_ms, store);
        for name in REPORTS {
            let _ = store.append(&self.own(name), time_ms, stale());
        }
    }

    /// Forgets what was there before, when the clock was set: markers at the
    /// former time are of no use then.
    pub fn shift(&mut self, delta_ms: i64) {
        self.known_at_ms += delta_ms;
        self.status.last_scrape_ms = self.status.last_scrape_ms.map(|time| time + delta_ms);
    }

    /// Stores a page and ends what is no more. Returns the number of new series.
    fn store(&mut self, page: Page, time_ms: i64, store: &Store) -> usize {
        let mut refused = page.refused;
        for sample in &page.samples {
            let at_ms = sample.time_ms.unwrap_or(time_ms);
            if store.append(&sample.labels, at_ms, sample.value).is_err() {
                refused += 1;
            }
        }
        self.status.refused_total += refused;
        let is_new = |hash: &&u64| self.known.binary_search(hash).is_err();
        let new = page.series.iter().filter(is_new).count();
        let gone: Vec<u64> = self
            .known
            .iter()
            .filter(|hash| page.series.binary_search(hash).is_err())
            .copied()
            .collect();
        if !gone.is_empty() {
            self.end_series(&gone, time_ms, store);
        }
        self.known = page.series;
        self.known.shrink_to_fit();
        self.known_at_ms = time_ms;
        new
    }

    /// Finds the labels of series by their hashes, in the store, and ends them.
    fn end_series(&self, gone: &[u64], time_ms: i64, store: &Store) {
        for series in store.select(&self.mine(), self.known_at_ms, self.known_at_ms) {
            if gone.binary_search(&page::hash(&series.labels)).is_ok() {
                let _ = store.append(&series.labels, time_ms, stale());
            }
        }
    }

    /// What picks the series of this target out of the store.
    fn mine(&self) -> Vec<Matcher> {
        let narrow = if self.target.honor_labels {
            // The page may have set any label, so the time alone narrows it.
            &[]
        } else {
            self.labels.as_slice()
        };
        narrow
            .iter()
            .filter_map(|(name, value)| Matcher::new(&**name, Op::Equal, &**value).ok())
            .chain(Matcher::new(NAME, Op::NotEqual, ""))
            .collect()
    }

    fn report(
        &mut self,
        store: &Store,
        time_ms: i64,
        took: Duration,
        up: bool,
        scraped: usize,
        new: usize,
    ) {
        let values = [
            f64::from(u8::from(up)),
            took.as_secs_f64(),
            scraped as f64,
            scraped as f64,
            new as f64,
        ];
        for (name, value) in REPORTS.into_iter().zip(values) {
            if store.append(&self.own(name), time_ms, value).is_err() {
                self.status.refused_total += 1;
            }
        }
    }

    fn own(&self, name: &str) -> Labels {
        let mut builder = LabelsBuilder::default();
        builder.set(NAME, name);
        for (name, value) in &self.labels {
            builder.set(Arc::clone(name), Arc::clone(value));
        }
        builder.build()
    }
}

const REPORTS: [&str; 5] = [
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
];
