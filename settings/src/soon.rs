//! Looks at disks that may hang, for who waits without a runtime, such as at the start.
//!
//! Each path is looked at on a thread of its own, which is left behind with a disk that does
//! not answer. Who asks for such a path again waits for nothing; who asks while another still
//! waits looks as well.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::read_file;

/// So long a disk is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// Nothing here needs more.
const STACK: usize = 256 << 10;

/// Until when the first look at a path is waited for, and how many have not ended.
static UNDER_WAY: Mutex<BTreeMap<PathBuf, (Instant, usize)>> = Mutex::new(BTreeMap::new());

/// As [`read_file`], but waits a few seconds at most.
///
/// # Errors
/// The file cannot be read, or its disk does not answer.
pub fn read_soon(path: &Path, limit: u64) -> io::Result<String> {
    let read = move |path: &Path| read_file(path, limit);
    looks(vec![path.to_owned()], read)
        .pop()
        .flatten()
        .unwrap_or_else(|| {
            let silent = io::ErrorKind::TimedOut;
            Err(io::Error::new(silent, "its disk does not answer"))
        })
}

/// What a look at each path brings, all at once and within a few seconds; nothing of those
/// whose disk does not answer. No path stands twice.
pub fn looks<T: Send + 'static>(
    paths: Vec<PathBuf>,
    look: impl Fn(&Path) -> T + Send + Sync + 'static,
) -> Vec<Option<T>> {
    looks_within(PATIENCE, paths, look)
}

fn looks_within<T: Send + 'static>(
    patience: Duration,
    paths: Vec<PathBuf>,
    look: impl Fn(&Path) -> T + Send + Sync + 'static,
) -> Vec<Option<T>> {
    let look = Arc::new(look);
    let (tell, told) = mpsc::channel();
    let mut out: Vec<Option<T>> = paths.iter().map(|_| None).collect();
    let mut waiting = 0;
    let until = Instant::now() + patience;
    for (at, path) in paths.into_iter().enumerate() {
        let Some(ending) = Ending::begun(path, until) else {
            continue;
        };
        let (look, tell) = (Arc::clone(&look), tell.clone());
        let looking = thread::Builder::new()
            .name("files".to_owned())
            .stack_size(STACK)
            .spawn(move || {
                let found = look(&ending.0);
                drop(ending);
                // Nobody may wait any more.
                let _ = tell.send((at, found));
            });
        waiting += usize::from(looking.is_ok());
    }
    drop(tell);
    while waiting > 0 {
        let Ok((at, found)) = told.recv_timeout(until.saturating_duration_since(Instant::now()))
        else {
            break;
        };
        out[at] = Some(found);
        waiting -= 1;
    }
    out
}

/// A look that has not ended: it ends when this goes, also when it panics, or is not begun at
/// all.
struct Ending(PathBuf);

impl Ending {
    /// None where an earlier look was waited for in vain: that disk hangs.
    fn begun(path: PathBuf, until: Instant) -> Option<Self> {
        let mut under_way = under_way();
        let (first, count) = under_way.entry(path.clone()).or_insert((until, 0));
        if *count > 0 && *first <= Instant::now() {
            return None;
        }
        *count += 1;
        Some(Self(path))
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let mut under_way = under_way();
        if let Some((_, count)) = under_way.get_mut(&self.0) {
            *count -= 1;
            if *count == 0 {
                under_way.remove(&self.0);
            }
        }
    }
}

fn under_way() -> MutexGuard<'static, BTreeMap<PathBuf, (Instant, usize)>> {
    UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_disk_that_hangs_delays_no_other_and_costs_one_thread() {
        let (disk, answers) = mpsc::channel::<()>();
        let (answers, begun) = (Arc::new(Mutex::new(answers)), Arc::new(AtomicUsize::new(0)));
        let look = |patience: Duration| {
            let (answers, begun) = (Arc::clone(&answers), Arc::clone(&begun));
            let paths = ["hung", "sound", "other"].map(PathBuf::from).to_vec();
            looks_within(patience, paths, move |path| {
                if path == Path::new("hung") {
                    begun.fetch_add(1, Ordering::SeqCst);
                    answers.lock().unwrap().recv().unwrap();
                }
                path.display().to_string()
            })
        };
        let text = |name: &str| Some(name.to_owned());
        let both = [None, text("sound"), text("other")];
        assert_eq!(look(Duration::from_millis(300)), both);
        // It is not waited for again.
        assert_eq!(look(Duration::from_secs(3600)), both);
        assert_eq!(begun.load(Ordering::SeqCst), 1);
        // It answers, and what it says then is read anew.
        disk.send(()).unwrap();
        disk.send(()).unwrap();
        while look(Duration::from_secs(60))[0].is_none() {
            thread::yield_now();
        }
        assert_eq!(begun.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn who_asks_while_another_waits_is_answered_as_well() {
        let (disk, answers) = mpsc::channel::<()>();
        let (begun, both) = mpsc::channel::<()>();
        let answers = Arc::new(Mutex::new(answers));
        let look = || {
            let (answers, begun) = (Arc::clone(&answers), begun.clone());
            let paths = vec![PathBuf::from("asked for twice")];
            looks_within(Duration::from_secs(60), paths, move |_| {
                begun.send(()).unwrap();
                answers.lock().unwrap().recv().unwrap();
            })
        };
        thread::scope(|scope| {
            let first = scope.spawn(look);
            both.recv().unwrap();
            let second = scope.spawn(look);
            both.recv().unwrap();
            disk.send(()).unwrap();
            disk.send(()).unwrap();
            assert_eq!(first.join().unwrap(), [Some(())]);
            assert_eq!(second.join().unwrap(), [Some(())]);
        });
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        let missing = read_soon(&file, 4).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        std::fs::write(&file, "12345").unwrap();
        let large = read_soon(&file, 4).unwrap_err();
        assert_eq!(large.to_string(), "it is larger than 4");
        assert_eq!(read_soon(&file, 5).unwrap(), "12345");
    }
}
