//! Looking at the folders in which other tools leave backups.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use backup::{Copies, Served, Volume};
use tokio::sync::{OwnedMutexGuard, Semaphore};
use tokio::task::JoinSet;
use tokio::time;

use super::Watch;

/// A folder may lie on a dead mount.
const DEADLINE: Duration = Duration::from_secs(2);

/// How long the engine may take to tell its volumes.
const ENGINE: Duration = Duration::from_secs(2);

/// So many threads may hang on dead mounts.
const THREADS: usize = 4;

/// Looks at the folders, each one look at a time: a dead mount must not gather
/// threads, nor hide the folders beside it.
#[derive(Debug)]
pub(crate) struct Backups {
    threads: Arc<Semaphore>,
    looks: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
    /// The engine's volumes when it last told them.
    volumes: Mutex<Vec<Volume>>,
}

impl Default for Backups {
    fn default() -> Self {
        Self {
            threads: Arc::new(Semaphore::new(THREADS)),
            looks: Mutex::default(),
            volumes: Mutex::default(),
        }
    }
}

impl Backups {
    /// The page: what is known of backups now.
    pub(super) async fn page(&self, watch: &Watch) -> String {
        let config = watch.config();
        let mounted = watch
            .containers
            .inventory()
            .into_iter()
            .flat_map(|container| {
                let named = container
                    .mounts
                    .iter()
                    .filter(|mount| mount.kind == "volume");
                let of = |mount: &exporter::container::Mount| Volume {
                    name: mount.volume.clone(),
                    project: container.project.clone(),
                    short: String::new(),
                };
                named.map(of).collect::<Vec<_>>()
            });
        // With those that nobody mounts: what is in them may be needed all the same.
        let volumes: Vec<_> = mounted.chain(self.volumes(watch).await).collect();
        let coverage = backup::coverage(&config.backup, &volumes);
        let watched = &config.backup.watch;
        let read = self.look(watched).await;
        let read: Vec<_> = watched.iter().zip(read).collect();
        let (known, left) = (watch.jobs.known(&config), watch.jobs.left());
        let databases: Vec<_> = served(watch)
            .into_iter()
            .map(|database| {
                let known = backup::of_served(&config.backup, &database);
                (database, known)
            })
            .collect();
        let attested_ms = watch.jobs.attested_ms();
        let page = backup::page(&read, &known, &left, &coverage, &databases, attested_ms);
        page + &backup::target::retries()
    }

    /// The engine's volumes, as it told them last.
    async fn volumes(&self, watch: &Watch) -> Vec<Volume> {
        let known = || self.volumes.lock().unwrap_or_else(PoisonError::into_inner);
        let connect = exporter::container::at_socket(&super::engine_socket(&watch.config()));
        // One that does not answer others is not waited for here as well.
        if watch.containers.engine().up
            && let Ok(engine) = connect()
            && let Ok(Ok(found)) = time::timeout(ENGINE, backup::found::volumes(&engine)).await
        {
            *known() = found;
        }
        known().clone()
    }

    /// All folders, in their order; one that does not answer in time is an error of its own.
    async fn look(&self, watched: &[backup::Watch]) -> Vec<io::Result<Copies>> {
        let late = || Err(io::ErrorKind::TimedOut.into());
        let mut found: Vec<_> = watched.iter().map(|_| late()).collect();
        let mut looks = JoinSet::new();
        for (at, watch) in watched.iter().enumerate() {
            // An earlier look at this folder hangs.
            let Some(alone) = self.alone(&watch.name) else {
                continue;
            };
            let (threads, watch) = (Arc::clone(&self.threads), watch.clone());
            looks.spawn(async move {
                let thread = threads.acquire_owned().await;
                let looked = tokio::task::spawn_blocking(move || {
                    let _held = (alone, thread);
                    backup::look(&watch)
                });
                (at, looked.await)
            });
        }
        let all = async {
            while let Some(looked) = looks.join_next().await {
                if let Ok((at, Ok(read))) = looked {
                    found[at] = read;
                }
            }
        };
        let _ = time::timeout(DEADLINE, all).await;
        // Those that still wait for a thread; one that hangs stays behind on its own.
        looks.shutdown().await;
        found
    }

    /// The right to look at the folder of this name.
    fn alone(&self, name: &str) -> Option<OwnedMutexGuard<()>> {
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        let look = looks.entry(name.to_owned()).or_default();
        Arc::clone(look).try_lock_owned().ok()
    }
}

/// The databases of the servers that are watched, with where those are.
fn served(watch: &Watch) -> Vec<Served> {
    let containers = watch.containers.inventory();
    let of = |(server, name): (String, String)| {
        let container = containers.iter().find(|one| one.name == server);
        let mounts = container.map(|container| container.mounts.iter());
        let volumes = mounts.into_iter().flatten();
        Served {
            places: container.map_or_else(Vec::new, |container| super::servers::places(container)),
            volumes: volumes.map(|mount| mount.volume.clone()).collect(),
            server,
            name,
        }
    };
    super::facts::databases(watch).into_iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(folder: &std::path::Path, names: &[&str]) -> Vec<backup::Watch> {
        let watch = |name: &&str| backup::Watch {
            name: (*name).to_owned(),
            folder: folder.to_owned(),
            ..backup::Watch::default()
        };
        names.iter().map(watch).collect()
    }

    fn kinds(found: &[io::Result<Copies>]) -> Vec<Option<io::ErrorKind>> {
        let kind = |read: &io::Result<Copies>| read.as_ref().err().map(io::Error::kind);
        found.iter().map(kind).collect()
    }

    #[tokio::test]
    async fn a_look_that_hangs_hides_no_other_folder_and_a_free_one_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let watched = watched(
            folder.path(),
            &["dead", "well", "fine", "good", "also", "more"],
        );
        let backups = Backups::default();
        let hanging = backups.alone("dead").unwrap();
        let mut expected = vec![Some(io::ErrorKind::TimedOut), None, None, None, None, None];
        assert_eq!(kinds(&backups.look(&watched).await), expected);
        drop(hanging);
        expected[0] = None;
        assert_eq!(kinds(&backups.look(&watched).await), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_threads_are_used_than_may_hang() {
        let folder = tempfile::tempdir().unwrap();
        let backups = Backups::default();
        let hanging = Arc::clone(&backups.threads).acquire_many_owned(4).await;
        let watched = watched(folder.path(), &["one"]);
        let late = [Some(io::ErrorKind::TimedOut)];
        assert_eq!(kinds(&backups.look(&watched).await), late);
        drop(hanging);
        assert_eq!(kinds(&backups.look(&watched).await), [None]);
    }
}
