//! Faults in our own folder, and in manifests.

use std::fs;

use backup::Config;
use backup::manifest::Manifest;

use super::{End, good_ones_restore, grow, newest_is_alike, one_line, with_a_good_one};
use crate::place::{Bench, Mount};

/// What our own folder needs: locks, the index, the ledger, the key.
#[tokio::test]
async fn a_fault_in_our_own_folder_fails_the_run_and_touches_no_copy() {
    type Break = fn(&Bench) -> Option<Mount>;
    let cases: [(&str, Break, End); 5] = [
        (
            "no room for the index",
            |bench| {
                let scratch = bench.setup.work.join("scratch");
                let _ = fs::remove_dir_all(&scratch);
                Some(Mount::small(&scratch, "size=4k"))
            },
            End::Failed("No space left on device"),
        ),
        (
            "scratch is a file",
            |bench| {
                let scratch = bench.setup.work.join("scratch");
                let _ = fs::remove_dir_all(&scratch);
                fs::write(scratch, "").unwrap();
                None
            },
            End::Failed("scratch"),
        ),
        (
            "scratch is read-only",
            |bench| {
                let scratch = bench.setup.work.join("scratch");
                let _ = fs::remove_dir_all(&scratch);
                let mount = Mount::small(&scratch, "size=4m");
                mount.read_only();
                Some(mount)
            },
            End::Failed("Read-only file system"),
        ),
        (
            "kept manifests are a file",
            |bench| {
                fs::remove_dir_all(bench.setup.kept()).unwrap();
                fs::write(bench.setup.kept(), "").unwrap();
                None
            },
            End::Good,
        ),
        (
            "a kept manifest is nonsense",
            |bench| {
                for file in bench.files("work/manifests") {
                    fs::write(file, "{}").unwrap();
                }
                None
            },
            End::Good,
        ),
    ];
    for (name, harm, end) in cases {
        let (bench, root) = with_a_good_one(|_: &mut Config| {}).await;
        // The second run keeps the manifest of the first.
        bench.good().await;
        grow(&root);
        for at in 0..200 {
            fs::write(root.join(format!("folder/{at}")), "x").unwrap();
        }
        let mount = harm(&bench);
        let report = bench.run().await;
        assert_eq!(report.outcome, end.outcome(), "{name}: {report:?}");
        if let End::Failed(cause) = end {
            one_line(report.error.as_deref().unwrap(), cause, name);
        }
        drop(mount);
        let scratch = bench.setup.work.join("scratch");
        if scratch.is_file() {
            fs::remove_file(scratch).unwrap();
        }
        let copies = if matches!(end, End::Good) { 3 } else { 2 };
        assert_eq!(
            good_ones_restore(&bench, "local", name).await,
            copies,
            "{name}"
        );
        assert!(
            !bench
                .files("local")
                .iter()
                .any(|file| file.to_string_lossy().ends_with(".partial")),
            "{name}"
        );
        bench.good().await;
        newest_is_alike(&bench, "local", &root, name).await;
    }
}

#[tokio::test]
async fn no_changed_byte_of_a_manifest_goes_unnoticed() {
    let (bench, _) = with_a_good_one(|_: &mut Config| {}).await;
    let copy = bench.listed("local").await.pop().unwrap();
    let text = copy.manifest.text();
    assert_eq!(Manifest::parse(&text).as_ref(), Ok(&copy.manifest));
    for at in 0..text.len() {
        for bit in [1, 4, 32] {
            let mut changed = text.clone();
            changed[at] ^= bit;
            // Where its sum is not known as one any more, all else is as it was.
            let read = Manifest::parse(&changed);
            assert!(
                read.is_err() || read == Ok(copy.manifest.clone()),
                "byte {at}"
            );
        }
        assert!(
            Manifest::parse(&text[..at]).is_err() || at + 1 >= text.len(),
            "cut at {at}"
        );
    }
    // One of a version that wrote no sum is read.
    let old = serde_json::to_vec_pretty(&copy.manifest).unwrap();
    assert_eq!(Manifest::parse(&old), Ok(copy.manifest));
}
