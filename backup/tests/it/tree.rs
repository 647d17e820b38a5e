//! Folders of files: packed, opened by GNU tar, restored, drilled.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use backup::Job;
use backup::drill::drill;
use backup::marks::Kind;
use backup::restore::tree;
use backup::run::Outcome;
use backup::verify::{Error, verify};
use rustix::fs::{CWD, FileType, Mode, XattrFlags, mknodat, setxattr};

use crate::cluster::run;
use crate::place::{Bench, Mount};

pub(crate) const LATER: i64 = 1_787_500_000_000;

/// A bench with one job of a folder.
pub(crate) fn bench() -> (Bench, PathBuf) {
    let mut bench = Bench::bare();
    let root = bench.scratch.path().join("data");
    fs::create_dir(&root).unwrap();
    let directory = root.clone();
    bench.change(|config| {
        config.jobs = vec![Job {
            name: "files".into(),
            directory,
            ..Job::default()
        }];
    });
    (bench, root)
}

fn odd(bytes: &[u8]) -> &OsStr {
    OsStr::from_bytes(bytes)
}

/// One of everything.
pub(crate) fn fill(root: &Path) {
    fs::write(root.join("plain.txt"), "hello\n").unwrap();
    fs::write(root.join("empty"), "").unwrap();
    fs::create_dir_all(root.join("a/b/c")).unwrap();
    fs::write(root.join("a/b/c/deep"), vec![7; 300_000]).unwrap();
    fs::write(root.join("a.b"), "sorts between a and a/b").unwrap();
    fs::hard_link(root.join("plain.txt"), root.join("a/zweiter Name")).unwrap();
    symlink("../nowhere", root.join("a/dangling")).unwrap();
    symlink("/etc/passwd", root.join("absolute")).unwrap();
    let long = "x".repeat(180);
    fs::create_dir_all(root.join(&long)).unwrap();
    fs::write(root.join(&long).join("ä".repeat(100)), "long").unwrap();
    symlink("y".repeat(250), root.join(&long).join("long link")).unwrap();
    fs::write(root.join(odd(b"odd \xff\xfe\n\ttail%20")), "odd").unwrap();
    let long_odd = [&[b'z'; 140][..], b"\xff"].concat();
    fs::write(root.join(odd(&long_odd)), "long and odd").unwrap();
    let pipe = root.join("pipe");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::from_raw_mode(0o640), 0).unwrap();
    let device = rustix::fs::makedev(1, 3);
    let null = root.join("null");
    mknodat(
        CWD,
        &null,
        FileType::CharacterDevice,
        Mode::from_raw_mode(0o666),
        device,
    )
    .unwrap();
    fs::write(root.join("owned"), "of others").unwrap();
    std::os::unix::fs::chown(root.join("owned"), Some(12_345), Some(3_000_000)).unwrap();
    fs::set_permissions(root.join("owned"), fs::Permissions::from_mode(0o4751)).unwrap();
    let name = root.join("with attributes");
    fs::write(&name, "x").unwrap();
    setxattr(&name, "user.belfry", b"a\0b\n=c", XattrFlags::empty()).unwrap();
    setxattr(
        root.join("a"),
        "user.of a folder",
        b"yes",
        XattrFlags::empty(),
    )
    .unwrap();
    let mut sparse = File::create(root.join("sparse")).unwrap();
    sparse.write_all(b"begin").unwrap();
    sparse.seek(std::io::SeekFrom::Start(40 << 20)).unwrap();
    sparse.write_all(b"middle").unwrap();
    sparse.set_len(64 << 20).unwrap();
    File::create(root.join("all hole"))
        .unwrap()
        .set_len(5 << 20)
        .unwrap();
    let old = File::options().write(true).open(root.join("a.b")).unwrap();
    let before = std::time::UNIX_EPOCH - Duration::from_nanos(1_500_000_007);
    old.set_modified(before).unwrap();
    fs::set_permissions(root.join("a/b"), fs::Permissions::from_mode(0o2555)).unwrap();
}

/// All that is known of a tree, as text that can be compared.
pub(crate) fn told(root: &Path) -> Vec<String> {
    let mut all = Vec::new();
    let mut todo = vec![root.to_owned()];
    while let Some(path) = todo.pop() {
        let about = fs::symlink_metadata(&path).unwrap();
        let below = path.strip_prefix(root).unwrap();
        let content = if about.is_file() {
            data_encoding::HEXLOWER.encode(
                ring::digest::digest(&ring::digest::SHA256, &fs::read(&path).unwrap()).as_ref(),
            )
        } else if about.is_symlink() {
            format!("{:?}", fs::read_link(&path).unwrap())
        } else {
            String::new()
        };
        let mut value = [0; 100];
        let attribute = ["user.belfry", "user.of a folder"].map(|name| {
            let length = rustix::fs::lgetxattr(&path, name, &mut value[..]).unwrap_or(0);
            value[..length].to_vec()
        });
        all.push(format!(
            "{below:?} {:o} {}:{} {}.{} {} {} {} {attribute:?} {content}",
            about.mode(),
            about.uid(),
            about.gid(),
            about.mtime(),
            about.mtime_nsec(),
            if about.is_dir() { 0 } else { about.size() },
            if about.is_dir() { 0 } else { about.nlink() },
            about.rdev(),
        ));
        if about.is_dir() {
            todo.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        }
    }
    all.sort();
    all
}

#[tokio::test]
async fn one_of_everything_comes_back_alike_by_belfry_and_by_gnu_tar() {
    let (bench, root) = bench();
    fill(&root);
    let wanted = told(&root);
    let manifest = bench.good().await;
    let files = manifest.files.as_ref().unwrap();
    assert!(manifest.warnings.is_empty(), "{:?}", manifest.warnings);
    assert_eq!((files.changed, files.vanished, files.unreadable), (0, 0, 0));
    assert!(
        manifest.raw_bytes() < 2 << 20,
        "holes are not stored: {}",
        manifest.raw_bytes()
    );

    // The tar of everybody opens it, and finds what was there.
    let raw = bench
        .open("local", manifest.piece("archive").unwrap())
        .await;
    let archive = bench.scratch.path().join("archive.tar");
    fs::write(&archive, raw).unwrap();
    let out = bench.scratch.path().join("by-tar");
    fs::create_dir(&out).unwrap();
    let mut tar = Command::new("tar");
    tar.arg("-C").arg(&out).args([
        "--numeric-owner",
        "-p",
        "--xattrs",
        "--xattrs-include=*",
        "-xf",
    ]);
    run(tar.arg(&archive));
    assert_eq!(told(&out), wanted);

    let copy = bench.newest().await;
    let into = bench.scratch.path().join("by-belfry");
    let target = bench.target("local");
    let unpacked = tree::into(
        &bench.setup,
        bench.job(),
        &target,
        &copy,
        (&into, &[]),
        &|_| {},
    );
    let unpacked = unpacked.await.unwrap();
    assert_eq!(unpacked.warnings, Vec::<String>::new());
    assert_eq!(told(&into), wanted);
    let again = tree::into(
        &bench.setup,
        bench.job(),
        &target,
        &copy,
        (&into, &[]),
        &|_| {},
    )
    .await;
    assert!(again.unwrap_err().contains("is not empty"));
}

#[tokio::test]
async fn a_copy_of_files_is_verified_and_drilled_and_a_damaged_one_is_unsound() {
    let (bench, root) = bench();
    fill(&root);
    bench.good().await;
    let (target, copy) = (bench.target("local"), bench.newest().await);
    verify(&bench.setup, bench.job(), &target, &copy, LATER, &|_| {})
        .await
        .unwrap();
    let report = drill(&bench.setup, bench.job(), &target, &copy, LATER, &|_| {})
        .await
        .unwrap();
    assert!(report.passed, "{report:?}");
    assert!(report.files.unwrap() > 8, "{report:?}");
    let now = bench.newest().await;
    assert_eq!(
        (now.last(Kind::Verified), now.last(Kind::Drilled)),
        (Some(LATER), Some(LATER))
    );
    assert!(bench.files("work/scratch").is_empty());

    // One that has no time ends, leaves nothing, and says nothing against the copy.
    let hasty = Job {
        timeout: Duration::from_nanos(1),
        ..bench.job().clone()
    };
    let report = drill(&bench.setup, &hasty, &target, &copy, LATER + 1, &|_| {})
        .await
        .unwrap();
    assert!(!report.passed && !report.unsound, "{report:?}");
    let why = report.error.unwrap();
    assert!(why.contains("it took longer than"), "{why}");
    let now = bench.newest().await;
    assert!(now.is_good() && now.last(Kind::Drilled) == Some(LATER));
    assert!(bench.files("work/scratch").is_empty());

    for name in ["tar", "index"] {
        let stored = bench.files("local").into_iter();
        let file = stored
            .into_iter()
            .find(|file| file.to_string_lossy().contains(&format!(".{name}.zst")))
            .unwrap();
        let whole = fs::read(&file).unwrap();
        let mut bytes = whole.clone();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&file, bytes).unwrap();
        let err = verify(&bench.setup, bench.job(), &target, &copy, LATER, &|_| {})
            .await
            .unwrap_err();
        assert!(
            matches!(&err, Error::Unsound(why) if why.contains("is damaged")),
            "{name}: {err:?}"
        );
        let report = drill(&bench.setup, bench.job(), &target, &copy, LATER, &|_| {})
            .await
            .unwrap();
        assert!(report.unsound && !report.passed, "{report:?}");
        let err = tree::restore(&bench.setup, bench.job(), &target, &copy, &|_| {})
            .await
            .unwrap_err();
        assert!(
            err.contains("is damaged") && err.contains("everything is as it was"),
            "{err}"
        );
        fs::write(&file, whole).unwrap();
    }
    assert!(bench.files("work/scratch").is_empty());
}

#[tokio::test]
async fn excluded_files_sockets_and_the_key_itself_stay_out() {
    let (mut bench, root) = bench();
    fs::create_dir_all(root.join("cache/x")).unwrap();
    fs::create_dir_all(root.join("app/cache")).unwrap();
    for name in ["cache/x/y", "app/cache/z", "a.log", "app/b.log", "app/keep"] {
        fs::write(root.join(name), name).unwrap();
    }
    let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
    fs::hard_link(&bench.setup.config.identity_file, root.join("key")).unwrap();
    bench.change(|config| config.jobs[0].exclude = vec!["*.log".into(), "/cache".into()]);
    let manifest = bench.good().await;
    let files = manifest.files.as_ref().unwrap();
    assert_eq!((files.files, files.left_out), (2, 2), "{manifest:?}");
    assert!(
        manifest
            .warnings
            .iter()
            .any(|line| line.contains("key opens backups")),
        "{manifest:?}"
    );
    let raw = bench.open("local", manifest.piece("index").unwrap()).await;
    let index = String::from_utf8(raw).unwrap();
    assert!(
        index.contains(" app/cache/z ") && !index.contains(" cache") && !index.contains("log"),
        "{index}"
    );
}

#[tokio::test]
async fn another_file_system_within_stays_out_unless_it_is_wanted() {
    let (mut bench, root) = bench();
    let disk = Mount::small(&root.join("disk"), "size=64k");
    fs::write(root.join("disk/file"), "on it").unwrap();
    let manifest = bench.good().await;
    assert_eq!(manifest.files.as_ref().unwrap().files, 0);
    assert!(
        manifest.warnings[0].contains("disk is another file system"),
        "{manifest:?}"
    );
    bench.change(|config| config.jobs[0].one_file_system = false);
    let report = bench.run().await;
    assert_eq!(report.manifest.unwrap().files.unwrap().files, 1);
    drop(disk);
}

#[tokio::test]
async fn a_job_whose_folder_is_gone_or_too_large_fails_and_leaves_nothing() {
    let (mut bench, root) = bench();
    fs::write(root.join("large"), vec![1; 5000]).unwrap();
    bench.change(|config| config.jobs[0].most = settings::Size(4000));
    let report = bench.run().await;
    assert_eq!(report.outcome, Outcome::Failed);
    assert!(report.error.unwrap().contains("more than 4000 bytes"));
    fs::rename(&root, bench.scratch.path().join("away")).unwrap();
    let report = bench.run().await;
    assert_eq!(report.outcome, Outcome::Failed);
    assert!(report.error.unwrap().contains("No such file or directory"));
    assert!(bench.files("local").is_empty() && bench.files("work/scratch").is_empty());
}
