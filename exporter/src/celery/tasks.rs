//! The tasks that are under way: what one event says of a task, for the later
//! ones that only give its number.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// So many tasks are remembered; Celery itself remembers as many.
const MOST: usize = 10_000;
/// And so many of those that have ended: the event of an earlier attempt may
/// come after that of the last one.
const ENDED: usize = 256;

/// What is known of a task.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Known {
    pub(super) name: Option<Arc<str>>,
    pub(super) queue: Option<Arc<str>>,
    /// When it was sent, in seconds since 1970.
    pub(super) sent: Option<f64>,
    /// Not to begin before.
    pub(super) eta: Option<f64>,
    number: u64,
    ended: bool,
}

/// Tasks by their number; the oldest are forgotten first.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    known: HashMap<Box<str>, Known>,
    order: VecDeque<(Box<str>, u64)>,
    ended: VecDeque<(Box<str>, u64)>,
    count: u64,
}

impl Tasks {
    pub(super) fn get(&self, uuid: &str) -> Option<&Known> {
        self.known.get(uuid)
    }

    /// Whether it is known in which queue the task was.
    pub(super) fn knows_queue(&self, uuid: &str) -> bool {
        self.get(uuid).is_some_and(|task| task.queue.is_some())
    }

    /// The task, which is known from now on.
    pub(super) fn entry(&mut self, uuid: &str) -> &mut Known {
        if self.get(uuid).is_none_or(|known| known.ended) {
            self.make_room();
            self.count += 1;
            self.order.push_back((uuid.into(), self.count));
            let known = self.known.entry(uuid.into()).or_default();
            known.number = self.count;
            known.ended = false;
            return known;
        }
        self.known.entry(uuid.into()).or_default()
    }

    /// The task has ended.
    pub(super) fn forget(&mut self, uuid: &str) {
        let Some(known) = self.known.get_mut(uuid).filter(|known| !known.ended) else {
            return;
        };
        known.ended = true;
        self.ended.push_back((uuid.into(), known.number));
        while self.ended.len() > ENDED {
            let Some((uuid, number)) = self.ended.pop_front() else {
                return;
            };
            if self
                .known
                .get(&uuid)
                .is_some_and(|one| one.number == number)
            {
                self.known.remove(&uuid);
            }
        }
    }

    fn make_room(&mut self) {
        // Those that have ended still stand in the order.
        while self.known.len() >= MOST || self.order.len() >= 2 * MOST {
            let Some((uuid, number)) = self.order.pop_front() else {
                return;
            };
            if self
                .known
                .get(&uuid)
                .is_some_and(|one| one.number == number)
            {
                self.known.remove(&uuid);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten_and_those_that_ended_take_no_room() {
        let mut tasks = Tasks::default();
        for at in 0..3 * MOST {
            let uuid = at.to_string();
            tasks.entry(&uuid).sent = Some(1.0);
            if at >= MOST {
                tasks.forget(&uuid);
            }
        }
        assert!(tasks.order.len() <= 2 * MOST);
        assert!(tasks.get("20000").is_none());
        for at in 0..MOST {
            tasks.entry(&format!("n{at}"));
        }
        assert!(tasks.get("0").is_none() && tasks.get("n0").is_some());
        assert_eq!(tasks.known.len(), MOST);
        // One that is sent again is as young as the second time.
        tasks.forget("n0");
        tasks.entry("n0");
        tasks.entry("one more");
        assert!(tasks.get("n0").is_some() && tasks.get("n1").is_none());
    }
}
