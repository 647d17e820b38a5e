//! A wall clock that a test can step, for one process, while its monotonic clock goes on.

use std::fs;
use std::path::PathBuf;

use super::program;
use super::scratch::Scratch;

/// The offset lives in a file that the process reads with every look at its clock.
pub(crate) struct Clock {
    scratch: Scratch,
}

impl Clock {
    /// A clock that is right.
    pub(crate) fn new() -> Self {
        let clock = Self {
            scratch: Scratch::new(),
        };
        clock.step_to(0);
        clock
    }

    /// Moves the clock to so many seconds after the true time, or before it.
    pub(crate) fn step_to(&self, seconds: i64) {
        let offset = self.scratch.file("offset.new", &format!("{seconds:+}\n"));
        fs::rename(offset, self.file()).expect("the new offset in its place");
    }

    /// What a process needs in its environment to live by this clock.
    #[track_caller]
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let pairs = [
            ("LD_PRELOAD", library().display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file().display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value)).into()
    }

    fn file(&self) -> PathBuf {
        self.scratch.path.join("offset")
    }
}

#[track_caller]
fn library() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").expect("/usr/lib").flatten();
    folders
        .map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"))
        .find(|file| file.exists())
        .unwrap_or_else(|| program::missing("libfaketimeMT.so.1", "faketime"))
}
