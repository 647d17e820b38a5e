//! Runs reads that may never return, and does not wait for those that do not.
//!
//! The jobs of a round run one after the other on one thread. A job that takes
//! longer than a moment gets the others moved to a further thread; one that
//! outlasts the round's patience is left behind. As long as its thread has not
//! come back, a job of the same name is not started again, so a dead mount
//! holds one thread, not one more for each round. The threads are plain ones:
//! a runtime waits for its blocking tasks when it stops, and would wait for
//! these for ever.

use std::collections::{HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::tallies::lock;

/// How long the jobs behind a slow one wait for it before they go on without.
const MOMENT: Duration = Duration::from_millis(25);
/// The most threads that a crew has, those left behind included.
const MOST_THREADS: usize = 32;

/// What became of a job.
#[derive(Debug, PartialEq)]
pub(crate) enum Outcome<T> {
    /// It returned, and took so long.
    Done(T, Duration),
    /// It has not returned, in this round or since an earlier one.
    Late,
    /// It panicked, which is a fault of ours.
    Panicked,
}

/// The threads of one kind of read. Rounds of one crew must not overlap.
#[derive(Debug, Default)]
pub(crate) struct Crew {
    /// The names of the jobs that run now.
    busy: Arc<Mutex<HashSet<String>>>,
}

struct Round<T, W> {
    work: W,
    names: Vec<String>,
    busy: Arc<Mutex<HashSet<String>>>,
    table: Mutex<Table<T>>,
    /// Told once, when nothing is waited for any more.
    done: Notify,
}

struct Table<T> {
    queue: VecDeque<usize>,
    started: Vec<Option<Instant>>,
    outcomes: Vec<Option<Outcome<T>>>,
    /// Jobs without an outcome.
    waiting: usize,
}

impl Crew {
    /// Runs `work` once for each name (it is given the name's place) and
    /// returns what became of each, in their order, after at most `patience`
    /// for each that was begun, and twice that for all.
    pub(crate) async fn run<T, W>(
        &self,
        names: Vec<String>,
        patience: Duration,
        work: W,
    ) -> Vec<Outcome<T>>
    where
        T: Send + 'static,
        W: Fn(usize) -> T + Send + Sync + 'static,
    {
        let round = Arc::new(Round {
            work,
            table: Mutex::new(self.table(&names)),
            names,
            busy: self.busy.clone(),
            done: Notify::new(),
        });
        let begun = Instant::now();
        if lock(&round.table).waiting > 0 {
            round.clone().start_thread();
        }
        loop {
            let pause = lock(&round.table).pause(patience);
            let Some(pause) = pause else { break };
            if tokio::time::timeout(pause, round.done.notified())
                .await
                .is_ok()
            {
                break;
            }
            if begun.elapsed() >= patience * 2 {
                break;
            }
            let held_up = lock(&round.table).give_up(patience);
            if held_up && lock(&self.busy).len() < MOST_THREADS {
                round.clone().start_thread();
            }
        }
        let mut table = lock(&round.table);
        table.queue.clear();
        let outcomes = std::mem::take(&mut table.outcomes).into_iter();
        outcomes
            .map(|outcome| outcome.unwrap_or(Outcome::Late))
            .collect()
    }

    /// As [`Crew::run`], for one job.
    pub(crate) async fn one<T, W>(&self, name: &str, patience: Duration, work: W) -> Outcome<T>
    where
        T: Send + 'static,
        W: Fn() -> T + Send + Sync + 'static,
    {
        let all = self.run(vec![name.to_owned()], patience, move |_| work());
        all.await.pop().unwrap_or(Outcome::Late)
    }

    fn table<T>(&self, names: &[String]) -> Table<T> {
        let busy = lock(&self.busy);
        let mut table = Table {
            queue: VecDeque::with_capacity(names.len()),
            started: vec![None; names.len()],
            outcomes: Vec::with_capacity(names.len()),
            waiting: 0,
        };
        for (at, name) in names.iter().enumerate() {
            if busy.contains(name) {
                table.outcomes.push(Some(Outcome::Late));
            } else {
                table.outcomes.push(None);
                table.queue.push_back(at);
                table.waiting += 1;
            }
        }
        table
    }
}

impl<T, W> Round<T, W>
where
    T: Send + 'static,
    W: Fn(usize) -> T + Send + Sync + 'static,
{
    fn start_thread(self: Arc<Self>) {
        let thread = thread::Builder::new().name("reader".into());
        // Without a thread the jobs stay in the queue, and end as late.
        let _ = thread.spawn(move || {
            while let Some((at, begun)) = self.next() {
                let outcome = match catch_unwind(AssertUnwindSafe(|| (self.work)(at))) {
                    Ok(value) => Outcome::Done(value, begun.elapsed()),
                    Err(_) => Outcome::Panicked,
                };
                lock(&self.busy).remove(&self.names[at]);
                if lock(&self.table).settle(at, outcome) {
                    self.done.notify_one();
                }
            }
        });
    }

    fn next(&self) -> Option<(usize, Instant)> {
        let mut table = lock(&self.table);
        let at = table.queue.pop_front()?;
        let now = Instant::now();
        table.started[at] = Some(now);
        lock(&self.busy).insert(self.names[at].clone());
        Some((at, now))
    }
}

impl<T> Table<T> {
    /// Puts down an outcome; true when it was the last that was waited for. A
    /// job that was given up has its outcome, or its round is over.
    fn settle(&mut self, at: usize, outcome: Outcome<T>) -> bool {
        match self.outcomes.get_mut(at) {
            Some(slot @ None) => {
                *slot = Some(outcome);
                self.waiting -= 1;
                self.waiting == 0
            }
            _ => false,
        }
    }

    /// The jobs that run and are waited for, with their begin.
    fn running(&self) -> impl Iterator<Item = (usize, Instant)> {
        let open = self.outcomes.iter().zip(&self.started).enumerate();
        open.filter(|(_, (outcome, _))| outcome.is_none())
            .filter_map(|(at, (_, started))| Some((at, (*started)?)))
    }

    /// How long to wait before looking after the jobs again; `None` when there
    /// is nothing to wait for.
    fn pause(&self, patience: Duration) -> Option<Duration> {
        if self.waiting == 0 {
            return None;
        }
        if !self.queue.is_empty() {
            return Some(MOMENT);
        }
        let left = self
            .running()
            .map(|(_, started)| patience.saturating_sub(started.elapsed()));
        Some(left.min().unwrap_or(MOMENT))
    }

    /// Marks what has run for too long as late. True when others wait behind a
    /// slow job.
    fn give_up(&mut self, patience: Duration) -> bool {
        let late: Vec<usize> = self
            .running()
            .filter(|(_, started)| started.elapsed() >= patience)
            .map(|(at, _)| at)
            .collect();
        for at in late {
            self.settle(at, Outcome::Late);
        }
        let slow = |started: Instant| started.elapsed() >= MOMENT;
        !self.queue.is_empty() && self.running().all(|(_, started)| slow(started))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(3);

    fn names(of: &[&str]) -> Vec<String> {
        of.iter().map(|name| (*name).to_owned()).collect()
    }

    /// A job list whose `stuck` job returns only when told to.
    fn work(gate: Receiver<()>, calls: Arc<AtomicUsize>) -> impl Fn(usize) -> usize + Send + Sync {
        let gate = Mutex::new(gate);
        move |at| {
            if at == 0 {
                calls.fetch_add(1, Ordering::SeqCst);
                let _ = lock(&gate).recv();
            }
            at
        }
    }

    fn values(outcomes: &[Outcome<usize>]) -> Vec<Option<usize>> {
        let value = |outcome: &Outcome<usize>| match outcome {
            Outcome::Done(value, _) => Some(*value),
            Outcome::Late | Outcome::Panicked => None,
        };
        outcomes.iter().map(value).collect()
    }

    #[tokio::test]
    async fn a_stuck_job_is_left_behind_asked_once_and_taken_back() {
        let crew = Crew::default();
        let calls = Arc::new(AtomicUsize::new(0));
        let (open, gate) = channel();
        let jobs = names(&["stuck", "b", "c"]);
        let got = crew
            .run(jobs.clone(), PATIENCE, work(gate, calls.clone()))
            .await;
        assert_eq!(values(&got), [None, Some(1), Some(2)]);
        for _ in 0..3 {
            let (_shut, gate) = channel();
            let got = crew
                .run(jobs.clone(), PATIENCE, work(gate, calls.clone()))
                .await;
            assert_eq!(values(&got), [None, Some(1), Some(2)]);
        }
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        open.send(()).unwrap();
        while !lock(&crew.busy).is_empty() {
            tokio::task::yield_now().await;
        }
        let (open, gate) = channel();
        open.send(()).unwrap();
        let got = crew.run(jobs, PATIENCE, work(gate, calls)).await;
        assert_eq!(values(&got), [Some(0), Some(1), Some(2)]);
    }

    #[tokio::test]
    async fn a_panic_costs_only_its_own_job() {
        let crew = Crew::default();
        let got = crew
            // Printing the panic alone takes long on a busy machine.
            .run(names(&["a", "b"]), PATIENCE * 60, |at| {
                assert_ne!(at, 0, "a parser that fails");
                at
            })
            .await;
        assert_eq!(got[0], Outcome::Panicked);
        assert_eq!(values(&got), [None, Some(1)]);
    }

    #[tokio::test]
    async fn many_dead_jobs_hold_no_more_threads_than_allowed() {
        let crew = Crew::default();
        let jobs: Vec<String> = (0..100).map(|at| at.to_string()).collect();
        let (open, gate) = channel::<()>();
        let gate = Mutex::new(gate);
        let got = crew
            .run(jobs, PATIENCE, move |_| lock(&gate).recv().is_ok())
            .await;
        assert!(got.iter().all(|outcome| *outcome == Outcome::Late));
        assert!(lock(&crew.busy).len() <= MOST_THREADS);
        drop(open);
    }
}
