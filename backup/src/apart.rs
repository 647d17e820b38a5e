//! Work on threads of its own: what reads or writes a disk may hang for ever, and
//! what seals a stream takes as long as its source. The few threads that the
//! program keeps for short work are not for either.
//!
//! A thread that hangs in the kernel cannot be ended. It is left behind, and
//! counted for its place: where too many are, no more are begun.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// So many threads may be left behind in one place. Each time one is, somebody
/// has waited for it as long as he has patience.
const MOST: usize = 4;
/// Nothing here needs more.
const STACK: usize = 1 << 20;

/// A place hangs for all that come to it, whatever run they are of.
static BEHIND: Mutex<BTreeMap<PathBuf, usize>> = Mutex::new(BTreeMap::new());

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// Too many threads hang there already.
    #[error("{0} does not answer: {MOST} earlier attempts still hang in it")]
    Hangs(String),
    /// The kernel gives no thread.
    #[error("no thread is to be had: {0}")]
    Thread(String),
    /// A bug.
    #[error("the work panicked")]
    Panicked,
}

/// Work that goes on. Letting go of it leaves its thread behind.
#[derive(Debug)]
pub(crate) struct Working<T> {
    end: oneshot::Receiver<T>,
    fate: Arc<Mutex<Fate>>,
    root: PathBuf,
}

#[derive(Debug, PartialEq)]
enum Fate {
    Waited,
    Behind,
    Ended,
}

/// Begins work that concerns the place at `root`.
///
/// # Errors
/// When too many threads hang there, or none is to be had.
pub(crate) fn begin<T: Send + 'static>(
    root: &Path,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<Working<T>, Error> {
    if behind(root) >= MOST {
        return Err(Error::Hangs(root.display().to_string()));
    }
    let fate = Arc::new(Mutex::new(Fate::Waited));
    let ending = Ending {
        fate: Arc::clone(&fate),
        root: root.to_owned(),
    };
    let end = thread(move || {
        // Also when it panics.
        let _ending = ending;
        work()
    })?;
    Ok(Working {
        end,
        fate,
        root: root.to_owned(),
    })
}

/// Begins work that waits for nothing but our own channels, and ends with them.
/// What comes of it, unless it panics.
///
/// # Errors
/// When no thread is to be had.
pub(crate) fn thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<oneshot::Receiver<T>, Error> {
    let (tell, end) = oneshot::channel();
    // Some of it asks a database for something.
    let runtime = Handle::try_current().ok();
    thread::Builder::new()
        .name("backup".to_owned())
        .stack_size(STACK)
        .spawn(move || {
            let _inside = runtime.as_ref().map(Handle::enter);
            let _ = tell.send(work());
        })
        .map_err(|err| Error::Thread(err.to_string()))?;
    Ok(end)
}

/// How many threads hang in a place.
pub(crate) fn behind(root: &Path) -> usize {
    all().get(root).copied().unwrap_or(0)
}

impl<T> Working<T> {
    /// Waits for its end.
    ///
    /// # Errors
    /// When it panicked.
    pub(crate) async fn end(mut self) -> Result<T, Error> {
        (&mut self.end).await.map_err(|_| Error::Panicked)
    }
}

impl<T> Drop for Working<T> {
    fn drop(&mut self) {
        let mut fate = lock(&self.fate);
        if *fate == Fate::Waited {
            *fate = Fate::Behind;
            *all().entry(self.root.clone()).or_default() += 1;
        }
    }
}

struct Ending {
    fate: Arc<Mutex<Fate>>,
    root: PathBuf,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let mut fate = lock(&self.fate);
        if std::mem::replace(&mut *fate, Fate::Ended) == Fate::Behind {
            let mut all = all();
            if let Some(count) = all.get_mut(&self.root) {
                *count -= 1;
                if *count == 0 {
                    all.remove(&self.root);
                }
            }
        }
    }
}

fn all() -> MutexGuard<'static, BTreeMap<PathBuf, usize>> {
    lock(&BEHIND)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::{Duration, Instant};

    use super::*;

    #[tokio::test]
    async fn a_place_that_hangs_gets_no_more_threads_until_one_is_free_again() {
        let root = Path::new("/a/place/of/this/test");
        let mut holders = Vec::new();
        for _ in 0..MOST {
            let (hold, held) = mpsc::channel::<()>();
            drop(begin(root, move || held.recv()).unwrap());
            holders.push(hold);
        }
        assert_eq!(behind(root), MOST);
        assert_eq!(
            begin(root, || ()).unwrap_err(),
            Error::Hangs(root.display().to_string())
        );
        // Another place is not concerned.
        let other = begin(Path::new("/another"), || 7).unwrap();
        assert_eq!(other.end().await, Ok(7));
        holders.pop();
        let began = Instant::now();
        while behind(root) == MOST {
            assert!(began.elapsed() < Duration::from_secs(60));
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert_eq!(begin(root, || 8).unwrap().end().await, Ok(8));
    }

    #[tokio::test]
    async fn what_ends_or_panics_is_not_left_behind() {
        let root = Path::new("/another/place/of/this/test");
        let panicking = begin(root, || std::panic::resume_unwind(Box::new(()))).unwrap();
        assert_eq!(panicking.end().await, Err::<(), _>(Error::Panicked));
        assert_eq!(behind(root), 0);
    }
}
