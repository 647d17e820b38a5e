//! What is wrong with keys: who opens what, and where that lies.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::{Config, Job, Place};
use crate::age::Identity;

/// A folder may lie on a dead mount: then it is what it is called.
const PATIENCE: Duration = Duration::from_secs(2);

impl Config {
    /// Secrets leave the host encrypted, and lie in no bucket beside what the same key
    /// opens: one leak would give both.
    pub(super) fn secret_faults(&self, job: &Job, key: &str, fault: &mut impl FnMut(String, &str)) {
        let buckets = |job: &Job| {
            let goes = |place: &&Place| job.targets.is_empty() || job.targets.contains(&place.name);
            let places = self.targets.iter().filter(goes);
            let places = places.filter(|place| !place.bucket.is_empty());
            places.map(|place| place.name.clone()).collect::<Vec<_>>()
        };
        let (mine, opened) = (buckets(job), self.recipients(job));
        if mine.is_empty() {
            return;
        }
        if opened.is_empty() {
            fault(
                format!("{key}.secret"),
                "it would leave this host unencrypted: backup.recipients is empty",
            );
            return;
        }
        let beside = |other: &&Job| {
            !other.secret
                && buckets(other).iter().any(|place| mine.contains(place))
                && self
                    .recipients(other)
                    .iter()
                    .any(|one| opened.contains(one))
        };
        if let Some(other) = self.jobs.iter().find(beside) {
            fault(
                format!("{key}.secret"),
                &format!(
                    "it would lie beside {:?}, and one key opens both: give it recipients of its own, or a target",
                    other.name
                ),
            );
        }
    }

    /// Copies do not lie with the key that opens them.
    pub(super) fn folder_faults(
        &self,
        place: &Place,
        key: &str,
        fault: &mut impl FnMut(String, &str),
    ) {
        let (file, folder) = (&self.identity_file, &place.folder);
        if folder.as_os_str().is_empty() || file.as_os_str().is_empty() {
            return;
        }
        if file.starts_with(folder) || real(file).starts_with(real(folder)) {
            fault(
                format!("{key}.folder"),
                "it holds the key that opens what would lie in it",
            );
        }
    }

    /// The key of this host opens what is made here.
    pub(super) fn key_faults(&self, fault: &mut impl FnMut(String, &str)) {
        let file = &self.identity_file;
        if file.as_os_str().is_empty() {
            return;
        }
        // Whoever checks may not be allowed to read it, and it may come later.
        let Ok(text) = std::fs::read_to_string(file) else {
            return;
        };
        let keys = match Identity::file(&text) {
            Ok(keys) => keys,
            Err(err) => {
                fault("backup.identity_file".to_owned(), &err.to_string());
                return;
            }
        };
        let ours: Vec<_> = keys.iter().map(|key| key.recipient().to_string()).collect();
        let opens = |set: &[String]| set.is_empty() || set.iter().any(|one| ours.contains(one));
        if !opens(&self.recipients) {
            fault(
                "backup.identity_file".to_owned(),
                "no key in it opens what is encrypted to backup.recipients",
            );
        }
        for (at, job) in self.jobs.iter().enumerate() {
            let tried = match (job.verify.is_empty(), job.drill.is_empty()) {
                (false, _) => "verify",
                (true, false) => "drill",
                (true, true) => continue,
            };
            if !opens(&job.recipients) {
                fault(
                    format!("backup.jobs[{at}].{tried}"),
                    "no key in backup.identity_file opens what is encrypted to its recipients",
                );
            }
        }
    }
}

/// Where something is, whatever it is called.
fn real(path: &Path) -> PathBuf {
    let (tell, told) = mpsc::channel();
    let asked = path.to_owned();
    let looking = thread::Builder::new().spawn(move || {
        let _ = tell.send(std::fs::canonicalize(asked));
    });
    let found = looking.ok().and_then(|_| told.recv_timeout(PATIENCE).ok());
    match found {
        Some(Ok(real)) => real,
        _ => path.to_owned(),
    }
}
