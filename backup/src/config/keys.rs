//! What is wrong with keys: who opens what, and where that lies.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::{Config, Job, Place};
use crate::age::Identity;

/// A folder or a key may lie on a dead mount: then a folder is what it is called.
const PATIENCE: Duration = Duration::from_secs(2);

impl Config {
    /// Secrets leave the host encrypted, and lie in no bucket beside what the same key
    /// opens: one leak would give both.
    pub(super) fn secret_faults(&self, job: &Job, key: &str, fault: &mut impl FnMut(String, &str)) {
        let buckets = |job: &Job| {
            let goes = |place: &&Place| job.targets.is_empty() || job.targets.contains(&place.name);
            let places = self.targets.iter().filter(goes);
            let places = places.filter(|place| !place.bucket.is_empty());
            let at = |place: &Place| (place.endpoint(), place.bucket.clone());
            places.map(at).collect::<Vec<_>>()
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

    /// What is said of keys without its being wrong: the key of this host may be an older
    /// one, which opens what was made before.
    #[must_use]
    pub fn remarks(&self) -> Vec<(String, String)> {
        let mut remarks = Vec::new();
        let mut remark = |key: String, message: &str| remarks.push((key, message.to_owned()));
        let file = self.identity_file.clone();
        if file.as_os_str().is_empty() {
            return remarks;
        }
        // Whoever checks may not be allowed to read it, and it may come later.
        let Some(Ok(text)) = soon(move || std::fs::read_to_string(file)) else {
            return remarks;
        };
        let keys = match Identity::file(&text) {
            Ok(keys) => keys,
            Err(err) => {
                remark("backup.identity_file".to_owned(), &err.to_string());
                return remarks;
            }
        };
        let ours: Vec<_> = keys.iter().map(|key| key.recipient().to_string()).collect();
        let opens = |set: &[String]| set.is_empty() || set.iter().any(|one| ours.contains(one));
        let used = self.jobs.iter().any(|job| job.recipients.is_empty());
        if used && !opens(&self.recipients) {
            remark(
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
                remark(
                    format!("backup.jobs[{at}].{tried}"),
                    "no key in backup.identity_file opens what is encrypted to its recipients",
                );
            }
        }
        remarks
    }
}

/// Where something is, whatever it is called.
fn real(path: &Path) -> PathBuf {
    let asked = path.to_owned();
    match soon(move || std::fs::canonicalize(asked)) {
        Some(Ok(real)) => real,
        _ => path.to_owned(),
    }
}

/// What a disk says, if it does not hang.
fn soon<T: Send + 'static>(ask: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (tell, told) = mpsc::channel();
    let asking = thread::Builder::new().spawn(move || {
        let _ = tell.send(ask());
    });
    asking.ok().and_then(|_| told.recv_timeout(PATIENCE).ok())
}
