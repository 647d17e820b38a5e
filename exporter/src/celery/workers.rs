//! The workers: who is alive, what they have at hand, which queues they take
//! from. Times are given; nothing here reads a clock.

use std::collections::{BTreeMap, BTreeSet};

use exposition::Kind;
use serde_json::Value;

use crate::pieces::Sheet;

/// So many workers are followed.
const MOST: usize = 200;
/// A worker that said good-bye is shown as gone for so long, in seconds: too
/// short for an alert, since it was meant to go.
const GOODBYE: f64 = 60.0;
/// What Celery calls a node that nobody named.
const USUAL: &str = "celery";

/// All workers of one broker, by the name of their node.
#[derive(Debug, Default)]
pub(super) struct Workers(BTreeMap<String, Worker>);

#[derive(Debug, Default)]
struct Worker {
    /// When it was last heard of, in seconds by our clock.
    heard: f64,
    /// When it said good-bye.
    left: Option<f64>,
    active: Option<f64>,
    processed: Option<f64>,
    told: Told,
}

/// What a worker answers when it is asked.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Told {
    pub(super) pool: Option<f64>,
    pub(super) prefetch: Option<f64>,
    pub(super) uptime: Option<f64>,
    pub(super) queues: Vec<String>,
    pub(super) reserved: Option<f64>,
    pub(super) scheduled: Option<f64>,
}

/// How long a silent worker counts as alive, and is shown after that.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    pub(super) alive: f64,
    pub(super) shown: f64,
}

/// The label `hostname` of a node: the host of one that nobody named, as
/// dashboards expect it, and the whole name of another, since a host may have
/// several.
pub(super) fn hostname(node: &str) -> &str {
    match node.split_once('@') {
        Some((USUAL, host)) => host,
        _ => node,
    }
}

impl Workers {
    /// A worker gave a sign of life.
    pub(super) fn alive(
        &mut self,
        node: &str,
        active: Option<f64>,
        processed: Option<f64>,
        now: f64,
    ) {
        if self.0.len() >= MOST && !self.0.contains_key(node) {
            return;
        }
        let worker = self.0.entry(node.to_owned()).or_default();
        (worker.heard, worker.left) = (now, None);
        worker.active = active.or(worker.active);
        worker.processed = processed.or(worker.processed);
    }

    /// A worker said good-bye.
    pub(super) fn left(&mut self, node: &str, now: f64) {
        if let Some(worker) = self.0.get_mut(node) {
            worker.left = Some(now);
            worker.active = Some(0.0);
        }
    }

    /// We did not listen until now: silence before is nobody's fault.
    pub(super) fn listening(&mut self, now: f64) {
        for worker in self.0.values_mut() {
            worker.heard = now;
        }
    }

    /// Forgets those that have been gone for long.
    pub(super) fn tidy(&mut self, patience: Patience, now: f64) {
        self.0.retain(|_, worker| match worker.left {
            Some(left) => now - left <= GOODBYE,
            None => now - worker.heard <= patience.shown,
        });
    }

    /// Takes over what a worker answered. An answer is a sign of life.
    pub(super) fn told(&mut self, node: &str, told: Told, now: f64) {
        self.alive(node, None, None, now);
        if let Some(worker) = self.0.get_mut(node) {
            worker.told = told;
        }
    }

    /// The one queue that a worker takes from; nothing when there are several.
    pub(super) fn only_queue(&self, node: &str) -> Option<&str> {
        match &self.0.get(node)?.told.queues[..] {
            [queue] => Some(queue),
            _ => None,
        }
    }

    /// How many are there that have not said good-bye.
    pub(super) fn present(&self) -> usize {
        self.0.values().filter(|one| one.left.is_none()).count()
    }

    pub(super) fn encode(&self, queues: &[&str], patience: Patience, now: f64, sheet: &mut Sheet) {
        let up = |worker: &Worker| worker.left.is_none() && now - worker.heard <= patience.alive;
        type Value = fn(&Worker) -> Option<f64>;
        let families: [(&str, &str, Value); 7] = [
            (
                "celery_worker_tasks_active",
                "Tasks that the worker works on.",
                |one| one.active,
            ),
            (
                "belfry_celery_worker_processed",
                "Tasks that the worker has taken up since its start.",
                |one| one.processed,
            ),
            (
                "belfry_celery_worker_pool_size",
                "Tasks that the worker can work on at once.",
                |one| one.told.pool,
            ),
            (
                "belfry_celery_worker_prefetch",
                "Tasks that the worker takes from its queues at most before it has ended one.",
                |one| one.told.prefetch,
            ),
            (
                "belfry_celery_worker_reserved",
                "Tasks that the worker has taken and not begun.",
                |one| one.told.reserved,
            ),
            (
                "belfry_celery_worker_scheduled",
                "Tasks that the worker keeps until their time comes.",
                |one| one.told.scheduled,
            ),
            (
                "belfry_celery_worker_uptime_seconds",
                "How long the worker had run when it was asked last.",
                |one| one.told.uptime,
            ),
        ];
        // Of two nodes that are told apart by nothing there is one.
        let all = self.0.iter();
        let shown: BTreeMap<&str, &Worker> =
            all.map(|(node, worker)| (hostname(node), worker)).collect();
        let help = "Whether the worker has given a sign of life of late.";
        let mut family = sheet.family("celery_worker_up", help, Kind::Gauge);
        for (host, worker) in &shown {
            let up = f64::from(u8::from(up(worker)));
            family.sample(&[("hostname", host)], up);
        }
        for (name, help, value) in families {
            let mut family = sheet.family(name, help, Kind::Gauge);
            for (host, worker) in &shown {
                if let Some(value) = value(worker) {
                    family.sample(&[("hostname", host)], value);
                }
            }
        }
        let mut all: BTreeSet<&str> = queues.iter().copied().collect();
        all.extend(
            self.0
                .values()
                .flat_map(|one| one.told.queues.iter().map(String::as_str)),
        );
        let takers = |queue: &str| {
            let those = self.0.values().filter(|worker| up(worker));
            let those = those.filter(|worker| worker.told.queues.iter().any(|one| one == queue));
            those.collect::<Vec<_>>()
        };
        let help = "Workers that take from the queue.";
        let mut family = sheet.family("celery_active_worker_count", help, Kind::Gauge);
        for queue in &all {
            family.sample(&[("queue_name", queue)], takers(queue).len() as f64);
        }
        let help = "Tasks of the queue that can be worked on at once.";
        let mut family = sheet.family("celery_active_process_count", help, Kind::Gauge);
        for queue in &all {
            let count: f64 = takers(queue).iter().filter_map(|one| one.told.pool).sum();
            family.sample(&[("queue_name", queue)], count);
        }
    }
}

impl Told {
    /// Takes over the answer to one question.
    pub(super) fn learn(&mut self, method: &str, answer: &Value) {
        let number = |at: &str| answer.pointer(at).and_then(Value::as_f64);
        let count = answer.as_array().map(|all| all.len() as f64);
        match method {
            "stats" => {
                self.pool = number("/pool/max-concurrency");
                self.prefetch = number("/prefetch_count");
                self.uptime = number("/uptime");
            }
            "active_queues" => {
                let all = answer.as_array().into_iter().flatten();
                let names = all.filter_map(|queue| queue.get("name")?.as_str());
                self.queues = names.take(MOST).map(str::to_owned).collect();
            }
            "reserved" => self.reserved = count,
            "scheduled" => self.scheduled = count,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::pieces::page;

    const PATIENCE: Patience = Patience {
        alive: 30.0,
        shown: 600.0,
    };

    fn text(workers: &Workers, now: f64) -> String {
        let mut sheet = Sheet::new(&"".into());
        workers.encode(&["mail"], PATIENCE, now, &mut sheet);
        page(&[Arc::new(sheet.finish())])
    }

    #[test]
    fn a_silent_worker_is_down_then_forgotten_and_one_that_left_soon() {
        let mut workers = Workers::default();
        workers.alive("celery@a", Some(2.0), None, 100.0);
        workers.alive("w1@b", None, None, 100.0);
        let up = |now, host: &str, workers: &Workers| {
            let wanted = format!("celery_worker_up{{hostname=\"{host}\"}} ");
            let page = text(workers, now);
            let line = page.lines().find_map(|line| line.strip_prefix(&wanted));
            line.map(|value| value == "1")
        };
        assert_eq!(up(130.0, "a", &workers), Some(true));
        assert_eq!(up(131.0, "a", &workers), Some(false));
        workers.left("w1@b", 110.0);
        assert_eq!(up(111.0, "w1@b", &workers), Some(false));
        workers.tidy(PATIENCE, 171.0);
        assert_eq!(up(171.0, "w1@b", &workers), None);
        assert_eq!(up(171.0, "a", &workers), Some(false));
        // The broker was away, not the worker.
        workers.listening(700.0);
        assert_eq!(up(700.0, "a", &workers), Some(true));
        workers.tidy(PATIENCE, 1301.0);
        assert_eq!((up(1301.0, "a", &workers), workers.present()), (None, 0));
    }

    #[test]
    fn answers_tell_who_takes_from_which_queue() {
        let mut told = Told::default();
        let answer = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        told.learn(
            "stats",
            &answer("{\"pool\":{\"max-concurrency\":4},\"prefetch_count\":16}"),
        );
        told.learn(
            "active_queues",
            &answer("[{\"name\":\"mail\"},{\"name\":7}]"),
        );
        told.learn("reserved", &answer("[{},{}]"));
        told.learn("scheduled", &answer("\"nonsense\""));
        let mut workers = Workers::default();
        workers.told("celery@a", told.clone(), 1.0);
        told.queues.push("other".into());
        workers.told("celery@b", told, 1.0);
        assert_eq!(workers.only_queue("celery@a"), Some("mail"));
        assert_eq!(workers.only_queue("celery@b"), None);
        let page = text(&workers, 2.0);
        for line in [
            "celery_active_worker_count{queue_name=\"mail\"} 2\n",
            "celery_active_process_count{queue_name=\"mail\"} 8\n",
            "celery_active_process_count{queue_name=\"other\"} 4\n",
            "belfry_celery_worker_reserved{hostname=\"a\"} 2\n",
        ] {
            assert!(page.contains(line), "{line} {page}");
        }
        assert!(!page.contains("belfry_celery_worker_scheduled{"));
        assert!(
            text(&workers, 60.0).contains("celery_active_worker_count{queue_name=\"mail\"} 0\n")
        );
    }
}
