//! Where the bench works, and what a command took there.

use std::fs;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::{budget, child, median, plain};

/// A folder with a folder for copies.
pub(crate) struct Place {
    home: TempDir,
}

/// What a command took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Taken {
    pub(crate) seconds: f64,
    /// The most memory that the process itself had, in MiB; not its children's.
    pub(crate) peak: f64,
    /// Processor seconds of the process itself.
    pub(crate) processor: f64,
}

impl Place {
    pub(crate) fn new() -> Self {
        let home = tempfile::Builder::new()
            .prefix("belfry-bench")
            .tempdir()
            .expect("a folder");
        fs::create_dir(home.path().join("copies")).expect("a folder for copies");
        Self { home }
    }

    /// Does our own work in it, with the allocator as the program sets it up.
    pub(crate) fn ours(&self, what: &str, words: &[&str]) -> Taken {
        let program = std::env::current_exe().expect("this program");
        taken(
            Command::new(program)
                .args([child::WORD, what])
                .arg(self.home.path())
                .args(words)
                .env("MALLOC_ARENA_MAX", "1")
                .env("MALLOC_MMAP_THRESHOLD_", "131072")
                .env("MALLOC_TRIM_THRESHOLD_", "131072"),
        )
    }

    /// Runs a line of a shell in it, where any part that fails is a failure.
    pub(crate) fn shell(&self, line: &str) -> Taken {
        taken(
            Command::new("bash")
                .args(["-e", "-o", "pipefail", "-c", line])
                .current_dir(self.home.path()),
        )
    }

    /// A path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Bytes of all copies.
    pub(crate) fn stored(&self) -> u64 {
        fn below(folder: &Path) -> u64 {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            let bytes = entries.map(|entry| match entry.metadata() {
                Ok(about) if about.is_dir() => below(&entry.path()),
                Ok(about) => about.len(),
                Err(_) => 0,
            });
            bytes.sum()
        }
        below(&self.path("copies"))
    }

    /// Takes away the copies that were made, so that every run begins alike.
    pub(crate) fn forget_copies(&self) {
        for name in ["copies", "work"] {
            let _ = fs::remove_dir_all(self.path(name));
        }
        fs::create_dir(self.path("copies")).expect("a folder for copies");
        settle();
    }
}

/// What was written before is not to be waited for by what is measured next.
pub(crate) fn settle() {
    rustix::fs::sync();
}

fn taken(command: &mut Command) -> Taken {
    let log = tempfile::tempfile().expect("a file for what it says");
    let mut told = log.try_clone().expect("the same file");
    let began = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("a program");
    let mut taken = Taken::default();
    let folder = PathBuf::from(format!("/proc/{}", child.id()));
    let status = loop {
        if let (Some(peak), Some(processor)) = (peak(&folder), processor(&folder, false)) {
            (taken.peak, taken.processor) = (peak, processor);
        }
        if let Some(status) = child.try_wait().expect("our child") {
            break status;
        }
        thread::sleep(Duration::from_millis(5));
    };
    taken.seconds = began.elapsed().as_secs_f64();
    let mut words = String::new();
    told.rewind().expect("a file");
    told.read_to_string(&mut words).expect("its words");
    assert!(status.success(), "{command:?}: {words}");
    taken
}

/// Nothing when it has ended.
fn peak(process: &Path) -> Option<f64> {
    let status = fs::read_to_string(process.join("status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1024.0)
}

/// Of the process itself, or with those of its children that have ended.
fn processor(process: &Path, with_children: bool) -> Option<f64> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    let ticks = rest
        .split(' ')
        .skip(11)
        .take(if with_children { 4 } else { 2 });
    let ticks: f64 = ticks.filter_map(|word| word.parse::<f64>().ok()).sum();
    Some(ticks / rustix::param::clock_ticks_per_second() as f64)
}

/// The processor time of a server that goes on, and of whoever it begins, while something
/// is done.
pub(crate) struct Used {
    process: PathBuf,
    all: Vec<f64>,
}

impl Used {
    pub(crate) fn by(server: &Child) -> Self {
        let process = PathBuf::from(format!("/proc/{}", server.id()));
        let all = Vec::new();
        Self { process, all }
    }

    fn now(&self) -> f64 {
        // One that serves a client has not always ended when the client has.
        let below = fs::read_to_string(self.children()).unwrap_or_default();
        let below = below.split_whitespace().filter_map(|child| {
            let child = PathBuf::from(format!("/proc/{child}"));
            processor(&child, true)
        });
        let own = processor(&self.process, true).expect("a server that goes on");
        own + below.sum::<f64>()
    }

    fn children(&self) -> PathBuf {
        let id = self.process.file_name().unwrap_or_default();
        self.process.join("task").join(id).join("children")
    }

    pub(crate) fn during<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let before = self.now();
        let done = work();
        self.all.push(self.now() - before);
        done
    }

    /// The median, in seconds.
    pub(crate) fn median(&self) -> f64 {
        median(self.all.clone())
    }
}

/// Prints what our own process took beside the time.
pub(crate) fn own(all: &[Taken]) {
    let processor = middle(all, |taken| taken.processor);
    plain("  its own processor time", processor, "s");
    let peak = middle(all, |taken| taken.peak);
    budget("  its own memory (RSS), peak", peak, "MiB", 64.0);
}

/// The median of one figure.
fn middle(all: &[Taken], of: impl Fn(&Taken) -> f64) -> f64 {
    median(all.iter().map(of).collect())
}

/// The median time.
pub(crate) fn seconds(all: &[Taken]) -> f64 {
    middle(all, |taken| taken.seconds)
}
