//! What named folders take on the disk, added up now and then on a thread of
//! its own. A disk that hangs holds that thread and nothing else.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use exposition::{Kind, Writer};

use super::Machine;
use crate::du::{self, Limits, Size};
use crate::files::{Failure, Files};
use crate::tallies::lock;

/// Of more folders than this only the first are looked at.
const MOST: usize = 32;
/// How much is looked at in one folder.
const LIMITS: Limits = Limits {
    entries: 2_000_000,
    time: Duration::from_secs(120),
};

/// The folders, and what was found.
#[derive(Debug)]
pub(super) struct Folders {
    named: Vec<PathBuf>,
    every: Duration,
    found: Arc<Mutex<Found>>,
}

#[derive(Debug, Default)]
struct Found {
    /// When the latest round began; it runs as long as `busy` says so.
    began: Option<Instant>,
    busy: bool,
    sizes: BTreeMap<PathBuf, (Option<Size>, Instant)>,
}

impl Folders {
    pub(super) fn new(mut named: Vec<PathBuf>, every: Duration) -> Self {
        named.truncate(MOST);
        Self {
            named,
            every,
            found: Arc::default(),
        }
    }

    /// Begins a round when one is due and none is under way.
    fn look(&self, root: &std::path::Path) {
        let mut found = lock(&self.found);
        if found.busy || found.began.is_some_and(|at| at.elapsed() < self.every) {
            return;
        }
        let (named, here, root) = (self.named.clone(), Arc::clone(&self.found), root.to_owned());
        let thread = std::thread::Builder::new().name("folders".into());
        let started = thread.spawn(move || {
            for folder in named {
                let seen = root.join(folder.strip_prefix("/").unwrap_or(&folder));
                let size = du::measure(&seen, LIMITS).ok();
                lock(&here).sizes.insert(folder, (size, Instant::now()));
            }
            lock(&here).busy = false;
        });
        found.busy = started.is_ok();
        found.began = Some(Instant::now());
    }

    fn encode(&self, page: &mut Writer) {
        let found = lock(&self.found);
        type Value = fn(&(Option<Size>, Instant)) -> Option<f64>;
        let families: [(&str, &str, Value); 5] = [
            (
                "belfry_folder_size_bytes",
                "Bytes that the folder takes on its disk.",
                |(size, _)| Some(size.as_ref()?.bytes as f64),
            ),
            (
                "belfry_folder_entries",
                "Files and folders in it.",
                |(size, _)| Some(size.as_ref()?.entries as f64),
            ),
            (
                "belfry_folder_complete",
                "Whether all of it was looked at.",
                |(size, _)| Some(f64::from(u8::from(size.as_ref()?.complete))),
            ),
            (
                "belfry_folder_success",
                "Whether it can be read at all.",
                |(size, _)| Some(f64::from(u8::from(size.is_some()))),
            ),
            (
                "belfry_folder_age_seconds",
                "How long ago that was.",
                |(_, at)| Some(at.elapsed().as_secs_f64()),
            ),
        ];
        for (name, help, value) in families {
            page.family(name, help, Kind::Gauge);
            for (folder, about) in &found.sizes {
                if let Some(value) = value(about) {
                    page.sample(&[("folder", &folder.display().to_string())], value);
                }
            }
        }
    }
}

pub(super) fn read(
    machine: &Machine,
    files: &mut Files<'_>,
    page: &mut Writer,
) -> Result<(), Failure> {
    if machine.folders.named.is_empty() {
        return Err(Failure::Absent("named folders".into()));
    }
    machine.folders.look(&files.roots.root);
    machine.folders.encode(page);
    Ok(())
}
