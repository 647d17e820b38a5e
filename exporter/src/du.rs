//! What a folder takes on the disk, as `du` counts it: blocks, hard links once,
//! and never into another file system.
//!
//! It can take long, and a dead disk never answers, so it is called on threads
//! of their own. It stops at a limit and says so.

use std::collections::HashSet;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// How much is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Files and folders.
    pub(crate) entries: u64,
    /// In all.
    pub(crate) time: Duration,
}

/// What a folder takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) bytes: u64,
    /// Files and folders, itself too.
    pub(crate) entries: u64,
    /// Whether all of it could be looked at.
    pub(crate) complete: bool,
}

/// After so many entries others may have the processor for a moment.
const AT_ONCE: u64 = 2000;

/// Adds a folder up.
pub(crate) fn measure(folder: &Path, limits: Limits) -> io::Result<Size> {
    let begun = Instant::now();
    let top = std::fs::symlink_metadata(folder)?;
    let mut size = Size {
        bytes: top.blocks() * 512,
        entries: 1,
        complete: true,
    };
    let mut linked = HashSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            size.complete = false;
            continue;
        };
        for entry in entries {
            if size.entries >= limits.entries || begun.elapsed() >= limits.time {
                size.complete = false;
                return Ok(size);
            }
            // One that vanished meanwhile takes nothing.
            let Ok(entry) = entry else { continue };
            let Ok(found) = entry.metadata() else {
                continue;
            };
            if found.dev() != top.dev() {
                continue;
            }
            size.entries += 1;
            if size.entries.is_multiple_of(AT_ONCE) {
                std::thread::sleep(Duration::from_millis(1));
            }
            if found.is_dir() {
                folders.push(entry.path());
            } else if found.nlink() > 1 && !linked.insert(found.ino()) {
                continue;
            }
            size.bytes += found.blocks() * 512;
        }
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AMPLE: Limits = Limits {
        entries: 1000,
        time: Duration::from_secs(60),
    };

    #[test]
    fn it_counts_as_the_real_du_does() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::write(inner.join("file"), vec![1; 100_000]).unwrap();
        std::fs::hard_link(inner.join("file"), folder.path().join("again")).unwrap();
        std::os::unix::fs::symlink("/", folder.path().join("root")).unwrap();
        let sparse = std::fs::File::create(inner.join("sparse")).unwrap();
        sparse.set_len(1 << 30).unwrap();
        let size = measure(folder.path(), AMPLE).unwrap();
        let du = std::process::Command::new("du")
            .args(["-s", "-x", "-B1"])
            .arg(folder.path())
            .output()
            .unwrap();
        let said = String::from_utf8(du.stdout).unwrap();
        let want = said.split('\t').next().unwrap().parse().unwrap();
        assert_eq!((size.bytes, size.complete), (want, true));
        assert_eq!(size.entries, 7);
    }

    #[test]
    fn a_folder_without_end_is_left_at_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        for at in 0..50 {
            std::fs::write(folder.path().join(at.to_string()), "x").unwrap();
        }
        let few = Limits {
            entries: 10,
            ..AMPLE
        };
        let size = measure(folder.path(), few).unwrap();
        assert_eq!((size.entries, size.complete), (10, false));
        let hasty = Limits {
            time: Duration::ZERO,
            ..AMPLE
        };
        assert!(!measure(folder.path(), hasty).unwrap().complete);
        assert!(measure(&folder.path().join("none"), AMPLE).is_err());
    }
}
