//! Backup jobs by their schedules: what is due is begun, each in a task of its
//! own; what became of it goes into the database and onto the metrics page.

mod kept;
mod look;
mod perform;
mod recover;
mod times;

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use backup::quiet::Of;
use backup::schedule::{Decision, Slot, decide, jitter_ms};
use backup::{Job, Setup};
use healthchecks::heartbeat::Cron;
use jiff::tz::TimeZone;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;
use tokio::time::{self, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::{Watch, engine_socket};
use crate::config::Config;
use crate::state;

pub(crate) use kept::Jobs;
use look::{bring, look};
pub(crate) use perform::{drilled, not_begun, outcome, verified};
use perform::{end, ended, note, perform};
use recover::{Past, put_back, remains, start_again, written};

/// How often it is looked whether something is due.
const TICK: Duration = Duration::from_secs(5);
/// So many runs go on at once: each needs memory, and the disk.
const AT_ONCE: usize = 2;
/// A round that takes longer is reported: nothing is due meanwhile.
const SILENCE: Duration = Duration::from_secs(120);
/// How often the targets are looked at, when nothing was run.
const LOOK: Duration = Duration::from_secs(900);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Task {
    Backup,
    Verify,
    Drill,
}

impl Task {
    const ALL: [Self; 3] = [Self::Backup, Self::Verify, Self::Drill];

    fn as_str(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Verify => "verify",
            Self::Drill => "drill",
        }
    }

    fn line(self, job: &Job) -> &str {
        match self {
            Self::Backup => &job.schedule,
            Self::Verify => &job.verify,
            Self::Drill => &job.drill,
        }
    }
}

/// What contradicts itself in the jobs' lines, as (key, message).
pub(crate) fn faults(config: &Config) -> Vec<(String, String)> {
    let mut faults = Vec::new();
    for (at, job) in config.backup.jobs.iter().enumerate() {
        let key = format!("backup.jobs[{at}]");
        for task in Task::ALL {
            let line = task.line(job);
            if !line.is_empty()
                && let Err(err) = Cron::parse(line)
            {
                let name = if task == Task::Backup {
                    "schedule"
                } else {
                    task.as_str()
                };
                faults.push((format!("{key}.{name}"), err));
            }
        }
        if !job.timezone.is_empty() && TimeZone::get(&job.timezone).is_err() {
            let message = format!("no IANA time zone is named {:?}", job.timezone);
            faults.push((format!("{key}.timezone"), message));
        }
    }
    faults
}

/// Runs what is due until told to stop. What still runs then is cut off: its
/// targets give up what they have, and the next start finds it interrupted.
pub(super) async fn run(
    watch: Arc<Watch>,
    stop: CancellationToken,
) -> anyhow::Result<&'static str> {
    let mut at_work = JoinSet::new();
    let room = Arc::new(Semaphore::new(AT_ONCE));
    // Nobody waits for a long run before what another had stopped is started.
    let recovery = Arc::new(Semaphore::new(1));
    // Nor for a restore that is put back, which takes as long.
    let restoring = Arc::new(Semaphore::new(1));
    let mut turns: BTreeMap<String, Arc<Semaphore>> = BTreeMap::new();
    let beat = watch.liveness.watch("backup jobs", SILENCE, Instant::now());
    let mut past = Past::default();
    let mut looked: BTreeMap<String, Instant> = BTreeMap::new();
    let mut going = Going::new();
    let mut others = None;
    let mut ticks = time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => {
                // Who gives up starts again what it had stopped.
                while at_work.join_next().await.is_some() {}
                return Ok("backup jobs");
            }
            Some(_) = at_work.join_next() => continue,
            _ = ticks.tick() => {}
        }
        beat.beat(Instant::now());
        let config = watch.config();
        // While it is being started it still counts as stopped.
        let is_free = recovery.available_permits() > 0;
        let restores = restoring.available_permits() > 0;
        let held = if restores {
            Vec::new()
        } else {
            watch.jobs.left()
        };
        let names = config.backup.jobs.iter().map(|job| job.name.clone());
        let idle = names.filter(|name| {
            let turn = turns.get(name);
            restores && turn.is_none_or(|turn| turn.available_permits() > 0)
        });
        let remains = match remains(&config, is_free, held, idle.collect()).await {
            Ok(remains) => remains,
            Err(fault) => {
                watch.state_failed("backup folder", &fault);
                continue;
            }
        };
        // Of jobs too that are no longer there.
        if let Some(stopped) = &remains.stopped
            && !stopped.is_empty()
        {
            for (place, of) in [(&recovery, Of::Runs), (&restoring, Of::Restores)] {
                // Who is at it already is not waited for.
                if place.available_permits() > 0 {
                    let watch = Arc::clone(&watch);
                    apart(&mut at_work, &[place], &stop, move || async move {
                        start_again(&setup(&watch.config()), of).await;
                    });
                }
            }
        }
        watch.jobs.found(&remains);
        // A command has noted a run of its own: what there is now is told at once.
        let theirs = written(&watch.state.pool).await;
        if theirs.is_some() && others != theirs {
            others = theirs;
            looked.clear();
        }
        let mut slots = past.slots(&watch).await;
        for job in &config.backup.jobs {
            let again = looked.get(&job.name).is_none_or(|at| at.elapsed() >= LOOK);
            if again {
                looked.insert(job.name.clone(), Instant::now());
                let (watch, job) = (Arc::clone(&watch), job.clone());
                apart(&mut at_work, &[&room], &stop, move || async move {
                    look(&watch, &job).await;
                    // Who puts back what a restore left needs the job's lock.
                    if !backup::restore::is_left(&setup(&watch.config()), &job) {
                        bring(&watch, &job).await;
                    }
                });
            }
            // A job's tasks wait for each other, before they take room from others.
            let turn = turns.entry(job.name.clone());
            let turn = turn.or_insert_with(|| Arc::new(Semaphore::new(1)));
            // What is due of it waits until what a dead restore left is put back.
            if remains.unfinished.contains(&job.name) {
                let (watch, job) = (Arc::clone(&watch), job.clone());
                apart(
                    &mut at_work,
                    &[turn, &restoring],
                    &stop,
                    move || async move {
                        put_back(&setup(&watch.config()), &job).await;
                    },
                );
            }
            let Some(slots) = &mut slots else {
                continue;
            };
            for task in Task::ALL {
                due(
                    (&watch, &config),
                    job,
                    task,
                    slots,
                    (&mut at_work, &mut going),
                    (&[turn, &room], &stop),
                )
                .await;
            }
        }
    }
}

type Slots = BTreeMap<(String, String), Slot>;

/// Tasks of jobs that are at work, or wait for their turn: these live as long.
type Going = BTreeMap<(String, Task), Weak<()>>;

async fn due(
    (watch, config): (&Arc<Watch>, &Arc<Config>),
    job: &Job,
    task: Task,
    slots: &mut Slots,
    (at_work, going): (&mut JoinSet<()>, &mut Going),
    (places, stop): (&[&Arc<Semaphore>], &CancellationToken),
) {
    let Ok(cron) = Cron::parse(task.line(job)) else {
        return;
    };
    let zone = zone(config, job);
    let moved = jitter_ms(&job.name, millis(job.jitter));
    let next = |after_ms: i64| times::next(&cron, &zone, moved, after_ms);
    let key = (job.name.clone(), task.as_str().to_owned());
    let slot = slots.entry(key).or_default();
    let before = *slot;
    let now_ms = watch.clock.now_ms();
    let decision = decide(slot, now_ms, millis(job.catch_up), &next);
    if *slot != before
        && let Err(err) = state::save_slot(&watch.state.pool, &job.name, task.as_str(), *slot).await
    {
        watch.state_failed("backup slots", &err);
    }
    match decision {
        Decision::Wait => {}
        Decision::Missed(scheduled_ms) => {
            tracing::error!(
                job = job.name,
                task = task.as_str(),
                "it was due while nobody was there, and is missed"
            );
            let id = note(watch, job, task, scheduled_ms).await;
            end(
                watch,
                id,
                &ended("missed", "nobody was there when it was due"),
            )
            .await;
        }
        Decision::Run(scheduled_ms) => {
            let before = going.entry((job.name.clone(), task)).or_default();
            // Those that wait would be done one after the other when it is over.
            if before.strong_count() > 0 {
                let why = "the one before it still goes on";
                tracing::warn!(job = job.name, task = task.as_str(), "skipped: {why}");
                let id = note(watch, job, task, scheduled_ms).await;
                end(watch, id, &ended("skipped", why)).await;
                return;
            }
            let at_it = Arc::new(());
            *before = Arc::downgrade(&at_it);
            let (watch, config, job) = (Arc::clone(watch), Arc::clone(config), job.clone());
            apart(at_work, places, stop, move || async move {
                perform(&watch, &config, &job, task, scheduled_ms).await;
                look(&watch, &job).await;
                drop(at_it);
            });
        }
    }
}

/// Does it on a thread of its own, when there is a place of each kind: a run may
/// hold on to files and memory, and must not hold up the watch.
fn apart<Work, Done>(
    at_work: &mut JoinSet<()>,
    places: &[&Arc<Semaphore>],
    stop: &CancellationToken,
    work: Work,
) where
    Work: FnOnce() -> Done + Send + 'static,
    Done: Future<Output = ()>,
{
    let places: Vec<_> = places.iter().map(|place| Arc::clone(place)).collect();
    let stop = stop.clone();
    at_work.spawn(async move {
        let mut taken = Vec::new();
        for place in places {
            let Some(place) = stop.run_until_cancelled(place.acquire_owned()).await else {
                return;
            };
            taken.push(place);
        }
        let (tell, told) = oneshot::channel::<()>();
        let runtime = Handle::current();
        let thread = std::thread::Builder::new().name("backup".to_owned());
        let begun = thread.spawn(move || {
            runtime.block_on(async {
                stop.run_until_cancelled(work()).await;
            });
            drop(tell);
        });
        match begun {
            // It tells nothing: its end is that it cannot any more.
            Ok(_) => drop(told.await),
            Err(err) => tracing::error!("no thread for a backup: {err}"),
        }
    });
}

/// What backups of this host need.
pub(crate) fn setup(config: &Config) -> Setup {
    let connect = exporter::container::at_socket(&engine_socket(config));
    Setup {
        config: Arc::new(config.backup.clone()),
        host: config.host_name(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        engine: connect().ok(),
        work: super::data_folder(config).join("backup"),
    }
}

/// The zone of a job: of its schedules, and of the days that its retention keeps.
pub(crate) fn zone(config: &Config, job: &Job) -> TimeZone {
    if job.timezone.is_empty() {
        return config.zone();
    }
    TimeZone::get(&job.timezone).unwrap_or(TimeZone::UTC)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
