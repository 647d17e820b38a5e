//! The queues: how many messages wait in each, over all priorities, and for how
//! long the oldest has waited.

use std::collections::BTreeMap;

use exposition::Kind;

use super::event;
use super::names::{self, Names};
use super::tasks::Tasks;
use crate::amqp::Queue;
use crate::pieces::Sheet;
use crate::redis::client::{Failure, Link};
use crate::redis::resp::Answer;

/// The most queues that are asked for.
pub(super) const MOST: usize = 100;

/// What was found out about the queues of a broker.
#[derive(Debug, Default)]
pub(super) struct Queues {
    /// By queue and priority.
    lengths: BTreeMap<String, Vec<(u32, i64)>>,
    /// Where the broker counts: messages that wait, and who takes them.
    whole: BTreeMap<String, Queue>,
    /// Taken by workers and not acknowledged.
    unacked: Option<i64>,
    /// When the oldest of these was taken, in seconds since 1970.
    unacked_since: Option<f64>,
    /// The next message of each list that has one.
    heads: BTreeMap<String, Head>,
}

/// The message that a list's workers take next.
#[derive(Debug, Clone, PartialEq)]
struct Head {
    queue: String,
    task: String,
    /// When it was first seen there, in seconds since 1970.
    seen: f64,
}

impl Queues {
    /// Asks how long the queues are. Those of the default exchange are found
    /// by their bindings.
    pub(super) async fn measure(
        &mut self,
        link: &mut Link,
        names: &Names,
        mut queues: Vec<String>,
        steps: &[u32],
    ) -> Result<(), Failure> {
        let bindings = names.bindings("celery");
        let answers = link.call(&[vec!["SMEMBERS", &bindings]]).await?;
        let entries = answers.iter().flat_map(|answer| answer.list());
        let texts = entries.filter_map(Answer::text);
        queues.extend(texts.filter_map(|text| names::bound(&text).map(str::to_owned)));
        queues.sort_unstable();
        queues.dedup();
        queues.truncate(MOST);

        let lists: Vec<(&String, u32, String)> = queues
            .iter()
            .flat_map(|queue| steps.iter().map(move |step| (queue, *step)))
            .map(|(queue, step)| (queue, step, names.list(queue, step)))
            .collect();
        let (unacked, index) = names.unacked();
        let mut calls: Vec<Vec<&str>> = lists
            .iter()
            .map(|(_, _, list)| vec!["LLEN", list.as_str()])
            .collect();
        calls.push(vec!["HLEN", &unacked]);
        calls.push(vec!["ZRANGE", &index, "0", "0", "WITHSCORES"]);
        let answers = link.call(&calls).await?;
        self.lengths.clear();
        for ((queue, step, _), answer) in lists.iter().zip(&answers) {
            let all = self.lengths.entry((*queue).clone()).or_default();
            all.push((*step, answer.number().unwrap_or(0)));
        }
        let mut rest = answers.iter().skip(lists.len());
        self.unacked = rest.next().and_then(Answer::number);
        let oldest = rest.next().and_then(|answer| answer.list().get(1)?.text());
        self.unacked_since = oldest.and_then(|text| text.parse().ok());
        Ok(())
    }

    /// Looks at the next message of each list that has one. A message may be
    /// larger than what we read, which ends the connection.
    pub(super) async fn look(
        &mut self,
        link: &mut Link,
        names: &Names,
        now: f64,
    ) -> Result<(), Failure> {
        let filled = self.lengths.iter().flat_map(|(queue, steps)| {
            let filled = steps.iter().filter(|(_, length)| *length > 0);
            filled.map(move |(step, _)| (queue.clone(), names.list(queue, *step)))
        });
        let filled: Vec<(String, String)> = filled.collect();
        let before = std::mem::take(&mut self.heads);
        let calls: Vec<_> = filled
            .iter()
            .map(|(_, list)| vec!["LINDEX", list.as_str(), "-1"])
            .collect();
        let answers = link.call(&calls).await?;
        for ((queue, list), answer) in filled.into_iter().zip(answers) {
            let Some(task) = answer.text().and_then(|text| event::task_of(&text)) else {
                continue;
            };
            let same = before.get(&list).filter(|head| head.task == task);
            let seen = same.map_or(now, |head| head.seen);
            self.heads.insert(list, Head { queue, task, seen });
        }
        Ok(())
    }

    /// Puts down what a broker counted itself.
    pub(super) fn counted(&mut self, found: BTreeMap<String, Queue>) {
        self.whole = found;
    }

    /// Their names.
    pub(super) fn names(&self) -> Vec<&str> {
        let all = self.lengths.keys().chain(self.whole.keys());
        all.map(String::as_str).collect()
    }

    pub(super) fn encode(&self, tasks: &Tasks, now: f64, sheet: &mut Sheet) {
        let help = "Messages that wait in the queue, over all priorities.";
        let mut family = sheet.family("celery_queue_length", help, Kind::Gauge);
        for (queue, steps) in &self.lengths {
            let all: i64 = steps.iter().map(|(_, length)| length).sum();
            family.sample(&[("queue_name", queue)], all as f64);
        }
        for (queue, counted) in &self.whole {
            family.sample(&[("queue_name", queue)], counted.messages.into());
        }
        if !self.whole.is_empty() {
            let help = "Consumers of the queue, as the broker counts them.";
            let mut family = sheet.family("celery_active_consumer_count", help, Kind::Gauge);
            for (queue, counted) in &self.whole {
                family.sample(&[("queue_name", queue)], counted.consumers.into());
            }
        }
        let help = "Messages that wait in the queue, by priority; 0 is taken first.";
        let name = "belfry_celery_queue_priority_length";
        let mut family = sheet.family(name, help, Kind::Gauge);
        for (queue, steps) in &self.lengths {
            for (step, length) in steps {
                let labels = [
                    ("priority", step.to_string()),
                    ("queue_name", queue.clone()),
                ];
                let labels = labels
                    .each_ref()
                    .map(|(name, value)| (*name, value.as_str()));
                family.sample(&labels, *length as f64);
            }
        }
        let help = "How long the oldest message of the queue has waited: since it was sent, where that was told; else since it was first seen as the next one.";
        let name = "belfry_celery_queue_oldest_age_seconds";
        let mut family = sheet.family(name, help, Kind::Gauge);
        for queue in self.lengths.keys() {
            let heads = self.heads.values().filter(|head| head.queue == *queue);
            let age = |head: &Head| {
                let sent = tasks.get(&head.task).and_then(|task| task.sent);
                (now - sent.unwrap_or(head.seen)).max(0.0)
            };
            let oldest = heads.map(age).fold(0.0, f64::max);
            family.sample(&[("queue_name", queue)], oldest);
        }
        if let Some(unacked) = self.unacked {
            sheet.single(
                "belfry_celery_unacked_messages",
                "Messages that workers have taken and not acknowledged.",
                Kind::Gauge,
                unacked as f64,
            );
            let age = self
                .unacked_since
                .map_or(0.0, |since| (now - since).max(0.0));
            sheet.single(
                "belfry_celery_unacked_oldest_age_seconds",
                "How long ago the oldest of these was taken; 0 without one.",
                Kind::Gauge,
                if unacked > 0 { age } else { 0.0 },
            );
        }
    }
}
