//! What has not changed is stored once: its copies are marked, and count as of then.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use backup::age::Identity;
use backup::catalogue::Copy;
use backup::known::look_up;
use backup::marks::{Kind, Mark};
use backup::prune::prune;
use backup::replicate::replicate;
use backup::run::{Outcome, Report};
use rustix::fs::{XattrFlags, setxattr};

use crate::cluster::run;
use crate::place::{Bench, folder};
use crate::prune::{NEWEST, manner};
use crate::store::{self, Store};
use crate::strict::{Strict, To};
use crate::tree::{LATER, bench, fill};

/// Two targets, and a folder with one of everything and a SQLite file.
fn two() -> (Bench, PathBuf) {
    let (mut bench, root) = bench();
    fill(&root);
    run(Command::new("sqlite3")
        .arg(root.join("app.db"))
        .arg("CREATE TABLE t (a); INSERT INTO t VALUES (1)"));
    let other = bench.scratch.path().join("other");
    fs::create_dir(&other).unwrap();
    bench.change(|config| {
        config.targets.push(folder("other", &other));
        config.jobs[0].skip_unchanged = true;
    });
    (bench, root)
}

#[track_caller]
fn same(report: &Report, as_this: &str) {
    assert_eq!(report.outcome, Outcome::Good, "{report:?}");
    assert!(report.unchanged && report.id == as_this, "{report:?}");
}

fn marked(copy: &Copy) -> Vec<i64> {
    let marks = copy.marks.iter();
    let marks = marks.filter(|mark| mark.kind == Kind::Unchanged);
    marks.map(|mark| mark.at_ms).collect()
}

/// Puts back the time of a file that was written.
fn as_if_untouched(file: &Path, work: impl FnOnce()) {
    let before = fs::metadata(file).unwrap();
    work();
    let times = fs::FileTimes::new().set_modified(before.modified().unwrap());
    let opened = fs::File::options().append(true).open(file).unwrap();
    opened.set_times(times).unwrap();
    let after = fs::metadata(file).unwrap();
    assert_eq!((after.mtime(), after.len()), (before.mtime(), before.len()));
}

#[tokio::test]
async fn what_has_not_changed_is_stored_once_and_counts_as_of_the_last_look() {
    let (bench, _root) = two();
    let first = bench.run().await;
    assert!(first.outcome == Outcome::Good && !first.unchanged);
    let before = bench.files("local");
    let mut as_of = first.manifest.unwrap().started_ms;
    for _ in 0..3 {
        same(&bench.run().await, &first.id);
        as_of += 3_600_000;
        for target in ["local", "other"] {
            let copies = bench.listed(target).await;
            assert_eq!(copies.len(), 1, "{target}");
            // One mark is enough, however often it is found.
            assert_eq!(marked(&copies[0]), [as_of], "{target}");
            assert!(copies[0].is_good() && copies[0].as_of_ms() == as_of);
        }
        assert_eq!(bench.files("local").len(), before.len() + 1);
        let known = look_up(&bench.setup, bench.job(), None).await;
        for target in &known.targets {
            let had = target.had.as_ref().unwrap();
            assert_eq!((had.copies, had.newest.unwrap().0), (1, as_of));
        }
    }
    assert_eq!(bench.files("work/scratch").len(), 0);
}

type Change<'a> = &'a dyn Fn(&mut Bench);

#[tokio::test]
async fn whatever_has_changed_is_stored_though_its_times_and_sizes_are_the_same() {
    let (mut bench, root) = two();
    bench.good().await;
    let plain = root.join("plain.txt");
    let key = Identity::generate().unwrap().recipient().to_string();
    let changes: [(&str, Change<'_>); 8] = [
        ("a byte", &|_| {
            as_if_untouched(&plain, || {
                let mut bytes = fs::read(&plain).unwrap();
                bytes[0] ^= 1;
                fs::write(&plain, bytes).unwrap();
            });
        }),
        ("a time", &|_| {
            run(Command::new("touch").args(["-d", "2001-01-01"]).arg(&plain));
        }),
        ("a mode", &|_| {
            run(Command::new("chmod").arg("0604").arg(&plain));
        }),
        ("an attribute", &|_| {
            setxattr(&plain, "user.new", b"x", XattrFlags::empty()).unwrap();
        }),
        ("an empty folder", &|_| {
            fs::create_dir(root.join("new")).unwrap();
        }),
        ("a row", &|_| {
            run(Command::new("sqlite3")
                .arg(root.join("app.db"))
                .arg("INSERT INTO t VALUES (2)"));
        }),
        ("somebody else who is to open it", &|bench| {
            bench.change(|config| config.recipients.push(key.clone()));
        }),
        ("what a restore of all needs to know", &|bench| {
            bench.change(|config| config.jobs[0].importance = 3);
        }),
    ];
    for (at, (what, change)) in changes.iter().enumerate() {
        change(&mut bench);
        let report = bench.run().await;
        assert!(
            report.outcome == Outcome::Good && !report.unchanged,
            "{what}: {report:?}"
        );
        assert_eq!(bench.listed("local").await.len(), at + 2, "{what}");
        same(&bench.run().await, &report.id);
    }
    // Nobody looks where nobody wants to know.
    bench.change(|config| config.jobs[0].skip_unchanged = false);
    assert!(!bench.run().await.unchanged);
}

#[tokio::test]
async fn a_copy_that_is_not_good_anywhere_is_made_anew_though_nothing_has_changed() {
    let (bench, _root) = two();
    let first = bench.good().await;
    // Found to be unsound, by whoever looked.
    let (target, copy) = (bench.target("other"), bench.newest().await);
    let id = backup::id::Id::parse(&first.id).unwrap();
    let unsound = Mark {
        kind: Kind::Unsound,
        at_ms: LATER,
    };
    let shelf = copy.manifest.shelf();
    unsound.set(&target, &shelf, &id).await.unwrap();
    let second = bench.run().await;
    assert!(!second.unchanged, "{second:?}");
    same(&bench.run().await, &second.id);
    // That it is unchanged says nothing of whether it can be opened.
    let third = bench.listed("other").await;
    assert!(third[0].is_unsound() && third[1].is_good());
    // A piece of it is gone.
    let archive = &second.manifest.unwrap().pieces[0].key;
    fs::remove_file(bench.scratch.path().join("other").join(archive)).unwrap();
    let report = bench.run().await;
    assert!(!report.unchanged, "{report:?}");
}

#[tokio::test]
async fn a_target_that_is_away_hears_of_it_later() {
    let (bench, root) = two();
    let first = bench.good().await;
    let other = bench.scratch.path().join("other");
    let away = bench.scratch.path().join("away");
    fs::rename(&other, &away).unwrap();
    let report = bench.run().await;
    assert_eq!(report.outcome, Outcome::Partly, "{report:?}");
    assert!(
        report.unchanged && report.targets[1].1.is_err(),
        "{report:?}"
    );
    fs::rename(&away, &other).unwrap();
    let there = bench.newest().await.as_of_ms();
    assert!(there > bench.listed("other").await[0].as_of_ms());
    let done = replicate(&bench.setup, bench.job(), &|_| {}).await.unwrap();
    assert!(
        done.brought.is_empty() && done.errors.is_empty(),
        "{done:?}"
    );
    assert_eq!(bench.listed("other").await[0].as_of_ms(), there);
    // One that lacks the backup gets it, and hears of it with it.
    fs::remove_dir_all(&other).unwrap();
    fs::create_dir(&other).unwrap();
    let done = replicate(&bench.setup, bench.job(), &|_| {}).await.unwrap();
    assert_eq!(done.brought, [(first.id.clone(), "other".to_owned())]);
    assert_eq!(bench.listed("other").await[0].as_of_ms(), there);
    // Nobody has it any more: it is made.
    fs::remove_dir_all(&other).unwrap();
    fs::create_dir(&other).unwrap();
    fs::write(root.join("plain.txt"), "another").unwrap();
    assert!(!bench.run().await.unchanged);
}

#[tokio::test]
async fn retention_keeps_what_is_all_that_there_is_and_lets_it_go_when_it_is_not() {
    let (mut bench, root) = two();
    bench.change(|config| config.jobs[0].keep = NEWEST);
    let first = bench.good().await;
    for _ in 0..4 {
        same(&bench.run().await, &first.id);
        let done = prune(&bench.setup, bench.job(), &manner(false, true), LATER).await;
        for target in done.unwrap() {
            assert!(
                target.deleted.is_empty() && target.errors.is_empty(),
                "{target:?}"
            );
        }
    }
    fs::write(root.join("plain.txt"), "another").unwrap();
    let second = bench.good().await;
    let done = prune(&bench.setup, bench.job(), &manner(false, true), LATER).await;
    for target in done.unwrap() {
        assert_eq!(target.deleted, [first.id.as_str()], "{target:?}");
    }
    // With its mark: nothing of it is left.
    let left = bench.files("local");
    assert!(
        left.iter()
            .all(|file| file.to_string_lossy().contains(&second.id)),
        "{left:?}"
    );
    bench.verified().await.unwrap();
}

#[tokio::test]
async fn a_bucket_gets_one_small_file_for_what_has_not_changed() {
    let store = Store::start().await;
    let (strict, port) = Strict::start(store.port).await;
    let (mut bench, root) = bench();
    let noise: Vec<u8> = (0..9).flat_map(crate::bucket::bench::noise).collect();
    fs::write(root.join("noise"), noise).unwrap();
    bench.change(|config| {
        config.jobs[0].skip_unchanged = true;
        config.level = 1;
        config.targets.push(backup::Place {
            name: "r2".into(),
            bucket: store::BUCKET.into(),
            endpoint: format!("http://127.0.0.1:{port}"),
            access_key_id: store::KEY_ID.into(),
            secret_access_key: settings::Secret::new(store::SECRET),
            ..backup::Place::default()
        });
    });
    let first = bench.good().await;
    assert!(strict.seen(To::Part) > 1);
    for _ in 0..2 {
        strict.forget();
        same(&bench.run().await, &first.id);
        assert_eq!(strict.seen(To::Create) + strict.seen(To::Part), 0);
        assert_eq!(strict.seen(To::Put), 1);
    }
    assert_eq!(strict.broken(), Vec::<String>::new());
    let copies = bench.listed("r2").await;
    assert_eq!((copies.len(), marked(&copies[0]).len()), (1, 1));
}
