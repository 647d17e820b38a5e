//! Folders of files in the place of the live ones, and single files beside them.

use std::fs;
use std::os::unix::fs::MetadataExt;

use backup::files::Glob;
use backup::restore;
use backup::restore::tree;

use crate::tree::{bench, fill, newest, told};

#[tokio::test]
async fn a_folder_is_restored_in_its_place_and_can_be_undone_or_confirmed() {
    let (bench, root) = bench();
    fill(&root);
    let wanted = told(&root);
    bench.good().await;
    let (target, copy) = (bench.target("local"), newest(&bench).await);
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

#[tokio::test]
async fn a_restore_of_a_folder_that_died_at_any_step_is_put_back() {
    let (bench, root) = bench();
    fs::write(root.join("is"), "live").unwrap();
    let manifest = bench.good().await;
    let paths = restore::Paths::new(&root, &manifest.id).unwrap();
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
        let name = paths.beside.file_name().unwrap().to_string_lossy();
        let aside = paths
            .beside
            .with_file_name(name.replace("-restore-", "-aside-"));
        assert_eq!(aside.exists(), at == 3, "{at}");
    }
    // The only one that is left, because somebody removed the live one.
    let journal = bench.setup.work.join("restore-files-files.json");
    fs::write(&journal, serde_json::to_vec(&paths).unwrap()).unwrap();
    fs::remove_dir_all(paths.beside.parent().unwrap().join(format!(
        ".{}.belfry-aside-{}",
        root.file_name().unwrap().to_string_lossy(),
        manifest.id.rsplit('-').next().unwrap()
    )))
    .unwrap();
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
async fn single_files_are_unpacked_by_pattern_with_the_folders_that_they_are_in() {
    let (bench, root) = bench();
    fill(&root);
    bench.good().await;
    let (target, copy) = (bench.target("local"), newest(&bench).await);
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
