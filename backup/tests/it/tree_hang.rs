//! A disk that hangs in the middle of the renames of a restore.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use backup::restore::{self, tree};

use crate::cluster::run;
use crate::place::Mount;
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

#[tokio::test]
async fn a_disk_that_hangs_within_a_rename_is_told_and_nobody_moves_anything_until_it_goes_on() {
    let (mut bench, _) = bench();
    let image = bench.scratch.path().join("image");
    fs::File::create(&image)
        .unwrap()
        .set_len(160 << 20)
        .unwrap();
    run(Command::new("mkfs.ext4").arg("-q").arg(&image));
    let disk = bench.scratch.path().join("disk");
    let _mount = Mount::new(&disk, &["-o", "loop", &image.display().to_string()]);
    let root = disk.join("data");
    fs::create_dir(&root).unwrap();
    bench.change(|config| config.jobs[0].directory = root.clone());
    let is = root.join("is");
    fs::write(&is, "in the backup").unwrap();
    bench.good().await;
    fs::write(&is, "live").unwrap();
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
    let began = Instant::now();
    let told = loop {
        match restore::recover(&bench.setup, bench.job()).await {
            Ok(told) => break told.unwrap(),
            Err(err) => assert!(err.contains("is not over"), "{err}"),
        }
        assert!(began.elapsed() < Duration::from_secs(120));
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(fs::read(&is).unwrap(), b"live");
    let (_, aside) = told.split_once("what had taken its place is ").unwrap();
    let restored = fs::read(Path::new(aside).join("is")).unwrap();
    assert_eq!(restored, b"in the backup");
    assert!(!restore::is_left(&bench.setup, bench.job()));
}
