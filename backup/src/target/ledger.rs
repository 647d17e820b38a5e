//! The uploads that are open: written down before the first part is sent, so that
//! after a crash they can be ended. In a bucket they are invisible, and cost.

use std::fs;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A folder with a file for each open upload.
#[derive(Debug, Clone)]
pub struct Ledger(PathBuf);

/// An upload that was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Upload {
    pub(super) target: String,
    pub(super) key: String,
    pub(super) id: String,
}

impl Ledger {
    /// Keeps its files in this folder, which is made when it is needed.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    fn file(&self, upload: &Upload) -> PathBuf {
        let name = format!("{}-{}.json", upload.target, upload.key.replace('/', "-"));
        self.0.join(name)
    }

    pub(super) fn note(&self, upload: &Upload) -> io::Result<()> {
        fs::create_dir_all(&self.0)?;
        fs::write(self.file(upload), serde_json::to_vec(upload)?)
    }

    pub(super) fn forget(&self, upload: &Upload) {
        // One that stays is ended once more, which does no harm.
        let _ = fs::remove_file(self.file(upload));
    }

    /// The open ones of a target. A file that cannot be read is none.
    pub(super) fn open(&self, target: &str) -> Vec<Upload> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let uploads = entries.filter_map(|entry| {
            let upload: Upload = serde_json::from_slice(&fs::read(entry.path()).ok()?).ok()?;
            (upload.target == target).then_some(upload)
        });
        uploads.collect()
    }
}
