//! Where a folder is restored beside the live one, and what the live one is called
//! afterwards. The renames, and the way back.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The three places of a restore of a folder, all in one folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paths {
    /// The folder.
    pub live: PathBuf,
    /// What is unpacked, before it takes its place.
    pub beside: PathBuf,
    /// What was there before, afterwards.
    pub before: PathBuf,
    /// Whether there was a live folder when the restore began.
    #[serde(default = "yes")]
    pub had: bool,
}

/// Those who wrote down nothing of it removed less.
fn yes() -> bool {
    true
}

const BESIDE: &str = "belfry-restore-";
const BEFORE: &str = "belfry-before-";
const ASIDE: &str = "belfry-aside-";

fn told(path: &Path) -> impl Fn(io::Error) -> String {
    let shown = path.display().to_string();
    move |err| format!("{shown}: {err}")
}

impl Paths {
    /// The places of a restore of this backup.
    ///
    /// # Errors
    /// When the folder is none that could be renamed.
    pub fn new(live: &Path, id: &str) -> Result<Self, String> {
        let tail = id.rsplit('-').next().unwrap_or(id);
        Self::named(live, tail)
    }

    fn named(live: &Path, tail: &str) -> Result<Self, String> {
        let none = || format!("{} cannot be renamed", live.display());
        let name = live.file_name().ok_or_else(none)?;
        let parent = live.parent().ok_or_else(none)?;
        let place = |kind: &str| {
            let mut all = std::ffi::OsString::from(".");
            all.push(name);
            all.push(format!(".{kind}{tail}"));
            parent.join(all)
        };
        Ok(Self {
            live: live.to_owned(),
            beside: place(BESIDE),
            before: place(BEFORE),
            had: live.exists(),
        })
    }

    /// Whether it can be renamed at all: what is mounted cannot.
    pub(super) fn movable(&self) -> Result<(), String> {
        let Ok(about) = std::fs::symlink_metadata(&self.live) else {
            return Ok(());
        };
        let parent = self.live.parent().unwrap_or(&self.live);
        let outer = std::fs::metadata(parent).map_err(told(parent))?;
        let live = self.live.display();
        if about.is_symlink() {
            return Err(format!("{live} is a link; restore what it points to"));
        }
        if about.dev() != outer.dev() {
            return Err(format!(
                "{live} is a mount point and cannot be swapped; --into FOLDER unpacks elsewhere"
            ));
        }
        Ok(())
    }

    /// Puts what was unpacked in the place of the live folder; whether there was one.
    pub(super) fn swap(&self) -> Result<bool, String> {
        let had = self.live.exists();
        if had {
            std::fs::rename(&self.live, &self.before).map_err(told(&self.live))?;
        }
        std::fs::rename(&self.beside, &self.live).map_err(told(&self.beside))?;
        self.sync()?;
        Ok(had)
    }

    /// Puts what was there before back; what had taken its place is beside again.
    pub(super) fn back(&self) -> Result<(), String> {
        if self.before.exists() {
            if self.live.exists() {
                if self.beside.exists() {
                    let beside = self.beside.display();
                    return Err(format!("{beside} is there already; nothing was moved"));
                }
                std::fs::rename(&self.live, &self.beside).map_err(told(&self.live))?;
            }
            std::fs::rename(&self.before, &self.live).map_err(told(&self.before))?;
        }
        self.sync()
    }

    /// Gives what had the live name for a while a name that nothing of ours removes;
    /// the name.
    pub(super) fn aside(&self, from: &Path) -> Result<PathBuf, String> {
        let name = self.beside.file_name().unwrap_or_default();
        let aside = name.as_bytes().to_vec();
        let start = aside.len().saturating_sub(BESIDE.len() + TAIL);
        let mut name = std::ffi::OsStr::from_bytes(&aside[..start]).to_owned();
        name.push(ASIDE);
        name.push(std::ffi::OsStr::from_bytes(&aside[start + BESIDE.len()..]));
        let mut aside = self.beside.with_file_name(&name);
        for more in 2.. {
            // A link that leads nowhere has the name too.
            if std::fs::symlink_metadata(&aside).is_err() {
                break;
            }
            let mut next = name.clone();
            next.push(format!("_{more}"));
            aside = self.beside.with_file_name(next);
        }
        std::fs::rename(from, &aside).map_err(told(from))?;
        self.sync()?;
        Ok(aside)
    }

    fn sync(&self) -> Result<(), String> {
        let parent = self.live.parent().unwrap_or(&self.live);
        let folder = std::fs::File::open(parent).map_err(told(parent))?;
        folder.sync_all().map_err(told(parent))
    }

    /// What was kept of restores of this folder, oldest first.
    pub(super) fn kept(live: &Path) -> Result<Vec<Self>, String> {
        let pattern = Self::named(live, "")?;
        let parent = live.parent().unwrap_or(live);
        let start = pattern.before.file_name().unwrap_or_default().as_bytes();
        let mut found = Vec::new();
        for entry in std::fs::read_dir(parent).map_err(told(parent))?.flatten() {
            let name = entry.file_name();
            let tail = name.as_bytes().strip_prefix(start);
            let tail = tail.and_then(|tail| std::str::from_utf8(tail).ok());
            if let Some(tail) = tail.filter(|tail| is_tail(tail)) {
                let since = entry.metadata().map_or(0, |about| about.ctime_nsec());
                let at = entry.metadata().map_or(0, |about| about.ctime());
                found.push(((at, since), Self::named(live, tail)?));
            }
        }
        found.sort_by_key(|(at, _)| *at);
        Ok(found.into_iter().map(|(_, paths)| paths).collect())
    }
}

/// So many letters of an id stand in our names.
const TAIL: usize = 8;

/// The eight letters at the end of an id.
fn is_tail(tail: &str) -> bool {
    tail.len() == TAIL && tail.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Removes a folder of ours with all that is in it: its name says that it is.
pub(super) fn remove(path: &Path) -> Result<(), String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let ours = [BESIDE, BEFORE].iter().any(|mark| {
        name.rsplit_once(mark)
            .is_some_and(|(front, tail)| front.starts_with('.') && is_tail(tail))
    });
    if !ours {
        return Err(format!("{} is not ours to remove", path.display()));
    }
    match std::fs::remove_dir_all(path) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(told(path)),
    }
}
