//! A command in a container of its own that is like another: of the same image, with
//! the same environment, volumes and networks. It is removed whatever comes of it.

use std::collections::HashMap;

use bollard::Docker;
use bollard::models::{ContainerCreateBody, HostConfig, NetworkConnectRequest};
use bollard::query_parameters::{
    CreateContainerOptions, InspectContainerOptions, LogsOptions, WaitContainerOptions,
};
use futures_util::StreamExt;

use crate::ours::{self, Stays, told};
use crate::{Job, Setup};

/// Whose migration a container is of.
const JOB: &str = "belfry.migrate";

fn name(job: &Job) -> String {
    format!("belfry-migrate-{}", job.name)
}

async fn remove(engine: &Docker, setup: &Setup, job: &Job) -> Result<(), Stays> {
    // Without a folder nothing can be marked with it.
    let Ok(work) = ours::work(setup) else {
        return Ok(());
    };
    ours::remove(engine, &work, &name(job)).await
}

/// Sees to it that no migration of a restore that is put back goes on: it would write into
/// what was there before.
pub(super) async fn ended(setup: &Setup, job: &Job) -> Result<(), String> {
    let Some(engine) = &setup.engine else {
        return Ok(());
    };
    match remove(engine, setup, job).await {
        // The job may have had a migration when it was restored; if it has none, an engine
        // that does not answer is no reason to wait.
        Err(Stays::Refused(why)) if !job.restore.migrate_as.is_empty() => {
            Err(format!("{} may go on: {why}", name(job)))
        }
        _ => Ok(()),
    }
}

/// Runs a command to its end in a container like `like`, which need not run.
pub(super) async fn run(
    engine: &Docker,
    setup: &Setup,
    job: &Job,
    (like, line): (&str, &[String]),
) -> Result<(), String> {
    let gone = || async {
        let gone = remove(engine, setup, job).await;
        gone.map_err(|stays| stays.to_string())
    };
    // Of a restore that was killed.
    gone().await?;
    let work = ours::work(setup)?;
    let labels = [(JOB, job.name.clone()), (ours::WORK, work)];
    let labels = labels.map(|(key, value)| (key.to_owned(), value));
    let done = inner(engine, (&name(job), labels.into()), like, line).await;
    // A migration that ended well is not undone because its container stays.
    if let Err(err) = gone().await {
        tracing::warn!(job = job.name, "after a migration: {err}");
    }
    done
}

async fn inner(
    engine: &Docker,
    (name, labels): (&str, HashMap<String, String>),
    like: &str,
    line: &[String],
) -> Result<(), String> {
    let asked = engine.inspect_container(like, None::<InspectContainerOptions>);
    let found = asked.await.map_err(|err| told(&err))?;
    let config = found.config.unwrap_or_default();
    let had = found.host_config.unwrap_or_default();
    let networks = found.network_settings.and_then(|all| all.networks);
    let body = ContainerCreateBody {
        image: found.image.or(config.image),
        env: config.env,
        entrypoint: config.entrypoint,
        cmd: Some(line.to_vec()),
        user: config.user,
        working_dir: config.working_dir,
        labels: Some(labels),
        host_config: Some(HostConfig {
            binds: had.binds,
            mounts: had.mounts,
            extra_hosts: had.extra_hosts,
            network_mode: had.network_mode.clone(),
            memory: had.memory,
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    };
    let options = CreateContainerOptions {
        name: Some(name.to_owned()),
        ..CreateContainerOptions::default()
    };
    let made = engine.create_container(Some(options), body).await;
    let id = made.map_err(|err| told(&err))?.id;
    for network in networks.unwrap_or_default().into_keys() {
        if had.network_mode.as_ref() == Some(&network) || network == "host" || network == "none" {
            continue;
        }
        let request = NetworkConnectRequest {
            container: id.clone(),
            ..NetworkConnectRequest::default()
        };
        // It may be in it already by its mode, under the network's other name.
        let _ = engine.connect_network(&network, request).await;
    }
    let started = engine.start_container(&id, None).await;
    started.map_err(|err| told(&err))?;
    let mut ended = engine.wait_container(&id, None::<WaitContainerOptions>);
    let code = match ended.next().await {
        Some(Ok(ended)) => ended.status_code,
        Some(Err(bollard::errors::Error::DockerContainerWaitError { code, .. })) => code,
        Some(Err(err)) => return Err(told(&err)),
        None => return Err("its end was not seen".to_owned()),
    };
    if code == 0 {
        return Ok(());
    }
    let options = LogsOptions {
        stdout: true,
        stderr: true,
        tail: "20".to_owned(),
        ..LogsOptions::default()
    };
    let mut lines = engine.logs(&id, Some(options));
    let mut last = String::new();
    while let Some(Ok(line)) = lines.next().await {
        let line = line.to_string();
        if !line.trim().is_empty() {
            last = line.trim().chars().take(300).collect();
        }
    }
    let command = line.first().map_or("", |word| word.as_str());
    Err(format!("{command} ended with code {code}: {last}"))
}
