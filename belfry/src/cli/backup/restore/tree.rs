//! Restoring files at the terminal.

use backup::catalogue::Copy;
use backup::files::Glob;
use backup::restore::{Paths, tree, tree_loss};
use backup::target::Target;
use backup::{Job, Root, Setup};

use super::{RestoreCommand, asked, named};
use crate::exit::{self, Exit};
use crate::out;

pub(super) async fn perform(
    setup: &Setup,
    job: &Job,
    (target, copy): (&Target, &Copy),
    command: &RestoreCommand,
) -> Result<Exit, String> {
    let manifest = &copy.manifest;
    if let Some(files) = &manifest.files {
        out::line(format_args!(
            "        {} files of {}, {} unpacked",
            files.files,
            files.path,
            dashboards::amount::bytes(files.bytes)
        ));
    }
    let say = |line| out::line(line);
    if let Some(folder) = &command.into {
        if command.plan {
            out::line(format_args!("1       unpack it into {}", folder.display()));
            return Ok(exit::OK);
        }
        let only: Vec<_> = command.files.iter().map(|text| Glob::new(text)).collect();
        let unpacked = tree::into(setup, job, target, copy, (folder, &only), &say).await?;
        let warnings = tree::told(&unpacked);
        for warning in &warnings {
            out::line(format_args!("warn    {warning}"));
        }
        if unpacked.entries == 0 {
            return Err("nothing in the backup is meant by that".to_owned());
        }
        return Ok(if warnings.is_empty() {
            exit::OK
        } else {
            exit::WARNING
        });
    }
    let lost = tree_loss(setup, job, target, copy).await?;
    for line in &lost {
        out::line(format_args!("lost    {line}"));
    }
    if command.plan {
        plan(setup, job, &manifest.id).await?;
        return Ok(if lost.is_empty() {
            exit::OK
        } else {
            exit::WARNING
        });
    }
    if !lost.is_empty() && !command.lose_newer {
        return Err(
            "there are files now that the backup lacks; --lose-newer goes on all the same"
                .to_owned(),
        );
    }
    let kind = if job.kind() == "volume" {
        "volume"
    } else {
        "folder"
    };
    if !command.yes && !asked(kind, &named(job)).await? {
        return Err("nothing was done".to_owned());
    }
    let paths = tree::restore(setup, job, target, copy, &say).await?;
    out::line(format_args!(
        "next    look at it; then belfry restore {} --confirm, or --undo",
        job.name
    ));
    tracing::info!(job = job.name, before = %paths.before.display(), "restored");
    Ok(exit::OK)
}

async fn plan(setup: &Setup, job: &Job, id: &str) -> Result<(), String> {
    let root = match Root::of(setup, job).await {
        Ok(root) => root,
        Err(err) => {
            out::line(format_args!("1       make the volume, since {err}"));
            out::line("2       unpack it there, compare all hashes");
            return Ok(());
        }
    };
    let paths = Paths::new(&root.path, id)?;
    let (live, beside, before) = (
        paths.live.display(),
        paths.beside.display(),
        paths.before.display(),
    );
    out::line(format_args!("1       unpack it as {beside}"));
    out::line("2       compare all entries, hash by hash");
    if paths.live.exists() {
        out::line(format_args!("3       rename {live} to {before}"));
    }
    out::line(format_args!("4       rename {beside} to {live}"));
    Ok(())
}
