//! Reads what running containers use, and remembers from page to page what
//! changes seldom: where their control groups lie, and what they may use.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::cgroup::{self, Groups};
use super::lock;
use super::model::Container;
use super::usage::{self, Settings, Usage};
use crate::files::Files;

#[derive(Debug, Clone)]
struct Kept {
    container: Arc<Container>,
    groups: Arc<Groups>,
    settings: Settings,
}

/// What is remembered, by container.
#[derive(Debug, Default)]
pub(super) struct Readings(Mutex<HashMap<String, Kept>>);

impl Readings {
    /// Forgets all other containers.
    pub(super) fn keep(&self, running: &[Arc<Container>]) {
        let mut kept = lock(&self.0);
        if kept.len() > running.len() {
            kept.retain(|id, _| running.iter().any(|container| container.id == *id));
        }
    }

    /// Reads a container; `None` when it is gone or cannot be read.
    pub(super) fn read(&self, container: &Arc<Container>, files: &mut Files<'_>) -> Option<Usage> {
        let pid = container.pid?;
        let before = lock(&self.0).get(&container.id).cloned();
        let kept = match before {
            // The inventory puts a new value in place whenever an event, an
            // inspection or the listing of each minute was about it; until
            // then limits are taken to be the same.
            Some(kept) if Arc::ptr_eq(&kept.container, container) => kept,
            before => {
                let groups = match before {
                    Some(kept) if kept.container.pid == Some(pid) => kept.groups,
                    _ => Arc::new(cgroup::find(&container.id, pid, files)?),
                };
                let kept = Kept {
                    container: container.clone(),
                    settings: usage::settings(&groups, files),
                    groups,
                };
                lock(&self.0).insert(container.id.clone(), kept.clone());
                kept
            }
        };
        usage::read(&kept.groups, kept.settings, pid, container, files)
    }
}
