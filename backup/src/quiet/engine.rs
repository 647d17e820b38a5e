//! Stopping, pausing and starting containers: the only writes to the engine, and
//! only to those that a job names.

use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error;
use bollard::models::ContainerInspectResponse;
use bollard::query_parameters::{InspectContainerOptions, StopContainerOptions};
use tokio::time::{sleep, timeout};

use super::journal::Touched;

const PATIENCE: Duration = Duration::from_secs(30);
/// A container may take its time to end.
const STOPPING: Duration = Duration::from_secs(600);
/// How often a start is tried.
const TRIES: u32 = 5;

fn told(err: &Error) -> String {
    err.to_string().chars().take(200).collect()
}

async fn look(engine: &Docker, name: &str) -> Result<Option<ContainerInspectResponse>, String> {
    let asked = engine.inspect_container(name, None::<InspectContainerOptions>);
    match timeout(PATIENCE, asked).await {
        Ok(Ok(found)) => Ok(Some(found)),
        Ok(Err(Error::DockerResponseServerError {
            status_code: 404, ..
        })) => Ok(None),
        Ok(Err(err)) => Err(told(&err)),
        Err(_) => Err("the engine does not answer".to_owned()),
    }
}

/// A container that is to be hushed, if it runs.
pub(super) async fn find(
    engine: &Docker,
    name: &str,
    pause: bool,
) -> Result<Option<Touched>, String> {
    let found = look(engine, name)
        .await?
        .ok_or_else(|| format!("there is no container {name}"))?;
    let state = found.state.unwrap_or_default();
    let runs = state.running == Some(true) && state.paused != Some(true);
    Ok(runs.then(|| Touched {
        id: found.id.unwrap_or_default(),
        name: name.to_owned(),
        pause,
        done: false,
    }))
}

pub(super) async fn hush(engine: &Docker, touched: &Touched) -> Result<(), String> {
    let done = async {
        if touched.pause {
            engine.pause_container(&touched.id).await
        } else {
            let patient = engine.clone().with_timeout(STOPPING);
            let options = None::<StopContainerOptions>;
            patient.stop_container(&touched.id, options).await
        }
    };
    let done = timeout(STOPPING, done).await;
    let name = &touched.name;
    match done {
        Ok(Ok(())) => Ok(()),
        Ok(Err(err)) => Err(format!("{name} cannot be stopped: {}", told(&err))),
        Err(_) => Err(format!(
            "{name} cannot be stopped: the engine does not answer"
        )),
    }
}

/// How long a container may take to end by default.
const USUAL: i64 = 10;

/// A stop that we asked for goes on without us: who runs now may be about to end.
async fn settle(engine: &Docker, touched: &Touched) {
    let mut left = None;
    loop {
        let Ok(Some(found)) = look(engine, &touched.id).await else {
            return;
        };
        if found.state.and_then(|state| state.running) != Some(true) {
            return;
        }
        let allowed = found.config.and_then(|config| config.stop_timeout);
        let halves = left.get_or_insert(2 * (allowed.unwrap_or(USUAL).clamp(0, 600) + 5));
        *halves -= 1;
        if *halves <= 0 {
            return;
        }
        sleep(Duration::from_millis(500)).await;
    }
}

/// Starts a container again, or the one that has its name now; well when it runs.
pub(super) async fn wake(engine: &Docker, touched: &Touched) -> Result<(), String> {
    if !touched.pause && !touched.done {
        settle(engine, touched).await;
    }
    let mut last = String::new();
    for tried in 1..=TRIES {
        match woken(engine, touched).await {
            Ok(()) => return Ok(()),
            Err(err) => last = err,
        }
        sleep(Duration::from_millis(500) * tried).await;
    }
    Err(last)
}

async fn woken(engine: &Docker, touched: &Touched) -> Result<(), String> {
    let found = match look(engine, &touched.id).await? {
        Some(found) => Some(found),
        // It may have been made anew meanwhile.
        None => look(engine, &touched.name).await?,
    };
    let Some(found) = found else {
        // Somebody has removed it: there is nothing to start.
        return Ok(());
    };
    let id = found.id.unwrap_or_default();
    let state = found.state.unwrap_or_default();
    let done = async {
        if state.paused == Some(true) {
            engine.unpause_container(&id).await
        } else if state.running == Some(true) {
            Ok(())
        } else {
            engine.start_container(&id, None).await
        }
    };
    match timeout(STOPPING, done).await {
        Ok(done) => done.map_err(|err| told(&err)),
        Err(_) => Err("the engine does not answer".to_owned()),
    }
}
