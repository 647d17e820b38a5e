//! A disk that hangs in the middle of the renames of a restore.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use backup::quiet::{self, Of};
use backup::restore::{self, tree};

use crate::cluster::run;
use crate::place::{Bench, Mount};
use crate::tree::bench;

/// A disk on which nothing is changed until it is let go: whoever tries waits in the
/// kernel.
struct Frozen(PathBuf);

impl Frozen {
    fn new(path: &Path) -> Self {
        run(Command::new("fsfreeze").arg("--freeze").arg(path));
        Self(path.to_owned())
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let _ = Command::new("fsfreeze")
            .arg("--unfreeze")
            .arg(&self.0)
            .status();
    }
}

/// A folder on a disk of its own, whose backup differs from what is there now.
async fn on_disk() -> (Bench, Mount, PathBuf, PathBuf) {
    let (mut bench, _) = bench();
    let image = bench.scratch.path().join("image");
    fs::File::create(&image)
        .unwrap()
        .set_len(160 << 20)
        .unwrap();
    run(Command::new("mkfs.ext4").arg("-q").arg(&image));
    let disk = bench.scratch.path().join("disk");
    let mount = Mount::new(&disk, &["-o", "loop", &image.display().to_string()]);
    let root = disk.join("data");
    fs::create_dir(&root).unwrap();
    bench.change(|config| config.jobs[0].directory = root.clone());
    let is = root.join("is");
    fs::write(&is, "in the backup").unwrap();
    bench.good().await;
    fs::write(&is, "live").unwrap();
    (bench, mount, disk, is)
}

/// Asks until what hung is over; what was answered then.
async fn answered<T>(ask: impl AsyncFn() -> Result<T, String>) -> Result<T, String> {
    let began = Instant::now();
    loop {
        match ask().await {
            Err(err) if err.contains("is not over") => {}
            answer => return answer,
        }
        assert!(began.elapsed() < Duration::from_secs(120));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_disk_that_hangs_within_a_rename_is_told_and_nobody_moves_anything_until_it_goes_on() {
    let (bench, _mount, disk, is) = on_disk().await;
    let (target, copy) = (bench.target("local"), bench.newest().await);

    let frozen = std::sync::Mutex::new(None);
    let say = |line: String| {
        if line.starts_with("compare ") {
            // Who waits for nothing but time has waited long enough.
            tokio::time::pause();
            *frozen.lock().unwrap() = Some(Frozen::new(&disk));
        }
    };
    let err = tree::restore(&bench.setup, bench.job(), &target, &copy, &say)
        .await
        .unwrap_err();
    tokio::time::resume();
    let told = format!(
        "{} does not answer; what was begun there goes on when it does; and it could not be put back yet: \
         what an earlier attempt began in {0} is not over",
        disk.display()
    );
    assert!(err.starts_with(&told), "{err}");
    assert_eq!(fs::read(&is).unwrap(), b"live");
    assert!(restore::is_left(&bench.setup, bench.job()));
    let err = restore::recover(&bench.setup, bench.job())
        .await
        .unwrap_err();
    assert!(err.contains("is not over"), "{err}");

    // It goes on, and is put back as what nobody was told of as done.
    drop(frozen);
    let recover = async || restore::recover(&bench.setup, bench.job()).await;
    let told = answered(recover).await.unwrap().unwrap();
    assert_eq!(fs::read(&is).unwrap(), b"live");
    let (_, aside) = told.split_once("what had taken its place is ").unwrap();
    let restored = fs::read(Path::new(aside).join("is")).unwrap();
    assert_eq!(restored, b"in the backup");
    assert!(!restore::is_left(&bench.setup, bench.job()));
}

#[tokio::test]
async fn a_disk_that_hangs_while_a_restore_is_undone_or_confirmed_is_told_and_nobody_is_started_on_it()
 {
    let (mut bench, _mount, disk, is) = on_disk().await;
    let started = bench.scratch.path().join("started");
    let touch = vec!["touch".to_owned(), started.display().to_string()];
    bench.change(|config| config.jobs[0].after = touch);
    let (target, copy) = (bench.target("local"), bench.newest().await);
    let restored = async || {
        let restored = tree::restore(&bench.setup, bench.job(), &target, &copy, &|_| {});
        restored.await.unwrap()
    };
    let undo = async || restore::undo(&bench.setup, bench.job()).await;
    let confirm = async || restore::confirm(&bench.setup, bench.job()).await;
    let hangs = format!(
        "{} does not answer; what was begun there goes on when it does",
        disk.display()
    );

    let paths = restored().await;
    let frozen = Frozen::new(&disk);
    // Who waits for nothing but time has waited long enough.
    tokio::time::pause();
    assert_eq!(undo().await.unwrap_err(), hangs);
    tokio::time::resume();
    assert_eq!(fs::read(&is).unwrap(), b"in the backup");
    assert!(confirm().await.unwrap_err().contains("is not over"));
    // Of a run that was killed.
    let left = bench.setup.work.join("quiet-files.json");
    fs::write(left, "{\"touched\": [], \"after\": true}").unwrap();
    let started_again = async || quiet::recover(&bench.setup, Of::Runs).await;
    let err = started_again().await.unwrap_err();
    assert!(err.contains("is not over"), "{err}");
    assert!(!started.exists());
    drop(frozen);
    assert_eq!(answered(started_again).await.unwrap(), ["files"]);
    assert!(started.exists());
    assert_eq!(fs::read(&is).unwrap(), b"live");
    let beside = fs::read(paths.beside.join("is")).unwrap();
    assert_eq!(beside, b"in the backup");

    fs::remove_dir_all(&paths.beside).unwrap();
    restored().await;
    let frozen = Frozen::new(&disk);
    tokio::time::pause();
    assert_eq!(confirm().await.unwrap_err(), hangs);
    tokio::time::resume();
    drop(frozen);
    answered(confirm).await.unwrap();
    assert!(!paths.before.exists());
    assert_eq!(fs::read(&is).unwrap(), b"in the backup");
}
