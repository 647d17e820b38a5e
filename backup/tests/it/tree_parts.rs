//! SQLite files and git repositories within trees, while others write to them.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use backup::drill::drill;
use backup::restore::tree;

use crate::cluster::run;
use crate::tree::{LATER, bench};

fn sqlite(file: &Path, sql: &str) -> String {
    run(Command::new("sqlite3")
        .arg(file)
        .args(["-cmd", ".timeout 20000", sql]))
    .trim()
    .to_owned()
}

#[tokio::test]
async fn a_sqlite_file_is_whole_in_the_backup_although_somebody_writes_to_it() {
    for mode in ["wal", "delete"] {
        let (bench, root) = bench();
        let file = root.join("app.db");
        sqlite(
            &file,
            &format!(
                "PRAGMA journal_mode={mode}; CREATE TABLE a (n, fill); CREATE TABLE b (n, fill); PRAGMA user_version=7;"
            ),
        );
        // Comes between the file and its log.
        sqlite(&root.join("app.db-backup"), "CREATE TABLE c (n);");
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut at = 0;
                while !stop.load(Ordering::Relaxed) {
                    at += 1;
                    // Both or neither, over many pages.
                    sqlite(&file, &format!("BEGIN IMMEDIATE; INSERT INTO a SELECT {at}, hex(randomblob(3000)) FROM generate_series(1, 20); INSERT INTO b SELECT {at}, hex(randomblob(3000)) FROM generate_series(1, 20); COMMIT;"));
                }
            });
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()
                .unwrap();
            let done = std::thread::scope(|inner| {
                inner.spawn(|| runtime.block_on(async {
                    for _ in 0..3 {
                        let manifest = bench.good().await;
                        let files = manifest.files.as_ref().unwrap();
                        assert_eq!((files.sqlite, files.files), (2, 2), "{mode}: {manifest:?}");
                        assert!(manifest.warnings.is_empty(), "{mode}: {manifest:?}");
                        let (target, copy) = (bench.target("local"), bench.newest().await);
                        let report = drill(&bench.setup, bench.job(), &target, &copy, LATER, &|_| {}).await.unwrap();
                        assert!(report.passed && report.checks[0].answer == "whole", "{report:?}");
                        let into = bench.scratch.path().join(&manifest.id);
                        tree::into(&bench.setup, bench.job(), &target, &copy, (&into, &[]), &|_| {}).await.unwrap();
                        let counts = sqlite(&into.join("app.db"), "SELECT (SELECT count(*) FROM a) = (SELECT count(*) FROM b), user_version FROM pragma_user_version");
                        assert_eq!(counts, "1|7", "{mode}");
                    }
                })).join()
            });
            stop.store(true, Ordering::Relaxed);
            runtime.shutdown_background();
            done.unwrap();
        });
        assert_eq!(sqlite(&file, "PRAGMA integrity_check"), "ok");
    }
}

#[tokio::test]
async fn a_sqlite_file_that_cannot_be_copied_is_read_as_it_is_with_what_belongs_to_it() {
    let (mut bench, root) = bench();
    fs::write(
        root.join("broken.db"),
        [&b"SQLite format 3\0"[..], &[9; 4000]].concat(),
    )
    .unwrap();
    fs::write(root.join("broken.db-wal"), "of it").unwrap();
    let manifest = bench.good().await;
    let files = manifest.files.as_ref().unwrap();
    assert_eq!((files.sqlite, files.files), (0, 2));
    assert!(
        manifest.warnings[0].contains("SQLite cannot copy, and is read as it is"),
        "{manifest:?}"
    );
    // A drill finds that out; the copy is what was there, so it is not at fault.
    let (target, copy) = (bench.target("local"), bench.newest().await);
    let report = drill(&bench.setup, bench.job(), &target, &copy, LATER, &|_| {})
        .await
        .unwrap();
    assert!(!report.passed && !report.unsound, "{report:?}");
    assert!(
        report
            .error
            .unwrap()
            .starts_with("sqlite integrity of broken.db is ")
    );
    assert!(bench.newest().await.is_good());
    // Whoever does not want it does not get it.
    bench.change(|config| config.jobs[0].sqlite = false);
    assert!(bench.good().await.warnings.is_empty());
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let settings = [
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b",
        "-c",
        "init.defaultBranch=main",
        "-c",
        "gc.auto=0",
    ];
    run(Command::new("git")
        .current_dir(folder)
        .args(settings)
        .args(arguments))
}

#[tokio::test]
async fn a_git_repository_is_whole_in_the_backup_although_somebody_pushes_and_repacks() {
    let (bench, root) = bench();
    let work = tempfile::tempdir().unwrap();
    git(&root, &["init", "--quiet", "--bare", "shop.git"]);
    let bare = root.join("shop.git").display().to_string();
    git(work.path(), &["clone", "--quiet", &bare, "."]);
    let push = |at: usize| {
        fs::write(work.path().join("file"), at.to_string()).unwrap();
        git(work.path(), &["add", "."]);
        git(work.path(), &["commit", "--quiet", "-m", "more"]);
        git(
            work.path(),
            &[
                "push",
                "--quiet",
                "origin",
                "HEAD:main",
                &format!("HEAD:refs/heads/b{at}"),
            ],
        );
    };
    push(0);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut at = 0;
            while !stop.load(Ordering::Relaxed) {
                at += 1;
                push(at);
                if at % 5 == 0 {
                    git(&root.join("shop.git"), &["pack-refs", "--all"]);
                }
            }
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap();
        let done = std::thread::scope(|inner| {
            inner
                .spawn(|| {
                    runtime.block_on(async {
                        for _ in 0..5 {
                            let report = bench.run().await;
                            assert!(report.manifest.is_some(), "{report:?}");
                            let (target, copy) = (bench.target("local"), bench.newest().await);
                            let report =
                                drill(&bench.setup, bench.job(), &target, &copy, LATER, &|_| {})
                                    .await
                                    .unwrap();
                            assert!(report.passed, "{report:?}");
                            assert_eq!(report.checks[0].sql, "git fsck of shop.git");
                        }
                    });
                })
                .join()
        });
        stop.store(true, Ordering::Relaxed);
        runtime.shutdown_background();
        done.unwrap();
    });
}

#[tokio::test]
async fn a_git_repository_that_lacks_an_object_fails_the_drill_by_name() {
    let (bench, root) = bench();
    let work = tempfile::tempdir().unwrap();
    git(&root, &["init", "--quiet", "--bare", "shop.git"]);
    let bare = root.join("shop.git").display().to_string();
    git(work.path(), &["clone", "--quiet", &bare, "."]);
    fs::write(work.path().join("file"), "content").unwrap();
    git(work.path(), &["add", "."]);
    git(work.path(), &["commit", "--quiet", "-m", "one"]);
    git(work.path(), &["push", "--quiet", "origin", "HEAD:main"]);
    let blob = git(work.path(), &["rev-parse", "HEAD:file"]);
    let blob = blob.trim();
    fs::remove_file(
        root.join("shop.git/objects")
            .join(&blob[..2])
            .join(&blob[2..]),
    )
    .unwrap();
    bench.good().await;
    let (target, copy) = (bench.target("local"), bench.newest().await);
    let report = drill(&bench.setup, bench.job(), &target, &copy, LATER, &|_| {})
        .await
        .unwrap();
    assert!(!report.passed && !report.unsound, "{report:?}");
    assert!(
        report
            .error
            .unwrap()
            .starts_with("git fsck of shop.git is git ended with code")
    );
}
