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
    named()
        .as_deref()
        .and_then(|host| host.strip_prefix("unix://"))
        .map_or_else(|| PathBuf::from(USUAL), PathBuf::from)
}

/// Why DOCKER_HOST is not heeded, if it names an engine and nothing else does.
pub(crate) fn unheeded(config: &Config) -> Option<String> {
    if !config.exporter.engine.as_os_str().is_empty() {
        return None;
    }
    named().as_deref().and_then(unsupported)
}

fn named() -> Option<String> {
    std::env::var("DOCKER_HOST")
        .ok()
        .filter(|host| !host.is_empty())
}

fn unsupported(host: &str) -> Option<String> {
    if host.starts_with("unix://") {
        return None;
    }
    // Only the kind is told: an address may hold a name and a password.
    let kind = match host.split_once("://") {
        Some((scheme, _)) => format!("a {scheme}:// address"),
        None => "no address".to_owned(),
    };
    Some(format!(
        "DOCKER_HOST is {kind} and is not heeded: only unix:// is supported; looking at {USUAL}"
    ))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_that_is_not_behind_a_socket_is_named_as_unsupported() {
        assert_eq!(unsupported("unix:///run/user/1000/docker.sock"), None);
        for (host, kind) in [
            ("tcp://user:word@10.0.0.1:2376", "a tcp:// address"),
            ("ssh://root@there", "a ssh:// address"),
            ("/var/run/docker.sock", "no address"),
        ] {
            let told = unsupported(host).unwrap();
            assert!(
                told.starts_with(&format!("DOCKER_HOST is {kind} and")),
                "{told}"
            );
            assert!(told.contains("only unix:// is supported"), "{told}");
        }
    }
}
