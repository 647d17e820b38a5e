//! Collecting: every `interval`, and at once when a container's state changed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use exposition::Format;
use rules::Intake;
use tokio::time::{self, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::Watch;
use super::early::Early;
use super::pages::{Panicked, Text};
use crate::views;

/// Longer than every collector's own deadline.
const DEADLINE: Duration = Duration::from_secs(5);

/// Collections between two looks at the types and texts of families.
const LEARN: u64 = 40;

/// A page that this process makes itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Job {
    Host,
    Container,
    Backup,
    Heartbeat,
    Belfry,
}

impl Job {
    pub(crate) const ALL: [Self; 5] = [
        Self::Host,
        Self::Container,
        Self::Backup,
        Self::Heartbeat,
        Self::Belfry,
    ];

    /// The label `job`, and the name under `/metrics/`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Container => "container",
            Self::Backup => "backup",
            Self::Heartbeat => "heartbeat",
            Self::Belfry => "belfry",
        }
    }

    /// The page as it was a moment ago, for others to read.
    pub(crate) async fn page(self, watch: &Arc<Watch>) -> Result<Text, Panicked> {
        let make = self.make(Arc::clone(watch));
        watch.pages.of(self).recent(make).await
    }

    /// Reads everything now.
    async fn make(self, watch: Arc<Watch>) -> String {
        match self {
            Self::Host => watch.host().page().await,
            Self::Container => watch.containers.page().await,
            Self::Backup => watch.backups.page(&watch).await,
            Self::Heartbeat => watch.health.beats.page(watch.clock.now_ms()),
            Self::Belfry => super::own::page(&watch).await,
        }
    }
}

/// Collects until told to stop.
pub(super) async fn run(
    watch: Arc<Watch>,
    stop: CancellationToken,
) -> anyhow::Result<&'static str> {
    let mut every = watch.config().interval;
    let beat = watch
        .liveness
        .watch("collect", every * 4 + DEADLINE, Instant::now());
    let mut ticks = ticks(every);
    let mut changes = watch.containers.changes();
    let mut early = Early::new(time::Instant::now());
    loop {
        let jobs: &[Job] = tokio::select! {
            () = stop.cancelled() => return Ok("collect"),
            _ = ticks.tick() => &Job::ALL,
            Ok(()) = changes.changed() => {
                // Not raced against a tick: it waits for seconds at most.
                time::sleep_until(early.next(time::Instant::now())).await;
                changes.mark_unchanged();
                &[Job::Container]
            }
        };
        watch.follow_clock();
        collect(&watch, jobs).await;
        beat.beat(Instant::now());
        let wanted = watch.config().interval;
        if wanted != every {
            every = wanted;
            beat.within(every * 4 + DEADLINE);
            ticks = self::ticks(every);
        }
    }
}

fn ticks(every: Duration) -> time::Interval {
    let mut ticks = time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// One round: all pages at once, each within its own deadline.
async fn collect(watch: &Arc<Watch>, jobs: &'static [Job]) {
    let began = Instant::now();
    let whole = jobs.len() == Job::ALL.len();
    // Asked before the page is made: a listing that comes meanwhile is not on it.
    let known = watch.knows_containers();
    let mut pages = Vec::with_capacity(jobs.len());
    for job in jobs {
        let watch = Arc::clone(watch);
        pages.push((
            *job,
            tokio::spawn(async move {
                let began = Instant::now();
                let (page, make) = (watch.pages.of(*job), job.make(Arc::clone(&watch)));
                let page = async {
                    match whole {
                        true => page.shared(make).await,
                        // The change must be on it.
                        false => page.anew(make).await,
                    }
                };
                (time::timeout(DEADLINE, page).await, began.elapsed())
            }),
        ));
    }
    // Families change only with the program and with what is found on the host.
    let learn = whole && watch.own.collections().is_multiple_of(LEARN);
    let mut families = Vec::new();
    let mut answered = Vec::new();
    for (job, page) in pages {
        let (page, took) = match page.await {
            Ok((Ok(Ok(page)), took)) => (Ok(page), took),
            Ok((Err(_), took)) => (Err("the collector did not answer in time"), took),
            Ok((Ok(Err(Panicked)), _)) | Err(_) => (Err("the collector panicked"), Duration::ZERO),
        };
        let mut intakes = watch.intakes();
        if let Some(intake) = intakes
            .iter_mut()
            .find(|intake| intake.target().job == job.as_str())
        {
            if let (true, Ok(page)) = (learn, &page) {
                families.extend(views::families(
                    Format::Text,
                    page,
                    job.as_str(),
                    &intake.target().instance,
                ));
            }
            let up = intake.take(
                page.as_deref().map_err(|err| *err),
                watch.clock.now_ms(),
                took,
                &watch.store,
            );
            if up {
                answered.push(job);
            }
        }
    }
    if learn {
        *watch.metadata() = families;
    }
    watch.answered(&answered, known);
    if whole {
        watch.collected(began.elapsed());
    }
    watch.evaluate_now.notify_one();
}

/// One intake per page, with the labels that its series carry.
pub(super) fn intakes(instance: &str) -> Vec<Intake> {
    Job::ALL
        .iter()
        .map(|job| {
            Intake::new(rules::Target {
                job: job.as_str().to_owned(),
                instance: instance.to_owned(),
                ..rules::Target::default()
            })
        })
        .collect()
}
