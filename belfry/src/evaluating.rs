//! Groups of rules that are due, evaluated beside each other: one thread does all
//! while each is quick, and whoever waits behind a slow one gets a thread of its own.
//! It never decides what is due.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use alert::Alert;
use rules::Evaluation;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time;

/// A group that waits for so long is evaluated by one more thread.
const BEHIND: Duration = Duration::from_millis(200);

/// At the end, what has begun may take so long.
const LAST: Duration = Duration::from_secs(1);

/// What is told while groups are evaluated.
enum Said {
    Alerts(Vec<Alert>),
    /// A group's evaluation has ended.
    Done,
}

/// The work on one group: hands over alerts as each rule has them.
type Work = dyn Fn(Evaluation, &mut dyn FnMut(Vec<Alert>)) + Send + Sync;

struct Desk {
    waiting: Mutex<Waiting>,
    said: mpsc::UnboundedSender<Said>,
    work: Box<Work>,
}

struct Waiting {
    groups: VecDeque<Evaluation>,
    /// Since when nobody has taken the first of them.
    since: Instant,
}

impl Desk {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what waits, one after another.
    fn serve(&self) {
        loop {
            let next = {
                let mut waiting = self.waiting();
                waiting.since = Instant::now();
                waiting.groups.pop_front()
            };
            let Some(evaluation) = next else {
                return;
            };
            // Nobody listens any more when the program ends.
            (self.work)(evaluation, &mut |alerts| {
                let _ = self.said.send(Said::Alerts(alerts));
            });
            let _ = self.said.send(Said::Done);
        }
    }
}

/// The groups that are being evaluated.
pub(crate) struct Evaluating {
    desk: Arc<Desk>,
    said: mpsc::UnboundedReceiver<Said>,
    threads: JoinSet<()>,
    /// How many threads there may be.
    most: usize,
    /// Evaluations that were added and have not ended.
    open: usize,
}

impl Evaluating {
    /// Evaluates with `work`, of which so many may go on at once.
    pub(crate) fn new(
        most: usize,
        work: impl Fn(Evaluation, &mut dyn FnMut(Vec<Alert>)) + Send + Sync + 'static,
    ) -> Self {
        let (sender, said) = mpsc::unbounded_channel();
        Self {
            desk: Arc::new(Desk {
                waiting: Mutex::new(Waiting {
                    groups: VecDeque::new(),
                    since: Instant::now(),
                }),
                said: sender,
                work: Box::new(work),
            }),
            said,
            threads: JoinSet::new(),
            most: most.max(1),
            open: 0,
        }
    }

    /// These are to be evaluated.
    pub(crate) fn add(&mut self, evaluations: impl IntoIterator<Item = Evaluation>) {
        let mut waiting = self.desk.waiting();
        let before = waiting.groups.len();
        if before == 0 {
            waiting.since = Instant::now();
        }
        waiting.groups.extend(evaluations);
        self.open += waiting.groups.len() - before;
    }

    /// How many groups wait or are being evaluated.
    pub(crate) fn open(&self) -> usize {
        self.open
    }

    /// Whether groups wait while every thread has one that does not end.
    pub(crate) fn is_stuck(&self) -> bool {
        let waiting = self.desk.waiting();
        self.threads.len() == self.most
            && !waiting.groups.is_empty()
            && waiting.since + BEHIND <= Instant::now()
    }

    /// The next alerts; none when a group's evaluation has ended. For ever while
    /// there is nothing to do. An error is a fault of a thread.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Vec<Alert>> {
        loop {
            while let Some(ended) = self.threads.try_join_next() {
                ended?;
            }
            let since = {
                let waiting = self.desk.waiting();
                (!waiting.groups.is_empty()).then_some(waiting.since)
            };
            if since.is_some() && self.threads.is_empty() {
                self.begin();
            }
            let more = since.filter(|_| self.threads.len() < self.most);
            let late = more.unwrap_or_else(Instant::now) + BEHIND;
            tokio::select! {
                biased; // what is there is taken before a thread's end is noticed
                Some(said) = self.said.recv() => return Ok(match said {
                    Said::Alerts(alerts) => alerts,
                    Said::Done => {
                        self.open -= 1;
                        Vec::new()
                    }
                }),
                Some(ended) = self.threads.join_next() => ended?,
                () = time::sleep_until(late.into()), if more.is_some() => {
                    // Perhaps somebody has taken one meanwhile.
                    if self.desk.waiting().since + BEHIND <= Instant::now() {
                        self.begin();
                    }
                }
            }
        }
    }

    fn begin(&mut self) {
        let desk = Arc::clone(&self.desk);
        desk.waiting().since = Instant::now();
        // Not on a worker: rules may take seconds.
        self.threads.spawn_blocking(move || desk.serve());
    }

    /// Nothing more is begun; returns what groups say that end soon. Whoever stops does
    /// not wait for a slow one.
    pub(crate) async fn finish(mut self) -> Vec<Alert> {
        let cleared = {
            let mut waiting = self.desk.waiting();
            let count = waiting.groups.len();
            waiting.groups.clear();
            count
        };
        self.open -= cleared;
        let (mut alerts, end) = (Vec::new(), time::Instant::now() + LAST);
        while self.open > 0 {
            match time::timeout_at(end, self.next()).await {
                Ok(Ok(more)) => alerts.extend(more),
                Ok(Err(_)) | Err(_) => break,
            }
        }
        alerts
    }
}

#[cfg(test)]
mod tests;
