//! Looking at the folders in which other tools leave backups.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use backup::{Copies, Volume};
use tokio::sync::Mutex;
use tokio::time;

use super::Watch;

/// A folder may lie on a dead mount.
const DEADLINE: Duration = Duration::from_secs(2);

/// Looks at the folders, one look at a time: a dead mount must not gather threads.
#[derive(Debug, Default)]
pub(crate) struct Backups {
    looking: Arc<Mutex<()>>,
}

impl Backups {
    /// The page: what is known of backups now.
    pub(super) async fn page(&self, watch: &Watch) -> String {
        let config = watch.config();
        let volumes: Vec<_> = watch
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
                };
                named.map(of).collect::<Vec<_>>()
            })
            .collect();
        let coverage = backup::coverage(&config.backup, &volumes);
        let watched = &config.backup.watch;
        let read: Vec<_> = match self.look(watched).await {
            Some(read) => watched.iter().zip(read).collect(),
            None => watched
                .iter()
                .map(|watch| (watch, Err(io::ErrorKind::TimedOut.into())))
                .collect(),
        };
        backup::page(&read, &coverage)
    }

    /// All folders, unless one does not answer in time.
    async fn look(&self, watched: &[backup::Watch]) -> Option<Vec<io::Result<Copies>>> {
        if watched.is_empty() {
            return Some(Vec::new());
        }
        let guard = Arc::clone(&self.looking).try_lock_owned().ok()?;
        let watched = watched.to_vec();
        let looked = tokio::task::spawn_blocking(move || {
            let _guard = guard;
            watched.iter().map(backup::look).collect()
        });
        time::timeout(DEADLINE, looked).await.ok()?.ok()
    }
}
