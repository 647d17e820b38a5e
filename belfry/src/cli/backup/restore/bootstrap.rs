//! `belfry restore --bootstrap`: an empty host from its backups and the key.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use backup::Setup;
use backup::bootstrap::{self, Ended, Step};

use super::{Place, RestoreCommand, meant};
use crate::exit::{self, Exit};
use crate::out;

pub(super) async fn perform(
    mut setup: Setup,
    place: &Place,
    command: &RestoreCommand,
) -> Result<Exit, String> {
    let say = |line: String| out::line(line);
    let mut steps = bootstrap::plan(&setup, command.host.as_deref(), &say).await?;
    let host = steps
        .first()
        .map(|step| step.copy.manifest.host.clone())
        .unwrap_or_default();
    for (at, step) in steps.iter().enumerate() {
        out::line(line(at + 1, step));
    }
    if command.plan {
        return Ok(exit::OK);
    }
    meant(command, "host", &host).await?;
    let wait = Duration::from_secs(command.wait);
    let mut code = exit::OK;
    let mut begun = false;
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
        out::line(format_args!("\n{} {}", manifest.kind, manifest.source));
        match bootstrap::perform(&setup, step, wait, &say).await {
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
