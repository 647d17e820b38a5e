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

#[test]
fn a_disk_that_hangs_takes_few_threads_of_its_own_and_none_of_others() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("a")).unwrap();
    let path = root.path().join("a/key");
    hang(&path);
    let folder = Folder {
        patience: Duration::from_millis(2),
        ..folder(root.path())
    };
    // As the program has it, but fewer: one thread for whatever may block.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(1)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut told = Vec::new();
        for _ in 0..6 {
            told.push(folder.read("a/key").await.unwrap_err().to_string());
        }
        assert!(told[3].ends_with(" does not answer"), "{told:?}");
        assert!(told[4].contains("earlier attempts still hang"), "{told:?}");
        assert_eq!(apart::behind(root.path()), 4);
        // Whoever needs a thread for a moment has one, and another disk is served.
        let free = tokio::task::spawn_blocking(|| 7).await;
        assert_eq!(free.unwrap(), 7);
        let other = tempfile::tempdir().unwrap();
        let other = self::folder(other.path());
        other.put("b/key", b"content".to_vec()).await.unwrap();
        assert_eq!(other.size("b/key").await, Ok(7));
    });
    release(&path);
    // It answers again, and so do we.
    let began = std::time::Instant::now();
    while apart::behind(root.path()) > 0 {
        assert!(began.elapsed() < Duration::from_secs(60));
        std::thread::yield_now();
    }
    let patient = self::folder(root.path());
    let put = runtime.block_on(patient.put("a/other", vec![1]));
    assert_eq!(put, Ok(()));
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
