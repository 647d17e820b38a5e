//! Drills of files: unpacked into a scratch folder of ours, compared hash by hash;
//! git repositories and SQLite files in it are asked whether they are whole.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout, timeout_at};

use super::{Check, DROPPING, Report, Trouble, late};
use crate::archive::{self, Error};
use crate::catalogue::Copy;
use crate::files::{self, Kind, Manner, check_sqlite, is_sqlite, same_tree, unpack};
use crate::run::Say;
use crate::target::Target;
use crate::tool::{Call, Place};
use crate::{Job, Setup};

/// So many repositories and databases are asked.
const MOST: usize = 1000;
/// A folder that is still written to is removed so often, and this far apart.
const AGAIN: u32 = 20;
const MOMENT: Duration = Duration::from_millis(50);

fn sort(err: Error) -> Trouble {
    if err.is_unsound() {
        Trouble::Unsound(err.to_string())
    } else {
        Trouble::Around(err.to_string())
    }
}

pub(super) async fn scratch(
    setup: &Setup,
    job: &Job,
    target: &Target,
    copy: &Copy,
    report: &mut Report,
    say: Say<'_>,
) -> Result<(), Trouble> {
    if let Some(broken) = &copy.broken {
        return Err(Trouble::Unsound(broken.clone()));
    }
    let deadline = Instant::now() + job.timeout;
    let folder = setup.scratch(job).map_err(Trouble::Around)?;
    let done = within(setup, (target, copy), &folder, report, say);
    let done = timeout_at(deadline, done).await;
    let done = done.unwrap_or_else(|_| Err(late(job)));
    // Whoever still unpacks or compares finds nothing more, and ends; until then something
    // may be put into what is being removed.
    let removing = spawn_blocking(move || {
        let mut removed = std::fs::remove_dir_all(&folder);
        for _ in 0..AGAIN {
            match &removed {
                Ok(()) => break,
                Err(err) if err.kind() == std::io::ErrorKind::NotFound => return Ok(()),
                Err(_) => std::thread::sleep(MOMENT),
            }
            removed = std::fs::remove_dir_all(&folder);
        }
        removed
    });
    let stays = match timeout(DROPPING, removing).await {
        Ok(Ok(Err(err))) => Some(err.to_string()),
        Ok(_) => None,
        Err(_) => Some("the disk does not answer".to_owned()),
    };
    if let Some(err) = stays {
        // The next one takes it away.
        say(format!("warn    the scratch folder stays: {err}"));
    }
    done
}

async fn within(
    setup: &Setup,
    (target, copy): (&Target, &Copy),
    folder: &Path,
    report: &mut Report,
    say: Say<'_>,
) -> Result<(), Trouble> {
    let identities = setup.identities().map_err(Trouble::Around)?;
    let manifest = &copy.manifest;
    let bytes = manifest.files.as_ref().map_or(0, |files| files.bytes);
    archive::room(folder, bytes).map_err(sort)?;
    let index = archive::index(target, manifest, &identities, folder).await;
    let index = index.map_err(sort)?;
    let tree = folder.join("tree");
    let made = std::fs::DirBuilder::new().mode(0o700).create(&tree);
    let opened = made.and_then(|()| File::open(&tree));
    let root = opened.map_err(|err| Trouble::Around(format!("{}: {err}", tree.display())))?;
    let into = root
        .try_clone()
        .map_err(|err| Trouble::Around(err.to_string()))?;
    let unpacked = archive::opened(target, manifest, &identities, move |archive| {
        unpack(archive, into, &Manner::default())
    });
    let unpacked = unpacked.await.map_err(sort)?;
    say(format!(
        "unpack  {} from {}: {} entries",
        manifest.id,
        target.name(),
        unpacked.entries
    ));
    let found = spawn_blocking(move || compared(root, index)).await;
    let found = found.map_err(|_| Trouble::Around("comparing panicked".to_owned()))?;
    let found = found.map_err(|err| sort(err.into()))?;
    if !found.differs.is_empty() {
        return Err(sort(Error::Differs(found.differs)));
    }
    report.files = Some(found.files);
    say(format!("compare {} files, hash by hash", found.files));
    databases(&tree, found.databases, report).await;
    repositories(&tree, found.heads, report).await;
    Ok(())
}

#[derive(Default)]
struct Compared {
    differs: Vec<String>,
    files: u64,
    databases: Vec<PathBuf>,
    /// Folders that have a file `HEAD`.
    heads: Vec<PathBuf>,
}

fn compared(root: File, index: File) -> Result<Compared, files::Error> {
    let mut found = Compared::default();
    let mut each = |entry: &files::Entry, first: &[u8]| {
        if entry.kind != Kind::File {
            return;
        }
        found.files += 1;
        let path = |path: &[u8]| PathBuf::from(OsStr::from_bytes(path));
        if is_sqlite(first) && found.databases.len() < MOST {
            found.databases.push(path(&entry.path));
        }
        if entry.name() == b"HEAD" && found.heads.len() < MOST {
            found.heads.push(path(entry.parent()));
        }
    };
    let differs = same_tree(root, &mut archive::lines(index), (false, false), &mut each)?;
    Ok(Compared { differs, ..found })
}

/// Asks SQLite about its files.
async fn databases(tree: &Path, found: Vec<PathBuf>, report: &mut Report) {
    for path in found {
        let file = tree.join(&path);
        let answer = spawn_blocking(move || check_sqlite(&file)).await;
        let answer = answer.unwrap_or_else(|_| Err("it panicked".to_owned()));
        report.checks.push(Check {
            sql: format!("sqlite integrity of {}", path.display()),
            passed: answer.is_ok(),
            answer: answer.err().unwrap_or_else(|| "whole".to_owned()),
        });
    }
}

/// Asks git about its repositories.
async fn repositories(tree: &Path, heads: Vec<PathBuf>, report: &mut Report) {
    for path in heads {
        let folder = tree.join(&path);
        let repository = folder.join("objects").is_dir() && folder.join("refs").is_dir();
        if !repository {
            continue;
        }
        let answer = fsck(&folder).await;
        report.checks.push(Check {
            sql: format!("git fsck of {}", path.display()),
            passed: answer.is_ok(),
            answer: answer.err().unwrap_or_else(|| "whole".to_owned()),
        });
    }
}

/// Nothing that the repository's own settings say is run.
async fn fsck(folder: &Path) -> Result<(), String> {
    let git_dir = format!("--git-dir={}", folder.display());
    let arguments = [
        "-c",
        "core.fsmonitor=false",
        "-c",
        "core.hooksPath=/dev/null",
        "-c",
        "safe.directory=*",
        &git_dir,
        "fsck",
        "--full",
        "--no-dangling",
        "--no-progress",
    ];
    let call = Call {
        program: "git".to_owned(),
        arguments: arguments.map(str::to_owned).to_vec(),
        environment: vec![
            ("GIT_CONFIG_NOSYSTEM".to_owned(), "1".to_owned()),
            ("GIT_CONFIG_GLOBAL".to_owned(), "/dev/null".to_owned()),
        ],
        password: settings::Secret::default(),
        input: false,
    };
    let running = Place::Host { bin: None }.start(call).await;
    let ended = running.map_err(|err| err.to_string())?.finish().await;
    ended.map_err(|err| err.to_string())
}
