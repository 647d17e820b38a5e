//! Targets of probes that stand in somebody else's configuration: Caddy is asked,
//! files are read, expressions are evaluated. A source that fails keeps its last
//! targets, and is told as a metric.

mod kept;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use exposition::{Kind, Labels, Writer};
use healthchecks::probe::discover::{self, Discover};
use healthchecks::probe::{self, Http, Target};
use promql::Value;
use tokio::sync::Semaphore;
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::super::Watch;
use super::probes::LISTED;
use crate::config::Config;

/// A reload is noticed by then.
const IDLE: Duration = Duration::from_secs(2);
/// A source that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(10);
/// So many looks may hang; those who come later find no place and hold no thread.
static ROOM: Semaphore = Semaphore::const_new(2);
/// A configuration is no longer than this, in bytes.
const MOST: u64 = 4 << 20;

/// What each source came to.
#[derive(Debug, Default)]
pub(crate) struct Discovered {
    sources: Mutex<BTreeMap<String, Source>>,
    /// Whether each was looked at once.
    known: AtomicBool,
}

#[derive(Debug, Default, Clone)]
struct Source {
    targets: Vec<Target>,
    /// Whence the series came that named them.
    origins: BTreeSet<Origin>,
    well: bool,
    /// Whether it was read since the start.
    answered: bool,
}

/// Whence a series comes: its job and instance, and the database of a question.
type Origin = [String; 3];

fn origin(labels: &Labels) -> Origin {
    ["job", "instance", "datname"].map(|name| labels.get(name).to_owned())
}

impl Discovered {
    /// Whether each source was looked at since the start.
    pub(super) fn is_known(&self) -> bool {
        self.known.load(Ordering::Relaxed)
    }

    /// All targets of all sources.
    pub(super) fn all(&self) -> Vec<Target> {
        let sources = self.lock();
        let targets = sources.values().flat_map(|source| &source.targets);
        targets.cloned().collect()
    }

    /// Adds the samples to a page.
    pub(super) fn write(&self, page: &mut Writer) {
        let sources = self.lock();
        if sources.is_empty() {
            return;
        }
        page.family(
            "belfry_probe_discovery_up",
            "Whether the source of targets could be read.",
            Kind::Gauge,
        );
        for (name, source) in &*sources {
            page.sample(&[("source", name)], f64::from(u8::from(source.well)));
        }
        page.family(
            "belfry_probe_discovery_targets",
            "How many targets stand there.",
            Kind::Gauge,
        );
        for (name, source) in &*sources {
            let count = u32::try_from(source.targets.len()).unwrap_or(u32::MAX);
            page.sample(&[("source", name)], f64::from(count));
        }
    }

    /// Whence the series of a source came last, and whether it was read since the start.
    fn origins(&self, name: &str) -> (BTreeSet<Origin>, bool) {
        let sources = self.lock();
        let source = sources.get(name);
        source
            .map(|source| (source.origins.clone(), source.answered))
            .unwrap_or_default()
    }

    fn took(&self, name: &str, found: Result<Vec<Target>, String>) {
        self.took_from(name, found.map(|targets| (targets, BTreeSet::new())));
    }

    fn took_from(&self, name: &str, found: Result<Found, String>) {
        let mut sources = self.lock();
        // Told once, not at each look.
        let fresh = !sources.contains_key(name);
        let source = sources.entry(name.to_owned()).or_default();
        match found {
            Ok((targets, origins)) => {
                *source = Source {
                    targets,
                    origins,
                    well: true,
                    answered: true,
                };
            }
            Err(why) => {
                if std::mem::replace(&mut source.well, false) || fresh {
                    tracing::warn!(source = name, "targets of probes cannot be read: {why}");
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Source>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Targets, and whence they came.
type Found = (Vec<Target>, BTreeSet<Origin>);

/// What is wrong with the expressions, as (key, message).
pub(crate) fn faults(config: &Config) -> Vec<(String, String)> {
    let series = config.probe.discover.series.iter().enumerate();
    series
        .filter_map(|(at, expr)| {
            let fault = promql::parse(expr).err()?;
            Some((format!("probe.discover.series[{at}]"), fault.to_string()))
        })
        .collect()
}

/// Looks until told to stop.
pub(super) async fn run(watch: &Arc<Watch>, stop: &CancellationToken) {
    let beat = watch
        .liveness
        .watch("discover", Duration::from_secs(600), Instant::now());
    let began = Instant::now();
    let mut written = kept::before(watch).await;
    let mut last: Option<(Instant, Discover)> = None;
    loop {
        let config = watch.config().probe.discover.clone();
        let due = last
            .as_ref()
            .is_none_or(|(at, of)| at.elapsed() >= config.interval || *of != config);
        if due {
            let looking = look(watch, &config, began);
            tokio::select! {
                () = stop.cancelled() => return,
                () = looking => {}
            }
            watch.health.discovered.known.store(true, Ordering::Relaxed);
            last = Some((Instant::now(), config));
            kept::keep(watch, &mut written).await;
        }
        beat.beat(Instant::now());
        tokio::select! {
            () = stop.cancelled() => return,
            () = time::sleep(IDLE) => {}
        }
    }
}

/// What the sources are called.
fn names(config: &Discover) -> Vec<String> {
    let named = |kind: &str, all: &[String]| -> Vec<String> {
        all.iter().map(|one| format!("{kind} {one}")).collect()
    };
    [
        named("caddy", &config.caddy),
        named("nginx", &config.nginx),
        named("series", &config.series),
    ]
    .concat()
}

/// Looks at each source once; those that are configured no more are forgotten.
async fn look(watch: &Arc<Watch>, config: &Discover, began: Instant) {
    let known = names(config);
    watch
        .health
        .discovered
        .lock()
        .retain(|name, _| known.contains(name));
    for place in &config.caddy {
        let sites = caddy(place).await;
        let targets = sites.map(|sites| config.targets(sites));
        watch
            .health
            .discovered
            .took(&format!("caddy {place}"), targets);
    }
    for place in &config.nginx {
        let sites = aside({
            let place = PathBuf::from(place);
            move || nginx(&place)
        });
        let targets = sites.await.map(|sites| config.targets(sites));
        watch
            .health
            .discovered
            .took(&format!("nginx {place}"), targets);
    }
    for expr in &config.series {
        let name = format!("series {expr}");
        let (before, answered) = watch.health.discovered.origins(&name);
        let early = !answered && began.elapsed() < LISTED;
        let found = aside({
            let (watch, expr, config) = (Arc::clone(watch), expr.clone(), config.clone());
            move || series(&watch, &expr, &config, &before, early)
        });
        let found = found.await;
        watch.health.discovered.took_from(&name, found);
    }
}

/// Does what may block where that harms nobody, for so long as we wait.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let done = probe::aside_in(&ROOM, time::Instant::now() + PATIENCE, work).await;
    done.unwrap_or_else(|| Err("it is not answered in time".to_owned()))
}

async fn caddy(place: &str) -> Result<Vec<String>, String> {
    if !place.starts_with("http://") && !place.starts_with("https://") {
        let path = PathBuf::from(place);
        let text = aside(move || settings::read_file(&path, MOST).map_err(|err| err.to_string()));
        return discover::caddy(&text.await?);
    }
    let url = format!("{}/config/", place.trim_end_matches('/'));
    let most = usize::try_from(MOST).unwrap_or(usize::MAX);
    let body = probe::fetch(&url, &Http::default(), PATIENCE, most).await;
    let body = body.map_err(|failure| failure.to_string())?;
    discover::caddy(&String::from_utf8_lossy(&body))
}

fn nginx(main: &Path) -> Result<Vec<String>, String> {
    let mut trouble = None;
    let mut read = 0_usize;
    let sites = discover::nginx(main, &mut |pattern| {
        let files = rules::matching_files(pattern).unwrap_or_default();
        let texts = files.iter().filter_map(|file| {
            read += 1;
            match settings::read_file(file, MOST) {
                Ok(text) => Some(text),
                Err(err) => {
                    trouble = Some(format!("{}: {err}", file.display()));
                    None
                }
            }
        });
        texts.collect()
    });
    match trouble {
        Some(trouble) => Err(trouble),
        None if read == 0 => Err("there is no such file".to_owned()),
        None => Ok(sites),
    }
}

/// What series name. Where they are missing because whence they came does not answer,
/// nobody knows what is named: a database that is down must not end the looks at its sites.
/// `early` after a start its reader may not have asked it yet.
fn series(
    watch: &Watch,
    text: &str,
    config: &Discover,
    before: &BTreeSet<Origin>,
    early: bool,
) -> Result<Found, String> {
    let named = vector(watch, text)?;
    let origins: BTreeSet<Origin> = named.iter().map(|(labels, _)| origin(labels)).collect();
    let mut missing = before.difference(&origins).peekable();
    if let Some(first) = missing.peek() {
        if early {
            return Err(format!("{} has not answered yet", whence(first)));
        }
        let down = vector(watch, "up == 0 or pg_exporter_last_scrape_error == 1")?;
        let unanswered = vector(watch, "belfry_postgres_query_success == 0")?;
        let mut silent = down
            .iter()
            .map(|(labels, _)| (labels, &["job", "instance"][..]))
            .chain(
                unanswered
                    .iter()
                    .map(|(labels, _)| (labels, &["instance", "datname"][..])),
            );
        if let Some((labels, _)) =
            silent.find(|(labels, names)| missing.clone().any(|one| is_of(one, labels, names)))
        {
            return Err(format!("{} does not answer", whence(&origin(labels))));
        }
    }
    let labels = named
        .iter()
        .map(|(labels, _)| |name: &str| labels.get(name));
    Ok((config.named(labels), origins))
}

fn whence([job, instance, _]: &Origin) -> String {
    match (&**job, &**instance) {
        ("", "") => "what it came from".to_owned(),
        ("", one) | (one, "") => one.to_owned(),
        _ => format!("{job} at {instance}"),
    }
}

/// Whether what was named came from a reader with these labels, by those of them that
/// count. An expression such as `max by (url)` leaves nothing of whence it came: it may
/// be any.
fn is_of(origin: &Origin, labels: &Labels, names: &[&str]) -> bool {
    let [job, instance, _] = origin;
    let whole = !job.is_empty() && !instance.is_empty();
    let mut known = ["job", "instance", "datname"].iter().zip(origin);
    known.all(|(name, value)| {
        !names.contains(name) || labels.get(name) == value || (!whole && value.is_empty())
    })
}

/// The series that an expression gives now.
fn vector(watch: &Watch, text: &str) -> Result<Vec<(Labels, f64)>, String> {
    let expr = promql::parse(text).map_err(|err| err.to_string())?;
    let now_ms = watch.clock.now_ms();
    let answer = watch.engine().instant(&watch.store, &expr, now_ms);
    match answer.map_err(|err| err.to_string())?.value {
        Value::Vector(vector) => Ok(vector),
        _ => Err("it gives no series".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_is_of_a_reader_by_the_labels_that_are_left() {
        let reader = Labels::from_pairs([("job", "a"), ("instance", "x"), ("datname", "d")]);
        let up = &["job", "instance"][..];
        let question = &["instance", "datname"][..];
        for (origin, names, expected) in [
            (["a", "x", "d"], up, true),
            (["a", "x", ""], up, true),
            (["b", "x", "d"], up, false),
            (["b", "x", "d"], question, true),
            (["a", "x", ""], question, false),
            (["", "x", ""], up, true),
            (["", "y", ""], up, false),
            (["", "", ""], up, true),
            (["", "", ""], question, true),
            (["", "", "e"], question, false),
        ] {
            let told = is_of(&origin.map(str::to_owned), &reader, names);
            assert_eq!(told, expected, "{origin:?} {names:?}");
        }
    }
}
