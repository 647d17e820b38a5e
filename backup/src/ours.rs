//! Containers of ours: each is marked with the folder of ours that it is of, and only what
//! bears that mark is ever taken away.

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error;
use bollard::query_parameters::{InspectContainerOptions, RemoveContainerOptions};
use tokio::time::{Instant, sleep, timeout};

use crate::Setup;

/// The label that says of which folder of ours a container is.
pub(crate) const WORK: &str = "belfry.work";
/// How long the engine may take.
pub(crate) const ENGINE: Duration = Duration::from_secs(60);

/// Why a container is still there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stays {
    /// One of somebody else has that name.
    Foreign(String),
    /// The engine does not do it.
    Refused(String),
}

impl fmt::Display for Stays {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign(name) => write!(out, "{name} is no container of ours, and stays"),
            Self::Refused(why) => out.write_str(why),
        }
    }
}

pub(crate) fn told(err: &Error) -> String {
    err.to_string().chars().take(200).collect()
}

/// Which folder of ours it is: others may have one of the same path, in a container of
/// theirs on the same engine.
pub(crate) fn work(setup: &Setup) -> Result<String, String> {
    let about = std::fs::metadata(&setup.work);
    let about = about.map_err(|err| format!("{}: {err}", setup.work.display()))?;
    Ok(format!("{}:{}", about.dev(), about.ino()))
}

/// What the engine answers in time.
pub(crate) async fn asked<T>(asking: impl Future<Output = Result<T, Error>>) -> Result<T, String> {
    let answer = timeout(ENGINE, asking).await;
    let answer = answer.map_err(|_| "the engine does not answer".to_owned())?;
    answer.map_err(|err| told(&err))
}

/// With the volumes that its image wants, which have no name.
pub(crate) fn all() -> RemoveContainerOptions {
    RemoveContainerOptions {
        force: true,
        v: true,
        ..RemoveContainerOptions::default()
    }
}

/// Takes a container of ours away, by its name or number, and no other that has its name;
/// well when it is gone.
pub(crate) async fn remove(engine: &Docker, work: &str, which: &str) -> Result<(), Stays> {
    let began = Instant::now();
    loop {
        let look = engine.inspect_container(which, None::<InspectContainerOptions>);
        let found = match timeout(ENGINE, look).await {
            Ok(Ok(found)) => found,
            Ok(Err(Error::DockerResponseServerError {
                status_code: 404, ..
            })) => return Ok(()),
            Ok(Err(err)) => return Err(Stays::Refused(told(&err))),
            Err(_) => return Err(Stays::Refused("the engine does not answer".to_owned())),
        };
        let name = found.name.unwrap_or_default();
        let name = name.trim_start_matches('/');
        let labels = found.config.and_then(|config| config.labels);
        if labels.unwrap_or_default().get(WORK).map(String::as_str) != Some(work) {
            return Err(Stays::Foreign(name.to_owned()));
        }
        // By its number: another may have its name by then. It may be going already.
        let id = found.id.unwrap_or_default();
        let refused = asked(engine.remove_container(&id, Some(all()))).await.err();
        if began.elapsed() > ENGINE {
            let why = refused.unwrap_or_else(|| "it goes on".to_owned());
            return Err(Stays::Refused(format!("{name} cannot be removed: {why}")));
        }
        sleep(Duration::from_millis(100)).await;
    }
}
