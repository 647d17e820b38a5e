//! What containers take on the disk: the layer that they write to, their
//! folder, and the logs in it.
//!
//! Added up now and then on one thread, one container after the other. A disk
//! that hangs holds that thread; the figures then grow old and are dropped.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::fs::statvfs;
use tokio_util::sync::CancellationToken;

use super::model::Container;
use super::{Shared, lock};
use crate::crew::Crew;
use crate::du::{self, Limits};
use crate::files::{Files, Roots};

/// How much is looked at for one container.
const LIMITS: Limits = Limits {
    entries: 200_000,
    time: Duration::from_secs(5),
};
/// How long all of it may take before it is waited for no more.
const PATIENCE: Duration = Duration::from_secs(60);
/// Containers come, and are inspected, together.
const FIRST: Duration = Duration::from_secs(1);

/// What was found last, by container.
#[derive(Debug, Default)]
pub(super) struct Sizes {
    found: Mutex<BTreeMap<String, Size>>,
    crew: Crew,
}

/// What one container takes, in bytes.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Size {
    /// Its log, with the older files that were put aside.
    pub(super) log: Option<f64>,
    pub(super) files: Option<Filesystem>,
    at: Option<Instant>,
}

/// What it writes, and the file system below.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Filesystem {
    /// Such as `/dev/sda1`.
    pub(super) device: String,
    /// Bytes in its layer and its folder; nothing where not all could be added up.
    pub(super) usage: Option<f64>,
    /// Bytes that the file system has.
    pub(super) limit: f64,
    pub(super) inodes: f64,
    pub(super) inodes_free: f64,
}

impl Sizes {
    /// What is known of a container and not too old.
    pub(super) fn of(&self, id: &str, every: Duration) -> Option<Size> {
        let found = lock(&self.found).get(id).cloned()?;
        let age = found.at?.elapsed();
        (age < every * 3 + PATIENCE).then_some(found)
    }
}

/// Adds up until told to stop.
pub(super) async fn run(shared: &Arc<Shared>, stop: &CancellationToken) {
    if shared.sizes_every.is_zero() {
        return;
    }
    // A disk that hangs must not hold up the end.
    stop.run_until_cancelled(add_up(shared)).await;
}

async fn add_up(shared: &Arc<Shared>) {
    let mut changes = shared.changes.subscribe();
    let mut pause = FIRST;
    loop {
        let containers = shared.inventory().containers();
        let none = containers.is_empty();
        // Where these write to, an inspection is yet to tell.
        let unknown = containers.iter().any(|one| one.restart_policy.is_empty());
        round(shared, containers).await;
        if !unknown {
            pause = FIRST;
        }
        tokio::select! {
            () = tokio::time::sleep(shared.sizes_every) => {}
            // The first ones need not wait for a whole round.
            _ = changes.changed(), if none || unknown => {
                tokio::time::sleep(pause).await;
                // One that cannot be inspected has the others looked at ever less often.
                if unknown {
                    pause = (pause * 2).min(shared.sizes_every);
                }
            }
        }
    }
}

/// Adds all of them up once.
pub(super) async fn round(shared: &Arc<Shared>, containers: Vec<Arc<Container>>) {
    let here = Arc::clone(shared);
    let work = move || {
        let ids: Vec<&str> = containers.iter().map(|one| one.id.as_str()).collect();
        lock(&here.sizes.found).retain(|id, _| ids.contains(&id.as_str()));
        for container in &containers {
            let size = one(container, &here.roots);
            lock(&here.sizes.found).insert(container.id.clone(), size);
        }
    };
    let crew = &shared.sizes.crew;
    crew.one("sizes", PATIENCE, work).await;
}

fn one(container: &Container, roots: &Roots) -> Size {
    let seen = |path: &str| roots.root.join(path.trim_start_matches('/'));
    let log = Some(container.log_path.as_str()).filter(|path| path.starts_with('/'));
    Size {
        log: log.and_then(|path| logs(&seen(path))),
        files: layer(container, roots).and_then(|layer| {
            // Its log and what else the engine keeps of it lie in one folder.
            let folder = log.and_then(|path| Path::new(path).parent());
            let folder = folder.map(|folder| seen(&folder.display().to_string()));
            filesystem(&layer, folder.as_deref(), roots)
        }),
        at: Some(Instant::now()),
    }
}

/// Bytes of a log and of those beside it that were put aside (`.1`, `.2.gz`).
fn logs(path: &Path) -> Option<f64> {
    let name = path.file_name()?.to_str()?;
    let entries = std::fs::read_dir(path.parent()?).ok()?;
    let mut bytes = 0;
    for entry in entries.filter_map(Result::ok).take(1000) {
        let own = entry.file_name();
        let rest = own.to_str().and_then(|own| own.strip_prefix(name));
        if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) {
            bytes += entry.metadata().map_or(0, |found| found.len());
        }
    }
    Some(bytes as f64)
}

/// The layer that a container writes to: as the engine tells it, or as the
/// kernel does while the container runs.
fn layer(container: &Container, roots: &Roots) -> Option<PathBuf> {
    let told = Some(container.layer.clone()).filter(|layer| layer.starts_with('/'));
    let path = told.or_else(|| {
        let mut files = Files::new(roots);
        let text = files.proc(&format!("{}/mountinfo", container.pid?)).ok()?;
        upper(&text).map(str::to_owned)
    })?;
    Some(roots.root.join(path.trim_start_matches('/')))
}

/// The upper folder of the overlay at `/`.
pub(super) fn upper(mounts: &str) -> Option<&str> {
    let mount = mounts.lines().find(|line| {
        let mut words = line.split(' ');
        words.nth(4) == Some("/") && line.contains(" - overlay ")
    })?;
    let options = mount.rsplit(' ').next()?.split(',');
    let mut uppers = options.filter_map(|option| option.strip_prefix("upperdir="));
    uppers.next().filter(|path| path.starts_with('/'))
}

fn filesystem(layer: &Path, folder: Option<&Path>, roots: &Roots) -> Option<Filesystem> {
    let written = du::measure(layer, LIMITS).ok()?;
    // One that cannot be looked at is not complete: without it the sum is a part.
    let kept = folder.map(|folder| du::measure(folder, LIMITS).unwrap_or_default());
    let sizes = [Some(written), kept].into_iter().flatten();
    let below = statvfs(layer).ok()?;
    let found = rustix::fs::stat(layer).ok()?;
    let (major, minor) = (
        rustix::fs::major(found.st_dev),
        rustix::fs::minor(found.st_dev),
    );
    let files = Files::new(roots);
    Some(Filesystem {
        device: super::usage::device_name(&major.to_string(), &minor.to_string(), &files),
        usage: whole(sizes),
        limit: below.f_blocks as f64 * below.f_frsize as f64,
        inodes: below.f_files as f64,
        inodes_free: below.f_ffree as f64,
    })
}

/// What several folders take together. A part of it would look like a container that
/// has shrunk.
fn whole(mut sizes: impl Iterator<Item = du::Size>) -> Option<f64> {
    sizes.try_fold(0.0, |sum, size| {
        size.complete.then_some(sum + size.bytes as f64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_added_up_to_the_end_has_no_size() {
        let size = |bytes, complete| du::Size {
            bytes,
            entries: 1,
            complete,
        };
        let of = |sizes: &[du::Size]| whole(sizes.iter().copied());
        assert_eq!(of(&[size(7, true), size(8, true)]), Some(15.0));
        assert_eq!(of(&[size(7, true), size(8, false)]), None);
        assert_eq!(of(&[size(7, false)]), None);
    }

    #[test]
    fn a_folder_that_cannot_be_looked_at_leaves_no_part_for_the_whole() {
        let folder = tempfile::tempdir().unwrap();
        let (layer, none) = (folder.path().join("layer"), folder.path().join("none"));
        std::fs::create_dir(&layer).unwrap();
        let roots = Roots {
            proc: "/proc".into(),
            sys: "/sys".into(),
            root: "/".into(),
        };
        let usage = |beside: Option<&Path>| filesystem(&layer, beside, &roots).unwrap().usage;
        let alone = usage(None).unwrap();
        assert_eq!(usage(Some(&layer)), Some(2.0 * alone));
        assert_eq!(usage(Some(&none)), None);
        assert_eq!(filesystem(&none, None, &roots), None);
    }

    #[test]
    fn the_upper_folder_is_that_of_the_overlay_at_the_root() {
        let text = "1 0 8:1 / /etc/hosts rw - ext4 /dev/sda1 rw\n\
                    2 0 0:44 / / rw,relatime - overlay overlay rw,lowerdir=/a:/b,upperdir=/var/lib/x/fs,workdir=/w\n";
        assert_eq!(upper(text), Some("/var/lib/x/fs"));
        assert_eq!(
            upper("2 0 0:44 / / rw - overlay overlay rw,upperdir=x/diff"),
            None
        );
        assert_eq!(upper("2 0 8:1 / / rw - ext4 /dev/sda1 rw"), None);
        assert_eq!(upper("nonsense\n"), None);
    }

    #[test]
    fn a_log_counts_with_those_that_were_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in [
            ("x-json.log", 10),
            ("x-json.log.1", 20),
            ("x-json.log.2.gz", 5),
            ("config.json", 99),
        ] {
            std::fs::write(folder.path().join(name), vec![0; bytes]).unwrap();
        }
        assert_eq!(logs(&folder.path().join("x-json.log")), Some(35.0));
        assert_eq!(logs(Path::new("/none/x.log")), None);
    }
}
