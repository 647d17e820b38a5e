//! How many work at once, how many wait, and where they work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout_at;

use crate::failure::Failure;

/// A turn to work; given back when it is dropped.
pub(crate) type Turn = OwnedSemaphorePermit;

/// Lets a number of questions in and a number wait.
#[derive(Debug)]
pub(crate) struct Gate {
    turns: Arc<Semaphore>,
    places: Semaphore,
}

impl Gate {
    pub(crate) fn new(turns: usize, places: usize) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(turns.max(1))),
            places: Semaphore::new(places),
        }
    }

    /// Waits for a turn, until the deadline.
    pub(crate) async fn enter(&self, deadline: Instant) -> Result<Turn, Failure> {
        if let Ok(turn) = self.turns.clone().try_acquire_owned() {
            return Ok(turn);
        }
        let full = |_| Failure::Unavailable("too many queries are waiting for their turn".into());
        let _place = self.places.try_acquire().map_err(full)?;
        match timeout_at(deadline.into(), self.turns.clone().acquire_owned()).await {
            Ok(Ok(turn)) => Ok(turn),
            // Nobody closes it.
            Ok(Err(err)) => Err(Failure::Internal(err.to_string())),
            Err(_) => Err(Failure::Timeout("query timed out in query queue".into())),
        }
    }
}

/// Room for bytes that are on their way in.
#[derive(Debug)]
pub(crate) struct Room(Arc<Semaphore>);

impl Room {
    /// Room for so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(kibibytes(bytes) as usize)))
    }

    /// Waits for room for so many bytes, until the deadline.
    pub(crate) async fn acquire(&self, bytes: usize, deadline: Instant) -> Result<Turn, Failure> {
        let room = self.0.clone().acquire_many_owned(kibibytes(bytes));
        match timeout_at(deadline.into(), room).await {
            Ok(Ok(room)) => Ok(room),
            Ok(Err(err)) => Err(Failure::Internal(err.to_string())),
            Err(_) => Err(Failure::Unavailable("no room for the body".into())),
        }
    }
}

fn kibibytes(bytes: usize) -> u32 {
    (bytes / 1024 + 1).try_into().unwrap_or(u32::MAX >> 4)
}

/// Tells the work when nobody waits for it any more.
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Works where blocking is allowed. When the caller goes away, `cancel` is set;
/// whatever `work` owns (its turn, above all) is kept until it really ends.
pub(crate) async fn aside<T: Send + 'static>(
    cancel: Arc<AtomicBool>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    let _cancel = CancelOnDrop(cancel);
    spawn_blocking(work).await.map_err(|err| {
        tracing::error!("a question to the query API ended the thread that worked on it: {err}");
        Failure::Internal("unexpected error, see the log".into())
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn beyond_those_that_work_some_wait_and_the_rest_is_refused() {
        let gate = Arc::new(Gate::new(1, 1));
        let now = Instant::now();
        let later = now + Duration::from_secs(600);
        let turn = gate.enter(now).await.unwrap();
        let late = gate.enter(now).await;
        assert!(matches!(late, Err(Failure::Timeout(_))), "{late:?}");
        let waits = tokio::spawn({
            let gate = gate.clone();
            async move { gate.enter(later).await.map(drop) }
        });
        while gate.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let refused = gate.enter(later).await;
        assert!(
            matches!(refused, Err(Failure::Unavailable(_))),
            "{refused:?}"
        );
        drop(turn);
        waits.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn who_goes_away_cancels_the_work() {
        let cancel = Arc::new(AtomicBool::new(false));
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let (ended, has_ended) = tokio::sync::oneshot::channel();
        let seen = cancel.clone();
        let waits = tokio::spawn(aside(cancel, move || {
            let _ = begun.send(());
            while !seen.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            let _ = ended.send(());
        }));
        has_begun.await.unwrap();
        waits.abort();
        has_ended.await.unwrap();
    }

    #[tokio::test]
    async fn work_that_panics_is_a_fault_of_ours() {
        let result = aside(Arc::default(), || panic!("on purpose")).await;
        assert!(matches!(result, Err::<(), _>(Failure::Internal(_))));
    }
}
