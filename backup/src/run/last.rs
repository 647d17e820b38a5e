//! Whether the last run of a job came to anything: known in the work folder, whoever
//! ran it. A run that was killed has come to nothing.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use crate::Setup;

fn file(setup: &Setup, job: &str) -> PathBuf {
    setup.work.join("unmade").join(job)
}

/// A run begins: until it has made a backup it has failed.
pub(super) fn begun(setup: &Setup, job: &str) {
    let file = file(setup, job);
    let made = file.parent().map(fs::create_dir_all);
    // Where the disk takes nothing, retention goes by the copies alone.
    if let Some(Err(err)) = made.map(|made| made.and_then(|()| fs::write(&file, ""))) {
        tracing::warn!(job, "{}: {err}", file.display());
    }
}

/// It has made one, or found that there is one of just what is there.
pub(super) fn made(setup: &Setup, job: &str) {
    let file = file(setup, job);
    if let Err(err) = fs::remove_file(&file)
        && err.kind() != ErrorKind::NotFound
    {
        // Retention holds good copies back as long as it is there.
        tracing::warn!(job, "{}: {err}", file.display());
    }
}

/// Whether the last run has failed.
pub(crate) fn has_failed(setup: &Setup, job: &str) -> bool {
    file(setup, job).exists()
}
