//! Small files of our own work folder that must be on the disk before what they tell
//! of is done: whole or not at all, also after a power cut.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use serde::Serialize;

/// Writes one into the work folder.
///
/// # Errors
/// With the file and what the disk says.
pub(crate) fn write(work: &Path, path: &Path, what: &impl Serialize) -> Result<(), String> {
    let write = || -> std::io::Result<()> {
        fs::create_dir_all(work)?;
        // Half of it would be nothing.
        let fresh = path.with_extension("new");
        let mut out = File::create(&fresh)?;
        out.write_all(&serde_json::to_vec(what)?)?;
        out.sync_all()?;
        fs::rename(&fresh, path)?;
        File::open(work)?.sync_all()
    };
    write().map_err(|err| format!("{}: {err}", path.display()))
}

/// Removes one that would undo what is done if it stayed, or came back after a power
/// cut.
///
/// # Errors
/// With the file and what the disk says.
pub(crate) fn remove(work: &Path, path: &Path) -> Result<(), String> {
    let gone = fs::remove_file(path).and_then(|()| File::open(work)?.sync_all());
    gone.map_err(|err| {
        let path = path.display();
        format!("{path}: it must go, and cannot be removed: {err}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_removed_is_told_by_its_name_whatever_it_is() {
        let work = tempfile::tempdir().unwrap();
        let kept = work.path().join("kept-db.json");
        fs::create_dir(&kept).unwrap();
        let err = remove(work.path(), &kept).unwrap_err();
        let told = format!("{}: it must go, and cannot be removed: ", kept.display());
        assert!(err.starts_with(&told), "{err}");
        fs::remove_dir(&kept).unwrap();
        write(work.path(), &kept, &1).unwrap();
        remove(work.path(), &kept).unwrap();
        assert!(!kept.exists());
    }
}
