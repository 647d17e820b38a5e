//! Folders of files in the place of the live ones, and single files beside them.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use backup::files::Glob;
use backup::restore;
use backup::restore::tree;

use crate::place::Mount;
use crate::tree::{bench, fill, told};

#[tokio::test]
async fn a_folder_is_restored_in_its_place_and_can_be_undone_or_confirmed() {
    let (bench, root) = bench();
    fill(&root);
    let wanted = told(&root);
    bench.good().await;
    let (target, copy) = (bench.target("local"), bench.newest().await);
    fs::remove_dir_all(root.join("a")).unwrap();
    fs::write(root.join("plain.txt"), "changed").unwrap();
    fs::write(root.join("new"), "not in the backup").unwrap();
    let changed = told(&root);
    let lost = restore::tree_loss(&bench.setup, bench.job(), &target, &copy)
        .await
        .unwrap();
    assert_eq!(
        lost,
        [
            "new: it is not in the backup",
            "plain.txt: it is newer than in the backup"
        ]
    );

    let paths = tree::restore(&bench.setup, bench.job(), &target, &copy, &|_| {})
        .await
        .unwrap();
    assert_eq!(told(&root), wanted);
    assert_eq!(told(&paths.before), changed);
    let twice = tree::restore(&bench.setup, bench.job(), &target, &copy, &|_| {}).await;
    assert!(twice.unwrap_err().contains("confirm or undo that first"));
    restore::undo(&bench.setup, bench.job()).await.unwrap();
    assert_eq!(told(&root), changed);
    assert_eq!(told(&paths.beside), wanted);
    fs::remove_dir_all(&paths.beside).unwrap();
    tree::restore(&bench.setup, bench.job(), &target, &copy, &|_| {})
        .await
        .unwrap();
    assert_eq!(
        restore::confirm(&bench.setup, bench.job())
            .await
            .unwrap()
            .len(),
        1
    );
    assert!(!paths.before.exists());
    assert_eq!(told(&root), wanted);
    // Where there is nothing it is made, with the folders that it is in.
    fs::remove_dir_all(&root).unwrap();
    tree::restore(&bench.setup, bench.job(), &target, &copy, &|_| {})
        .await
        .unwrap();
    assert_eq!(told(&root), wanted);
}

/// Where a recovery puts what had the live name; `more` where that name was taken.
fn aside(paths: &restore::Paths, more: &str) -> PathBuf {
    let name = paths.beside.file_name().unwrap().to_string_lossy();
    let name = name.replace("-restore-", "-aside-") + more;
    paths.beside.with_file_name(name)
}

#[tokio::test]
async fn a_restore_of_a_folder_that_died_at_any_step_is_put_back() {
    let (bench, root) = bench();
    fs::write(root.join("is"), "live").unwrap();
    let manifest = bench.good().await;
    let paths = restore::Paths::new(&root, &manifest.id).unwrap();
    let aside = aside(&paths, "");
    let beside = || {
        fs::create_dir(&paths.beside).unwrap();
        fs::write(paths.beside.join("is"), "restored").unwrap();
    };
    let away = || fs::rename(&root, &paths.before).unwrap();
    let here = || fs::rename(&paths.beside, &root).unwrap();
    let steps: [&[&dyn Fn()]; 4] = [&[], &[&beside], &[&beside, &away], &[&beside, &away, &here]];
    for (at, steps) in steps.into_iter().enumerate() {
        let journal = bench.setup.work.join("restore-files-files.json");
        fs::write(&journal, serde_json::to_vec(&paths).unwrap()).unwrap();
        steps.iter().for_each(|step| step());
        assert!(
            restore::recover(&bench.setup, bench.job())
                .await
                .unwrap()
                .is_some(),
            "{at}"
        );
        assert_eq!(fs::read(root.join("is")).unwrap(), b"live", "{at}");
        assert!(
            !paths.beside.exists() && !paths.before.exists() && !journal.exists(),
            "{at}"
        );
        assert!(
            restore::recover(&bench.setup, bench.job())
                .await
                .unwrap()
                .is_none(),
            "{at}"
        );
        // What had the live name may have been written into: it is not removed.
        assert_eq!(aside.exists(), at == 3, "{at}");
    }
    // The only one that is left, because somebody removed the live one.
    let journal = bench.setup.work.join("restore-files-files.json");
    fs::write(&journal, serde_json::to_vec(&paths).unwrap()).unwrap();
    fs::remove_dir_all(&aside).unwrap();
    beside();
    fs::remove_dir_all(&root).unwrap();
    let told = restore::recover(&bench.setup, bench.job())
        .await
        .unwrap()
        .unwrap();
    assert!(told.contains("belfry-aside-"), "{told}");
    let left = fs::read_dir(root.parent().unwrap()).unwrap().flatten();
    let left: Vec<_> = left
        .filter(|entry| entry.path().join("is").exists())
        .collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[tokio::test]
async fn a_recovery_that_was_cut_short_does_not_make_the_next_one_remove_what_was_live() {
    let (bench, root) = bench();
    fs::write(root.join("is"), "restored, and written into").unwrap();
    let manifest = bench.good().await;
    let paths = restore::Paths::new(&root, &manifest.id).unwrap();
    let before = || {
        fs::create_dir(&paths.before).unwrap();
        fs::write(paths.before.join("is"), "before").unwrap();
    };
    let journal = bench.setup.work.join("restore-files-files.json");
    let begin = || fs::write(&journal, serde_json::to_vec(&paths).unwrap()).unwrap();
    let recover = async || restore::recover(&bench.setup, bench.job()).await;
    before();
    begin();
    let held = Mount::held(&paths.before);
    let told = recover().await.unwrap_err();
    let kept = aside(&paths, "");
    let kept = format!("; what had taken its place is {}", kept.display());
    assert!(told.ends_with(&kept), "{told}");
    assert!(!root.exists() && journal.exists(), "it was cut short");
    drop(held);
    recover().await.unwrap().unwrap();
    let is = |folder: &std::path::Path| fs::read_to_string(folder.join("is")).unwrap();
    assert_eq!(
        (is(&root), is(&aside(&paths, ""))),
        ("before".into(), "restored, and written into".into())
    );
    assert!(!paths.before.exists() && !paths.beside.exists() && !journal.exists());
    // The name is taken now: another one is found, and nothing stays under a name
    // that is removed or in the way of the next restore.
    before();
    begin();
    fs::write(root.join("is"), "again").unwrap();
    let told = recover().await.unwrap().unwrap();
    assert!(told.ends_with("_2"), "{told}");
    assert_eq!(
        (is(&root), is(&aside(&paths, "_2"))),
        ("before".into(), "again".into())
    );
    assert!(!paths.beside.exists());
}

#[tokio::test]
async fn a_first_restore_that_fails_leaves_nothing_however_often_it_is_tried() {
    let (bench, root) = bench();
    fill(&root);
    bench.good().await;
    let (target, copy) = (bench.target("local"), bench.newest().await);
    let archive = &copy
        .manifest
        .pieces
        .iter()
        .max_by_key(|piece| piece.stored_bytes);
    let file = bench
        .scratch
        .path()
        .join("local")
        .join(&archive.unwrap().key);
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).unwrap();
    fs::remove_dir_all(&root).unwrap();
    for _ in 0..3 {
        let tried = tree::restore(&bench.setup, bench.job(), &target, &copy, &|_| {}).await;
        let err = tried.unwrap_err();
        assert!(err.ends_with("; everything is as it was"), "{err}");
        let left = fs::read_dir(root.parent().unwrap()).unwrap().flatten();
        let left: Vec<_> = left
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| name.contains("belfry-"))
            .collect();
        assert!(left.is_empty() && !root.exists(), "{left:?}");
    }
}

#[tokio::test]
async fn a_run_puts_back_what_a_restore_left_before_it_reads_or_reads_nothing() {
    let (bench, root) = bench();
    fs::write(root.join("is"), "live").unwrap();
    let manifest = bench.good().await;
    let paths = restore::Paths::new(&root, &manifest.id).unwrap();
    fs::rename(&root, &paths.before).unwrap();
    fs::create_dir(&root).unwrap();
    fs::write(root.join("is"), "half").unwrap();
    let journal = bench.setup.work.join("restore-files-files.json");
    fs::write(&journal, serde_json::to_vec(&paths).unwrap()).unwrap();
    let held = Mount::held(&paths.before);
    let error = bench.run().await.error.unwrap();
    assert!(
        error.starts_with("an unfinished restore cannot be put back: "),
        "{error}"
    );
    drop(held);
    bench.good().await;
    assert!(!journal.exists());
    let into = bench.scratch.path().join("out");
    let (target, copy) = (bench.target("local"), bench.newest().await);
    tree::into(
        &bench.setup,
        bench.job(),
        &target,
        &copy,
        (&into, &[]),
        &|_| {},
    )
    .await
    .unwrap();
    assert_eq!(fs::read(into.join("is")).unwrap(), b"live");
}

#[tokio::test]
async fn single_files_are_unpacked_by_pattern_with_the_folders_that_they_are_in() {
    let (bench, root) = bench();
    fill(&root);
    bench.good().await;
    let (target, copy) = (bench.target("local"), bench.newest().await);
    let get = async |name: &str, globs: &[&str]| {
        let into = bench.scratch.path().join(name);
        let globs: Vec<_> = globs.iter().map(|glob| Glob::new(glob)).collect();
        let unpacked = tree::into(
            &bench.setup,
            bench.job(),
            &target,
            &copy,
            (&into, &globs),
            &|_| {},
        );
        (unpacked.await.unwrap(), into)
    };
    let (unpacked, into) = get("one", &["a/b/c/*"]).await;
    assert_eq!(unpacked.entries, 1);
    assert_eq!(fs::read(into.join("a/b/c/deep")).unwrap(), vec![7; 300_000]);
    assert_eq!(
        fs::metadata(into.join("a/b")).unwrap().mode() & 0o7777,
        0o2555
    );
    assert_eq!(crate::place::files(&into).len(), 1);
    let (unpacked, into) = get("link", &["plain.txt"]).await;
    assert!(
        unpacked.warnings[0].contains("another name of a/zweiter Name, which was not asked for"),
        "{unpacked:?}"
    );
    assert!(crate::place::files(&into).is_empty());
    let (unpacked, _) = get("none", &["nowhere"]).await;
    assert_eq!(unpacked.entries, 0);
}
