//! Files that are read anew at each use: some change their secrets every hour.
//!
//! The disk of such a file may hang. Each file is read by one thread at a time, which is
//! none of those that the program keeps for short work, and is left behind with its disk.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{self, Instant};

use crate::read_file;

/// So long a read is waited for, by all that want its file together.
const PATIENCE: Duration = Duration::from_secs(5);
/// Nothing here needs more.
const STACK: usize = 256 << 10;

/// A file, and the most bytes that are taken of it.
type Key = (PathBuf, u64);

/// A read that has not ended.
#[derive(Debug, Clone)]
struct Read {
    until: Instant,
    text: watch::Receiver<Option<Answer>>,
}

/// An error can be told to one only; its kind and its words can to many.
type Answer = Result<String, (io::ErrorKind, String)>;

static READS: Mutex<BTreeMap<Key, Read>> = Mutex::new(BTreeMap::new());

/// As [`read_file`], for who must not wait for a disk that hangs.
///
/// # Errors
/// The file cannot be read, or its disk does not answer.
pub async fn read_fresh(path: &Path, limit: u64) -> io::Result<String> {
    let file = path.to_owned();
    shared((path.to_owned(), limit), move || read_file(&file, limit)).await
}

/// What a read says: the one that is under way, or a new one.
async fn shared(
    key: Key,
    work: impl FnOnce() -> io::Result<String> + Send + 'static,
) -> io::Result<String> {
    let mut read = begun(key, work)?;
    match time::timeout_at(read.until, read.text.wait_for(Option::is_some)).await {
        Ok(Ok(text)) => match &*text {
            Some(Err((kind, words))) => Err(io::Error::new(*kind, words.clone())),
            text => Ok(text.clone().and_then(Result::ok).unwrap_or_default()),
        },
        Ok(Err(_)) => Err(io::Error::other("the read panicked")),
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "its disk does not answer",
        )),
    }
}

fn begun(key: Key, work: impl FnOnce() -> io::Result<String> + Send + 'static) -> io::Result<Read> {
    let mut reads = reads();
    if let Some(read) = reads.get(&key) {
        return Ok(read.clone());
    }
    let (tell, text) = watch::channel(None);
    let place = key.clone();
    thread::Builder::new()
        .name("credentials".to_owned())
        .stack_size(STACK)
        .spawn(move || {
            // Also when it panics.
            let ending = Ending(place);
            let text = work().map_err(|err| (err.kind(), err.to_string()));
            // Who comes from here on has it read again.
            drop(ending);
            tell.send_replace(Some(text));
        })?;
    let read = Read {
        until: Instant::now() + PATIENCE,
        text,
    };
    reads.insert(key, read.clone());
    Ok(read)
}

struct Ending(Key);

impl Drop for Ending {
    fn drop(&mut self) {
        reads().remove(&self.0);
    }
}

fn reads() -> MutexGuard<'static, BTreeMap<Key, Read>> {
    READS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_disk_that_hangs_is_read_by_one_thread_and_delays_no_other_file() {
        let folder = tempfile::tempdir().unwrap();
        let sound = folder.path().join("sound");
        std::fs::write(&sound, "one\n").unwrap();
        let (disk, answers) = mpsc::channel::<String>();
        let (answers, reads) = (Arc::new(Mutex::new(answers)), Arc::new(AtomicUsize::new(0)));
        let hung = || {
            let (answers, reads) = (Arc::clone(&answers), Arc::clone(&reads));
            shared(("hung".into(), 9), move || {
                reads.fetch_add(1, Ordering::SeqCst);
                Ok(answers.lock().unwrap().recv().unwrap())
            })
        };
        let waiting: Vec<_> = (0..50).map(|_| tokio::spawn(hung())).collect();
        // All of them wait by now.
        tokio::task::yield_now().await;
        assert_eq!(read_fresh(&sound, 9).await.unwrap(), "one\n");
        std::fs::write(&sound, "two\n").unwrap();
        assert_eq!(read_fresh(&sound, 9).await.unwrap(), "two\n");
        for one in waiting {
            let err = one.await.unwrap().unwrap_err();
            assert_eq!(err.kind(), io::ErrorKind::TimedOut);
            assert_eq!(err.to_string(), "its disk does not answer");
        }
        // Who comes later does not wait at all, and begins no second read.
        assert!(hung().await.is_err());
        assert_eq!(reads.load(Ordering::SeqCst), 1);
        // It answers again, first to the read that was left behind.
        disk.send("late".into()).unwrap();
        disk.send("fresh".into()).unwrap();
        while !hung().await.is_ok_and(|text| text == "fresh") {
            time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(reads.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn what_cannot_be_read_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        let missing = read_fresh(&file, 4).await.unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        std::fs::write(&file, "12345").unwrap();
        let large = read_fresh(&file, 4).await.unwrap_err();
        assert_eq!(large.to_string(), "it is larger than 4");
        assert_eq!(read_fresh(&file, 5).await.unwrap(), "12345");
    }
}
