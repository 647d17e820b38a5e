//! A folder of one test, gone when the test ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// `/tmp/belfry-it/PID-N`: short, since sockets live in it, and named after the
/// process, so that `scripts/sweep` knows whose test is over.
pub(crate) struct Scratch {
    pub(crate) path: PathBuf,
}

impl Scratch {
    /// Makes an empty folder that every user can enter.
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let path = base().join(name);
        // Left by a test long ago whose process had the same number.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a folder for the test");
        Self { path }
    }

    /// Makes a folder inside, owned by `user` if we may give it away.
    pub(crate) fn folder_for(&self, name: &str, user: &str) -> PathBuf {
        let folder = self.path.join(name);
        fs::create_dir_all(&folder).expect("a folder in the scratch folder");
        if rustix::process::geteuid().is_root() {
            super::program::run(std::process::Command::new("chown").arg(user).arg(&folder));
        }
        folder
    }

    /// Writes a file inside and returns its path.
    pub(crate) fn file(&self, name: &str, content: &str) -> PathBuf {
        let file = self.path.join(name);
        fs::write(&file, content).expect("a file in the scratch folder");
        file
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A helper process of a server that has ended may still write its last file.
        let started = Instant::now();
        while fs::remove_dir_all(&self.path).is_err() && started.elapsed() < Duration::from_secs(10)
        {
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The folder of all tests, the same for every run on this machine.
pub(crate) fn base() -> PathBuf {
    let base = std::env::temp_dir().join("belfry-it");
    fs::create_dir_all(&base).expect("a folder for the tests");
    base
}

/// Processes that name this path, or one below it, in their arguments.
pub(crate) fn processes_with(path: &Path) -> Vec<i32> {
    let needle = path.display().to_string();
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let arguments = String::from_utf8_lossy(&arguments);
            // `/tmp/belfry-it/7-1` is not in `/tmp/belfry-it/7-10`.
            let ends = |rest: &str| rest.is_empty() || rest.starts_with(['/', '\0']);
            arguments.split(&needle).skip(1).any(ends)
        })
        .collect()
}
