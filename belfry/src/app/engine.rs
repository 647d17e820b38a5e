//! Where the Docker engine is.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use tokio::time;

use crate::config::Config;

const USUAL: &str = "/var/run/docker.sock";

/// Where the engines of single users have theirs.
const OF_USERS: &str = "/run/user";
/// Of more users than these only the first are looked at.
const MOST_USERS: usize = 100;

/// The engine's socket: the configured one, the environment's, or the usual one; where
/// that is not there, Podman's or the one of an engine that works for a single user.
pub(crate) fn socket(config: &Config) -> PathBuf {
    if !config.exporter.engine.as_os_str().is_empty() {
        return config.exporter.engine.clone();
    }
    let named = named();
    if let Some(path) = named
        .as_deref()
        .and_then(|host| host.strip_prefix("unix://"))
    {
        return PathBuf::from(path);
    }
    let own = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    usual(own.as_deref(), &users(Path::new(OF_USERS)), Path::exists)
}

/// The first of the usual places where a socket is; the first of all where none is.
fn usual(own: Option<&Path>, users: &[PathBuf], exists: impl Fn(&Path) -> bool) -> PathBuf {
    let of_user =
        |folder: &Path| ["docker.sock", "podman/podman.sock"].map(|socket| folder.join(socket));
    let whole = [USUAL, "/run/docker.sock", "/run/podman/podman.sock"].map(PathBuf::from);
    let mut places = whole
        .into_iter()
        .chain(own.into_iter().flat_map(of_user))
        .chain(users.iter().flat_map(|folder| of_user(folder)));
    let found = places.find(|place| exists(place));
    found.unwrap_or_else(|| PathBuf::from(USUAL))
}

/// The folders of users who are logged in, or whose engines work without them.
fn users(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut users: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .take(MOST_USERS)
        .collect();
    users.sort();
    users
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
    fn an_engine_of_the_whole_host_goes_before_podman_and_those_of_users() {
        let users = ["/run/user/1000", "/run/user/1001"].map(PathBuf::from);
        let of = |own: Option<&str>, there: &[&str]| {
            let exists = |path: &Path| there.iter().any(|one| Path::new(one) == path);
            let found = usual(own.map(Path::new), &users, exists);
            found.display().to_string()
        };
        let podman = "/run/podman/podman.sock";
        let rootless = "/run/user/1001/docker.sock";
        assert_eq!(of(None, &[]), USUAL);
        assert_eq!(of(None, &[rootless, podman, USUAL]), USUAL);
        assert_eq!(of(None, &[rootless, podman]), podman);
        assert_eq!(of(None, &[rootless]), rootless);
        let own = "/run/user/7/podman/podman.sock";
        assert_eq!(of(Some("/run/user/7"), &[rootless, own]), own);
    }

    #[test]
    fn users_are_looked_at_in_order_and_a_missing_folder_has_none() {
        let folder = tempfile::tempdir().unwrap();
        for user in ["1001", "1000"] {
            std::fs::create_dir(folder.path().join(user)).unwrap();
        }
        let want = ["1000", "1001"].map(|user| folder.path().join(user));
        assert_eq!(users(folder.path()), want);
        assert!(users(&folder.path().join("none")).is_empty());
    }

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
