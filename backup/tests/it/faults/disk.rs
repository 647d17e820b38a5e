//! Disks that are full, broken, read-only, gone or somebody else's, before and in
//! the middle of a run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use backup::Config;
use backup::run::Outcome;

use super::{End, good_ones_restore, grow, is_brought_later, newest_is_alike};
use super::{one_line, why, with_a_good_one};
use crate::cluster::run;
use crate::place::{Mount, folder};

/// A disk that has less room than it says: what is written is lost when it is synced.
struct Liar {
    _inner: Mount,
    _outer: Mount,
}

impl Liar {
    fn new(path: &Path, below: &Path) -> Self {
        let outer = Mount::small(below, "size=5m");
        let image = below.join("image");
        fs::File::create(&image).unwrap().set_len(64 << 20).unwrap();
        run(Command::new("mkfs.ext4")
            .args(["-q", "-O", "^has_journal"])
            .arg(&image));
        let image = image.display().to_string();
        let inner = Mount::new(path, &["-o", "loop,errors=continue", &image]);
        Self {
            _inner: inner,
            _outer: outer,
        }
    }
}

/// A second target `other` beside `local`, and what happens before and in a run.
struct Case {
    name: &'static str,
    /// Makes the place of the target, before the first good run.
    make: fn(&Path) -> Vec<Mount>,
    /// What happens to it when that run is over.
    between: fn(&[Mount], &Path),
    /// A command within the run, when the targets were looked at.
    within: &'static str,
    end: End,
    /// What makes it well again.
    heal: fn(&[Mount], &Path),
}

fn plain(path: &Path) -> Vec<Mount> {
    fs::create_dir(path).unwrap();
    Vec::new()
}

fn tmpfs(path: &Path) -> Vec<Mount> {
    vec![Mount::small(path, "size=40m")]
}

fn nothing(_: &[Mount], _: &Path) {}

fn away(path: &Path) -> PathBuf {
    path.with_extension("away")
}

fn immutable(path: &Path, flag: &str) {
    run(Command::new("chattr").args(["-R", flag]).arg(path));
}

const CASES: &[Case] = &[
    Case {
        name: "full in the middle",
        make: tmpfs,
        between: |_, path| fs::write(path.join("filler"), vec![0; 34 << 20]).unwrap(),
        within: "",
        end: End::Without("no space is left in"),
        heal: |_, path| fs::remove_file(path.join("filler")).unwrap(),
    },
    Case {
        name: "no inode left",
        make: |path| vec![Mount::small(path, "size=40m,nr_inodes=40")],
        between: |_, path| {
            let mut at = 0;
            while fs::write(path.join(format!("filler{at}")), "").is_ok() {
                at += 1;
            }
        },
        within: "",
        end: End::Without("no space is left in"),
        heal: |_, path| {
            for entry in fs::read_dir(path).unwrap().flatten() {
                if entry.file_name().to_string_lossy().starts_with("filler") {
                    fs::remove_file(entry.path()).unwrap();
                }
            }
        },
    },
    Case {
        name: "read-only",
        make: tmpfs,
        between: |mounts, _| mounts[0].read_only(),
        within: "",
        end: End::Without("Read-only file system"),
        heal: |mounts, _| mounts[0].writable(),
    },
    Case {
        name: "read-only from the middle on",
        make: tmpfs,
        between: nothing,
        within: "mount -o remount,ro $OTHER",
        end: End::Without("Read-only file system"),
        heal: |mounts, _| mounts[0].writable(),
    },
    Case {
        name: "nobody may write",
        make: plain,
        between: |_, path| immutable(path, "+i"),
        within: "",
        end: End::Without("Operation not permitted"),
        heal: |_, path| immutable(path, "-i"),
    },
    Case {
        name: "gone before",
        make: plain,
        between: |_, path| fs::rename(path, away(path)).unwrap(),
        within: "",
        end: End::Without("is not there"),
        heal: |_, path| fs::rename(away(path), path).unwrap(),
    },
    Case {
        name: "gone in the middle",
        make: plain,
        between: nothing,
        within: "mv $OTHER $OTHER.away",
        end: End::Without("is not there"),
        heal: |_, path| fs::rename(away(path), path).unwrap(),
    },
    Case {
        name: "a file in its place",
        make: plain,
        between: |_, path| {
            fs::rename(path, away(path)).unwrap();
            fs::write(path, "a file").unwrap();
        },
        within: "",
        end: End::Without("Not a directory"),
        heal: |_, path| {
            fs::remove_file(path).unwrap();
            fs::rename(away(path), path).unwrap();
        },
    },
    Case {
        name: "a link to itself in its place",
        make: plain,
        between: |_, path| {
            fs::rename(path, away(path)).unwrap();
            std::os::unix::fs::symlink(path, path).unwrap();
        },
        within: "",
        end: End::Without("symbolic links"),
        heal: |_, path| {
            fs::remove_file(path).unwrap();
            fs::rename(away(path), path).unwrap();
        },
    },
    Case {
        name: "its disk was not mounted",
        make: |path| vec![Mount::small(&path.join("disk"), "size=40m")],
        between: |_, path| {
            run(Command::new("mount")
                .args(["--move"])
                .arg(path.join("disk"))
                .arg({
                    let aside = away(path);
                    fs::create_dir(&aside).unwrap();
                    aside
                }));
            fs::remove_dir(path.join("disk")).unwrap();
        },
        within: "",
        end: End::Without("is not there"),
        heal: |_, path| {
            fs::create_dir(path.join("disk")).unwrap();
            run(Command::new("mount")
                .args(["--move"])
                .arg(away(path))
                .arg(path.join("disk")));
        },
    },
];

#[tokio::test]
async fn a_disk_that_fails_in_any_way_costs_its_own_copy_and_no_other() {
    for case in CASES {
        let name = case.name;
        let (mut bench, root) = crate::tree::bench();
        let path = bench.scratch.path().join("other");
        // Behind the bench, whose folder can be removed when they are gone.
        let mounts = (case.make)(&path);
        let at = if path.join("disk").exists() {
            path.join("disk")
        } else {
            path.clone()
        };
        bench.change(|config| {
            config.targets.push(folder("other", &at));
            config.level = 1;
        });
        fs::write(root.join("first"), "of the first run").unwrap();
        bench.good().await;
        grow(&root);
        (case.between)(&mounts, &path);
        if !case.within.is_empty() {
            let command = case.within.replace("$OTHER", &path.display().to_string());
            let words = ["sh", "-c", &command].map(ToOwned::to_owned);
            bench.change(|config| config.jobs[0].before = words.to_vec());
        }
        let report = bench.run().await;
        assert_eq!(report.outcome, case.end.outcome(), "{name}: {report:?}");
        if let End::Without(cause) = case.end {
            one_line(why(&report, "other"), cause, name);
        }
        bench.change(|config| config.jobs[0].before.clear());
        (case.heal)(&mounts, &path);
        assert_eq!(good_ones_restore(&bench, "local", name).await, 2, "{name}");
        assert_eq!(good_ones_restore(&bench, "other", name).await, 1, "{name}");
        is_brought_later(&bench, name).await;
        newest_is_alike(&bench, "other", &root, name).await;
        newest_is_alike(&bench, "local", &root, name).await;
    }
}

#[tokio::test]
async fn what_a_disk_loses_when_it_is_synced_is_no_copy() {
    let (mut bench, root) = with_a_good_one(|_: &mut Config| {}).await;
    let path = bench.scratch.path().join("liar");
    let below = bench.scratch.path().join("below");
    let _liar = Liar::new(&path, &below);
    bench.change(|config| config.targets.push(folder("liar", &path)));
    grow(&root);
    let report = bench.run().await;
    assert_eq!(report.outcome, Outcome::Partly, "{report:?}");
    one_line(why(&report, "liar"), "", "sync");
    assert!(!why(&report, "liar").is_empty(), "{report:?}");
    assert_eq!(bench.listed("liar").await.len(), 0);
    assert_eq!(good_ones_restore(&bench, "local", "sync").await, 2);
}
