//! Targets elsewhere: found, and scraped each in a rhythm of its own.
//!
//! Used by the watch and by `belfry prometheus` alike. What is to be scraped, and
//! with which containers, is told to [`Round::look`]; here it is kept at work.
//! Nothing here evaluates a rule.

mod docker;
mod looks;

pub(crate) use docker::containers;
pub(crate) use looks::{Found, Looks};

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use query_api::Metadata;
use reqwest::Client;
use rules::{Container, Dropped, Fetched, Foreign, Intake, Job, Rhythm, Scrapes, Status, Target};
use series::Store;
use tokio::task::{self, JoinSet};
use tokio::time;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::views;

/// Targets that have yet to be ended, and how often what has their series from now on is
/// scraped.
type Ends = Vec<(Arc<Scraped>, Duration)>;

/// A larger page, in bytes, is taken in where it holds up nobody else.
const LARGE: usize = 256 << 10;
/// Scrapes between two looks at the types and texts of families.
const LEARN: u64 = 40;

/// A job that has not answered by then, or has no target at all, is waited for no
/// longer: its silence counts from here on.
const GIVE_UP: Duration = Duration::from_secs(300);

/// Told the job of a target that answers for the first time.
pub(crate) type Answered = Box<dyn Fn(&str) + Send + Sync>;

/// Everything that is scraped, and how that goes.
pub(crate) struct Scraping {
    clock: Arc<Clock>,
    store: Arc<Store>,
    scraped: Mutex<Vec<Arc<Scraped>>>,
    dropped: Mutex<Vec<Dropped>>,
}

/// A target at work.
pub(crate) struct Scraped {
    /// The target.
    pub target: Foreign,
    /// Held while a page is taken in, which may be a large one.
    intake: Mutex<Intake>,
    status: Mutex<Status>,
    families: Mutex<Vec<Metadata>>,
    stop: CancellationToken,
}

impl Scraped {
    /// How the last scrape went; waits for none that is under way.
    pub(crate) fn status(&self) -> Status {
        let status = self.status.lock();
        status.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_status(&self, status: &Status) {
        let mut had = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        had.clone_from(status);
    }

    fn intake(&self) -> MutexGuard<'_, Intake> {
        self.intake.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn families(&self) -> MutexGuard<'_, Vec<Metadata>> {
        self.families.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Scraping {
    /// Nothing is scraped yet.
    pub(crate) fn new(clock: Arc<Clock>, store: Arc<Store>) -> Self {
        Self {
            clock,
            store,
            scraped: Mutex::default(),
            dropped: Mutex::default(),
        }
    }

    /// The targets at work.
    pub(crate) fn scraped(&self) -> Vec<Arc<Scraped>> {
        self.list().clone()
    }

    /// The targets that relabelling dropped.
    pub(crate) fn dropped(&self) -> Vec<Dropped> {
        let dropped = self.dropped.lock();
        dropped.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Type and help of the families of all targets.
    pub(crate) fn metadata(&self) -> Vec<Metadata> {
        let all = self.scraped();
        all.iter().flat_map(|one| one.families().clone()).collect()
    }

    /// `job/instance` of each target, and how many samples of it were refused.
    pub(crate) fn refused(&self) -> Vec<(String, u64)> {
        let all = self.scraped();
        all.iter()
            .map(|one| refused(&one.target.target, &one.status()))
            .collect()
    }

    /// Keeps every scrape from being stored while `change` moves the clock; then
    /// moves what the targets remember by what it returns.
    pub(crate) fn shift_with(&self, change: impl FnOnce() -> Option<i64>) {
        let all = self.scraped();
        let mut intakes: Vec<_> = all.iter().map(|one| one.intake()).collect();
        if let Some(delta_ms) = change() {
            for (one, intake) in all.iter().zip(&mut intakes) {
                intake.shift(delta_ms);
                one.set_status(intake.status());
            }
        }
    }

    fn list(&self) -> MutexGuard<'_, Vec<Arc<Scraped>>> {
        self.scraped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_dropped(&self, mut dropped: Vec<Dropped>, found: &Found) {
        let mut had = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        let stay = had.drain(..).filter(|one| found.hung.contains(&one.pool));
        dropped.extend(stay);
        *had = dropped;
    }

    /// Leaves off targets that are gone; returns those that are new, and those that
    /// have yet to be ended, each with the interval of what has its series from now on.
    fn take_over(
        &self,
        wanted: Vec<Foreign>,
        found: &Found,
        stop: &CancellationToken,
    ) -> (Vec<Arc<Scraped>>, Ends) {
        let mut list = self.list();
        let hung = |had: &Foreign| {
            let origin = had.target.origin.as_ref();
            origin.is_some_and(|origin| found.hung.contains(&origin.pool))
        };
        let (stay, gone): (Vec<_>, Vec<_>) = std::mem::take(&mut *list)
            .into_iter()
            .partition(|had| wanted.contains(&had.target) || hung(&had.target));
        *list = stay;
        let gone = gone.into_iter().map(|one| {
            one.stop.cancel();
            let heirs = wanted.iter().filter(|heir| heir.has_series_of(&one.target));
            let next = heirs.map(|heir| heir.every).max();
            (one, next.unwrap_or_default())
        });
        let gone = gone.collect();
        let mut fresh = Vec::new();
        for target in wanted {
            if list.iter().any(|had| had.target == target) {
                continue;
            }
            let scraped = Arc::new(Scraped {
                intake: Mutex::new(Intake::new(target.target.clone())),
                status: Mutex::default(),
                families: Mutex::default(),
                stop: stop.child_token(),
                target,
            });
            list.push(Arc::clone(&scraped));
            fresh.push(scraped);
        }
        let pool = |one: &Arc<Scraped>| one.target.target.origin.as_ref().map(|o| o.pool.clone());
        list.sort_by_cached_key(pool);
        (fresh, gone)
    }

    /// Ends the series of a target that is gone, with the scrape that it missed first, once
    /// the next one after that is over, which is that of `next` where this is longer: what is
    /// scraped again by then, under another address perhaps or with other settings, has newer
    /// samples and goes on without a gap.
    async fn end(&self, one: &Scraped, next: Duration) {
        let now_ms = self.clock.now_ms();
        let last_ms = one.status().last_scrape_ms.unwrap_or(now_ms);
        let since = u64::try_from(now_ms - last_ms).unwrap_or(0);
        let every = one.target.every;
        let missed = Instant::now() + every.saturating_sub(Duration::from_millis(since));
        let next = next.max(every);
        time::sleep_until((missed + next + next / 10).into()).await;
        let mut intake = one.intake();
        // Later than was known where a page was being taken in just then.
        let Some(really_ms) = intake.status().last_scrape_ms else {
            return;
        };
        // By the clock of now, which may have been set meanwhile.
        let ago_ms = i64::try_from(missed.elapsed().as_millis()).unwrap_or(0);
        let at_ms = self.clock.now_ms() - ago_ms + really_ms - last_ms;
        intake.end(at_ms, &self.store);
    }

    async fn scrape(&self, one: &Scraped, client: &Result<Client, String>, answered: &Answered) {
        let mut rhythm = Rhythm::new(one.target.every);
        let mut count = 0;
        let take = |page: Result<&Fetched, &str>, took: Duration| {
            let was_up = {
                let mut intake = one.intake();
                // It was ended while this scrape was under way.
                if one.stop.is_cancelled() {
                    return;
                }
                let was_up = intake.status().up == Some(true);
                // Read under the lock: a step of the clock moves both or neither.
                let now_ms = self.clock.now_ms();
                // A page counts as of when it was asked for.
                let at_ms = rhythm.time(now_ms - i64::try_from(took.as_millis()).unwrap_or(0));
                intake.take(page, at_ms, took, &self.store);
                one.set_status(intake.status());
                was_up || intake.status().up != Some(true)
            };
            if !was_up {
                let target = &one.target.target;
                answered(&target.job);
                // Relabelling may have given it another.
                if let Some(origin) = &target.origin {
                    answered(&origin.pool);
                }
            }
            if let Ok(page) = page {
                if count % LEARN == 0 {
                    *one.families() = families(page, &one.target.target);
                }
                count += 1;
            }
        };
        let mut take = take;
        let take = |page: Result<&Fetched, &str>, took| match page {
            Ok(large) if large.text.len() > LARGE => task::block_in_place(|| take(page, took)),
            _ => take(page, took),
        };
        let now_ms = self.clock.now_ms();
        one.target.run(client, now_ms, &one.stop, take).await;
    }
}

/// What is to be scraped now.
pub(crate) struct Wanted {
    /// The jobs.
    pub jobs: Vec<Job>,
    /// The containers that run.
    pub containers: Vec<Container>,
    /// Time between two scrapes where a job states none.
    pub every: Duration,
    /// Whether containers are scraped whose label asks for it.
    pub labelled: bool,
}

/// Looks for targets again and again, and keeps a task for each.
pub(crate) struct Round {
    scraping: Arc<Scraping>,
    answered: Arc<Answered>,
    stop: CancellationToken,
    looks: Looks,
    told: Vec<String>,
    tasks: JoinSet<()>,
    /// When it began, until all jobs have had their time to answer.
    began: Option<Instant>,
}

impl Round {
    /// Nothing is looked for yet; everything ends with `stop`.
    pub(crate) fn new(
        scraping: Arc<Scraping>,
        answered: Answered,
        stop: CancellationToken,
    ) -> Self {
        Self {
            scraping,
            answered: Arc::new(answered),
            stop,
            looks: Looks::default(),
            told: Vec::new(),
            tasks: JoinSet::new(),
            began: Some(Instant::now()),
        }
    }

    /// Looks once. A change leaves all targets alone but those that come and go.
    pub(crate) async fn look(&mut self, wanted: Wanted) -> anyhow::Result<()> {
        if self.began.is_some_and(|began| began.elapsed() > GIVE_UP) {
            self.began = None;
            for job in &wanted.jobs {
                (self.answered)(job.name());
            }
        }
        // Files may lie on a disk that hangs; what is known is scraped meanwhile.
        let mut found = tokio::select! {
            () = self.stop.cancelled() => return Ok(()),
            found = self.looks.look(wanted) => found?,
        };
        let Scrapes {
            targets,
            dropped,
            faults,
        } = std::mem::take(&mut found.scrapes);
        for fault in faults.iter().filter(|fault| !self.told.contains(fault)) {
            tracing::warn!("not scraped: {fault}");
        }
        self.told = faults;
        self.scraping.set_dropped(dropped, &found);
        let (fresh, gone) = self.scraping.take_over(targets, &found, &self.stop);
        for (one, next) in gone {
            let scraping = Arc::clone(&self.scraping);
            self.tasks
                .spawn(async move { scraping.end(&one, next).await });
        }
        for one in fresh {
            let client = self.looks.client(&found, &one.target);
            let (scraping, answered) = (Arc::clone(&self.scraping), Arc::clone(&self.answered));
            self.tasks
                .spawn(async move { scraping.scrape(&one, &client, &answered).await });
        }
        while self.tasks.try_join_next().is_some() {}
        Ok(())
    }

    /// Ends all tasks.
    pub(crate) async fn end(mut self) {
        self.tasks.shutdown().await;
    }
}

/// `job/instance`, and how many samples were refused.
pub(crate) fn refused(target: &Target, status: &Status) -> (String, u64) {
    (
        format!("{}/{}", target.job, target.instance),
        status.refused_total,
    )
}

fn families(page: &Fetched, target: &Target) -> Vec<Metadata> {
    views::families(page.format, &page.text, &target.job, &target.instance)
}
