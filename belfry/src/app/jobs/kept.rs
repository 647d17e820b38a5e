//! What is known of jobs, for those who show it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use backup::known::Known;

use super::recover::Remains;
use crate::config::Config;
use crate::state::Noted;

/// What is known of the jobs, for the page.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    known: Mutex<Vec<Known>>,
    /// What runs left stopped that are over, with the job.
    left: Mutex<Vec<(String, String)>>,
    /// When a key that is kept elsewhere was last attested, if backups are encrypted.
    attested_ms: Mutex<Option<i64>>,
    /// The newest runs of each job, the newest first.
    runs: Mutex<BTreeMap<String, Vec<Noted>>>,
}

impl Jobs {
    /// What is known now; jobs that are no longer configured are left out.
    pub(in crate::app) fn known(&self, config: &Config) -> Vec<Known> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let configured = |known: &&Known| config.backup.job(&known.job).is_some();
        known.iter().filter(configured).cloned().collect()
    }

    /// Keeps what was found in the work folder.
    pub(super) fn found(&self, remains: &Remains) {
        let mut attested_ms = self
            .attested_ms
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *attested_ms = remains.attested_ms;
        if let Some(stopped) = &remains.stopped {
            let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
            left.clone_from(stopped);
        }
    }

    pub(super) fn put(&self, fresh: Known) {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|known| known.job != fresh.job);
        all.push(fresh);
        all.sort_by(|one, other| one.job.cmp(&other.job));
    }

    /// When a key that is kept elsewhere was last attested; nothing where nothing is
    /// encrypted.
    pub(in crate::app) fn attested_ms(&self) -> Option<i64> {
        *self
            .attested_ms
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// What runs left stopped that are over: the job and the container.
    pub(in crate::app) fn left(&self) -> Vec<(String, String)> {
        self.left
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn of(&self, job: &str) -> Option<Known> {
        let all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().find(|known| known.job == job).cloned()
    }

    /// Keeps the newest runs of a job.
    pub(super) fn ran(&self, job: &str, newest: Vec<Noted>) {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.insert(job.to_owned(), newest);
    }

    /// The newest runs of a job that are known, the newest first.
    pub(in crate::app) fn runs(&self, job: &str) -> Vec<Noted> {
        let runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.get(job).cloned().unwrap_or_default()
    }
}
