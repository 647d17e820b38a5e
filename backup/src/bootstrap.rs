//! An empty host made what it was: everything that lies in the targets, restored in
//! the order of importance, from the targets and the key alone.
//!
//! What is there already is left alone: this fills a host, it replaces nothing.

mod origin;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::catalogue::{self, Copy};
use crate::manifest::Manifest;
use crate::postgres::Session;
use crate::restore::{self, tree};
use crate::root::Root;
use crate::run::Say;
use crate::target::Target;
use crate::{Job, Setup};

pub use origin::Origin;

/// One thing that is restored.
#[derive(Debug, Clone)]
pub struct Step {
    /// The job, from the configuration or, where it knows none, from the manifest.
    pub job: Job,
    /// The target that has the newest good copy.
    pub target: Target,
    /// The copy.
    pub copy: Copy,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// It is there now.
    Restored,
    /// It was there before, and was left alone.
    There(String),
    /// It could not be restored.
    Failed(String),
}

/// What would be restored, first things first.
///
/// # Errors
/// When no target can be listed, it is not clear which host is meant, or our own folder is
/// in the way.
pub async fn plan(setup: &Setup, host: Option<&str>, say: Say<'_>) -> Result<Vec<Step>, String> {
    let mut targets = setup.all_targets().map_err(|err| err.to_string())?;
    // What survived is what counts; a folder may be a disk that was brought along.
    targets.sort_by_key(|target| !target.is_elsewhere());
    // A look leaves nothing on a host that is to be filled, not even in our own folder: that
    // may lie in what is to come back.
    let kept = tempfile::tempdir().map_err(|err| err.to_string())?;
    let mut newest: Vec<(Target, Copy)> = Vec::new();
    let mut listed = 0;
    for target in targets {
        let listing = match catalogue::list(&target, "", kept.path()).await {
            Ok(listing) => listing,
            Err(err) => {
                say(format!("warn    {} cannot be listed: {err}", target.name()));
                continue;
            }
        };
        listed += 1;
        for copy in listing.copies.into_iter().filter(Copy::is_good) {
            let shelf = copy.manifest.shelf();
            let same = newest
                .iter_mut()
                .find(|(_, known)| known.manifest.shelf() == shelf);
            match same {
                None => newest.push((target.clone(), copy)),
                Some(known) if known.1.manifest.started_ms < copy.manifest.started_ms => {
                    *known = (target.clone(), copy);
                }
                Some(_) => {}
            }
        }
    }
    if listed == 0 {
        return Err("no target can be listed".to_owned());
    }
    newest.retain(|(_, copy)| host.is_none_or(|host| copy.manifest.host == host));
    let mut hosts: Vec<_> = newest
        .iter()
        .map(|(_, copy)| copy.manifest.host.clone())
        .collect();
    hosts.sort();
    hosts.dedup();
    if hosts.len() > 1 {
        return Err(format!(
            "there are backups of several hosts; --host says which: {}",
            hosts.join(", ")
        ));
    }
    let mut steps: Vec<_> = newest
        .into_iter()
        .map(|(target, copy)| Step {
            job: job(setup, &copy.manifest),
            target,
            copy,
        })
        .collect();
    steps.sort_by_key(rank);
    if steps.is_empty() {
        return Err("there is no good backup".to_owned());
    }
    for step in &steps {
        if let Some(folder) = step.would_hold(setup).await {
            return Err(format!(
                "{} is to come back, and Belfry's own folder {} lies in it; a configuration whose data folder is elsewhere brings it back",
                folder.display(),
                setup.work.display()
            ));
        }
    }
    Ok(steps)
}

/// Folders first, for they hold what describes the rest; then volumes; then globals
/// and databases, whose servers need both.
fn rank(step: &Step) -> (u8, u32, String) {
    let manifest = &step.copy.manifest;
    let kind = match manifest.kind.as_str() {
        "directory" => 0,
        "volume" => 1,
        "globals" => 2,
        _ => 3,
    };
    let origin = manifest.origin.as_ref();
    let importance = origin.map_or(step.job.importance, |origin| origin.importance);
    (kind, importance, manifest.source.clone())
}

impl Step {
    /// Takes the job anew from a configuration that came back meanwhile.
    pub fn known_by(&mut self, setup: &Setup) {
        self.job = job(setup, &self.copy.manifest);
    }

    /// Has its server vouched for by these authorities, where this host has not those that the
    /// job names.
    pub fn vouched_by(&mut self, authorities: &Path) {
        if self.lacks().is_some() {
            self.job.ca_file = authorities.to_owned();
        }
    }

    /// The file of authorities that its server is asked with, where this host has none.
    #[must_use]
    pub fn lacks(&self) -> Option<&Path> {
        let job = &self.job;
        // One in a container is read there.
        let here = job.tls && job.container.is_empty() && !job.ca_file.as_os_str().is_empty();
        (here && !job.ca_file.is_file()).then_some(&job.ca_file)
    }

    /// Whether a file or folder lies in the folder that this restores, there or not.
    pub async fn holds(&self, setup: &Setup, path: &Path) -> bool {
        match self.root(setup).await {
            Some(root) => lies_in(path, &root),
            None => false,
        }
    }

    /// The folder that this restores, where our own one lies in it and it is not there or
    /// has nothing else in it: with what we keep meanwhile it would not be empty.
    async fn would_hold(&self, setup: &Setup) -> Option<PathBuf> {
        let root = self.root(setup).await?;
        if !lies_in(&setup.work, &root) {
            return None;
        }
        let is_other = |entry: &PathBuf| !lies_in(&setup.work, entry);
        let mut entries = std::fs::read_dir(&root).into_iter().flatten().flatten();
        let is_full = entries.any(|entry| is_other(&entry.path()));
        (!is_full).then_some(root)
    }

    async fn root(&self, setup: &Setup) -> Option<PathBuf> {
        self.copy.manifest.files.as_ref()?;
        Some(Root::of(setup, &self.job).await.ok()?.path)
    }
}

/// Whether a path leads into a folder, by whatever name that goes.
fn lies_in(path: &Path, folder: &Path) -> bool {
    let number = |path: &Path| {
        let about = std::fs::metadata(path);
        about.map(|about| (about.dev(), about.ino())).ok()
    };
    let wanted = number(folder);
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut ancestors = path.ancestors();
    ancestors.any(|path| path == folder || wanted.is_some() && number(path) == wanted)
}

fn job(setup: &Setup, manifest: &Manifest) -> Job {
    let known = setup.config.jobs.iter();
    let mut known = known.filter(|job| setup.shelf(job).source == manifest.source);
    if let Some(job) = known.find(|job| job.kind() == manifest.kind) {
        return Job {
            // Nothing runs yet that could be stopped or be well.
            restore: crate::Around::default(),
            checks: Vec::new(),
            ..job.clone()
        };
    }
    let origin = manifest.origin.clone().unwrap_or_default();
    let mut job = origin.job(&manifest.source);
    // A host may have them elsewhere: then those of the server's version are found.
    if !job.bin.is_dir() {
        job.bin = PathBuf::new();
    }
    job.globals = manifest.kind == "globals";
    if let Some(postgres) = &manifest.postgres {
        job.database.clone_from(&postgres.database);
    }
    if let Some(files) = &manifest.files {
        match &files.volume {
            Some(volume) => job.volume.clone_from(&volume.name),
            None => job.directory = files.path.clone().into(),
        }
    }
    job
}

/// Restores one thing; `wait` is how long a database's server may take to be there.
pub async fn perform(setup: &Setup, step: &Step, wait: Duration, say: Say<'_>) -> Ended {
    let done = match step.copy.manifest.kind.as_str() {
        "postgres" => Box::pin(database(setup, step, wait, say)).await,
        "globals" => Box::pin(globals(setup, step, wait, say)).await,
        _ => Box::pin(files(setup, step, say)).await,
    };
    done.unwrap_or_else(Ended::Failed)
}

async fn files(setup: &Setup, step: &Step, say: Say<'_>) -> Result<Ended, String> {
    if let Ok(root) = Root::of(setup, &step.job).await
        && let Ok(mut entries) = std::fs::read_dir(&root.path)
        && entries.next().is_some()
    {
        return Ok(Ended::There(root.path.display().to_string()));
    }
    let paths = tree::restore(setup, &step.job, &step.target, &step.copy, say).await?;
    // What was there was empty.
    let _ = std::fs::remove_dir(&paths.before);
    Ok(Ended::Restored)
}

async fn globals(
    setup: &Setup,
    step: &Step,
    wait: Duration,
    say: Say<'_>,
) -> Result<Ended, String> {
    let (job, target, copy) = (&step.job, &step.target, &step.copy);
    server(setup, step, wait, say).await?;
    let applied = restore::globals::apply(setup, job, target, copy, say).await?;
    match applied.failed.first() {
        None => Ok(Ended::Restored),
        Some(first) => Err(format!(
            "{} of the globals are not back: {first}",
            applied.failed.len()
        )),
    }
}

async fn database(
    setup: &Setup,
    step: &Step,
    wait: Duration,
    say: Say<'_>,
) -> Result<Ended, String> {
    let job = &step.job;
    let mut admin = server(setup, step, wait, say).await?;
    let sql = format!(
        "SELECT count(*) FROM pg_database WHERE datname = {}",
        crate::postgres::literal(&job.database)
    );
    let there = admin.line(&sql).await.map_err(|err| err.to_string())?;
    if there != "0" && !has_no_table(setup, job).await? {
        return Ok(Ended::There(format!("the database {}", job.database)));
    }
    let applied = restore::globals::apply(setup, job, &step.target, &step.copy, say).await?;
    restore::restore(setup, job, &step.target, &step.copy, say).await?;
    if there != "0" {
        restore::confirm(setup, job).await?;
    }
    match applied.failed.len() {
        0 => Ok(Ended::Restored),
        count => Err(format!(
            "the database is back, but {count} of the globals are not: {}",
            applied.failed[0]
        )),
    }
}

/// Whether a database has no table: an image makes one at its first start.
async fn has_no_table(setup: &Setup, job: &Job) -> Result<bool, String> {
    let (server, _) = setup
        .server(job)?
        .prepared()
        .await
        .map_err(|err| err.to_string())?;
    let mut session = Session::open(&server)
        .await
        .map_err(|err| err.to_string())?;
    let tables = crate::postgres::rows(&mut session)
        .await
        .map_err(|err| err.to_string())?;
    Ok(tables.is_empty())
}

/// Waits for the server of a database.
async fn server(
    setup: &Setup,
    step: &Step,
    wait: Duration,
    say: Say<'_>,
) -> Result<Session, String> {
    if let Some(file) = step.lacks() {
        // It comes no sooner for being waited for.
        return Err(format!(
            "its ca_file {} is not on this host; --ca-file FILE names another",
            file.display()
        ));
    }
    let job = &step.job;
    let deadline = Instant::now() + wait;
    let mut told = false;
    loop {
        let reached = async {
            let (server, _) = setup
                .admin(job)?
                .prepared()
                .await
                .map_err(|err| err.to_string())?;
            Session::open(&server).await.map_err(|err| err.to_string())
        };
        let err = match reached.await {
            Ok(session) => return Ok(session),
            Err(err) => err,
        };
        if Instant::now() >= deadline {
            return Err(err);
        }
        if !told {
            told = true;
            let place = if job.container.is_empty() {
                "its server".to_owned()
            } else {
                format!("the container {}", job.container)
            };
            say(format!("wait    {} needs {place}: {err}", job.name));
        }
        sleep(Duration::from_secs(1)).await;
    }
}
