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
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

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

struct Round<W> {
    work: W,
    names: Vec<String>,
    queue: Mutex<VecDeque<usize>>,
    started: Mutex<Vec<Option<Instant>>>,
    busy: Arc<Mutex<HashSet<String>>>,
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
        let mut outcomes: Vec<Option<Outcome<T>>> = names.iter().map(|_| None).collect();
        let mut queue = VecDeque::new();
        {
            let busy = lock(&self.busy);
            for (at, name) in names.iter().enumerate() {
                if busy.contains(name) {
                    outcomes[at] = Some(Outcome::Late);
                } else {
                    queue.push_back(at);
                }
            }
        }
        let mut waiting = queue.len();
        let round = Arc::new(Round {
            work,
            started: Mutex::new(vec![None; names.len()]),
            names,
            queue: Mutex::new(queue),
            busy: self.busy.clone(),
        });
        let (send, mut receive) = mpsc::unbounded_channel();
        let begun = Instant::now();
        if waiting > 0 {
            round.clone().start_thread(&send);
        }
        while waiting > 0 {
            let pause = round.pause(patience, &outcomes);
            match tokio::time::timeout(pause, receive.recv()).await {
                Ok(Some((at, outcome))) => {
                    if outcomes[at].is_none() {
                        outcomes[at] = Some(outcome);
                        waiting -= 1;
                    }
                }
                Ok(None) => break,
                Err(_) if begun.elapsed() >= patience * 2 => break,
                Err(_) => {
                    waiting -= round.give_up(patience, &mut outcomes);
                    let threads = lock(&self.busy).len();
                    if threads < MOST_THREADS && !lock(&round.queue).is_empty() {
                        round.clone().start_thread(&send);
                    }
                }
            }
        }
        lock(&round.queue).clear();
        outcomes
            .into_iter()
            .map(|outcome| outcome.unwrap_or(Outcome::Late))
            .collect()
    }
}

impl<W> Round<W> {
    fn start_thread<T>(self: Arc<Self>, send: &mpsc::UnboundedSender<(usize, Outcome<T>)>)
    where
        T: Send + 'static,
        W: Fn(usize) -> T + Send + Sync + 'static,
    {
        let send = send.clone();
        // Without a thread the jobs stay in the queue, and end as late.
        let _ = thread::Builder::new().name("reader".into()).spawn(move || {
            while let Some((at, begun)) = self.next() {
                let outcome = match catch_unwind(AssertUnwindSafe(|| (self.work)(at))) {
                    Ok(value) => Outcome::Done(value, begun.elapsed()),
                    Err(_) => Outcome::Panicked,
                };
                lock(&self.busy).remove(&self.names[at]);
                // Nobody listens to a job that was given up.
                let _ = send.send((at, outcome));
            }
        });
    }

    fn next(&self) -> Option<(usize, Instant)> {
        let at = lock(&self.queue).pop_front()?;
        let now = Instant::now();
        lock(&self.busy).insert(self.names[at].clone());
        lock(&self.started)[at] = Some(now);
        Some((at, now))
    }

    /// How long to listen before looking after the jobs again.
    fn pause<T>(&self, patience: Duration, outcomes: &[Option<Outcome<T>>]) -> Duration {
        if !lock(&self.queue).is_empty() {
            return MOMENT;
        }
        let started = lock(&self.started);
        let running = started.iter().zip(outcomes);
        running
            .filter(|(_, outcome)| outcome.is_none())
            .filter_map(|(started, _)| *started)
            .map(|started| patience.saturating_sub(started.elapsed()))
            .min()
            .unwrap_or(MOMENT)
    }

    /// Marks what has run for too long as late, and says how many those are.
    fn give_up<T>(&self, patience: Duration, outcomes: &mut [Option<Outcome<T>>]) -> usize {
        let started = lock(&self.started);
        let mut given_up = 0;
        for (started, outcome) in started.iter().zip(outcomes) {
            if outcome.is_none() && started.is_some_and(|at| at.elapsed() >= patience) {
                *outcome = Some(Outcome::Late);
                given_up += 1;
            }
        }
        given_up
    }
}

/// A panic is caught before it can leave one of our locks in a bad state.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(1);

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
