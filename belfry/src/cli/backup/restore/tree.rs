//! Restoring files at the terminal.

use std::path::PathBuf;

use backup::catalogue::Copy;
use backup::files::Glob;
use backup::restore::{Newer, Paths, tree};
use backup::target::Target;
use backup::{Job, Root, Setup};

use super::{RESTORE, RestoreCommand, around, manner, meant, named, noted, tell};
use crate::config::Config;
use crate::exit::{self, Exit};
use crate::out;

pub(super) async fn perform(
    (setup, config): (&Setup, &Config),
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
    let beside = match &command.into {
        None if !command.files.is_empty() => Some(beside(setup, job, &manifest.id).await?),
        _ => None,
    };
    if let Some(folder) = command.into.as_ref().or(beside.as_ref()) {
        if command.plan {
            out::line(format_args!("1       unpack it into {}", folder.display()));
            return Ok(exit::OK);
        }
        let only: Vec<_> = command.files.iter().map(|text| Glob::new(text)).collect();
        let work = tree::into(setup, job, target, copy, (folder, &only), &say);
        let unpacked = noted(config, (job, RESTORE), Some(copy), Box::pin(work)).await?;
        let warnings = tree::told(&unpacked);
        for warning in &warnings {
            out::line(format_args!("warn    {warning}"));
        }
        if unpacked.entries == 0 {
            return Err("nothing in the backup is meant by that".to_owned());
        }
        if command.into.is_none() {
            out::line(format_args!("next    look into {}", folder.display()));
        }
        return Ok(if warnings.is_empty() {
            exit::OK
        } else {
            exit::WARNING
        });
    }
    let newer = Newer::of_tree(setup, job, target, copy).await?;
    let lost = &newer.told;
    for line in lost {
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
    meant(command, kind, &named(job)).await?;
    let manner = manner(command, newer);
    let work = tree::in_place(setup, job, (target, copy), &manner, &say);
    let paths = noted(config, (job, RESTORE), Some(copy), Box::pin(work)).await?;
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
    let mut steps = vec![
        format!("unpack it as {beside}"),
        "compare all entries, hash by hash".to_owned(),
    ];
    around(job, &mut steps, |steps| {
        if paths.live.exists() {
            steps.push(format!("rename {live} to {before}"));
        }
        steps.push(format!("rename {beside} to {live}"));
    });
    tell(&steps);
    Ok(())
}

/// Where single files go: a folder beside the live one, in which nothing else is.
async fn beside(setup: &Setup, job: &Job, id: &str) -> Result<PathBuf, String> {
    let root = Root::of(setup, job).await;
    let root = root.map_err(|err| format!("{err}; --into FOLDER says where to"))?;
    let name = root.path.file_name().ok_or("--into FOLDER says where to")?;
    let tail = id.rsplit('-').next().unwrap_or(id);
    let name = format!("{}.restored-{tail}", name.to_string_lossy());
    Ok(root.path.with_file_name(name))
}
