//! A command in a container of its own that is like another: of the same image, with
//! the same environment, volumes and networks. It is removed whatever comes of it.

use bollard::Docker;
use bollard::models::{ContainerCreateBody, HostConfig, NetworkConnectRequest};
use bollard::query_parameters::{
    CreateContainerOptions, InspectContainerOptions, LogsOptions, RemoveContainerOptions,
    WaitContainerOptions,
};
use futures_util::StreamExt;

fn told(err: &bollard::errors::Error) -> String {
    err.to_string().chars().take(200).collect()
}

fn name(job: &str) -> String {
    format!("belfry-migrate-{job}")
}

/// Takes away the container of a job's command.
pub(super) async fn remove(engine: &Docker, job: &str) {
    let options = RemoveContainerOptions {
        force: true,
        v: true,
        ..RemoveContainerOptions::default()
    };
    let _ = engine.remove_container(&name(job), Some(options)).await;
}

/// Runs a command to its end in a container like `like`, which need not run.
pub(super) async fn run(
    engine: &Docker,
    job: &str,
    like: &str,
    line: &[String],
) -> Result<(), String> {
    // Of a restore that was killed.
    remove(engine, job).await;
    let done = inner(engine, &name(job), like, line).await;
    remove(engine, job).await;
    done
}

async fn inner(engine: &Docker, name: &str, like: &str, line: &[String]) -> Result<(), String> {
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
