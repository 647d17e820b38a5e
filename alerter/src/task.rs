//! The task that drives the state: it sleeps until something is due, sends what
//! is to be sent, and has every change stored.
//!
//! Nothing in its loop waits for a server or a disk: mails and writes run on
//! tasks of their own and report back.

mod mails;
mod writer;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sqlx::SqlitePool;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use crate::clock::Watch;
use crate::health::{MailHealth, StoreHealth};
use crate::metrics::Latency;
use crate::plan::{Kind, Plan};
use crate::silence::{Id, SilenceDraft, SilenceError};
use crate::state::{Alerter, Incoming, Refusal};
use crate::{Clock, Render};
use mails::Mails;
use writer::Writer;

/// How long what is refreshed each cycle may stay unwritten.
const LAZY: Duration = Duration::from_secs(60);

/// The longest sleep: an instant that is too far away cannot be named.
const LONGEST_MS: i64 = 86_400_000;

/// Commands that are obeyed before the rest of the work goes on.
const AT_ONCE: usize = 64;

/// What the task is told.
pub(crate) enum Command {
    Put {
        alerts: Vec<Incoming>,
        answer: oneshot::Sender<Vec<Refusal>>,
    },
    Silence {
        draft: SilenceDraft,
        /// Its name if it becomes a new one.
        fresh: Id,
        answer: oneshot::Sender<Result<Id, SilenceError>>,
    },
    Unsilence {
        id: Id,
        answer: oneshot::Sender<Result<(), SilenceError>>,
    },
    Ask(Box<dyn FnOnce(&Glance<'_>) + Send>),
    Change(Change),
    Reload {
        plan: Arc<Plan>,
        answer: oneshot::Sender<()>,
    },
    Stop {
        grace: Duration,
        answer: oneshot::Sender<()>,
    },
}

/// Changes the state; what it gives is called when that is stored, or cannot be.
pub(crate) type Change = Box<dyn FnOnce(&mut Alerter, i64) -> Box<dyn FnOnce(bool) + Send> + Send>;

/// What can be asked about.
pub(crate) struct Glance<'a> {
    pub alerter: &'a Alerter,
    pub mail: &'a MailHealth,
    pub store: &'a StoreHealth,
    pub latency: &'a BTreeMap<Kind, Latency>,
    pub now_ms: i64,
}

pub(crate) struct Task {
    alerter: Alerter,
    watch: Watch,
    inbox: mpsc::Receiver<Command>,
    mails: Mails,
    writer: Writer,
    lazy: Instant,
    stopping: Option<Stopping>,
}

struct Stopping {
    until: Instant,
    answer: Option<oneshot::Sender<()>>,
}

impl Task {
    pub(crate) fn new(
        alerter: Alerter,
        pool: SqlitePool,
        render: Render,
        clock: Clock,
        inbox: mpsc::Receiver<Command>,
    ) -> Self {
        Self {
            alerter,
            watch: Watch::new(clock),
            inbox,
            mails: Mails::new(render),
            writer: Writer::new(pool),
            lazy: Instant::now() + LAZY,
            stopping: None,
        }
    }

    /// Runs until it is told to stop, or nobody is left to tell it.
    pub(crate) async fn run(mut self) {
        loop {
            let now_ms = self.now_ms();
            if self.stopping.is_none() {
                self.alerter.tick(now_ms);
                self.mails.start(&mut self.alerter, now_ms);
            }
            let all = self.stopping.is_some() || self.lazy <= Instant::now();
            if self.writer.start(&mut self.alerter, all, now_ms) && all {
                self.lazy = Instant::now() + LAZY;
            }
            if self.is_over() {
                break;
            }
            let wake = self.wake(now_ms);
            tokio::select! {
                command = self.inbox.recv(), if self.listens() => match command {
                    Some(command) => {
                        self.obey(command);
                        // What has come meanwhile shares the write.
                        for _ in 1..AT_ONCE {
                            match self.inbox.try_recv() {
                                Ok(command) => self.obey(command),
                                Err(_) => break,
                            }
                        }
                    }
                    None => self.stop(Duration::ZERO, None),
                },
                Some(done) = self.mails.next() => {
                    let now_ms = self.now_ms();
                    self.mails.done(done, &mut self.alerter, &mut self.writer, now_ms);
                }
                () = self.writer.done() => {
                    let now_ms = self.now_ms();
                    self.writer.take(&mut self.alerter, now_ms);
                }
                () = sleep_until(wake) => {}
            }
        }
        self.end().await;
    }

    fn listens(&self) -> bool {
        // Once the last handle is gone the inbox would answer without end.
        self.stopping
            .as_ref()
            .is_none_or(|stopping| stopping.answer.is_some())
    }

    /// The time; kept times are moved along if the clock was set.
    fn now_ms(&mut self) -> i64 {
        let reading = self.watch.read();
        if reading.step_ms != 0 {
            info!(
                step_ms = reading.step_ms,
                "the wall clock was set; moved all timers along"
            );
            self.alerter.shift(reading.step_ms);
            self.mails.shift(reading.step_ms);
        }
        reading.now_ms
    }

    fn wake(&self, now_ms: i64) -> Instant {
        let mut wake = match self.stopping {
            Some(Stopping { until, .. }) => until,
            None => {
                let wait_ms = (self.alerter.next_due_ms() - now_ms).clamp(0, LONGEST_MS);
                Instant::now() + Duration::from_millis(wait_ms.unsigned_abs())
            }
        };
        if let Some(retry) = self.writer.retry() {
            wake = wake.min(retry);
        }
        // The end of a write that runs wakes us too.
        if self.alerter.has_lazy_changes() && self.writer.is_idle() {
            wake = wake.min(self.lazy);
        }
        wake
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Put { alerts, answer } => {
                let now_ms = self.now_ms();
                let refusals = self.alerter.put(alerts, now_ms);
                self.writer.answer_when_stored(move |_| {
                    // Who put them may have gone.
                    let _ = answer.send(refusals);
                });
            }
            Command::Silence {
                draft,
                fresh,
                answer,
            } => {
                let now_ms = self.now_ms();
                let result = self.alerter.silence(draft, fresh, now_ms);
                self.answer_silence(result, answer);
            }
            Command::Unsilence { id, answer } => {
                let now_ms = self.now_ms();
                let result = self.alerter.unsilence(id, now_ms);
                self.answer_silence(result, answer);
            }
            Command::Ask(look) => {
                let now_ms = self.now_ms();
                look(&Glance {
                    alerter: &self.alerter,
                    mail: &self.mails.health,
                    store: &self.writer.health,
                    latency: &self.mails.latency,
                    now_ms,
                });
            }
            Command::Change(change) => {
                let now_ms = self.now_ms();
                let answer = change(&mut self.alerter, now_ms);
                self.writer.answer_when_stored(answer);
            }
            Command::Reload { plan, answer } => {
                let now_ms = self.now_ms();
                self.mails.keep(&plan);
                self.alerter.reload(plan, now_ms);
                // Who asked may have gone.
                let _ = answer.send(());
            }
            Command::Stop { grace, answer } => self.stop(grace, Some(answer)),
        }
    }

    fn answer_silence<T: Send + 'static>(
        &mut self,
        result: Result<T, SilenceError>,
        answer: oneshot::Sender<Result<T, SilenceError>>,
    ) {
        self.writer.answer_when_stored(move |stored| {
            let result = result.and_then(|it| match stored {
                true => Ok(it),
                false => Err(SilenceError::NotStored),
            });
            let _ = answer.send(result);
        });
    }

    fn stop(&mut self, grace: Duration, answer: Option<oneshot::Sender<()>>) {
        self.stopping = Some(Stopping {
            until: Instant::now() + grace,
            answer,
        });
    }

    fn is_over(&self) -> bool {
        self.stopping.as_ref().is_some_and(|stopping| {
            let idle = self.mails.is_idle() && self.writer.is_idle();
            idle || stopping.until <= Instant::now()
        })
    }

    async fn end(mut self) {
        if !self.mails.is_idle() {
            warn!("stopped before every mail had finished; it is sent after the next start");
        }
        let now_ms = self.now_ms();
        self.writer.finish(&mut self.alerter, now_ms).await;
        if let Some(answer) = self.stopping.and_then(|stopping| stopping.answer) {
            let _ = answer.send(());
        }
    }
}
