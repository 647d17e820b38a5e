//! Collecting: every `interval`, and at once when a container's state changed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use exposition::{Rows, Writer};
use rules::Intake;
use tokio::time::{self, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::Watch;
use super::early::Early;
use super::pages::{Panicked, Text};

/// Longer than every collector's own deadline.
const DEADLINE: Duration = Duration::from_secs(5);

/// Collections between two looks at the types and texts of families on pages.
const LEARN: u64 = 40;

/// A page that this process makes itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Job {
    Host,
    Container,
    Api,
    Log,
    Postgres,
    Redis,
    Celery,
    Backup,
    Probe,
    Heartbeat,
    Belfry,
}

impl Job {
    pub(crate) const ALL: [Self; 11] = [
        Self::Host,
        Self::Container,
        Self::Api,
        Self::Log,
        Self::Postgres,
        Self::Redis,
        Self::Celery,
        Self::Backup,
        Self::Probe,
        Self::Heartbeat,
        Self::Belfry,
    ];

    /// The label `job`, and the name under `/metrics/`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Container => "container",
            Self::Api => "api",
            Self::Log => "log",
            Self::Postgres => "postgres",
            Self::Redis => "redis",
            Self::Celery => "celery",
            Self::Backup => "backup",
            Self::Probe => "probe",
            Self::Heartbeat => "heartbeat",
            Self::Belfry => "belfry",
        }
    }

    /// The page as it was a moment ago, for others to read.
    pub(crate) async fn page(self, watch: &Arc<Watch>) -> Result<Text, Panicked> {
        let make = self.make(Arc::clone(watch));
        watch.pages.of(self).recent(make).await
    }

    /// Whether there is anything to tell.
    fn is_in_use(self, watch: &Watch) -> bool {
        if self.is_left_out(watch) {
            return false;
        }
        match self {
            Self::Api | Self::Log | Self::Postgres | Self::Redis | Self::Celery => {
                !watch.readers.is_idle(self)
            }
            Self::Host
            | Self::Container
            | Self::Backup
            | Self::Probe
            | Self::Heartbeat
            | Self::Belfry => true,
        }
    }

    fn is_left_out(self, watch: &Watch) -> bool {
        watch.config().exporter.leaves_out(self)
    }

    /// Where its page goes, if it has one; `host` is the label `instance`.
    pub(super) fn intake<'a>(
        self,
        intakes: &'a mut [Intake],
        host: &str,
    ) -> Option<&'a mut Intake> {
        intakes.iter_mut().find(|intake| {
            let target = intake.target();
            target.job == self.as_str() && target.instance == host
        })
    }

    /// An intake that knows no series yet.
    pub(super) fn fresh(self, host: &str) -> Intake {
        Intake::new(rules::Target {
            job: self.as_str().to_owned(),
            instance: host.to_owned(),
            // Servers that are read or probed are instances of their own.
            honor_labels: matches!(
                self,
                Self::Api | Self::Log | Self::Postgres | Self::Redis | Self::Celery | Self::Probe
            ),
            ..rules::Target::default()
        })
    }

    /// Reads everything now.
    async fn make(self, watch: Arc<Watch>) -> String {
        if self.is_left_out(&watch) {
            return String::new();
        }
        match self {
            Self::Host => watch.host().page().await,
            Self::Container => watch.containers.page().await,
            Self::Api | Self::Log | Self::Postgres | Self::Redis | Self::Celery => {
                watch.readers.page(self).await
            }
            Self::Backup => watch.backups.page(&watch).await,
            Self::Probe => super::health::metrics(&watch),
            Self::Heartbeat => super::health::heartbeat_metrics(&watch),
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
        let whole = tokio::select! {
            () = stop.cancelled() => return Ok("collect"),
            _ = ticks.tick() => true,
            Ok(()) = changes.changed() => {
                // Not raced against a tick: it waits for seconds at most.
                time::sleep_until(early.next(time::Instant::now())).await;
                changes.mark_unchanged();
                false
            }
        };
        watch.follow_clock();
        let jobs = match whole {
            true => in_use(&watch),
            false if Job::Container.is_left_out(&watch) => continue,
            false => vec![Job::Container],
        };
        collect(&watch, &jobs, whole).await;
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

/// The jobs that have something to tell, each with an intake for its page. The
/// series of those that have nothing any more end.
fn in_use(watch: &Watch) -> Vec<Job> {
    let (host, now_ms) = (watch.config().host_name(), watch.clock.now_ms());
    let (used, idle): (Vec<Job>, Vec<Job>) = Job::ALL.iter().partition(|job| job.is_in_use(watch));
    let mut intakes = watch.intakes();
    for job in &used {
        if job.intake(&mut intakes, &host).is_none() {
            let fresh = job.fresh(&host);
            intakes.push(fresh);
        }
    }
    for job in idle {
        if let Some(intake) = job.intake(&mut intakes, &host) {
            intake.end(now_ms, &watch.store);
            intakes.retain(|intake| {
                let target = intake.target();
                target.job != job.as_str() || target.instance != host
            });
        }
    }
    used
}

/// What a job has to tell.
enum Told {
    Page(Text),
    /// Only this process knows it, and nobody but the store reads it now.
    Rows(Rows),
}

/// One round: all pages at once, each within its own deadline.
async fn collect(watch: &Arc<Watch>, jobs: &[Job], whole: bool) {
    let began = Instant::now();
    let host = watch.config().host_name();
    // Asked before the page is made: a listing that comes meanwhile is not on it.
    let known = watch.knows_containers();
    let looked = watch.health.all_looked_at(&watch.config());
    // Families change only with the program and with what is found on the host.
    let learn = whole && watch.own.collections().is_multiple_of(LEARN);
    let mut all = Vec::with_capacity(jobs.len());
    for job in jobs.iter().copied() {
        let watch = Arc::clone(watch);
        all.push((
            job,
            tokio::spawn(async move {
                let began = Instant::now();
                if job == Job::Probe {
                    let rows = Writer::rows(|page| super::health::write_metrics(&watch, page));
                    return (Ok(Ok(Told::Rows(rows))), began.elapsed());
                }
                let (page, make) = (watch.pages.of(job), job.make(Arc::clone(&watch)));
                let page = async {
                    match whole {
                        true => page.shared(make).await,
                        // The change must be on it.
                        false => page.anew(make).await,
                    }
                };
                let page = time::timeout(DEADLINE, page).await;
                (page.map(|page| page.map(Told::Page)), began.elapsed())
            }),
        ));
    }
    let mut answered = Vec::new();
    for (job, told) in all {
        let (told, took) = match told.await {
            Ok((Ok(Ok(told)), took)) => (Ok(told), took),
            Ok((Err(_), took)) => (Err("the collector did not answer in time"), took),
            Ok((Ok(Err(Panicked)), _)) | Err(_) => (Err("the collector panicked"), Duration::ZERO),
        };
        let mut intakes = watch.intakes();
        let Some(intake) = job.intake(&mut intakes, &host) else {
            continue;
        };
        match &told {
            Ok(Told::Page(page)) if learn => watch.families.page(job, &host, page),
            Ok(Told::Rows(rows)) => watch.families.said(job, &host, rows.families()),
            _ => {}
        }
        let now_ms = watch.clock.now_ms();
        let store = &watch.store;
        if match &told {
            Ok(Told::Rows(rows)) => intake.take_rows(rows, now_ms, took, store),
            Ok(Told::Page(page)) => intake.take(Ok(&**page), now_ms, took, store),
            Err(err) => intake.take(Err::<&str, _>(*err), now_ms, took, store),
        } {
            answered.push(job);
        }
    }
    if learn {
        watch.families.retain(jobs);
    }
    watch.answered(&answered, known, looked);
    watch.readers.report_up(&watch.store, watch.clock.now_ms());
    if whole {
        watch.collected(began.elapsed());
    }
    watch.evaluate_now.notify_one();
}

impl Watch {
    /// These pages came in. A restored alert of theirs may end from now on;
    /// those of containers only when the engine has listed them once, and those of
    /// probes when all was looked at that is on their page.
    pub(super) fn answered(&self, jobs: &[Job], listed: bool, looked: bool) {
        let mut rules = self.rules();
        // Of what is left out nothing will ever come.
        for job in Job::ALL.into_iter().filter(|job| job.is_left_out(self)) {
            rules.answered(job.as_str());
        }
        for job in jobs {
            if match job {
                Job::Container => listed,
                Job::Api | Job::Log | Job::Postgres | Job::Redis | Job::Celery => false,
                Job::Probe => looked,
                Job::Host | Job::Backup | Job::Heartbeat | Job::Belfry => true,
            } {
                rules.answered(job.as_str());
            }
        }
        if listed {
            for job in self.readers.answered() {
                rules.answered(job.as_str());
            }
        }
    }
}
