//! What has happened to tasks, counted by worker, task and queue.
//!
//! Names come from outside: only so many of each become labels, the rest is
//! `other`. Nothing here reads a clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use exposition::Kind;
use serde::{Deserialize, Serialize};

use super::event::Task;
use super::histogram::Histogram;
use super::tasks::Tasks;
use crate::pieces::Sheet;

const MOST_NAMES: usize = 200;
const MOST_QUEUES: usize = 100;
const MOST_EXCEPTIONS: usize = 100;
const MOST_SERIES: usize = 4000;
/// A worker's counts are kept so long after its last event, in seconds.
const KEEP: f64 = 48.0 * 3600.0;
/// The queue of a task whose sender tells nothing, as Celery calls its own.
const USUAL: &str = "celery";
const OTHER: &str = "other";

/// All counts of one broker.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: BTreeMap<Key, Counts>,
    pub(super) tasks: Tasks,
    names: BTreeSet<Arc<str>>,
    queues: BTreeSet<Arc<str>>,
    exceptions: BTreeSet<String>,
    /// When each task was last sent, in seconds since 1970.
    last_sent: BTreeMap<Arc<str>, f64>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    hostname: Arc<str>,
    name: Arc<str>,
    queue: Arc<str>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Counts {
    sent: u64,
    received: u64,
    started: u64,
    succeeded: u64,
    retried: u64,
    rejected: u64,
    revoked: u64,
    failed: BTreeMap<String, u64>,
    runtime: Histogram,
    waited: Histogram,
    /// The latest event, in seconds since 1970 by our clock.
    latest: f64,
}

/// What survives a restart.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Kept {
    /// With host, task and queue.
    counts: Vec<([String; 3], Counts)>,
    last_sent: BTreeMap<String, f64>,
}

type Count = fn(&Counts) -> u64;

/// The counters of a worker, and the one of a sender.
const OF_WORKER: [(&str, &str, Count); 6] = [
    ("received", "Tasks that a worker has taken.", |of| {
        of.received
    }),
    ("started", "Tasks that were begun.", |of| of.started),
    ("succeeded", "Tasks that ended well.", |of| of.succeeded),
    (
        "retried",
        "Tasks that failed and will be tried again.",
        |of| of.retried,
    ),
    ("rejected", "Tasks that a worker refused.", |of| of.rejected),
    ("revoked", "Tasks that were called off.", |of| of.revoked),
];

impl Tally {
    /// Goes on where an earlier process ended.
    pub(super) fn restore(&mut self, kept: Kept) {
        for ([hostname, name, queue], counts) in kept.counts.into_iter().take(MOST_SERIES) {
            let name = known(&mut self.names, &name, MOST_NAMES);
            let queue = known(&mut self.queues, &queue, MOST_QUEUES);
            self.exceptions.extend(counts.failed.keys().cloned());
            let key = Key {
                hostname: hostname.into(),
                name,
                queue,
            };
            self.counts.insert(key, counts);
        }
        for (name, at) in kept.last_sent {
            let name = known(&mut self.names, &name, MOST_NAMES);
            self.last_sent.insert(name, at);
        }
    }

    /// What is to survive a restart.
    pub(super) fn keep(&self) -> Kept {
        let counts = self.counts.iter().map(|(key, one)| {
            let names = [&key.hostname, &key.name, &key.queue].map(|name| name.to_string());
            (names, one.clone())
        });
        let sent = self.last_sent.iter();
        Kept {
            counts: counts.collect(),
            last_sent: sent.map(|(name, at)| (name.to_string(), *at)).collect(),
        }
    }

    /// The queues that are known.
    pub(super) fn queues(&self) -> impl Iterator<Item = &Arc<str>> {
        self.queues.iter()
    }

    /// One more queue, which something else than a task told of.
    pub(super) fn learn_queue(&mut self, queue: &str) {
        known(&mut self.queues, queue, MOST_QUEUES);
    }

    /// When a task was last sent, in seconds since 1970.
    pub(super) fn last_sent(&self, name: &str) -> Option<f64> {
        self.last_sent.get(name).copied()
    }

    /// Takes over what happened to a task. `usual` is the queue of those whose
    /// sender said nothing; `at` is the teller's time, `now` ours.
    pub(super) fn happened(
        &mut self,
        (hostname, usual): (&str, Option<&str>),
        uuid: &str,
        what: &Task,
        (at, now): (f64, f64),
    ) {
        match what {
            Task::Sent { name, queue, eta } => {
                let name = known(&mut self.names, name, MOST_NAMES);
                let queue = known(&mut self.queues, queue, MOST_QUEUES);
                self.last_sent.insert(name.clone(), at);
                let task = self.tasks.entry(uuid);
                task.name = Some(name);
                task.queue = Some(queue);
                (task.sent, task.eta) = (Some(at), *eta);
            }
            Task::Received { name, eta } => {
                let name = known(&mut self.names, name, MOST_NAMES);
                let task = self.tasks.entry(uuid);
                task.name.get_or_insert(name);
                task.eta = eta.or(task.eta);
            }
            _ => {}
        }
        let task = self.tasks.get(uuid).cloned().unwrap_or_default();
        // Begun before we listened: counted, without a name.
        let name = task.name.unwrap_or_else(|| OTHER.into());
        let usual = usual.unwrap_or(USUAL);
        let queue = task.queue;
        let queue = queue.unwrap_or_else(|| known(&mut self.queues, usual, MOST_QUEUES));
        let exception = match what {
            Task::Failed { exception } => Some(self.exception(exception)),
            _ => None,
        };
        let hostname = hostname.into();
        let counts = self.counts_of(Key {
            hostname,
            name,
            queue,
        });
        counts.latest = now;
        match what {
            Task::Sent { .. } => counts.sent += 1,
            Task::Received { .. } => counts.received += 1,
            Task::Started => {
                counts.started += 1;
                if let Some(sent) = task.sent {
                    let due = task.eta.map_or(sent, |eta| eta.max(sent));
                    counts.waited.add(at - due);
                }
            }
            Task::Succeeded { runtime } => {
                counts.succeeded += 1;
                if let Some(runtime) = runtime {
                    counts.runtime.add(*runtime);
                }
            }
            Task::Retried => counts.retried += 1,
            Task::Rejected => counts.rejected += 1,
            Task::Revoked => counts.revoked += 1,
            Task::Failed { .. } => {
                let name = exception.unwrap_or_default();
                *counts.failed.entry(name).or_default() += 1;
            }
        }
        if matches!(
            what,
            // One that is tried again is sent under the same number.
            Task::Succeeded { .. } | Task::Failed { .. } | Task::Rejected | Task::Revoked
        ) {
            self.tasks.forget(uuid);
        }
    }

    /// Gives up the counts of workers that are long gone.
    pub(super) fn tidy(&mut self, now: f64) {
        self.counts.retain(|_, counts| now - counts.latest <= KEEP);
    }

    pub(super) fn encode(&self, sheet: &mut Sheet) {
        let mut family = |what: &str, help: &str, value: Count, of: fn(&Counts) -> bool| {
            let name = format!("celery_task_{what}_total");
            let mut family = sheet.family(&name, help, Kind::Counter);
            for (key, counts) in self.counts.iter().filter(|(_, counts)| of(counts)) {
                family.sample(&key.labels(), value(counts) as f64);
            }
        };
        family(
            "sent",
            "Tasks that were sent, by the sender's host.",
            |of| of.sent,
            |of| of.sent > 0,
        );
        for (what, help, value) in OF_WORKER {
            family(what, help, value, Counts::is_of_worker);
        }
        let help = "Tasks that failed, by the kind of exception.";
        let mut family = sheet.family("celery_task_failed_total", help, Kind::Counter);
        for (key, counts) in &self.counts {
            for (exception, count) in &counts.failed {
                let [hostname, name, queue] = key.labels();
                let labels = [("exception", exception.as_str()), hostname, name, queue];
                family.sample(&labels, *count as f64);
            }
        }
        let help = "How long tasks ran that ended well, in seconds.";
        let mut family = sheet.family("celery_task_runtime", help, Kind::Histogram);
        for (key, counts) in self.counts.iter().filter(|(_, of)| of.is_of_worker()) {
            counts.runtime.encode(&key.labels(), &mut family);
        }
        let help = "How long tasks waited until they were begun, from when they were sent or were to begin, in seconds.";
        let mut family = sheet.family("celery_task_queue_wait_time", help, Kind::Histogram);
        for (key, counts) in self.counts.iter().filter(|(_, of)| of.is_of_worker()) {
            counts.waited.encode(&key.labels(), &mut family);
        }
    }

    fn exception(&mut self, name: &str) -> String {
        if !self.exceptions.contains(name) {
            if self.exceptions.len() >= MOST_EXCEPTIONS {
                return OTHER.to_owned();
            }
            self.exceptions.insert(name.to_owned());
        }
        name.to_owned()
    }

    /// The counts of a key; when there are too many keys already, of all
    /// others together.
    fn counts_of(&mut self, key: Key) -> &mut Counts {
        let full = self.counts.len() >= MOST_SERIES && !self.counts.contains_key(&key);
        let key = match full {
            false => key,
            true => Key {
                hostname: OTHER.into(),
                name: OTHER.into(),
                queue: OTHER.into(),
            },
        };
        self.counts.entry(key).or_default()
    }
}

impl Key {
    fn labels(&self) -> [(&'static str, &str); 3] {
        [
            ("hostname", &self.hostname),
            ("name", &self.name),
            ("queue_name", &self.queue),
        ]
    }
}

impl Counts {
    /// Whether a worker told of these tasks; a mere sender has nothing to say
    /// of how they ended.
    fn is_of_worker(&self) -> bool {
        let counts = [
            self.received,
            self.started,
            self.succeeded,
            self.retried,
            self.rejected,
            self.revoked,
        ];
        !self.failed.is_empty() || counts.iter().any(|count| *count > 0)
    }
}

/// A name as it stands in a label: itself, or `other` when there are too many.
fn known(all: &mut BTreeSet<Arc<str>>, name: &str, most: usize) -> Arc<str> {
    if let Some(known) = all.get(name) {
        return Arc::clone(known);
    }
    if all.len() >= most {
        return OTHER.into();
    }
    let name: Arc<str> = name.into();
    all.insert(Arc::clone(&name));
    name
}

#[cfg(test)]
mod tests;
