//! What else the engine has: volumes, tags of images, what [`super::networks`]
//! asks for, and what all of it takes on the disk.
//!
//! Asked by a task of its own, over connections of its own: what takes long
//! here holds up neither events nor a page.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use exposition::{Kind, Writer};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::disk_usage::{self, Usage};
use super::networks::{self, Network};
use super::raw::{self, Fault};
use super::{Shared, lock};

/// How long adding up what is on the disk may take.
const DISK_DEADLINE: Duration = Duration::from_secs(180);
/// More names than this are not kept.
pub(super) const MOST: usize = 20_000;
/// So many questions may go unanswered before the last answer is no news.
const KEEP: u32 = 3;

/// What was heard last.
#[derive(Debug, Default)]
pub(super) struct Resources(pub(super) Mutex<State>);

#[derive(Debug, Clone, Default)]
pub(super) struct State {
    pub(super) names: Arc<Names>,
    /// Networks that containers had joined when networks were listed last, and that
    /// were not told of, each as [`networks::key`] calls it.
    pub(super) untold: Arc<BTreeSet<String>>,
    pub(super) disk: Disk,
}

/// Names of things, each kind asked for and kept by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) networks: Listed<BTreeMap<String, Network>>,
    pub(super) volumes: Listed<BTreeSet<String>>,
    /// The id of the image that each tag means now.
    pub(super) tags: Listed<BTreeMap<String, String>>,
}

/// One kind of names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Listed<T> {
    /// The last answer, however old; nothing before the first.
    pub(super) last: Option<T>,
    /// Whether the latest question was answered; nothing before the first.
    pub(super) success: Option<bool>,
    /// Questions without an answer since.
    missed: u32,
}

impl<T> Listed<T> {
    /// These are known.
    #[cfg(test)]
    pub(super) fn of(known: T) -> Self {
        Self {
            last: Some(known),
            success: Some(true),
            missed: 0,
        }
    }

    /// Nothing before the first answer, and when the last is too old.
    pub(super) fn known(&self) -> Option<&T> {
        self.last.as_ref().filter(|_| self.missed < KEEP)
    }

    pub(super) fn put(&mut self, what: &str, answer: Result<T, Fault>) {
        self.success = Some(answer.is_ok());
        match answer {
            Ok(told) => {
                self.last = Some(told);
                self.missed = 0;
            }
            Err(why) => {
                self.missed = (self.missed + 1).min(KEEP);
                tracing::debug!("cannot list {what}: {why}");
            }
        }
    }
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

    /// Changes names; true when that made a difference.
    pub(super) fn names(&self, change: impl FnOnce(&mut Names)) -> bool {
        let mut state = lock(&self.0);
        let mut names = Names::clone(&state.names);
        change(&mut names);
        let differ = names != *state.names;
        if differ {
            state.names = Arc::new(names);
        }
        differ
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
            list(shared, &version).await;
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
                Err(_) => Err(Fault::Late),
            };
            shared.resources.put(answer);
            tokio::time::sleep(shared.disk).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = networks::run(shared) => {}
        () = names => {}
        () = disk => {}
    }
}

/// The version of the interface, as soon as the engine answers.
pub(super) async fn version(shared: &Shared) -> String {
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

/// Asks for volumes and images; a kind that fails leaves the other alone.
async fn list(shared: &Shared, version: &str) {
    let volumes = ask(shared, version, "/volumes").await;
    let volumes = volumes.and_then(|body| Ok(named_volumes(&body)?));
    let images = ask(shared, version, "/images/json").await;
    let tags = images.and_then(|body| Ok(tags(&body)?));
    shared.told(shared.resources.names(|names| {
        names.volumes.put("volumes", volumes);
        names.tags.put("images", tags);
    }));
}

pub(super) async fn ask(shared: &Shared, version: &str, path: &str) -> Result<Vec<u8>, Fault> {
    let call = raw::get(&shared.socket, version, path);
    match tokio::time::timeout(shared.deadline, call).await {
        Ok(answer) => answer,
        Err(_) => Err(Fault::Late),
    }
}

pub(super) fn named_volumes(body: &[u8]) -> Result<BTreeSet<String>, serde_json::Error> {
    let volumes: Volumes = serde_json::from_slice(body)?;
    let named = volumes.volumes.unwrap_or_default().into_iter();
    Ok(named.map(|one| one.name).take(MOST).collect())
}

pub(super) fn tags(body: &[u8]) -> Result<BTreeMap<String, String>, serde_json::Error> {
    let images: Vec<Image> = serde_json::from_slice(body)?;
    let mut tags = BTreeMap::new();
    for image in images.into_iter().take(MOST) {
        for tag in image.repo_tags.unwrap_or_default().iter().take(64) {
            if let Some(tag) = familiar(tag) {
                tags.insert(tag, image.id.clone());
            }
        }
    }
    Ok(tags)
}

/// Writes how asking for names went.
pub(super) fn encode(names: &Names, page: &mut Writer) {
    page.family(
        "belfry_engine_list_success",
        "Whether the engine told the last time which networks, volumes and images there are.",
        Kind::Gauge,
    );
    for (kind, success) in [
        ("networks", names.networks.success),
        ("volumes", names.volumes.success),
        ("images", names.tags.success),
    ] {
        if let Some(success) = success {
            page.sample(&[("kind", kind)], f64::from(u8::from(success)));
        }
    }
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
    fn a_kind_that_is_not_told_keeps_its_last_names_for_a_while_and_leaves_the_others_alone() {
        let mut names = Names::default();
        let set = |name: &str| BTreeSet::from([name.to_owned()]);
        let network = |name: &str| BTreeMap::from([(name.to_owned(), Network::default())]);
        names.networks.put("networks", Ok(network("front")));
        names.volumes.put("volumes", Ok(set("data")));
        for _ in 1..KEEP {
            names.networks.put("networks", Err(Fault::Late));
            assert_eq!(names.networks.known(), Some(&network("front")));
            assert_eq!(names.networks.success, Some(false));
        }
        names.networks.put("networks", Err(Fault::Late));
        assert_eq!(names.networks.known(), None);
        assert_eq!(names.networks.last, Some(network("front")));
        assert_eq!(names.volumes.known(), Some(&set("data")));
        let mut page = Writer::new();
        encode(&names, &mut page);
        let page = page.finish();
        assert!(page.contains("belfry_engine_list_success{kind=\"networks\"} 0\n"));
        assert!(page.contains("belfry_engine_list_success{kind=\"volumes\"} 1\n"));
        assert!(!page.contains("images\"}"), "{page}");
        // Long silence is no news every time.
        let before = names.clone();
        names.networks.put("networks", Err(Fault::Late));
        assert_eq!(names, before);
        names.networks.put("networks", Ok(network("back")));
        assert_eq!(names.networks.known(), Some(&network("back")));
    }

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
