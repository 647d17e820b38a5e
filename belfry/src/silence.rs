//! Rule files that are left out at the start, because their disk does not answer: all else
//! runs, and they are read once it does.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::{task, time};
use tokio_util::sync::CancellationToken;

/// How often it is looked whether a disk answers again.
const AGAIN: Duration = Duration::from_secs(10);
/// The longest pause after reloads that were refused.
const SELDOM: Duration = Duration::from_secs(600);

/// What is left out, in words; nothing if nothing is.
pub(crate) fn told(files: &[PathBuf]) -> Option<String> {
    let lines = files.iter().map(|file| {
        let file = file.display();
        format!("{file}: cannot read the rule file: its disk does not answer")
    });
    let lines: Vec<_> = lines.collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// Waits until all of the files answer, and reads the configuration again, until that or any
/// other reload since is applied; `applied_ms` tells when the last one was. After one that is
/// refused, of which people hear each time, it waits twice as long.
pub(crate) async fn follow<F: Future<Output = Result<(), String>>>(
    files: Vec<PathBuf>,
    reload: impl Fn() -> F,
    applied_ms: impl Fn() -> i64,
    stop: CancellationToken,
) {
    let (began_ms, mut pause) = (applied_ms(), AGAIN);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = time::sleep(pause) => {}
        }
        let paths = files.clone();
        // Whether it is there is for the reload to say.
        let look = |path: &Path| drop(path.metadata());
        let looked = task::spawn_blocking(move || settings::looks(paths, look)).await;
        let answers = looked.is_ok_and(|looked| looked.iter().all(Option::is_some));
        if applied_ms() != began_ms || answers && reload().await.is_ok() {
            return;
        }
        if answers {
            pause = SELDOM.min(pause * 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_reload_that_is_refused_is_tried_ever_less_until_any_is_applied() {
        let folder = tempfile::tempdir().unwrap();
        let (tries, applied_ms) = (Mutex::new(Vec::new()), AtomicI64::new(5));
        let began = time::Instant::now();
        let reload = || async {
            let mut tries = tries.lock().unwrap();
            tries.push(began.elapsed().as_secs());
            if tries.len() == 8 {
                // Somebody else has read it, before it was told that it is bad again.
                applied_ms.store(7, Ordering::SeqCst);
            }
            Err("a fault".to_owned())
        };
        let files = vec![folder.path().to_owned()];
        let applied = || applied_ms.load(Ordering::SeqCst);
        follow(files, reload, applied, CancellationToken::new()).await;
        let waited = [10, 30, 70, 150, 310, 630, 1230, 1830];
        assert_eq!(*tries.lock().unwrap(), waited);
    }
}
