//! From the page of a target to samples in the store.
//!
//! Own exporters and foreign ones go the same way: text in, samples out; what this
//! process alone knows may come as rows, without the text. A page is taken whole or
//! not at all; whatever is wrong with it counts as a scrape that found nothing, so
//! every series of the target ends there and then. Nothing here reads a clock or a
//! socket.

mod limits;
mod page;
mod rows;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use exposition::{Format, Label, Labels, LabelsBuilder, NAME, stale};
use series::{Appender, Finished, Store};

use crate::relabel::Relabel;
pub use limits::Limits;
pub use page::Page;
use page::{Counted, Dress, Labelled, MAX_AHEAD_MS, Series};

/// Where a page comes from, and what every series of it is labelled with.
#[derive(Debug, Clone, PartialEq)]
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
    /// Whether a time that the page states for a sample counts.
    pub honor_timestamps: bool,
    /// Whether series with times of the page's own end when they are missing.
    pub track_timestamps_staleness: bool,
    /// What becomes of each series before it is stored.
    pub relabel: Arc<[Relabel]>,
    /// What the page may hold at most.
    pub limits: Limits,
    /// How it was found; nothing for a page of this process.
    pub origin: Option<Arc<Origin>>,
}

/// How a target was found, and how it is scraped.
#[derive(Debug, Clone, PartialEq)]
pub struct Origin {
    /// The name of its job.
    pub pool: String,
    /// The address of its page.
    pub url: String,
    /// Its labels before relabelling.
    pub discovered: BTreeMap<String, String>,
    /// Time between two scrapes.
    pub every: Duration,
    /// The longest wait for a page.
    pub timeout: Duration,
}

impl Default for Target {
    fn default() -> Self {
        Self {
            job: String::new(),
            instance: String::new(),
            labels: BTreeMap::new(),
            honor_labels: false,
            honor_timestamps: true,
            track_timestamps_staleness: false,
            relabel: Arc::from([]),
            limits: Limits::default(),
            origin: None,
        }
    }
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
    labels: Vec<Label>,
    known: Appender,
    status: Status,
}

impl Intake {
    /// An intake that knows no series yet.
    #[must_use]
    pub fn new(target: Target) -> Self {
        let mut labels = LabelsBuilder::default();
        for (name, value) in &target.labels {
            labels.set(name, value);
        }
        labels.set("job", &target.job);
        labels.set("instance", &target.instance);
        Self {
            labels: labels.build().shared().to_vec(),
            target,
            known: Appender::new(),
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
    pub fn take<'a>(
        &mut self,
        page: Result<impl Into<Page<'a>>, &str>,
        time_ms: i64,
        took: Duration,
        store: &Store,
    ) -> bool {
        let mut counted = Counted::default();
        let page = page.map(Into::into);
        let stored = self.store(page, time_ms, took, store, &mut counted);
        self.taken(time_ms, took, counted.scraped, stored.err())
    }

    /// Keeps how a scrape went; returns whether the target is up.
    fn taken(
        &mut self,
        time_ms: i64,
        took: Duration,
        samples: usize,
        error: Option<String>,
    ) -> bool {
        let up = error.is_none();
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
            samples,
            refused_total: self.status.refused_total,
        };
        up
    }

    /// The target is gone for good: ends its series, `up` among them.
    pub fn end(&mut self, time_ms: i64, store: &Store) {
        self.known.begin(store).finish(time_ms);
        for name in REPORTS.into_iter().chain([ADDED]) {
            let _ = store.append(&self.own(name), time_ms, stale());
        }
    }

    /// Moves the kept times, when the clock was set.
    pub fn shift(&mut self, delta_ms: i64) {
        self.status.last_scrape_ms = self.status.last_scrape_ms.map(|time| time + delta_ms);
    }

    /// Stores a page and ends what is no more; without a page that is all.
    fn store(
        &mut self,
        page: Result<Page<'_>, &str>,
        time_ms: i64,
        took: Duration,
        store: &Store,
        counted: &mut Counted,
    ) -> Result<(), String> {
        let dress = Dress {
            target: &self.target,
            labels: &self.labels,
            format: page.map_or_else(|_| Format::Text, |page| page.format),
        };
        let text = page.map_or("", |page| page.text);
        let read = page
            .map_err(str::to_owned)
            .and_then(|page| page::read(dress, &self.known, page.text, counted));
        let (lines, outcome) = match read {
            Ok(lines) => (lines, Ok(())),
            Err(err) => (Vec::new(), Err(err)),
        };
        let mut refused = self.report(outcome.is_ok(), time_ms, took, counted, store);
        let mut batch = self.known.begin(store);
        let mut ahead = 0;
        for line in lines {
            let at_ms = line.time_ms.unwrap_or(time_ms);
            if at_ms > time_ms + MAX_AHEAD_MS {
                ahead += 1;
                continue;
            }
            let tracked = line.time_ms.is_none() || self.target.track_timestamps_staleness;
            // The batch counts what the store refuses.
            let _ = match line.series {
                Series::Known { slot, at, kind } => {
                    batch.add_known(slot, at_ms, line.value, tracked, || {
                        dress.labels_at(text, at, kind)
                    })
                }
                Series::New(new) => {
                    batch.add(new.key, at_ms, line.value, tracked, || match &new.labels {
                        Labelled::Made(labels) => Some(labels.clone()),
                        Labelled::Dropped => None,
                        Labelled::Later => dress.labels_of(new.key, new.kind),
                    })
                }
            };
        }
        let finished = batch.finish(time_ms);
        refused += ahead + self.finish(finished, time_ms, store);
        self.status.refused_total += refused;
        outcome
    }

    /// Says how a scrape went, before its page is stored: one that fills the memory must
    /// not keep out its own `up`. Returns how many samples the store refused.
    fn report(
        &self,
        up: bool,
        time_ms: i64,
        took: Duration,
        counted: &Counted,
        store: &Store,
    ) -> u64 {
        let values = [
            f64::from(u8::from(up)),
            took.as_secs_f64(),
            counted.scraped as f64,
            counted.kept as f64,
        ];
        let reports = REPORTS.into_iter().zip(values);
        let refused = reports.map(|(name, value)| store.append(&self.own(name), time_ms, value));
        refused.filter(Result::is_err).count() as u64
    }

    /// Says what a page added; returns how many samples of it and of this the store refused.
    fn finish(&self, finished: Finished, time_ms: i64, store: &Store) -> u64 {
        let added = store.append(&self.own(ADDED), time_ms, finished.added as f64);
        u64::from(added.is_err()) + finished.rejected as u64
    }

    fn own(&self, name: &str) -> Labels {
        let mut builder = LabelsBuilder::default();
        builder.set(NAME, name);
        for label in &self.labels {
            builder.put(label.clone());
        }
        builder.build()
    }
}

const REPORTS: [&str; 4] = [
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
];
const ADDED: &str = "scrape_series_added";
