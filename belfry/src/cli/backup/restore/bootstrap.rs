//! `belfry restore --bootstrap`: an empty host from its backups and the key.

use std::process::Stdio;
use std::time::Duration;

use backup::Setup;
use backup::bootstrap::{self, Ended, Step};

use super::{RestoreCommand, meant};
use crate::exit::{self, Exit};
use crate::out;

pub(super) async fn perform(setup: &Setup, command: &RestoreCommand) -> Result<Exit, String> {
    let say = |line: String| out::line(line);
    let steps = bootstrap::plan(setup, command.host.as_deref(), &say).await?;
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
    for step in &steps {
        let manifest = &step.copy.manifest;
        if ["postgres", "globals"].contains(&manifest.kind.as_str()) && !begun {
            begun = true;
            start(command).await?;
        }
        out::line(format_args!("\n{} {}", manifest.kind, manifest.source));
        match bootstrap::perform(setup, step, wait, &say).await {
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
