//! Work that may hang in the kernel, such as reading from a disk that is gone:
//! on threads of its own, and never on more than a few.

use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

/// So many may hang; whoever comes later has no result, and holds no thread.
static ROOM: Semaphore = Semaphore::const_new(8);

/// The result of the work; nothing if it is not done in time.
pub(super) async fn aside<T: Send + 'static>(
    deadline: Instant,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    aside_in(&ROOM, deadline, work).await
}

/// The result of work that may hang, on no more threads at once than `room` has
/// places; nothing if it is not done in time.
pub async fn aside_in<T: Send + 'static>(
    room: &'static Semaphore,
    deadline: Instant,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let place = timeout_at(deadline, room.acquire()).await.ok()?.ok()?;
    let working = tokio::task::spawn_blocking(move || {
        // Given back when it ends, and not when we no longer wait.
        let _place = place;
        work()
    });
    timeout_at(deadline, working).await.ok()?.ok()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn what_hangs_holds_few_threads_and_no_caller() {
        let (let_go, hold) = mpsc::channel::<()>();
        let hold = std::sync::Arc::new(std::sync::Mutex::new(hold));
        let soon = || Instant::now() + Duration::from_millis(100);
        for _ in 0..20 {
            let hold = std::sync::Arc::clone(&hold);
            let hanging = aside(soon(), move || hold.lock().unwrap().recv().is_err());
            assert_eq!(hanging.await, None);
        }
        assert_eq!(ROOM.available_permits(), 0);
        drop(let_go);
        let later = Instant::now() + Duration::from_secs(30);
        assert_eq!(aside(later, || 7).await, Some(7));
    }
}
