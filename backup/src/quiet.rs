//! Quiet around a run: a command before it, containers stopped or paused while its
//! source is read, and all of it taken back afterwards.
//!
//! What was touched stands in a journal on the disk before it is touched, so that
//! whoever comes next starts again what a killed run had stopped. Nothing is touched
//! that the job does not name.

mod engine;
mod journal;

use std::time::Duration;

use tokio::time::timeout;

use crate::hook::{self, Hook};
use crate::restore;
use crate::run::{Lock, Say};
use crate::{Job, Setup};

use engine::{find, hush, wake};
use journal::Journal;

/// How long what was touched is tried to be put back when a run is cut off.
const AT_THE_END: Duration = Duration::from_secs(60);

/// What is quiet now. Letting go of it puts everything back.
#[derive(Debug)]
pub struct Quiet {
    setup: Setup,
    job: Job,
    journal: Option<Journal>,
}

impl Quiet {
    /// Runs the job's command before, and stops or pauses the containers that it
    /// names; those that do not run are left alone.
    ///
    /// # Errors
    /// When the command fails or a container cannot be stopped; everything is put
    /// back then.
    pub async fn begin(setup: &Setup, job: &Job, say: Say<'_>) -> Result<Self, String> {
        let mut quiet = Self {
            setup: setup.clone(),
            job: job.clone(),
            journal: None,
        };
        let named = !job.stop.is_empty() || !job.pause.is_empty();
        if !named && job.before.is_empty() && job.after.is_empty() {
            return Ok(quiet);
        }
        if let Err(err) = quiet.enter(say).await {
            return Err(match quiet.end(say).await {
                Ok(()) => err,
                Err(worse) => format!("{err}; and {worse}"),
            });
        }
        Ok(quiet)
    }

    async fn enter(&mut self, say: Say<'_>) -> Result<(), String> {
        let (setup, job) = (&self.setup, &self.job);
        let mut journal = Journal::default();
        if !job.stop.is_empty() || !job.pause.is_empty() {
            let engine = setup.engine.as_ref().ok_or("no engine is there")?;
            for (names, pause) in [(&job.pause, true), (&job.stop, false)] {
                for name in names {
                    journal.touched.extend(find(engine, name, pause).await?);
                }
            }
        }
        command(setup, job, &job.before, "before").await?;
        journal.after = !job.after.is_empty();
        // What could not be started again a moment ago must not be forgotten.
        let left = Journal::read(setup, &job.name).unwrap_or_default().touched;
        let fresh = journal.touched.clone();
        let is_known = |one: &journal::Touched| fresh.iter().any(|had| had.id == one.id);
        journal
            .touched
            .extend(left.into_iter().filter(|one| !is_known(one)));
        if let Err(err) = journal.write(setup, &job.name) {
            // The command after belongs to the one before, and nothing else was touched.
            journal.touched.clear();
            self.journal = Some(journal);
            return Err(err);
        }
        self.journal = Some(journal);
        for (at, touched) in fresh.iter().enumerate() {
            let engine = self.setup.engine.as_ref().ok_or("no engine is there")?;
            hush(engine, touched).await?;
            if let Some(journal) = &mut self.journal {
                journal.touched[at].done = true;
                journal.write(&self.setup, &self.job.name)?;
            }
            let word = if touched.pause { "pause" } else { "stop" };
            say(format!("{word:<7} {}", touched.name));
        }
        Ok(())
    }

    /// Puts everything back: containers in the other order, then the command after.
    ///
    /// # Errors
    /// When something cannot be put back; it is tried again by whoever comes next.
    pub async fn end(&mut self, say: Say<'_>) -> Result<(), String> {
        let Some(journal) = self.journal.take() else {
            return Ok(());
        };
        put_back(&self.setup, Some(&self.job), &self.job.name, journal, say).await
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let Some(journal) = self.journal.take() else {
            return;
        };
        // The run was cut off where it waited. Those who were stopped must not stay so.
        let (setup, job) = (self.setup.clone(), self.job.clone());
        let putting = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let Ok(runtime) = runtime else { return };
            runtime.block_on(async {
                let back = put_back(&setup, Some(&job), &job.name, journal, &|_| {});
                match timeout(AT_THE_END, back).await {
                    Ok(Ok(())) => {}
                    Ok(Err(err)) => tracing::error!(job = job.name, "{err}"),
                    Err(_) => tracing::error!(job = job.name, "the engine does not answer"),
                }
            });
        });
        let _ = putting.join();
    }
}

async fn put_back(
    setup: &Setup,
    job: Option<&Job>,
    name: &str,
    mut journal: Journal,
    say: Say<'_>,
) -> Result<(), String> {
    // Whoever is started again finds what it had, and not half of a restore.
    if let Some(job) = job {
        let unfinished = Box::pin(restore::recover_held(setup, job));
        let done = restore::in_time(job, unfinished).await?;
        if let Some(done) = done {
            tracing::warn!(job = name, "{done}");
        }
    }
    restore::over(setup, name)?;
    let mut failed = Vec::new();
    let mut still = Vec::new();
    for touched in journal.touched.iter().rev() {
        let Some(engine) = &setup.engine else {
            return Err("no engine is there".to_owned());
        };
        match wake(engine, touched).await {
            Ok(()) => say(format!("start   {}", touched.name)),
            Err(err) => {
                failed.push(format!("{} is not started again: {err}", touched.name));
                still.push(touched.clone());
            }
        }
    }
    if !failed.is_empty() {
        // Those that run again are not told to be stopped.
        still.reverse();
        journal.touched = still;
        failed.extend(journal.write(setup, name).err());
        return Err(failed.join("; "));
    }
    // Once, whatever comes of it: it is no state that could be asked for.
    Journal::clear(setup, name);
    match job.filter(|_| journal.after) {
        Some(job) => command(setup, job, &job.after, "after").await,
        None => Ok(()),
    }
}

/// Runs one of the job's commands, on this host or inside the container of its hooks.
async fn command(setup: &Setup, job: &Job, line: &[String], which: &str) -> Result<(), String> {
    let called = format!("the command {which} the run");
    let hook = Hook {
        line,
        container: &job.hook_container,
        limit: job.hook_timeout,
        called: &called,
    };
    hook::run(setup, &job.name, hook).await
}

/// Whose containers are started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Of jobs without an unfinished restore, which takes the engine's time alone.
    Runs,
    /// Of the others: first all of that is put back, be it a large database.
    Restores,
}

/// Puts back what runs that were killed left: of all such jobs on which nobody is at
/// work. The names of those jobs.
///
/// # Errors
/// When something cannot be put back; it stays in its journal.
pub async fn recover(setup: &Setup, of: Of) -> Result<Vec<String>, String> {
    let mut done = Vec::new();
    let mut failed = Vec::new();
    let is_meant = |name: &String| {
        let job = setup.config.job(name);
        let unfinished = job.is_some_and(|job| restore::is_unfinished(setup, job));
        unfinished == (of == Of::Restores)
    };
    for name in Journal::all(setup).into_iter().filter(is_meant) {
        let Ok(_lock) = Lock::take(&setup.work, &name) else {
            continue;
        };
        match recover_locked(setup, &name).await {
            Ok(true) => done.push(name),
            Ok(false) => {}
            Err(err) => failed.push(format!("{name}: {err}")),
        }
    }
    if failed.is_empty() {
        Ok(done)
    } else {
        Err(failed.join("; "))
    }
}

/// What runs left stopped or paused that are over: the job, and the container's name,
/// empty where only a command after the run is due. It costs one look at a lock for
/// each run that goes on.
#[must_use]
pub fn left(setup: &Setup) -> Vec<(String, String)> {
    let free = |name: &String| Lock::take(&setup.work, name).is_ok();
    let mut left = Vec::new();
    for name in Journal::all(setup).into_iter().filter(free) {
        let journal = Journal::read(setup, &name).unwrap_or_default();
        let containers = journal.touched.into_iter().map(|touched| touched.name);
        left.extend(containers.map(|container| (name.clone(), container)));
        if !left.iter().any(|(job, _)| *job == name) {
            left.push((name, String::new()));
        }
    }
    left
}

/// Whether something of a job is noted that is to be put back: until its containers run
/// again, also while somebody is at that.
#[must_use]
pub fn is_noted(setup: &Setup, name: &str) -> bool {
    Journal::read(setup, name).is_some()
}

/// The same as [`recover`] for one job, by who holds its lock.
pub(crate) async fn recover_locked(setup: &Setup, name: &str) -> Result<bool, String> {
    let Some(journal) = Journal::read(setup, name) else {
        return Ok(false);
    };
    let job = setup.config.job(name);
    put_back(setup, job, name, journal, &|_| {}).await?;
    Ok(true)
}
