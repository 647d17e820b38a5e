//! Which running containers use a folder: they hold on to it when it is renamed.

use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;

use crate::Setup;
use crate::root::Root;

const PATIENCE: Duration = Duration::from_secs(30);

/// The names of the running containers that have this folder, one within it, or
/// one that it is in.
///
/// # Errors
/// When an engine is there and does not answer.
pub(super) async fn users(setup: &Setup, root: &Root) -> Result<Vec<String>, String> {
    let Some(engine) = &setup.engine else {
        return Ok(Vec::new());
    };
    let asked = timeout(PATIENCE, engine.list_containers(None)).await;
    let containers = match asked {
        Ok(Ok(containers)) => containers,
        // It is there, and must know.
        Ok(Err(err @ bollard::errors::Error::DockerResponseServerError { .. })) => {
            return Err(err.to_string().chars().take(200).collect());
        }
        // Of a volume it was asked a moment ago.
        Ok(Err(_)) if root.volume.is_none() => return Ok(Vec::new()),
        Ok(Err(err)) => return Err(err.to_string().chars().take(200).collect()),
        Err(_) => return Err("the engine does not answer".to_owned()),
    };
    let mut users = Vec::new();
    for container in containers {
        let mounts = container.mounts.unwrap_or_default();
        let uses = mounts.iter().any(|mount| {
            let source = Path::new(mount.source.as_deref().unwrap_or_default());
            let volume = root.volume.as_ref();
            let named = volume.is_some_and(|volume| mount.name.as_ref() == Some(&volume.name));
            let bound = source.starts_with(&root.path) || root.path.starts_with(source);
            named || (bound && !source.as_os_str().is_empty())
        });
        if uses {
            let names = container.names.unwrap_or_default();
            let name = names.first().map(|name| name.trim_start_matches('/'));
            users.push(name.unwrap_or("a container").to_owned());
        }
    }
    users.sort();
    Ok(users)
}
