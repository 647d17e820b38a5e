//! A scratch database: made, filled, looked at and dropped. Nothing else can be
//! dropped here.

use crate::Job;
use crate::postgres::{Error, Session, ident, literal};

const NAME: &str = "belfry_drill_";

/// The name of a scratch database, and of those that dead runs of the job left.
#[derive(Debug, Clone)]
pub(crate) struct Scratch {
    pub(crate) name: String,
    /// What all of this job's begin with, but for the backup's letters.
    ours: String,
}

impl Scratch {
    /// The one for a backup of a job.
    pub(crate) fn new(job: &Job, id: &str) -> Self {
        let short: String = job.name.chars().take(30).collect();
        let ours = format!("{NAME}{short}_");
        let tail = id.rsplit('-').next().unwrap_or_default();
        Self {
            name: format!("{ours}{tail}"),
            ours,
        }
    }

    /// Drops what dead drills of this job left. Drills of other jobs may go on.
    pub(crate) async fn sweep(&self, admin: &mut Session) -> Result<(), Error> {
        let length = self.ours.chars().count() + 8;
        let sql = format!(
            "SELECT datname FROM pg_database WHERE starts_with(datname, {}) AND length(datname) = {length}",
            literal(&self.ours)
        );
        for name in admin.lines(&sql).await? {
            drop(admin, &name).await?;
        }
        Ok(())
    }

    /// Drops it.
    pub(crate) async fn drop(&self, admin: &mut Session) -> Result<(), Error> {
        drop(admin, &self.name).await
    }
}

async fn drop(admin: &mut Session, name: &str) -> Result<(), Error> {
    // The one place that drops, and it can drop nothing else.
    if name.starts_with(NAME) {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", ident(name));
        admin.lines(&sql).await?;
    }
    Ok(())
}
