//! Rule files that are left out at the start, because their disk does not answer: all else
//! runs, and they are read once it does.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::{task, time};
use tokio_util::sync::CancellationToken;

/// How often it is looked whether a disk answers again.
const AGAIN: Duration = Duration::from_secs(10);

/// What is left out, in words; nothing if nothing is.
pub(crate) fn told(files: &[PathBuf]) -> Option<String> {
    let lines = files.iter().map(|file| {
        let file = file.display();
        format!("{file}: cannot read the rule file: its disk does not answer")
    });
    let lines: Vec<_> = lines.collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// Waits until all of the files answer, and reads the configuration again, until that is
/// applied.
pub(crate) async fn follow<F: Future<Output = Result<(), String>>>(
    files: Vec<PathBuf>,
    reload: impl Fn() -> F,
    stop: CancellationToken,
) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = time::sleep(AGAIN) => {}
        }
        let paths = files.clone();
        // Whether it is there is for the reload to say.
        let look = |path: &Path| drop(path.metadata());
        let looked = task::spawn_blocking(move || settings::looks(paths, look)).await;
        let answers = looked.is_ok_and(|looked| looked.iter().all(Option::is_some));
        if answers && reload().await.is_ok() {
            return;
        }
    }
}
