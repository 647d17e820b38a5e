//! Having changes stored, one transaction at a time, and bearing it when that
//! fails: everything goes on from memory and is written when it can be.

use std::time::Duration;

use sqlx::SqlitePool;
use tokio::sync::OwnedMutexGuard;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{error, info};

use crate::health::StoreHealth;
use crate::state::{Alerter, Changes};
use crate::store;

/// A write that takes longer has failed, whatever becomes of it: from the first, doubled
/// while writes fail, to the last, as what has waited is more to write, and a slow disk
/// would never take it; no longer, as others want the database meanwhile.
const DEADLINE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(30));

/// How long someone who put alerts waits for the disk.
const PATIENCE: Duration = Duration::from_secs(2);

/// Waits after a failed write: from the first, doubled, to the last.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

type Written = (Changes, Result<(), String>);

pub(crate) struct Writer {
    pool: SqlitePool,
    running: Option<JoinHandle<Written>>,
    /// Until when others wait for it.
    patience: Instant,
    finished: Option<Written>,
    /// For the write that runs, and for the next.
    waiting: [Waiting; 2],
    retry: Option<Instant>,
    wait: Duration,
    deadline: Duration,
    pub(crate) health: StoreHealth,
}

/// Told whether it is stored.
type Answer = Box<dyn FnOnce(bool) + Send>;

/// Who waits for a write.
#[derive(Default)]
struct Waiting {
    answers: Vec<Answer>,
    /// Let go when dropped.
    lanes: Vec<OwnedMutexGuard<()>>,
}

impl Waiting {
    fn is_held(&self) -> bool {
        !(self.answers.is_empty() && self.lanes.is_empty())
    }

    fn let_go(&mut self, stored: bool) {
        for answer in self.answers.drain(..) {
            answer(stored);
        }
        self.lanes.clear();
    }
}

impl Writer {
    pub(crate) fn new(pool: SqlitePool) -> Self {
        Self {
            pool,
            running: None,
            patience: Instant::now(),
            finished: None,
            waiting: [Waiting::default(), Waiting::default()],
            retry: None,
            wait: RETRY.0,
            deadline: DEADLINE.0,
            health: StoreHealth::default(),
        }
    }

    /// Starts a write if there is something to write and none runs; whether it
    /// came to look.
    pub(crate) fn start(&mut self, alerter: &mut Alerter, all: bool, now_ms: i64) -> bool {
        if self.running.is_some() || self.finished.is_some() {
            return false;
        }
        if self.retry.is_some_and(|retry| retry > Instant::now()) {
            // Nobody waits for a database that is known to fail.
            self.waiting[1].let_go(false);
            // Else a fold would be due without end.
            return true;
        }
        let changes = alerter.changes(all, now_ms);
        if changes.is_empty() {
            self.waiting[1].let_go(true);
            return true;
        }
        self.waiting.swap(0, 1);
        self.patience = Instant::now() + PATIENCE;
        self.running = Some(tokio::spawn(write(
            self.pool.clone(),
            changes,
            self.deadline,
        )));
        true
    }

    /// Returns when the write that runs has ended.
    pub(crate) async fn done(&mut self) {
        if let Some(running) = &mut self.running {
            let result = loop {
                tokio::select! {
                    result = &mut *running => break result,
                    // Mails and rules do not wait for a slow disk.
                    () = sleep_until(self.patience), if self.waiting.iter().any(Waiting::is_held) => {
                        self.waiting.iter_mut().for_each(|waiting| waiting.let_go(false));
                    }
                }
            };
            self.running = None;
            self.finished = Some(result.unwrap_or_else(|err| {
                // Which changes they were went with the task; see `take`.
                (
                    Changes::default(),
                    Err(format!("the write's task failed: {err}")),
                )
            }));
        } else {
            std::future::pending::<()>().await;
        }
    }

    /// Takes how the write went.
    pub(crate) fn take(&mut self, alerter: &mut Alerter, now_ms: i64) {
        let Some((changes, result)) = self.finished.take() else {
            return;
        };
        self.waiting[0].let_go(result.is_ok());
        match result {
            Ok(()) => {
                alerter.stored();
                self.retry = None;
                self.wait = RETRY.0;
                self.deadline = DEADLINE.0;
                if self.health.failing_since_ms.take().is_some() {
                    info!("the database can be written again");
                }
            }
            Err(err) => {
                match changes.is_empty() {
                    true => alerter.mark_all(),
                    false => alerter.take_back(changes),
                }
                self.health.failures += 1;
                if self.health.failing_since_ms.is_none() {
                    self.health.failing_since_ms = Some(now_ms);
                    error!("cannot write the database, going on from memory: {err}");
                }
                self.health.last_error = Some(err);
                self.retry = Some(Instant::now() + self.wait);
                self.wait = (self.wait * 2).min(RETRY.1);
                self.deadline = (self.deadline * 2).min(DEADLINE.1);
            }
        }
    }

    /// When a failed write is tried again.
    pub(crate) fn retry(&self) -> Option<Instant> {
        self.retry.filter(|_| self.running.is_none())
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.running.is_none() && self.finished.is_none()
    }

    /// Calls `answer` once everything up to now is stored, or that has failed.
    pub(crate) fn answer_when_stored(&mut self, answer: impl FnOnce(bool) + Send + 'static) {
        self.waiting[1].answers.push(Box::new(answer));
    }

    /// Keeps the next mail to the same server waiting until this one is stored.
    pub(crate) fn hold_until_stored(&mut self, lane: Option<OwnedMutexGuard<()>>) {
        self.waiting[1].lanes.extend(lane);
    }

    /// Ends the write that runs, as failed, and lets go of the database.
    async fn give_up(&mut self) {
        if let Some(running) = self.running.take() {
            running.abort();
            let ended = running.await;
            self.finished = Some(ended.unwrap_or_else(|err| {
                // Which changes they were went with the task; see `take`.
                (Changes::default(), Err(format!("given up: {err}")))
            }));
        }
    }

    /// Writes what is left.
    pub(crate) async fn finish(mut self, alerter: &mut Alerter, now_ms: i64) {
        // Who is told to stop does not wait long, be it the third try.
        if self.running.is_some() && timeout(DEADLINE.0, self.done()).await.is_err() {
            self.give_up().await;
        }
        self.take(alerter, now_ms);
        let mut result = Ok(());
        while result.is_ok() {
            let changes = alerter.changes(true, now_ms);
            if changes.is_empty() {
                break;
            }
            result = write(self.pool.clone(), changes, DEADLINE.0).await.1;
        }
        if let Err(err) = &result {
            error!("cannot write the database while stopping: {err}");
        }
        for waiting in &mut self.waiting {
            waiting.let_go(result.is_ok());
        }
    }
}

async fn write(pool: SqlitePool, changes: Changes, deadline: Duration) -> Written {
    let result = match timeout(deadline, store::write(&pool, &changes)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(err)) => Err(err.to_string()),
        Err(_) => Err(format!("no answer within {} s", deadline.as_secs())),
    };
    (changes, result)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use alert::{Alert, Set};
    use tokio::time::sleep;

    use super::*;
    use crate::{Config, Mail};

    #[tokio::test]
    async fn a_write_that_hangs_at_the_stop_is_given_up_and_written_again() {
        let config: Config = settings::read("a.yml".as_ref(), "{}", &|_| None).unwrap();
        let mail = "{to: ops@example.org, from: b@example.org, smarthost: 'mx:25'}";
        let mail: Mail = settings::read("a.yml".as_ref(), mail, &|_| None).unwrap();
        let plan = Arc::new(crate::plan(&config, &mail).unwrap());
        let mut alerter = Alerter::new(plan, "http://b".into(), 86_400_000, 0);
        let alert = Alert {
            labels: Set::from([("alertname".into(), "x".into())]),
            annotations: Set::new(),
            starts_at: Some(0),
            ends_at: Some(3_600_000),
            generator_url: String::new(),
        };
        assert_eq!(alerter.put(vec![alert], 1_000), []);
        let pool = store::tests::database().await;
        let mut writer = Writer::new(pool.clone());
        // Nothing can be written while somebody has the only connection.
        let held = pool.acquire().await.unwrap();
        writer.deadline = DEADLINE.1;
        assert!(writer.start(&mut alerter, true, 1_000));
        tokio::spawn(async move {
            sleep(DEADLINE.0 + Duration::from_secs(1)).await;
            drop(held);
        });
        writer.finish(&mut alerter, 1_000).await;
        // What the first write had went with it, and was to be found once more.
        let stored = store::load(&pool).await.unwrap();
        assert_eq!(stored.alerts.len(), 1);
    }
}
