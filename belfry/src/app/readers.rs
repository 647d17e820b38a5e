//! What reads servers of other programs, each in a rhythm of its own.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use exporter::Standing;
use exporter::api::Api;
use exporter::celery::Celery;
use exporter::container::Containers;
use exporter::logs::Logs;
use exporter::postgres::Postgres;
use exporter::redis::Redis;
use exposition::{Labels, NAME, stale};
use series::Store;
use tokio_util::sync::CancellationToken;

use super::{Job, beats};
use crate::config::Exporter;

/// The readers, one for each kind of server.
#[derive(Debug)]
pub(crate) struct Readers {
    pub api: Api,
    pub logs: Logs,
    pub postgres: Postgres,
    pub redis: Redis,
    pub celery: Celery,
    /// Whether containers were looked through for servers once.
    all_found: AtomicBool,
    /// The instances that `up` was written for last.
    up: Mutex<BTreeSet<(&'static str, String)>>,
}

impl Readers {
    /// The jobs whose pages tell of servers.
    pub(super) const JOBS: [Job; 5] = [Job::Api, Job::Log, Job::Postgres, Job::Redis, Job::Celery];

    pub(super) fn new(config: &Exporter, containers: &Containers) -> Self {
        Self {
            api: Api::new(config.api.clone(), containers.clone()),
            logs: Logs::new(config.logs.clone(), containers.clone()),
            postgres: Postgres::new(config.postgres.clone()),
            redis: Redis::new(config.redis.clone()),
            celery: Celery::with_calendar(config.celery.clone(), beats::due),
            all_found: AtomicBool::new(false),
            up: Mutex::default(),
        }
    }

    /// Puts another configuration in force.
    pub(super) fn configure(&self, config: &Exporter) {
        self.api.configure(config.api.clone());
        self.logs.configure(config.logs.clone());
        self.postgres.configure(config.postgres.clone());
        self.redis.configure(config.redis.clone());
        self.celery.configure(config.celery.clone());
    }

    /// Reads the servers of a job until told to stop.
    pub(super) async fn run(&self, job: Job, stop: CancellationToken) {
        match job {
            Job::Api => self.api.run(stop).await,
            Job::Log => self.logs.run(stop).await,
            Job::Postgres => self.postgres.run(stop).await,
            Job::Redis => self.redis.run(stop).await,
            Job::Celery => self.celery.run(stop).await,
            _ => stop.cancelled().await,
        }
    }

    /// What was read last. Never waits for a server.
    pub(super) async fn page(&self, job: Job) -> String {
        match job {
            Job::Api => self.api.page().await,
            Job::Log => self.logs.page().await,
            Job::Postgres => self.postgres.page().await,
            Job::Redis => self.redis.page().await,
            Job::Celery => self.celery.page().await,
            _ => String::new(),
        }
    }

    /// Whether a job has no server to read.
    pub(super) fn is_idle(&self, job: Job) -> bool {
        match job {
            Job::Api => self.api.is_idle(),
            Job::Log => self.logs.is_idle(),
            Job::Postgres => self.postgres.is_idle(),
            Job::Redis => self.redis.is_idle(),
            Job::Celery => self.celery.is_idle(),
            _ => true,
        }
    }

    /// How reading each server goes.
    pub(super) fn standing(&self) -> Vec<(Job, Standing)> {
        Self::JOBS
            .into_iter()
            .flat_map(|job| self.of(job).into_iter().map(move |one| (job, one)))
            .collect()
    }

    fn of(&self, job: Job) -> Vec<Standing> {
        match job {
            Job::Api => self.api.standing(),
            Job::Log => self.logs.standing(),
            Job::Postgres => self.postgres.standing(),
            Job::Redis => self.redis.standing(),
            Job::Celery => self.celery.standing(),
            _ => Vec::new(),
        }
    }

    /// Containers were looked through: what is there is known.
    pub(super) fn all_found(&self) {
        self.all_found.store(true, Ordering::Relaxed);
    }

    /// The jobs of which all servers have been read once. A job may have no
    /// server at all, and then it has no page.
    pub(super) fn answered(&self) -> Vec<Job> {
        if !self.all_found.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let read = |job: &Job| self.of(*job).iter().all(|one| one.age.is_some());
        Self::JOBS.into_iter().filter(read).collect()
    }

    /// Writes `up` for each instance of these jobs, as if it had a page of its
    /// own: rules look for it beside its series.
    pub(super) fn report_up(&self, store: &Store, now_ms: i64) {
        let mut before = self.up.lock().unwrap_or_else(PoisonError::into_inner);
        let standing = self.standing().into_iter();
        let now: BTreeSet<_> = standing
            .filter(|(_, one)| one.age.is_some() && !one.instance.is_empty())
            .map(|(job, one)| (job.as_str(), one.instance))
            .collect();
        for (job, instance) in now.union(&before) {
            let pairs = [(NAME, "up"), ("job", job), ("instance", instance)];
            let value = match now.contains(&(*job, instance.clone())) {
                true => 1.0,
                false => stale(),
            };
            // Refused only where the clock stands still.
            let _ = store.append(&Labels::from_pairs(pairs), now_ms, value);
        }
        *before = now;
    }
}
