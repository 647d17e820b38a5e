//! Applications that ask to be scraped by the label `belfry.scrape`, passed on
//! by the exporters alone: with the labels `job`, `instance` and `name` that the
//! watch would give them, and `up` for each.
//!
//! Each is fetched by a task of its own; a page is made of what came last. One
//! that does not answer has no series but `up`.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Place;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use exporter::container::Containers;
use exposition::{Entry, Format, Kind, Labels, NAME, Writer};
use rules::{Clients, Discovery, Fetched, Foreign};
use tokio::task::JoinSet;
use tokio::time;
use tokio_util::sync::CancellationToken;

use crate::scraping;

/// So many applications are passed on.
const MOST: usize = 200;
/// How often containers are looked through, beside the stream of changes.
const PULSE: Duration = Duration::from_secs(30);

/// The applications.
#[derive(Default)]
pub(super) struct Through(Mutex<Vec<Arc<Application>>>);

struct Application {
    target: Foreign,
    stop: CancellationToken,
    /// The last page, or that there is none; nothing before the first answer.
    last: Mutex<Option<Option<Fetched>>>,
}

impl Through {
    /// Fetches every application each interval until `stop`. Returns only then.
    pub(super) async fn run(
        &self,
        containers: &Containers,
        every: impl Fn() -> Duration,
        stop: CancellationToken,
    ) {
        let (mut discovery, clients) = (Discovery::default(), Clients::default());
        let mut changes = containers.changes();
        let mut tasks = JoinSet::new();
        loop {
            let found = scraping::containers(containers);
            // Without jobs it reads no file.
            let mut targets = discovery.look(&[], &found, every(), true).targets;
            targets.truncate(MOST);
            for one in self.take_over(targets, &stop) {
                let client = clients.of(&one.target);
                tasks.spawn(async move {
                    let now_ms = jiff::Timestamp::now().as_millisecond();
                    let put = |page: Result<&Fetched, &str>, _| {
                        *lock(&one.last) = Some(page.ok().cloned());
                    };
                    one.target.run(&client, now_ms, &one.stop, put).await;
                });
            }
            while tasks.try_join_next().is_some() {}
            tokio::select! {
                () = stop.cancelled() => break,
                Ok(()) = changes.changed() => {}
                () = time::sleep(PULSE) => {}
            }
        }
        tasks.shutdown().await;
    }

    /// Leaves off those that are gone; returns those that are new.
    fn take_over(&self, wanted: Vec<Foreign>, stop: &CancellationToken) -> Vec<Arc<Application>> {
        let mut all = lock(&self.0);
        all.retain(|one| {
            let stays = wanted.contains(&one.target);
            if !stays {
                one.stop.cancel();
            }
            stays
        });
        let known = all.clone();
        let fresh = wanted
            .into_iter()
            .filter(|target| known.iter().all(|one| one.target != *target))
            .map(|target| {
                Arc::new(Application {
                    target,
                    stop: stop.child_token(),
                    last: Mutex::default(),
                })
            });
        let fresh: Vec<_> = fresh.collect();
        all.extend(fresh.iter().cloned());
        fresh
    }

    /// What all of them said last, each family once.
    pub(super) fn page(&self) -> String {
        let all = lock(&self.0).clone();
        let mut families = Families::default();
        for one in &all {
            let Some(last) = &*lock(&one.last) else {
                continue;
            };
            let target = &one.target.target;
            let mut labels: Vec<(&str, &str)> =
                vec![("job", &target.job), ("instance", &target.instance)];
            labels.extend(
                target
                    .labels
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_str())),
            );
            let samples = last.as_ref().and_then(samples);
            let up = f64::from(u8::from(samples.is_some()));
            let help = "Whether the application answered when it was asked last.";
            families.add("up", Kind::Gauge, help, "", &labels, up);
            for sample in samples.unwrap_or_default() {
                let own = sample.labels.iter().filter(|(name, _)| *name != NAME);
                let own: Vec<(String, &str)> = own
                    .map(
                        |(name, value)| match labels.iter().any(|(ours, _)| *ours == name) {
                            true => (format!("exported_{name}"), value),
                            false => (name.to_owned(), value),
                        },
                    )
                    .collect();
                let mut whole = labels.clone();
                whole.extend(own.iter().map(|(name, value)| (name.as_str(), *value)));
                let (family, suffix) = (&sample.family, sample.suffix);
                families.add(
                    family,
                    sample.kind,
                    &sample.help,
                    suffix,
                    &whole,
                    sample.value,
                );
            }
        }
        families.finish()
    }
}

/// A sample with the family that it stands in, as a classic page has them.
struct Sample {
    family: String,
    suffix: &'static str,
    kind: Kind,
    help: String,
    labels: Labels,
    value: f64,
}

/// All samples of a page; nothing when it is faulty.
fn samples(page: &Fetched) -> Option<Vec<Sample>> {
    let mut known: BTreeMap<String, (Kind, String)> = BTreeMap::new();
    let none = || (Kind::Untyped, String::new());
    let mut out = Vec::new();
    for entry in page.format.parse(&page.text) {
        match entry.ok()? {
            Entry::Help(name, help) => known.entry(name.to_owned()).or_insert_with(none).1 = help,
            Entry::Type(name, kind) => known.entry(name.to_owned()).or_insert_with(none).0 = kind,
            Entry::Unit(..) => {}
            Entry::Sample(sample) => {
                let name = sample.labels.name();
                let of = |suffix: &'static str| {
                    let family = name.strip_suffix(suffix)?;
                    Some((family, suffix, known.get(family)?))
                };
                let parts = [
                    "", "_bucket", "_sum", "_count", "_gcount", "_gsum", "_total", "_info",
                ];
                let found = parts.into_iter().find_map(of);
                let (family, suffix, kind, help) = match found {
                    // OpenMetrics names counters without what classic pages have at their end.
                    Some((_, "_total" | "_info", (kind, help))) => (name, "", *kind, help.clone()),
                    Some((family, suffix, (kind, help))) => (family, suffix, *kind, help.clone()),
                    None => (name, "", Kind::Untyped, String::new()),
                };
                out.push(Sample {
                    family: family.to_owned(),
                    suffix,
                    kind: classic(kind, page.format),
                    help,
                    value: sample.value,
                    labels: sample.labels,
                });
            }
        }
    }
    Some(out)
}

/// The types that only OpenMetrics has are values that go up and down.
fn classic(kind: Kind, format: Format) -> Kind {
    match kind {
        Kind::Info | Kind::StateSet => Kind::Gauge,
        Kind::GaugeHistogram if format == Format::OpenMetrics => Kind::Untyped,
        kind => kind,
    }
}

/// Families of several pages.
#[derive(Default)]
struct Families(BTreeMap<String, Writer>);

impl Families {
    fn add(
        &mut self,
        family: &str,
        kind: Kind,
        help: &str,
        suffix: &str,
        labels: &[(&str, &str)],
        value: f64,
    ) {
        let writer = match self.0.entry(family.to_owned()) {
            Place::Occupied(known) => known.into_mut(),
            Place::Vacant(fresh) => {
                let mut writer = Writer::new();
                writer.family(family, help, kind);
                fresh.insert(writer)
            }
        };
        writer.suffixed(suffix, labels, value);
    }

    fn finish(self) -> String {
        self.0.into_values().map(Writer::finish).collect()
    }
}

/// No code of ours panics with one of these locks held.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(format: Format, text: &str) -> Option<Vec<String>> {
        let page = Fetched {
            text: text.to_owned(),
            format,
        };
        let all = samples(&page)?;
        let line =
            |one: &Sample| format!("{} {:?} {} {}", one.family, one.kind, one.suffix, one.value);
        Some(all.iter().map(line).collect())
    }

    #[test]
    fn families_of_both_formats_come_out_as_classic_ones() {
        let classic = "# HELP a_total A.\n# TYPE a_total counter\na_total{x=\"1\"} 1\n# TYPE h histogram\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\nplain 4\n";
        assert_eq!(
            lines(Format::Text, classic).unwrap(),
            [
                "a_total Counter  1",
                "h Histogram _bucket 2",
                "h Histogram _sum 3",
                "h Histogram _count 2",
                "plain Untyped  4"
            ]
        );
        let open = "# TYPE a counter\na_total 1\n# TYPE b info\nb_info{v=\"1\"} 1\n# TYPE s summary\ns_sum 2\n# EOF\n";
        assert_eq!(
            lines(Format::OpenMetrics, open).unwrap(),
            ["a_total Counter  1", "b_info Gauge  1", "s Summary _sum 2"]
        );
        assert_eq!(lines(Format::Text, "a{ 1\n"), None);
    }
}
