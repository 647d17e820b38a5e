//! A folder whose disk hangs.

use super::*;
use crate::seal::Sum;

fn folder(root: &Path) -> Folder {
    Folder {
        name: "local".into(),
        root: root.to_owned(),
        reserve: 0,
        patience: Duration::from_millis(200),
    }
}

/// Nobody writes into this pipe or reads from it: whoever opens it hangs.
fn hang(path: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

/// Lets whoever hangs in a pipe go, so that the test can end.
fn release(path: &Path) {
    let both = File::options().read(true).write(true).open(path).unwrap();
    fs::remove_file(path).unwrap();
    drop(both);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_hangs_is_told_and_not_waited_for() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder(root.path());
    fs::create_dir_all(root.path().join("a")).unwrap();
    let path = root.path().join("a/key");
    hang(&path);
    let patient = Folder {
        patience: Duration::from_millis(20),
        ..folder.clone()
    };
    let err = patient.read("a/key").await.unwrap_err();
    assert!(err.to_string().contains("does not answer"), "{err}");
    release(&path);
    // And one that works takes a stream as before.
    let (give, flow) = mpsc::channel(4);
    let sum = Sum {
        raw_bytes: 3,
        raw_sha256: String::new(),
        stored_bytes: 3,
        stored_sha256: String::new(),
    };
    give.send(Flow::Block(Bytes::from_static(b"abc")))
        .await
        .unwrap();
    give.send(Flow::End(sum)).await.unwrap();
    drop(give);
    folder.take("b/key", flow).await.unwrap();
    assert_eq!(folder.size("b/key").await, Ok(3));
}
