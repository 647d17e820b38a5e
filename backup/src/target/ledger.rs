//! The uploads that are open: written down before the first part is sent, and after
//! each, so that after a crash they can be ended, or go on. In a bucket they are
//! invisible, and cost.

use std::fs;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// No bucket takes more parts.
pub(super) const PARTS: usize = 10_000;

/// A folder with a file for each open upload.
#[derive(Debug, Clone)]
pub struct Ledger(PathBuf);

/// An upload that was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Upload {
    pub(super) target: String,
    pub(super) key: String,
    pub(super) id: String,
    /// The bytes of each of its parts.
    #[serde(default)]
    pub(super) size: u64,
    /// What the store calls those that arrived, from the first one on without a gap;
    /// none where it must not go on.
    #[serde(default)]
    pub(super) parts: Vec<String>,
    /// The SHA-256 of each of these: what lies here may be another thing by now, or have
    /// been damaged then.
    #[serde(default)]
    pub(super) sums: Vec<String>,
}

impl Upload {
    /// How many bytes of it need not be sent again.
    pub(super) fn arrived(&self) -> u64 {
        self.size.saturating_mul(self.parts.len() as u64)
    }

    /// Whether it can become a file of so many bytes without sending all of them.
    pub(super) fn goes_on(&self, bytes: u64) -> bool {
        let arrived = self.arrived();
        arrived > 0
            && arrived <= bytes
            && bytes.div_ceil(self.size) <= PARTS as u64
            && self.sums.len() == self.parts.len()
    }
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
        let file = self.file(upload);
        // Half of it would be an upload that nobody ends.
        let fresh = file.with_extension("new");
        fs::write(&fresh, serde_json::to_vec(upload)?)?;
        fs::rename(fresh, file)
    }

    pub(super) fn forget(&self, upload: &Upload) {
        // One that stays is ended once more, which does no harm.
        let _ = fs::remove_file(self.file(upload));
    }

    /// The open one of a key of so many bytes, if it can go on.
    pub(super) fn begun(&self, target: &str, key: &str, bytes: u64) -> Option<Upload> {
        let mut open = self.open(target).into_iter();
        open.find(|upload| upload.key == key && upload.goes_on(bytes))
    }

    /// The open ones of a target.
    pub(super) fn open(&self, target: &str) -> Vec<Upload> {
        let mut uploads = self.all();
        uploads.retain(|upload| upload.target == target);
        uploads
    }

    /// Those of all targets: one may have had another name. A file that cannot be read is none.
    pub(super) fn all(&self) -> Vec<Upload> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let whole = entries.filter(|entry| entry.path().extension().is_some_and(|is| is == "json"));
        let uploads =
            whole.filter_map(|entry| serde_json::from_slice(&fs::read(entry.path()).ok()?).ok());
        uploads.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_goes_on_where_some_has_arrived_no_more_than_all_and_its_parts_suffice() {
        const MIB: u64 = 1 << 20;
        for (size, parts, bytes, goes_on) in [
            (8 * MIB, 0, 100 * MIB, false),
            (8 * MIB, 1, 100 * MIB, true),
            (8 * MIB, 2, 16 * MIB, true),
            (8 * MIB, 2, 16 * MIB - 1, false),
            (8 * MIB, 1, 80_000 * MIB, true),
            (8 * MIB, 1, 80_000 * MIB + 1, false),
            // Of a version that noted no sizes.
            (0, 3, 100 * MIB, false),
        ] {
            let upload = Upload {
                target: "r2".into(),
                key: "key".into(),
                id: "id".into(),
                size,
                parts: vec!["part".into(); parts],
                sums: vec!["sum".into(); parts],
            };
            assert_eq!(upload.goes_on(bytes), goes_on, "{parts} of {size}: {bytes}");
            let unsummed = Upload {
                sums: Vec::new(),
                ..upload
            };
            assert!(!unsummed.goes_on(bytes), "{parts} of {size}: {bytes}");
        }
    }
}
