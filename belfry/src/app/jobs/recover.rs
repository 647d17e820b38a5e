//! What was known before we began, and what dead runs and restores left.

use std::sync::Arc;
use std::time::Duration;

use backup::quiet::Of;
use backup::{Job, Setup};
use sqlx::SqlitePool;
use tokio::sync::Semaphore;
use tokio::time::{self, Instant};

use super::Slots;
use crate::app::Watch;
use crate::config::Config;
use crate::state;

const SILENT: &str = "the disk does not answer";

/// A disk that takes longer for what was known is reported as failing.
const DISK: Duration = Duration::from_secs(8);
/// How long nothing is due because it cannot be read what was: a run that is missed
/// unnoticed is better than none any more.
const PATIENCE: Duration = Duration::from_secs(600);

/// When tasks were due, by what was known before: read again until it is there.
#[derive(Debug)]
pub(super) struct Past {
    since: Instant,
    slots: Option<Slots>,
}

impl Default for Past {
    fn default() -> Self {
        Self {
            since: Instant::now(),
            slots: None,
        }
    }
}

impl Past {
    /// The slots; nothing while the disk does not tell.
    pub(super) async fn slots(&mut self, watch: &Watch) -> Option<&mut Slots> {
        if self.slots.is_none() {
            let faults = self.read(&watch.state.pool, watch.clock.now_ms()).await;
            for (what, fault) in faults {
                watch.state_failed(what, &fault);
            }
        }
        self.slots.as_mut()
    }

    async fn read(&mut self, pool: &SqlitePool, now_ms: i64) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        // None of ours goes on before it is known what is due.
        match in_time(state::interrupt_runs(pool, now_ms)).await {
            Ok(0) => {}
            Ok(count) => {
                tracing::warn!(count, "backup runs were interrupted when Belfry last ended");
            }
            Err(err) => faults.push(("backup runs", err)),
        }
        match in_time(state::load_slots(pool)).await {
            Ok(slots) => {
                let slots = slots.into_iter();
                let by_task = slots.map(|(job, task, slot)| ((job, task), slot));
                self.slots = Some(by_task.collect());
            }
            Err(err) => faults.push(("backup slots", err)),
        }
        if self.slots.is_none() && self.since.elapsed() >= PATIENCE {
            self.slots = Some(Slots::new());
        }
        faults
    }
}

/// A number that is another one when somebody else has written to our database; nothing
/// while the disk does not tell.
pub(super) async fn written(pool: &SqlitePool) -> Option<i64> {
    in_time(state::data_version(pool)).await.ok()
}

async fn in_time<T>(asked: impl Future<Output = sqlx::Result<T>>) -> Result<T, String> {
    match time::timeout(DISK, asked).await {
        Ok(answer) => answer.map_err(|err| err.to_string()),
        Err(_) => Err(SILENT.to_owned()),
    }
}

/// What lies in the work folder of backups.
#[derive(Debug)]
pub(super) struct Remains {
    /// See [`backup::attest::last`].
    pub attested_ms: Option<i64>,
    /// See [`backup::quiet::left`]; nothing where it was not asked for.
    pub stopped: Option<Vec<(String, String)>>,
    /// Of the jobs that were asked for those with an unfinished restore.
    pub unfinished: Vec<String>,
}

/// Looks into the work folder, on a thread that may wait for a disk: where that takes
/// too long there is nothing to go by, and whoever asks leaves this round out.
///
/// What looks at locks is left out where it is not wanted, so that it holds up nobody.
/// Of `held`, which was left before, what waits for a restore or is being started is
/// left still.
pub(super) async fn remains(
    config: &Arc<Config>,
    wants_stopped: bool,
    held: Vec<(String, String)>,
    wanted: Vec<String>,
) -> Result<Remains, &'static str> {
    static ROOM: Semaphore = Semaphore::const_new(1);
    let config = Arc::clone(config);
    let look = move || {
        let setup = super::setup(&config);
        let is_left = |name: &String| {
            let job = config.backup.job(name);
            job.is_some_and(|job| backup::restore::is_left(&setup, job))
        };
        let waits = |(name, _): &(String, String)| backup::quiet::is_noted(&setup, name);
        let stopped = || {
            let mut left = backup::quiet::left(&setup);
            let held = held.into_iter().filter(waits);
            let unseen: Vec<_> = held.filter(|one| !left.contains(one)).collect();
            left.extend(unseen);
            left
        };
        Remains {
            attested_ms: backup::attest::last(&setup),
            stopped: wants_stopped.then(stopped),
            unfinished: wanted.into_iter().filter(is_left).collect(),
        }
    };
    let looked = healthchecks::probe::aside_in(&ROOM, Instant::now() + DISK, look);
    looked.await.ok_or(SILENT)
}

/// What a restore left that was cut short.
pub(super) async fn put_back(setup: &Setup, job: &Job) {
    let recovering = backup::restore::recover(setup, job);
    match backup::restore::in_time(job, recovering).await {
        Ok(None) => {}
        Ok(Some(done)) => tracing::warn!(job = job.name, "{done}"),
        Err(err) => tracing::error!(job = job.name, "{err}"),
    }
}

/// Containers that a run has stopped which was killed, be it ours or one at a
/// terminal.
pub(super) async fn start_again(setup: &Setup, of: Of) {
    match backup::quiet::recover(setup, of).await {
        Ok(jobs) if jobs.is_empty() => {}
        Ok(jobs) => tracing::warn!(
            jobs = jobs.join(" "),
            "what a killed run had stopped is started again"
        ),
        Err(err) => tracing::error!("what a killed run had stopped is not started: {err}"),
    }
}

#[cfg(test)]
mod tests {
    use backup::schedule::{Decision, Slot, decide};

    use super::*;
    use crate::state::{memory, save_slot};

    #[tokio::test]
    async fn what_was_due_before_is_read_again_until_the_disk_answers() {
        let pool = memory().await.unwrap();
        let slot = Slot {
            next_ms: Some(1_000),
            last_ms: None,
        };
        save_slot(&pool, "db", "backup", slot).await.unwrap();
        let mut past = Past::default();
        // Somebody has the only way to it.
        let held = pool.acquire().await.unwrap();
        time::pause();
        let faults = past.read(&pool, 5_000).await;
        let silent = || SILENT.to_owned();
        let told = [("backup runs", silent()), ("backup slots", silent())];
        assert_eq!(faults, told);
        assert_eq!(past.slots, None, "nothing is due before it is known");
        time::resume();
        drop(held);
        assert_eq!(past.read(&pool, 5_000).await, []);
        let slots = past.slots.as_mut().unwrap();
        let slot = slots.get_mut(&("db".into(), "backup".into())).unwrap();
        let next = |after_ms| Some(after_ms + 1_000_000);
        assert_eq!(decide(slot, 500_000, 1_000, &next), Decision::Missed(1_000));
    }

    #[tokio::test(start_paused = true)]
    async fn a_disk_that_never_answers_does_not_keep_jobs_from_being_due_for_ever() {
        let mut past = Past::default();
        let pool = SqlitePool::connect_lazy("sqlite::memory:").unwrap();
        pool.close().await;
        assert_eq!(past.read(&pool, 0).await.len(), 2);
        assert_eq!(past.slots, None);
        time::advance(PATIENCE).await;
        assert_eq!(past.read(&pool, 0).await.len(), 2);
        assert_eq!(past.slots, Some(Slots::new()));
    }
}
