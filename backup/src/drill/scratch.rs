//! A scratch database: made, filled, looked at and dropped. Nothing else can be
//! dropped here.
//!
//! Its name says of which job it is and of which folder of ours on which host: somebody
//! else who drills on the same server has others.

use crate::postgres::{Error, Session, ident, literal};
use crate::run::Lock;
use crate::setup::short;
use crate::{Job, Setup};

const NAME: &str = "belfry_drill_";
/// So many letters have the mark of the folder, and those of a backup.
const MARK: usize = 8;

/// The name of a scratch database.
#[derive(Debug, Clone)]
pub(crate) struct Scratch {
    pub(crate) name: String,
    job: String,
    mark: String,
}

impl Scratch {
    /// The one for a backup of a job.
    pub(crate) fn new(mark: &str, job: &Job, id: &str) -> Self {
        let (job, mark) = (short(&job.name), mark.to_owned());
        let tail = id.rsplit('-').next().unwrap_or_default();
        Self {
            name: format!("{NAME}{job}_{mark}_{tail}"),
            job,
            mark,
        }
    }

    /// Drops what dead drills left, of this job and of such as are there no more. Drills
    /// of other jobs may go on, and theirs are swept by themselves.
    pub(crate) async fn sweep(&self, setup: &Setup, admin: &mut Session) -> Result<(), Error> {
        let sql = format!(
            "SELECT datname FROM pg_database WHERE starts_with(datname, {})",
            literal(NAME)
        );
        for name in admin.lines(&sql).await? {
            let Some(job) = self.is_of(&name) else {
                continue;
            };
            let _held = match job == self.job {
                true => None,
                false => match orphaned(setup, job) {
                    Some(held) => Some(held),
                    None => continue,
                },
            };
            drop(admin, &name).await?;
        }
        Ok(())
    }

    /// The job, in short, that a scratch database of ours is of.
    fn is_of<'a>(&self, name: &'a str) -> Option<&'a str> {
        let mut parts = name.strip_prefix(NAME)?.rsplitn(3, '_');
        let (tail, mark, job) = (parts.next()?, parts.next()?, parts.next()?);
        (tail.len() == MARK && mark == self.mark).then_some(job)
    }

    /// Drops it.
    pub(crate) async fn drop(&self, admin: &mut Session) -> Result<(), Error> {
        drop(admin, &self.name).await
    }
}

/// The lock of a job that is there no more, with which nobody drills then. Who drilled here
/// has left one: without it somebody else did, under the same names.
fn orphaned(setup: &Setup, wanted: &str) -> Option<Lock> {
    let mut jobs = setup.config.jobs.iter();
    if jobs.any(|job| short(&job.name) == wanted) {
        return None;
    }
    let mut locks = Lock::all(&setup.work).into_iter();
    let job = locks.find(|job| short(job) == wanted)?;
    Lock::take(&setup.work, &job).ok()
}

async fn drop(admin: &mut Session, name: &str) -> Result<(), Error> {
    // The one place that drops, and it can drop nothing else.
    if name.starts_with(NAME) {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", ident(name));
        admin.lines(&sql).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::SHORT;

    #[test]
    fn a_long_name_stays_within_what_a_server_takes_and_is_no_other_jobs() {
        let long = |end: &str| format!("{}{end}", "a".repeat(40));
        let (one, other) = (short(&long("b")), short(&long("c")));
        assert_ne!(one, other);
        assert_eq!((one.len(), other.len()), (SHORT, SHORT));
        assert_eq!(short("db"), "db");
        // Letters that take more than a byte are left whole.
        let odd = short(&"\u{434}".repeat(31));
        assert_eq!(odd.len(), SHORT - 1);
        assert!(odd.starts_with(&"\u{434}".repeat(10)), "{odd}");
        assert!(NAME.len() + SHORT + 2 * (1 + MARK) <= 63);
    }
}
