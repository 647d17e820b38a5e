//! Restoring files: unpacked beside the live folder, compared with the index, and
//! put in its place by two renames. Or unpacked elsewhere, all of it or some.

use std::fs::File;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::Recovered;
use super::moving::{RENAMING, moved};
use super::paths::{self, Paths};
use super::users::users;
use super::{Manner as How, after, around, journal, newer, oneoff, pin};
use crate::apart;
use crate::archive::{self, Error};
use crate::catalogue::Copy;
use crate::files::{Glob, Manner, Unpacked, same_tree, unpack};
use crate::quiet;
use crate::root::Root;
use crate::run::{Lock, Say};
use crate::target::{PATIENCE, Target};
use crate::{Job, Setup, note};

/// Restores a copy in the place of the live folder or volume.
///
/// # Errors
/// With the step that failed, after everything was put back.
pub async fn restore(
    setup: &Setup,
    job: &Job,
    target: &Target,
    copy: &Copy,
    say: Say<'_>,
) -> Result<Paths, String> {
    let manner = How::default();
    Box::pin(in_place(setup, job, (target, copy), &manner, say)).await
}

/// The same, in one manner or another.
///
/// # Errors
/// With the step that failed, after everything was put back.
pub async fn in_place(
    setup: &Setup,
    job: &Job,
    from: (&Target, &Copy),
    manner: &How,
    say: Say<'_>,
) -> Result<Paths, String> {
    let _lock = Lock::take(&setup.work, &job.name).map_err(|taken| taken.to_string())?;
    let placing = Box::pin(placed(setup, job, from, manner, say));
    pin::around((setup, job), from, manner, placing, say).await
}

async fn placed(
    setup: &Setup,
    job: &Job,
    (target, copy): (&Target, &Copy),
    how: &How,
    say: Say<'_>,
) -> Result<Paths, String> {
    let facts = copy.manifest.files.as_ref().ok_or(NO_FILES)?;
    recover_locked(setup, job).await?;
    // Whoever a dead one had stopped is started before anybody is stopped anew.
    quiet::recover_locked(setup, &job.name).await?;
    let root = live(setup, job, copy, say).await?;
    let paths = Paths::new(&root.path, &copy.manifest.id)?;
    paths.movable()?;
    if paths.before.exists() {
        return Err(format!(
            "{} is still kept of an earlier restore; confirm or undo that first",
            paths.before.display()
        ));
    }
    if paths.beside.exists() {
        return Err(format!(
            "{} is left of an earlier restore; look at it, and move or remove it first",
            paths.beside.display()
        ));
    }
    unused(setup, &root, &around::meant(setup, job).await?).await?;
    let parent = root.path.parent().unwrap_or(&root.path);
    std::fs::create_dir_all(parent).map_err(|err| format!("{}: {err}", parent.display()))?;
    archive::room(parent, facts.bytes).map_err(|err| err.to_string())?;
    write(setup, job, &paths)?;
    let mut hushed = None;
    let done = async {
        let unpacked = filled(setup, job, (target, copy), &paths.beside, &[], say).await?;
        for warning in told(&unpacked) {
            say(format!("warn    {warning}"));
        }
        let live = newer::Live::Tree(target, copy);
        let (quiet, newer) = how.hushed(setup, job, live, say).await?;
        hushed = Some(quiet);
        // Somebody may have started one meanwhile.
        unused(setup, &root, &[]).await?;
        newer::still(newer, (setup, job), live, say).await?;
        let swapped = paths.clone();
        let had = moved(setup, job, parent, RENAMING, move || swapped.swap()).await?;
        around::migrate(setup, job, say).await?;
        // From here on it is as good as done: a crash leaves what was restored.
        clear(setup, job)?;
        Ok(had)
    };
    let mut done = done.await;
    if done.is_ok()
        && let Some(held) = hushed.take()
        && let Err(err) = around::settled(setup, job, held, say).await
    {
        // Whoever uses what was restored must let go of it first: were it noted before,
        // who starts them again would put it back beneath the others.
        let again = around::hushed(setup, job, say).await;
        write(setup, job, &paths)
            .map_err(|worse| format!("{err}; and it cannot be put back: {worse}"))?;
        match again {
            Ok(again) => hushed = Some(again),
            Err(worse) => return Err(around::failed(err, Err(worse), None, say).await),
        }
        done = Err(err);
    }
    match done {
        Ok(had) => {
            let live = paths.live.display();
            say(match had {
                true => format!(
                    "swap    {live} is the backup; what was there is {}",
                    paths.before.display()
                ),
                false => format!("made    {live} is the backup; there was none before"),
            });
            if let Err(err) = around::after(setup, job).await {
                say(format!("warn    {err}"));
            }
            Ok(paths)
        }
        Err(err) => {
            let back = recover_locked(setup, job).await;
            Err(around::failed(err, back, hushed, say).await)
        }
    }
}

const NO_FILES: &str = "it is no backup of files";

/// Unpacks a copy into a folder that is empty or not there yet: all of it, or what
/// one of these patterns means.
///
/// # Errors
/// When the folder is not empty, or what comes out is not what went in.
pub async fn into(
    setup: &Setup,
    job: &Job,
    target: &Target,
    copy: &Copy,
    (folder, only): (&Path, &[Glob]),
    say: Say<'_>,
) -> Result<Unpacked, String> {
    let _lock = Lock::take(&setup.work, &job.name).map_err(|taken| taken.to_string())?;
    let facts = copy.manifest.files.as_ref().ok_or(NO_FILES)?;
    let failed = |err: std::io::Error| format!("{}: {err}", folder.display());
    let folder = &std::path::absolute(folder).map_err(failed)?;
    if folder.exists() && std::fs::read_dir(folder).map_err(failed)?.next().is_some() {
        return Err(format!("{} is not empty", folder.display()));
    }
    if only.is_empty() {
        let parent = folder.ancestors().find(|folder| folder.exists());
        let bytes = facts.bytes;
        archive::room(parent.unwrap_or(folder), bytes).map_err(|err| err.to_string())?;
    }
    filled(setup, job, (target, copy), folder, only, say).await
}

/// Unpacks into a folder, and compares if it was all.
async fn filled(
    setup: &Setup,
    job: &Job,
    (target, copy): (&Target, &Copy),
    folder: &Path,
    only: &[Glob],
    say: Say<'_>,
) -> Result<Unpacked, String> {
    let identities = setup.identities()?;
    let scratch = setup.scratch(job)?;
    let manifest = &copy.manifest;
    let index = archive::index(target, manifest, &identities, &scratch).await;
    let index = index.map_err(|err| err.to_string())?;
    let _ = std::fs::remove_dir_all(&scratch);
    let failed = |err: std::io::Error| format!("{}: {err}", folder.display());
    let mut builder = std::fs::DirBuilder::new();
    let made = builder.recursive(true).mode(0o700).create(folder);
    let root = made.and_then(|()| File::open(folder)).map_err(failed)?;
    let into = root.try_clone().map_err(failed)?;
    let manner = Manner {
        only: only.to_vec(),
        alike: true,
    };
    let unpacked = archive::opened(target, manifest, &identities, move |archive| {
        unpack(archive, into, &manner)
    });
    let unpacked = unpacked.await.map_err(|err| err.to_string())?;
    say(format!(
        "unpack  {} entries from {}",
        unpacked.entries,
        target.name()
    ));
    if !only.is_empty() {
        return Ok(unpacked);
    }
    let alike = (
        rustix::process::geteuid().is_root(),
        !unpacked.attributes_lost,
    );
    let compared = spawn_blocking(move || {
        // On the disk, before anything else is moved away.
        rustix::fs::syncfs(&root).map_err(std::io::Error::from)?;
        let differs = same_tree(root, &mut archive::lines(index), alike, &mut |_, _| {});
        differs.map_err(std::io::Error::other)
    });
    let differs = compared
        .await
        .map_err(|_| "comparing panicked".to_owned())?
        .map_err(failed)?;
    if !differs.is_empty() {
        return Err(Error::Differs(differs).to_string());
    }
    say("compare all entries, hash by hash, as in the backup".to_owned());
    Ok(unpacked)
}

/// What could not be made as it was.
pub fn told(unpacked: &Unpacked) -> Vec<String> {
    let mut all = unpacked.warnings.clone();
    if unpacked.more_warnings > 0 {
        all.push(format!("and {} more like these", unpacked.more_warnings));
    }
    all
}

/// The folder that is restored; a volume that is missing is made.
async fn live(setup: &Setup, job: &Job, copy: &Copy, say: Say<'_>) -> Result<Root, String> {
    let facts = copy.manifest.files.as_ref().ok_or(NO_FILES)?;
    let found = Root::of(setup, job).await;
    let (Some(engine), Some(volume)) = (&setup.engine, &facts.volume) else {
        return found;
    };
    match found {
        Err(err) if err.starts_with("there is no volume") || err.starts_with("no volume is") => {
            let made = bollard::models::VolumeCreateRequest {
                name: Some(volume.name.clone()),
                driver: Some(volume.driver.clone()),
                labels: Some(volume.labels.clone().into_iter().collect()),
                driver_opts: Some(volume.options.clone().into_iter().collect()),
                ..Default::default()
            };
            let made = engine.create_volume(made).await;
            made.map_err(|err| format!("the volume cannot be made: {err}"))?;
            say(format!("made    the volume {}", volume.name));
            Root::of_volume(engine, &volume.name).await
        }
        found => found,
    }
}

/// Whoever uses the folder would go on with what was there before.
async fn unused(setup: &Setup, root: &Root, but: &[String]) -> Result<(), String> {
    let mut users = users(setup, root).await?;
    users.retain(|user| !but.contains(user));
    if users.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{} run(s) with it; --stop NAME stops it meanwhile",
        users.join(", ")
    ))
}

/// Removes what was there before a restore: it is confirmed.
///
/// # Errors
/// When it cannot be removed, its disk hangs, or an unfinished restore was found and put
/// back first.
pub async fn confirm(setup: &Setup, job: &Job) -> Result<Vec<String>, String> {
    let _lock = Lock::take(&setup.work, &job.name).map_err(|taken| taken.to_string())?;
    after::looked(setup, job, recover_locked(setup, job).await?).await?;
    let root = Root::of(setup, job).await?;
    let kept = Paths::kept(&root.path)?;
    let removing = move || {
        let mut removed = Vec::new();
        for kept in kept {
            paths::remove(&kept.before)?;
            removed.push(kept.before.display().to_string());
        }
        Ok(removed)
    };
    let folder = root.path.parent().unwrap_or(&root.path);
    // As long as putting back, which removes as much.
    let removed = moved(setup, job, folder, journal::patience(job), removing).await?;
    pin::release(setup, job).await;
    Ok(removed)
}

/// Puts what was there before the last restore back; where the restored folder is then.
///
/// # Errors
/// When nothing was kept, somebody uses the folder, its disk hangs, or an unfinished
/// restore was found and put back first.
pub async fn undo(setup: &Setup, job: &Job) -> Result<String, String> {
    let _lock = Lock::take(&setup.work, &job.name).map_err(|taken| taken.to_string())?;
    after::looked(setup, job, recover_locked(setup, job).await?).await?;
    let root = Root::of(setup, job).await?;
    let kept = Paths::kept(&root.path)?.pop();
    let kept = kept.ok_or("nothing was kept of a folder before")?;
    quiet::recover_locked(setup, &job.name).await?;
    let mut hushed = around::hushed(setup, job, &|_| {}).await?;
    unused(setup, &root, &[]).await?;
    let beside = kept.beside.display().to_string();
    let folder = root.path.parent().unwrap_or(&root.path);
    moved(setup, job, folder, RENAMING, move || kept.back()).await?;
    hushed.end(&|_| {}).await?;
    pin::release(setup, job).await;
    Ok(beside)
}

fn file(setup: &Setup, job: &Job) -> PathBuf {
    setup.work.join(format!("restore-files-{}.json", job.name))
}

fn write(setup: &Setup, job: &Job, paths: &Paths) -> Result<(), String> {
    note::write(&setup.work, &file(setup, job), paths)
}

fn clear(setup: &Setup, job: &Job) -> Result<(), String> {
    note::remove(&setup.work, &file(setup, job))
}

/// Whether a restore of this job was cut short.
pub(super) fn is_left(setup: &Setup, job: &Job) -> bool {
    file(setup, job).exists()
}

/// Puts back what a restore of this job left that was cut short, unless its disk does
/// not answer: by who holds the lock.
pub(super) async fn recover_held(setup: &Setup, job: &Job) -> Result<Recovered, String> {
    let text = std::fs::read(file(setup, job)).unwrap_or_default();
    if let Ok(paths) = serde_json::from_slice::<Paths>(&text) {
        let folder = paths.live.parent().unwrap_or(&paths.live);
        // On a thread that may be left behind: it changes nothing.
        let looked = folder.to_owned();
        let looking = apart::begin(folder, move || drop(File::open(looked)));
        let looking = looking.map_err(|err| err.to_string())?;
        match timeout(PATIENCE, looking.end()).await {
            // What it says is told by who renames.
            Ok(answer) => answer.map_err(|err| err.to_string())?,
            Err(_) => return Err(format!("{} does not answer", folder.display())),
        }
    }
    recover_locked(setup, job).await
}

/// The same, when its disk has answered. Nobody was told that it is done, so what was
/// there before is there again.
async fn recover_locked(setup: &Setup, job: &Job) -> Result<Recovered, String> {
    let (work, journal) = (setup.work.clone(), file(setup, job));
    let Ok(text) = std::fs::read(&journal) else {
        return Ok(None);
    };
    oneoff::ended(setup, job).await?;
    let Ok(paths) = serde_json::from_slice::<Paths>(&text) else {
        return journal::ended(note::remove(&work, &journal), None);
    };
    let folder = paths.live.parent().unwrap_or(&paths.live).to_owned();
    let back = move || {
        let mut aside = None;
        let back = put_back(&paths, &mut aside);
        aside = journal::telling(back, aside)?;
        journal::ended(note::remove(&work, &journal), aside)
    };
    moved(setup, job, &folder, journal::patience(job), back).await
}

fn put_back(paths: &Paths, aside: &mut Option<String>) -> Result<(), String> {
    // What never had the live name is ours to remove; once it had, somebody may
    // have written into it. It never gets the name of what did not, so that a
    // recovery that is cut short too does not make the next one remove it.
    let unused = paths.beside.exists();
    if !unused && paths.before.exists() && paths.live.exists() {
        *aside = Some(paths.aside(&paths.live)?.display().to_string());
    }
    paths.back()?;
    if unused && (paths.live.exists() || !paths.had) {
        paths::remove(&paths.beside)?;
    } else if unused {
        // Somebody took the live one away: it may be the only one that is left.
        *aside = Some(paths.aside(&paths.beside)?.display().to_string());
    }
    Ok(())
}
