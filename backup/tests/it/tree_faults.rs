//! Trees that change while they are packed, and archives that were made to do harm.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use backup::files::{
    self, Archive, Index, Manner, Options, Tally, pack, same_archive, same_tree, unpack,
};

use crate::cluster::run;

/// What happens once.
type Happens<'a> = Box<dyn FnMut() + 'a>;

/// Takes an archive, and does something when a name passes for the first time.
struct Out<'a> {
    bytes: Vec<u8>,
    seen: usize,
    on: BTreeMap<&'static str, Happens<'a>>,
}

impl Write for Out<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        let fresh = &self.bytes[self.seen..];
        let passed: Vec<_> = self
            .on
            .keys()
            .copied()
            .filter(|name| {
                fresh
                    .windows(name.len())
                    .any(|part| part == name.as_bytes())
            })
            .collect();
        for name in passed {
            self.on.remove(name).unwrap()();
        }
        self.seen = self.bytes.len().saturating_sub(100);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Packs with something that happens when a name passes; the archive is whole in any case.
fn packed<'a>(root: &Path, on: Vec<(&'static str, Happens<'a>)>) -> (Tally, Vec<u8>, Vec<u8>) {
    let mut out = Out {
        bytes: Vec::new(),
        seen: 0,
        on: on.into_iter().collect(),
    };
    let mut index = Vec::new();
    let tally = pack(root, &Options::default(), &mut out, &mut index).unwrap();
    assert!(out.on.is_empty(), "what should happen did");
    let differs = same_archive(&mut Archive::new(&*out.bytes), &mut Index::new(&*index)).unwrap();
    assert_eq!(differs, Vec::<String>::new());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.tar");
    fs::write(&file, &out.bytes).unwrap();
    run(Command::new("tar").arg("-tf").arg(&file));
    (tally, out.bytes, index)
}

fn open(path: &Path) -> File {
    File::options().write(true).open(path).unwrap()
}

#[test]
fn a_file_that_shrinks_grows_or_is_rewritten_while_it_is_read_is_a_warning() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 4] = [
        ("shrinks", |path| open(path).set_len(300_000).unwrap()),
        ("is emptied", |path| open(path).set_len(0).unwrap()),
        ("grows", |path| open(path).set_len(9_000_000).unwrap()),
        ("is rewritten", |path| {
            fs::write(path, vec![8; 2_000_000]).unwrap();
        }),
    ];
    for (name, change) in changes {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("busy-file");
        fs::write(&path, vec![7; 2_000_000]).unwrap();
        fs::write(folder.path().join("quiet-file"), "quiet").unwrap();
        // So that a change in the same tick of the clock is seen too.
        open(&path).set_modified(std::time::UNIX_EPOCH).unwrap();
        let (tally, archive, _) = packed(
            folder.path(),
            vec![("busy-file", Box::new(|| change(&path)))],
        );
        assert_eq!((tally.files, tally.changed), (2, 1), "{name}");
        assert_eq!(
            tally.warnings,
            ["busy-file changed while it was read"],
            "{name}"
        );
        let mut all = Archive::new(&*archive);
        let sizes: Vec<_> = std::iter::from_fn(|| all.forward().unwrap())
            .map(|entry| entry.size)
            .collect();
        assert_eq!(sizes, [0, 2_000_000, 5], "{name}");
    }
}

#[test]
fn what_vanishes_or_turns_into_something_else_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for name in ["first", "gone", "link", "kept"] {
        fs::write(root.join(name), name).unwrap();
    }
    for name in ["h-gone", "h-file"] {
        fs::create_dir(root.join(name)).unwrap();
        fs::write(root.join(name).join("x"), "x").unwrap();
    }
    let (tally, _, index) = packed(
        root,
        vec![(
            "first",
            Box::new(|| {
                fs::remove_file(root.join("gone")).unwrap();
                fs::remove_file(root.join("link")).unwrap();
                symlink("/etc/passwd", root.join("link")).unwrap();
                fs::remove_dir_all(root.join("h-gone")).unwrap();
                fs::remove_dir_all(root.join("h-file")).unwrap();
                fs::write(root.join("h-file"), "no folder").unwrap();
            }),
        )],
    );
    assert_eq!((tally.vanished, tally.files), (4, 2), "{tally:?}");
    let index = String::from_utf8(index).unwrap();
    assert_eq!(index.lines().count(), 3, "{index}");
    assert!(!index.contains("passwd"), "no link is followed: {index}");
}

#[test]
fn a_folder_whose_files_come_and_go_all_the_time_still_gives_whole_archives() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_owned();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut at = 0_usize;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                at += 1;
                let path = root.join(format!("f{}", at % 97));
                match at % 5 {
                    0 => drop(fs::remove_file(&path)),
                    1 => drop(
                        File::create(&path)
                            .and_then(|file| file.set_len((at * 37 % 700_000) as u64)),
                    ),
                    _ => drop(fs::write(&path, vec![1; at * 131 % 400_000])),
                }
                let _ = fs::create_dir(root.join(format!("d{}", at % 13)));
                let _ = fs::remove_dir(root.join(format!("d{}", (at + 5) % 13)));
            }
        });
        for _ in 0..30 {
            packed(&root, Vec::new());
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

/// An entry as an archive has it, with whatever path.
fn entry(flag: u8, name: &str, link: &str, content: &[u8]) -> Vec<u8> {
    let mut block = [0; 512];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[100..107].copy_from_slice(b"0000644");
    block[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
    block[148..156].fill(b' ');
    block[156] = flag;
    block[157..157 + link.len()].copy_from_slice(link.as_bytes());
    block[257..265].copy_from_slice(b"ustar\x0000");
    let mut all = block.to_vec();
    all.extend_from_slice(content);
    all.resize(all.len().div_ceil(512) * 512, 0);
    all
}

/// Unpacks in a folder within a folder; what was told, and the outer folder.
fn unpacked(entries: &[Vec<u8>]) -> (Result<files::Unpacked, files::Error>, tempfile::TempDir) {
    let outer = tempfile::tempdir().unwrap();
    fs::write(outer.path().join("victim"), "untouched").unwrap();
    let into: PathBuf = outer.path().join("into");
    fs::create_dir(&into).unwrap();
    let mut all = entry(b'5', "./", "", b"");
    all.extend(entries.concat());
    all.extend([0; 1024]);
    let manner = Manner {
        alike: true,
        ..Manner::default()
    };
    let done = unpack(
        &mut Archive::new(&*all),
        File::open(&into).unwrap(),
        &manner,
    );
    (done, outer)
}

#[test]
fn no_archive_writes_outside_of_its_folder() {
    let folder = |name: &str| entry(b'5', name, "", b"");
    let file = |name: &str| entry(b'0', name, "", b"evil");
    let link = |name: &str, to: &str| entry(b'2', name, to, b"");
    let hard = |name: &str, to: &str| entry(b'1', name, to, b"");
    let cases: Vec<(&str, Vec<Vec<u8>>)> = vec![
        ("an absolute path", vec![file("/tmp/belfry-evil")]),
        ("no dot in front", vec![file("evil")]),
        ("upwards", vec![file("./../victim")]),
        (
            "upwards within",
            vec![folder("./a/"), file("./a/../../victim")],
        ),
        ("a dot", vec![file("./a/./b")]),
        ("nothing between slashes", vec![file("./a//b")]),
        ("a folder upwards", vec![folder("./../into2/")]),
        (
            "by way of a link",
            vec![link("./out", ".."), file("./out/victim")],
        ),
        (
            "by way of a link as a folder",
            vec![link("./out", ".."), folder("./out/"), file("./out/victim")],
        ),
        (
            "a link in the place of a folder",
            vec![folder("./a/"), link("./b", ".."), file("./b/victim")],
        ),
        (
            "over a link",
            vec![link("./out", "../victim"), file("./out")],
        ),
        ("over a file", vec![file("./a"), file("./a")]),
        (
            "another name of what is outside",
            vec![hard("./a", "./../victim")],
        ),
        (
            "another name of an absolute path",
            vec![hard("./a", "/etc/passwd")],
        ),
        (
            "another name by way of a link",
            vec![link("./out", ".."), hard("./a", "./out/victim")],
        ),
        ("a folder that was never told", vec![file("./x/y")]),
        ("the root twice", vec![folder("./")]),
        ("an unknown kind", vec![entry(b'L', "./a", "", b"name")]),
        (
            "a folder with content",
            vec![entry(b'5', "./a/", "", b"evil")],
        ),
    ];
    for (what, entries) in cases {
        let (done, outer) = unpacked(&entries);
        assert!(done.is_err(), "{what}: {done:?}");
        assert_eq!(
            fs::read(outer.path().join("victim")).unwrap(),
            b"untouched",
            "{what}"
        );
        assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 2, "{what}");
    }
    assert!(!Path::new("/tmp/belfry-evil").exists());
    // Another name of a link is the link's, not that of what it points to.
    let (done, outer) = unpacked(&[link("./out", "../victim"), hard("./z", "./out")]);
    done.unwrap();
    assert!(outer.path().join("into/z").is_symlink());
}

#[test]
fn a_changed_or_cut_archive_is_refused_or_differs_from_its_index() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["one", "two", "three"] {
        fs::create_dir(folder.path().join(name)).unwrap();
        fs::write(folder.path().join(name).join("file"), name.repeat(500)).unwrap();
    }
    File::create(folder.path().join("holes"))
        .unwrap()
        .set_len(1 << 20)
        .unwrap();
    let (_, archive, index) = packed(folder.path(), Vec::new());
    let differs = |bytes: &[u8]| {
        let found = same_archive(&mut Archive::new(bytes), &mut Index::new(&*index));
        found.map_or(true, |found| !found.is_empty())
    };
    for at in (0..archive.len()).step_by(97) {
        assert!(differs(&archive[..at]), "cut at {at}");
        let mut changed = archive.clone();
        changed[at] ^= 0x55;
        let into = tempfile::tempdir().unwrap();
        let inner = into.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let done = unpack(
            &mut Archive::new(&*changed),
            File::open(&inner).unwrap(),
            &Manner::default(),
        );
        assert_eq!(fs::read_dir(into.path()).unwrap().count(), 1);
        // Not every byte means something: padding, sums and names of users do not.
        if done.is_ok() && !differs(&changed) {
            let tree = same_tree(
                File::open(&inner).unwrap(),
                &mut Index::new(&*index),
                (false, false),
                &mut |_, _| {},
            );
            assert_eq!(tree.unwrap(), Vec::<String>::new(), "{at}");
        }
    }
    assert!(differs(&[&archive[..], &[0; 512]].concat()), "longer");
}
