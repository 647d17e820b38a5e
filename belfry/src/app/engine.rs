//! Where the Docker engine is.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use tokio::time;

use crate::config::Config;

const USUAL: &str = "/var/run/docker.sock";

/// The engine's socket: the configured one, the environment's, or the usual one.
pub(crate) fn socket(config: &Config) -> PathBuf {
    if !config.exporter.engine.as_os_str().is_empty() {
        return config.exporter.engine.clone();
    }
    let named = std::env::var("DOCKER_HOST").ok();
    named
        .as_deref()
        .and_then(|host| host.strip_prefix("unix://"))
        .map_or_else(|| PathBuf::from(USUAL), PathBuf::from)
}

/// Asks the engine for its version.
pub(crate) async fn version(socket: &Path, patience: Duration) -> anyhow::Result<String> {
    let connect = exporter::container::at_socket(socket);
    let docker = connect().with_context(|| format!("no socket at {}", socket.display()))?;
    let version = time::timeout(patience, docker.version())
        .await
        .context("it accepts and does not answer")??;
    Ok(version.version.unwrap_or_default())
}
