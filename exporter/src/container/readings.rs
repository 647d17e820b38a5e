//! Reads what running containers use, and remembers from page to page what
//! changes seldom: where their control groups lie, and what they may use; and what
//! was read last, for pages that a slow machine is late for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use exposition::Writer;

use super::cgroup::{self, Groups};
use super::model::Container;
use super::usage::{self, Settings, Usage};
use super::{Shared, disks, lock};
use crate::files::Files;

/// Longer than a few pages of the usual interval nobody is told old values.
const LONGEST: Duration = Duration::from_secs(60);

/// What is measured beside the containers.
pub(super) const MACHINE: &str = "the machine";

/// What is known of one, a container or the machine.
#[derive(Debug, Clone, Default)]
pub(super) struct Measured {
    /// Nothing where it is gone, or cannot be read.
    pub(super) usage: Option<Arc<Usage>>,
    /// Families that the machine alone has.
    pub(super) text: Arc<str>,
}

#[derive(Debug, Clone)]
struct Kept {
    container: Arc<Container>,
    groups: Arc<Groups>,
    settings: Settings,
}

/// What is remembered, by container.
#[derive(Debug, Default)]
pub(super) struct Readings {
    kept: Mutex<HashMap<String, Kept>>,
    /// By what was asked: ids of containers, and the machine.
    last: Mutex<HashMap<String, (Measured, Instant)>>,
}

impl Readings {
    /// Forgets all other containers; `asked` is of what readings are wanted.
    pub(super) fn keep(&self, running: &[Arc<Container>], asked: &[String]) {
        let mut last = lock(&self.last);
        if last.len() > asked.len() {
            last.retain(|name, _| asked.contains(name));
        }
        let mut kept = lock(&self.kept);
        if kept.len() > running.len() {
            kept.retain(|id, _| running.iter().any(|container| container.id == *id));
        }
    }

    /// Reads a container; `None` when it is gone or cannot be read.
    pub(super) fn read(&self, container: &Arc<Container>, files: &mut Files<'_>) -> Option<Usage> {
        let pid = container.pid?;
        let before = lock(&self.kept).get(&container.id).cloned();
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
                lock(&self.kept).insert(container.id.clone(), kept.clone());
                kept
            }
        };
        usage::read(&kept.groups, kept.settings, pid, container, files)
    }

    /// What was read now, kept for [`Readings::last`].
    pub(super) fn told(&self, name: &str, measured: Measured, now: Instant) -> Measured {
        let before = lock(&self.last).insert(name.to_owned(), (measured.clone(), now));
        drop(before);
        measured
    }

    /// What was read last, for one that is late; nothing where that is too long ago.
    pub(super) fn last(&self, name: &str, now: Instant) -> Measured {
        let last = lock(&self.last);
        let young = |at: Instant| now.saturating_duration_since(at) <= LONGEST;
        let reading = last.get(name).filter(|(_, at)| young(*at));
        reading.map_or_else(Measured::default, |(measured, _)| measured.clone())
    }
}

impl Shared {
    /// Reads what a container uses, or the machine as a whole.
    pub(super) fn measure(&self, of: Option<&Arc<Container>>) -> Measured {
        let mut files = Files::new(&self.roots);
        let told = match of {
            Some(container) => {
                let usage = self.readings.read(container, &mut files);
                let usage = usage.map(|mut usage| {
                    usage.files = self.size(container).and_then(|size| size.files);
                    Arc::new(usage)
                });
                Measured {
                    usage,
                    text: "".into(),
                }
            }
            None => {
                let mut page = Writer::new();
                lock(&self.machine).encode(&mut files, &mut page);
                disks::encode(&mut files, &mut page);
                Measured {
                    usage: usage::of_machine(&mut files).map(Arc::new),
                    text: page.finish().into(),
                }
            }
        };
        let name = of.map_or(MACHINE, |container| &container.id);
        self.readings.told(name, told, Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_last_is_kept_for_a_minute_while_its_container_runs() {
        let (readings, begin) = (Readings::default(), Instant::now());
        let of = |id: &str| Measured {
            usage: Some(Arc::new(Usage {
                path: format!("/docker/{id}"),
                ..Usage::default()
            })),
            text: "".into(),
        };
        let path = |id: &str, seconds: u64| {
            let last = readings.last(id, begin + Duration::from_secs(seconds));
            last.usage.map(|usage| usage.path.clone())
        };
        for id in ["a", "b"] {
            readings.told(id, of(id), begin);
        }
        assert_eq!(path("a", 60).as_deref(), Some("/docker/a"));
        assert_eq!(path("a", 61), None);
        assert_eq!(path("c", 0), None);
        readings.keep(&[], &["b".to_owned()]);
        assert_eq!(path("a", 0), None);
        assert_eq!(path("b", 0).as_deref(), Some("/docker/b"));
        // It is gone: nothing of it is told again.
        readings.told("b", Measured::default(), begin);
        assert_eq!(path("b", 0), None);
    }
}
