//! Renaming and removing folders, whose disk may hang in the middle of it.

use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;

use crate::run::Lock;
use crate::{Job, Setup, apart};

/// How long two renames may take: a disk may have much to write down before.
pub(super) const RENAMING: Duration = Duration::from_secs(600);

/// Does what is to be done in a folder on a thread of its own. A disk that hangs is not
/// waited for without end: what was begun goes on when it answers again, and until then
/// nobody else may begin anything there.
///
/// # Errors
/// What the work says; or when it takes longer than `limit`, or the one before it still
/// goes on.
pub(super) async fn moved<T: Send + 'static>(
    setup: &Setup,
    job: &Job,
    folder: &Path,
    limit: Duration,
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let shown = folder.display();
    // The job's own lock goes with whoever waits; this one with the thread.
    let held = Lock::take(&setup.work, &lock(&job.name));
    let held = held.map_err(|taken| {
        format!("what an earlier attempt began in {shown} is not over ({taken})")
    })?;
    let moving = apart::begin(folder, move || {
        let _held = held;
        work()
    });
    let moving = moving.map_err(|err| err.to_string())?;
    match timeout(limit, moving.end()).await {
        Ok(done) => done.map_err(|err| err.to_string())?,
        Err(_) => Err(format!(
            "{shown} does not answer; what was begun there goes on when it does"
        )),
    }
}

fn lock(job: &str) -> String {
    format!("{job}.moving")
}

/// Looks whether all is over that was begun in the folder of a job: whoever is started
/// before holds on to what is moved away beneath him.
///
/// # Errors
/// When it is not.
pub(crate) fn over(setup: &Setup, job: &str) -> Result<(), String> {
    match Lock::is_held(&setup.work, &lock(job)) {
        true => Err("what an earlier attempt began in its folder is not over".to_owned()),
        false => Ok(()),
    }
}
