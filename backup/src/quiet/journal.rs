//! What was touched, on the disk before it is.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{Setup, note};

/// A container that was stopped or paused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Touched {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) pause: bool,
    /// Whether it is known to have been stopped.
    #[serde(default)]
    pub(super) done: bool,
}

/// What is to be put back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Journal {
    pub(super) touched: Vec<Touched>,
    /// Whether a command waits for the end.
    pub(super) after: bool,
}

const START: &str = "quiet-";
const END: &str = ".json";

impl Journal {
    fn file(setup: &Setup, job: &str) -> PathBuf {
        setup.work.join(format!("{START}{job}{END}"))
    }

    pub(super) fn write(&self, setup: &Setup, job: &str) -> Result<(), String> {
        note::write(&setup.work, &Self::file(setup, job), self)
    }

    pub(super) fn read(setup: &Setup, job: &str) -> Option<Self> {
        let text = std::fs::read(Self::file(setup, job)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    pub(super) fn clear(setup: &Setup, job: &str) {
        // One that stays is followed once more, which changes nothing.
        let _ = std::fs::remove_file(Self::file(setup, job));
    }

    /// The jobs that have one.
    pub(super) fn all(setup: &Setup) -> Vec<String> {
        let entries = std::fs::read_dir(&setup.work).into_iter().flatten();
        let names = entries.flatten().filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            Some(name.strip_prefix(START)?.strip_suffix(END)?.to_owned())
        });
        names.collect()
    }
}
