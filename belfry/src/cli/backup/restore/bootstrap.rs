//! `belfry restore --bootstrap`: an empty host from its backups and the key.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use backup::Setup;
use backup::bootstrap::{self, Ended, Step};

use super::super::noted;
use super::{Place, RESTORE, RestoreCommand, meant};
use crate::config::Config;
use crate::exit::{self, Exit};
use crate::{out, state};

pub(super) async fn perform(
    mut setup: Setup,
    (place, config): (&Place, &Config),
    command: &RestoreCommand,
) -> Result<Exit, String> {
    let authorities = command.ca_file.as_deref().map(authorities).transpose()?;
    let say = |line: String| out::line(line);
    let mut steps = bootstrap::plan(&setup, command.host.as_deref(), &say).await?;
    let host = steps
        .first()
        .map(|step| step.copy.manifest.host.clone())
        .unwrap_or_default();
    for (at, step) in steps.iter().enumerate() {
        out::line(line(at + 1, step));
    }
    let complete = authorities.is_some() || command.jobs.is_some() || !lacks(&setup, &steps).await;
    if command.plan {
        return Ok(match complete {
            true => exit::OK,
            false => exit::WARNING,
        });
    }
    meant(command, "host", &host).await?;
    let wait = Duration::from_secs(command.wait);
    let mut code = exit::OK;
    let mut begun = false;
    noted::make(config).await;
    for step in &mut steps {
        let manifest = step.copy.manifest.clone();
        if ["postgres", "globals"].contains(&manifest.kind.as_str()) && !begun {
            begun = true;
            if let Some(file) = &command.jobs {
                setup.config = jobs(&setup, place, file)?;
            }
            start(command).await?;
        }
        step.known_by(&setup);
        if let Some(file) = &authorities {
            step.vouched_by(file);
        }
        out::line(format_args!("\n{} {}", manifest.kind, manifest.source));
        let work = Box::pin(bootstrap::perform(&setup, step, wait, &say));
        let told = |ended: &Ended| told(step, ended);
        match noted::noted(config, (&step.job.name, RESTORE), work, told).await {
            Ended::Restored => {}
            Ended::There(what) => {
                out::line(format_args!(
                    "there   {what} is not empty, and is left alone"
                ));
                code = code.max(exit::WARNING);
            }
            Ended::Failed(err) => {
                out::line(format_args!("FAILED  {err}"));
                code = exit::CRITICAL;
            }
        }
    }
    if !begun {
        start(command).await?;
    }
    out::line(match code {
        exit::OK => format!("\n{} things are back", steps.len()),
        _ => "\nnot all is back: see above".to_owned(),
    });
    Ok(code)
}

/// What is noted of the restore of one thing.
fn told(step: &Step, ended: &Ended) -> state::Ended {
    let manifest = &step.copy.manifest;
    let (status, bytes, error) = match ended {
        Ended::Restored => ("ok", manifest.raw_bytes(), String::new()),
        Ended::There(what) => ("skipped", 0, format!("{what} is not empty")),
        Ended::Failed(err) => ("failed", manifest.raw_bytes(), err.clone()),
    };
    state::Ended {
        status,
        backup: manifest.id.clone(),
        bytes,
        error,
    }
}

fn line(at: usize, step: &Step) -> String {
    let manifest = &step.copy.manifest;
    let what = match (&manifest.files, &manifest.postgres) {
        (Some(files), _) => match &files.volume {
            Some(volume) => volume.name.clone(),
            None => files.path.clone(),
        },
        (None, Some(postgres)) => postgres.database.clone(),
        (None, None) => String::new(),
    };
    format!(
        "{at:<7} {} {what}: {} from {}",
        manifest.kind,
        manifest.id,
        step.target.name()
    )
}

/// A file of authorities that is given: before anything is touched it is known to be there.
fn authorities(file: &Path) -> Result<PathBuf, String> {
    let told = |err: std::io::Error| format!("--ca-file: {}: {err}", file.display());
    std::fs::File::open(file).map_err(told)?;
    std::path::absolute(file).map_err(told)
}

/// Tells which files databases are reached with that this host lacks; whether there is one
/// that nothing brings back.
async fn lacks(setup: &Setup, steps: &[Step]) -> bool {
    let mut any = false;
    for step in steps {
        let Some(file) = step.lacks() else { continue };
        let (name, shown) = (&step.job.name, file.display());
        let mut holder = None;
        for other in steps {
            if other.holds(setup, file).await {
                holder = Some(&other.job.name);
            }
        }
        if let Some(holder) = holder {
            out::line(format_args!(
                "needs   {name}: its ca_file {shown}, which should come back with {holder}"
            ));
        } else {
            any = true;
            out::line(format_args!(
                "warn    {name}: its ca_file {shown} is not on this host, and comes back with nothing; --ca-file FILE names another"
            ));
        }
    }
    any
}

/// The configuration with the jobs of a file that came back.
fn jobs(setup: &Setup, place: &Place, file: &Path) -> Result<Arc<backup::Config>, String> {
    let place = Place {
        config: Some(file.to_owned()),
        ..place.clone()
    };
    let back = super::super::load(&place);
    let back = back.map_err(|_| format!("{}: its jobs cannot be used", file.display()))?;
    out::line(format_args!(
        "\njobs    {} of {}",
        back.backup.jobs.len(),
        file.display()
    ));
    // Where copies lie, and who opens them, is known already.
    Ok(Arc::new(backup::Config {
        jobs: back.backup.jobs,
        ..(*setup.config).clone()
    }))
}

/// Starts what databases need, once files and volumes are there.
async fn start(command: &RestoreCommand) -> Result<(), String> {
    let Some(line) = &command.start else {
        return Ok(());
    };
    out::line(format_args!("\nstart   {line}"));
    let done = tokio::process::Command::new("sh")
        .args(["-c", line])
        .stdin(Stdio::null())
        .status()
        .await;
    let status = done.map_err(|err| format!("sh: {err}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{line:?} ended with {status}"))
    }
}
