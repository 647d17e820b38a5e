//! Targets of probes that stand in somebody else's configuration: Caddy is asked,
//! files are read, expressions are evaluated. A source that fails keeps its last
//! targets, and is told as a metric.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use exposition::{Kind, Writer};
use healthchecks::probe::discover::{self, Discover};
use healthchecks::probe::{self, Http, Target};
use promql::Value;
use tokio::sync::Semaphore;
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::super::Watch;
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
pub(crate) struct Discovered(Mutex<BTreeMap<String, Source>>);

#[derive(Debug, Default, Clone)]
struct Source {
    targets: Vec<Target>,
    well: bool,
}

impl Discovered {
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

    fn took(&self, name: &str, found: Result<Vec<Target>, String>) {
        let mut sources = self.lock();
        // Told once, not at each look.
        let fresh = !sources.contains_key(name);
        let source = sources.entry(name.to_owned()).or_default();
        match found {
            Ok(targets) => {
                *source = Source {
                    targets,
                    well: true,
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
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

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
    let mut last: Option<(Instant, Discover)> = None;
    loop {
        let config = watch.config().probe.discover.clone();
        let due = last
            .as_ref()
            .is_none_or(|(at, of)| at.elapsed() >= config.interval || *of != config);
        if due {
            let looking = look(watch, &config);
            tokio::select! {
                () = stop.cancelled() => return,
                () = looking => {}
            }
            last = Some((Instant::now(), config));
        }
        beat.beat(Instant::now());
        tokio::select! {
            () = stop.cancelled() => return,
            () = time::sleep(IDLE) => {}
        }
    }
}

/// Looks at each source once; those that are configured no more are forgotten.
async fn look(watch: &Arc<Watch>, config: &Discover) {
    let named = |kind: &str, all: &[String]| -> Vec<String> {
        all.iter().map(|one| format!("{kind} {one}")).collect()
    };
    let known = [
        named("caddy", &config.caddy),
        named("nginx", &config.nginx),
        named("series", &config.series),
    ]
    .concat();
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
        let found = aside({
            let (watch, expr, config) = (Arc::clone(watch), expr.clone(), config.clone());
            move || series(&watch, &expr, &config)
        });
        watch
            .health
            .discovered
            .took(&format!("series {expr}"), found.await);
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

fn series(watch: &Watch, text: &str, config: &Discover) -> Result<Vec<Target>, String> {
    let expr = promql::parse(text).map_err(|err| err.to_string())?;
    let now_ms = watch.clock.now_ms();
    let answer = watch.engine().instant(&watch.store, &expr, now_ms);
    let answer = answer.map_err(|err| err.to_string())?;
    match &answer.value {
        Value::Vector(vector) => {
            let labels = vector
                .iter()
                .map(|(labels, _)| |name: &str| labels.get(name));
            Ok(config.named(labels))
        }
        _ => Err("it gives no series".to_owned()),
    }
}
