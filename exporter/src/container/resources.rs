//! What else the engine has: networks, volumes, tags of images, and what all of
//! it takes on the disk.
//!
//! Asked by a task of its own, over connections of its own: what takes long
//! here holds up neither events nor a page.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::disk_usage::{self, Usage};
use super::raw::{self, Fault};
use super::{Shared, lock};

/// How long adding up what is on the disk may take.
const DISK_DEADLINE: Duration = Duration::from_secs(180);
/// More names than this are not kept.
const MOST: usize = 20_000;

/// What was heard last.
#[derive(Debug, Default)]
pub(super) struct Resources(Mutex<State>);

#[derive(Debug, Clone, Default)]
pub(super) struct State {
    pub(super) names: Arc<Names>,
    pub(super) disk: Disk,
}

/// Names of things; nothing before the first answer.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) networks: Option<BTreeSet<String>>,
    pub(super) volumes: Option<BTreeSet<String>>,
    /// The id of the image that each tag means now.
    pub(super) tags: BTreeMap<String, String>,
}

/// What is on the disk, and how asking went.
#[derive(Debug, Clone, Default)]
pub(super) struct Disk {
    pub(super) usage: Option<(Usage, Instant)>,
    /// Whether the latest question was answered; nothing before the first.
    pub(super) success: Option<bool>,
}

impl Resources {
    pub(super) fn state(&self) -> State {
        lock(&self.0).clone()
    }

    fn put(&self, answer: Result<Usage, Fault>) {
        let mut state = lock(&self.0);
        state.disk.success = Some(answer.is_ok());
        match answer {
            Ok(usage) => state.disk.usage = Some((usage, Instant::now())),
            Err(why) => tracing::debug!("cannot tell what is on the disk: {why}"),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Volumes {
    volumes: Option<Vec<Named>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Image {
    id: String,
    repo_tags: Option<Vec<String>>,
}

/// Asks until told to stop.
pub(super) async fn run(shared: &Arc<Shared>, stop: &CancellationToken) {
    let names = async {
        loop {
            let version = version(shared).await;
            match list(shared, &version).await {
                Ok(names) => {
                    lock(&shared.resources.0).names = Arc::new(names);
                    shared.told(true);
                }
                Err(why) => tracing::debug!("cannot list networks, volumes and images: {why}"),
            }
            tokio::time::sleep(shared.relist).await;
        }
    };
    let disk = async {
        if shared.disk.is_zero() {
            return std::future::pending().await;
        }
        loop {
            let version = version(shared).await;
            let call = raw::get(&shared.socket, &version, "/system/df");
            let answer = match tokio::time::timeout(DISK_DEADLINE, call).await {
                Ok(answer) => answer.and_then(|body| Ok(disk_usage::parse(&body)?)),
                Err(_) => Err(Fault::Malformed),
            };
            shared.resources.put(answer);
            tokio::time::sleep(shared.disk).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = names => {}
        () = disk => {}
    }
}

/// The version of the interface, as soon as the engine answers.
async fn version(shared: &Shared) -> String {
    let mut changes = shared.changes.subscribe();
    loop {
        {
            let engine = lock(&shared.engine);
            if engine.up {
                return engine.api_version.clone();
            }
        }
        if changes.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

async fn list(shared: &Shared, version: &str) -> Result<Names, Fault> {
    let ask = async |path: &str| {
        let call = raw::get(&shared.socket, version, path);
        match tokio::time::timeout(shared.deadline, call).await {
            Ok(answer) => answer,
            Err(_) => Err(Fault::Malformed),
        }
    };
    let networks: Vec<Named> = serde_json::from_slice(&ask("/networks").await?)?;
    let volumes: Volumes = serde_json::from_slice(&ask("/volumes").await?)?;
    let images: Vec<Image> = serde_json::from_slice(&ask("/images/json").await?)?;
    let all = |names: Vec<Named>| names.into_iter().map(|one| one.name).take(MOST).collect();
    let mut tags = BTreeMap::new();
    for image in images.into_iter().take(MOST) {
        for tag in image.repo_tags.unwrap_or_default().iter().take(64) {
            if let Some(tag) = familiar(tag) {
                tags.insert(tag, image.id.clone());
            }
        }
    }
    Ok(Names {
        networks: Some(all(networks)),
        volumes: Some(all(volumes.volumes.unwrap_or_default())),
        tags,
    })
}

/// A reference as `name:tag`, however long it was written; none for one that
/// names an image by its digest, which no tag can change.
pub(super) fn familiar(reference: &str) -> Option<String> {
    if reference.contains('@') || reference.starts_with("sha256:") || reference.is_empty() {
        return None;
    }
    let short = [
        "docker.io/library/",
        "index.docker.io/library/",
        "docker.io/",
    ]
    .iter()
    .find_map(|prefix| reference.strip_prefix(prefix))
    .unwrap_or(reference);
    let tagged = short
        .rsplit('/')
        .next()
        .is_some_and(|last| last.contains(':'));
    Some(if tagged {
        short.to_owned()
    } else {
        format!("{short}:latest")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_compared_by_their_familiar_form() {
        for (reference, want) in [
            ("postgres", Some("postgres:latest")),
            ("postgres:16", Some("postgres:16")),
            ("docker.io/library/postgres:16", Some("postgres:16")),
            ("docker.io/acme/app", Some("acme/app:latest")),
            ("localhost:5000/app", Some("localhost:5000/app:latest")),
            ("localhost:5000/app:1", Some("localhost:5000/app:1")),
            ("app@sha256:00", None),
            ("sha256:00", None),
            ("", None),
        ] {
            assert_eq!(familiar(reference).as_deref(), want, "{reference}");
        }
    }
}
