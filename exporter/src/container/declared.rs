//! What compose files declare, read again now and then on threads of their own.
//!
//! A project's files are found through the labels of its containers, or the
//! configuration names them. A file that cannot be read leaves the last good
//! reading in place, and a metric says so.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use compose::{Project, Source};
use tokio_util::sync::CancellationToken;

use super::config::Compose;
use super::model::Container;
use super::{Shared, lock};
use crate::crew::{Crew, Outcome};

/// How long the files of one project may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// Of more projects than this only the first are looked at.
const MOST_PROJECTS: usize = 64;
/// The longest compose file, in bytes.
const LONGEST: u64 = 1 << 20;
/// Containers come and go together; their files are looked for when they are through.
const CALM: Duration = Duration::from_millis(500);

/// What is known of projects, by name.
#[derive(Debug, Default)]
pub(super) struct Declared {
    projects: Mutex<BTreeMap<String, Known>>,
    crew: Crew,
}

/// What is known of one project.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    source: Source,
    /// What its files said when they could be read last.
    pub(super) project: Option<Arc<Project>>,
    /// How the files were when they were read.
    stamps: Vec<(PathBuf, Stamp)>,
    /// Why they cannot be read now.
    pub(super) trouble: Option<String>,
}

/// What tells a file from the one that stood there before: its last change, its
/// length and its number.
type Stamp = Option<(i64, i64, u64, u64)>;

impl Declared {
    pub(super) fn known(&self) -> BTreeMap<String, Known> {
        lock(&self.projects).clone()
    }

    /// Puts down what was read; whether anything is otherwise than before.
    fn put(&self, sources: BTreeMap<String, Source>, outcomes: Vec<Outcome<Read>>) -> bool {
        let mut projects = lock(&self.projects);
        let mut changed = !projects.keys().eq(sources.keys());
        projects.retain(|name, _| sources.contains_key(name));
        for ((name, source), outcome) in sources.into_iter().zip(outcomes) {
            let known = projects.entry(name.clone()).or_default();
            let before = known.trouble.is_some();
            changed |= matches!(outcome, Outcome::Done(Read::New(..), _));
            known.source = source;
            match outcome {
                Outcome::Done(Read::Same, _) => {}
                Outcome::Done(Read::New(project, stamps), _) => {
                    known.project = Some(project);
                    known.stamps = stamps;
                    known.trouble = None;
                }
                Outcome::Done(Read::Failed(why), _) => known.trouble = Some(why),
                Outcome::Late => known.trouble = Some("its files cannot be read in time".into()),
                Outcome::Panicked => known.trouble = Some("its files make no sense".into()),
            }
            match &known.trouble {
                Some(why) if !before => {
                    tracing::info!(project = name, "cannot tell what is declared: {why}");
                }
                None if before => tracing::info!(project = name, "what is declared is known again"),
                _ => {}
            }
            changed |= known.trouble.is_some() != before;
        }
        changed
    }
}

enum Read {
    Same,
    New(Arc<Project>, Vec<(PathBuf, Stamp)>),
    Failed(String),
}

/// Reads until told to stop.
pub(super) async fn run(shared: &Arc<Shared>, stop: &CancellationToken) {
    if !shared.compose.enabled {
        return;
    }
    let mut changes = shared.changes.subscribe();
    let mut before = BTreeMap::new();
    let mut due = Instant::now();
    loop {
        let sources = sources(&shared.inventory().containers(), &shared.compose);
        if sources != before || Instant::now() >= due {
            before.clone_from(&sources);
            due = Instant::now() + shared.compose.interval.max(Duration::from_secs(1));
            let changed = read(shared, sources).await;
            shared.told(changed);
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep_until(due.into()) => {}
            _ = changes.changed() => tokio::time::sleep(CALM).await,
        }
    }
}

async fn read(shared: &Arc<Shared>, sources: BTreeMap<String, Source>) -> bool {
    let jobs: Vec<(Source, Known)> = {
        let known = lock(&shared.declared.projects);
        let of = |name: &String| known.get(name).cloned().unwrap_or_default();
        let all = sources.iter();
        all.map(|(name, source)| (source.clone(), of(name)))
            .collect()
    };
    let names: Vec<String> = sources.keys().cloned().collect();
    let root = shared.roots.root.clone();
    let work = move |at: usize| {
        let (source, known) = &jobs[at];
        one(source, known, &root)
    };
    let outcomes = shared.declared.crew.run(names, PATIENCE, work).await;
    shared.declared.put(sources, outcomes)
}

fn one(source: &Source, known: &Known, root: &Path) -> Read {
    let unchanged = known.trouble.is_none()
        && known.project.is_some()
        && known.source == *source
        && known
            .stamps
            .iter()
            .all(|(file, was)| stamp(root, file) == *was);
    if unchanged {
        return Read::Same;
    }
    let read = |path: &Path| settings::read_file(&seen(root, path), LONGEST);
    let mut source = source.clone();
    if source.files.is_empty() {
        source.files = compose::usual_files(&source.folder, &read);
    }
    if source.files.is_empty() {
        return Read::Failed(format!("no compose file in {}", source.folder.display()));
    }
    match compose::load(&source, &read) {
        Ok(project) => {
            let files = project.files.iter();
            let stamps = files
                .map(|file| (file.clone(), stamp(root, file)))
                .collect();
            Read::New(Arc::new(project), stamps)
        }
        Err(err) => Read::Failed(err.to_string()),
    }
}

/// Where a path of the host's is seen from here.
fn seen(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

fn stamp(root: &Path, file: &Path) -> Stamp {
    let found = std::fs::metadata(seen(root, file)).ok()?;
    Some((found.mtime(), found.mtime_nsec(), found.len(), found.ino()))
}

/// Where each project is declared.
fn sources(containers: &[Arc<Container>], config: &Compose) -> BTreeMap<String, Source> {
    let mut newest: BTreeMap<&str, &Container> = BTreeMap::new();
    for container in containers {
        let labelled = !container.project.is_empty() && !container.project_files.is_empty();
        if labelled && !container.is_one_off() {
            let newest = newest.entry(&container.project).or_insert(container);
            if newest.created_ms < container.created_ms {
                *newest = container;
            }
        }
    }
    let named = config.projects.keys().map(String::as_str);
    let names: BTreeSet<&str> = named.chain(newest.keys().copied()).collect();
    let paths = |list: &str| -> Vec<PathBuf> {
        let parts = list.split(',').filter(|part| !part.is_empty());
        parts.map(PathBuf::from).collect()
    };
    let source = |name: &str| {
        let mut source = Source {
            name: name.to_owned(),
            profiles: config.profiles.clone(),
            ..Source::default()
        };
        if let Some(container) = newest.get(name) {
            source.folder = PathBuf::from(&container.project_folder);
            source.files = paths(&container.project_files);
            source.variables = paths(&container.project_variables);
        }
        if let Some(said) = config.projects.get(name) {
            if !said.folder.as_os_str().is_empty() {
                source.folder.clone_from(&said.folder);
            }
            if !said.files.is_empty() {
                source.files.clone_from(&said.files);
            }
            if !said.variables.is_empty() {
                source.variables.clone_from(&said.variables);
            }
            source.profiles.extend(said.profiles.iter().cloned());
        }
        // Files alone say where their folder is.
        if source.folder.as_os_str().is_empty()
            && let Some(folder) = source.files.first().and_then(|file| file.parent())
        {
            source.folder = folder.to_owned();
        }
        (name.to_owned(), source)
    };
    names.into_iter().take(MOST_PROJECTS).map(source).collect()
}

#[cfg(test)]
mod tests;
