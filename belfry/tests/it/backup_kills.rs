//! Backups and restores of files that are killed in the middle, or find no room.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::backup_files::command;
use crate::support::belfry::Launch;
use crate::support::poll;
use crate::support::program;
use crate::support::scratch::Scratch;

/// A folder of a job, and where its copies go.
struct Place {
    scratch: Scratch,
    folder: PathBuf,
}

impl Place {
    /// `large` MiB that do not become smaller, so that there is time to kill.
    fn new(large: usize) -> Self {
        let scratch = Scratch::new();
        let folder = scratch.path.join("files");
        fs::create_dir_all(&folder).unwrap();
        fs::create_dir(scratch.path.join("copies")).unwrap();
        fs::write(folder.join("small"), "small").unwrap();
        let mut state = 7_u64;
        for at in 0..large {
            let noise: Vec<u8> = std::iter::repeat_with(|| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                (state >> 32).to_le_bytes()
            })
            .take(1 << 17)
            .flatten()
            .collect();
            fs::write(folder.join(format!("large{at}")), noise).unwrap();
        }
        let config = format!(
            "host: here\ndata: data\nexporter: {{engine: /nowhere.sock}}\nbackup:\n  targets: [{{name: local, folder: copies, reserve: 1MiB}}]\n  \
             jobs: [{{name: files, directory: {folder:?}}}]\n"
        );
        scratch.file("belfry.yml", &config);
        Self { scratch, folder }
    }

    #[track_caller]
    fn expect(&self, code: i32, arguments: &[&str]) -> String {
        let done = command(&self.scratch.path, arguments).output().unwrap();
        let told = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(code), "{arguments:?}: {told}");
        told.into_owned()
    }

    /// Runs it until the kernel kills it, as it does with who makes a file larger than
    /// so many MiB: always in the middle, however fast or slow the machine is.
    #[track_caller]
    fn killed_by_size(&self, arguments: &[&str], most: u64) {
        let mut command = Command::new(program::find("prlimit", "util-linux"));
        command
            .args([&format!("--fsize={}", most << 20), "--core=0"])
            .arg(env!("CARGO_BIN_EXE_belfry"))
            .args(arguments)
            .current_dir(&self.scratch.path);
        let done = command.output().unwrap();
        let signal = Some(rustix::process::Signal::XFSZ.as_raw());
        assert_eq!(done.status.signal(), signal, "{done:?}");
    }
}

/// Whether a file whose name has this part is anywhere below.
fn has(folder: &Path, part: &str) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| {
        entry.file_name().to_string_lossy().contains(part)
            || (entry.path().is_dir() && has(&entry.path(), part))
    })
}

#[test]
fn a_run_that_is_killed_while_it_packs_leaves_no_backup_and_the_next_one_cleans_up() {
    let place = Place::new(96);
    let copies = place.scratch.path.join("copies");
    place.expect(0, &["backup", "run", "files"]);
    let run = ["backup", "run", "files"];
    place.killed_by_size(&run, 40);
    assert!(has(&copies, ".partial"), "it was packing");
    let told = place.expect(0, &["backup", "list"]);
    assert_eq!(
        told.matches(" stored ").count(),
        1,
        "only the first counts: {told}"
    );
    assert!(
        place
            .scratch
            .path
            .join("data/backup/scratch/files")
            .exists()
    );
    place.expect(0, &run);
    assert!(!has(&copies, ".partial"), "it is swept");
    assert!(
        !place
            .scratch
            .path
            .join("data/backup/scratch/files")
            .exists()
    );
    place.expect(0, &["backup", "verify", "files"]);
    place.expect(0, &["backup", "drill", "files"]);
}

#[test]
fn a_restore_that_is_killed_while_it_unpacks_leaves_the_live_folder_and_is_cleaned_up() {
    let place = Place::new(24);
    // Zeros: there is little of it in the backup.
    let largest = fs::File::create(place.folder.join("largest")).unwrap();
    largest.set_len(200 << 20).unwrap();
    place.expect(0, &["backup", "run", "files"]);
    fs::write(place.folder.join("small"), "changed").unwrap();
    let restore = ["restore", "files", "--yes", "--lose-newer"];
    let near = &place.scratch.path;
    place.killed_by_size(&restore, 100);
    let mut entries = fs::read_dir(near).unwrap().flatten();
    assert!(
        entries.any(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            name.contains("belfry-restore-") && has(&entry.path(), "large1")
        }),
        "it was unpacking"
    );
    assert_eq!(fs::read(place.folder.join("small")).unwrap(), b"changed");
    // Whoever comes next takes it away, even for a plan alone.
    let told = place.expect(1, &["restore", "files", "--plan"]);
    assert!(
        told.contains("what an unfinished restore left was put back"),
        "{told}"
    );
    assert!(!has(near, "belfry-restore-"));
    place.expect(0, &restore);
    assert_eq!(fs::read(place.folder.join("small")).unwrap(), b"small");
    place.expect(0, &["restore", "files", "--confirm"]);
    assert!(!has(near, "belfry-before-"));
}

#[test]
fn who_was_stopped_by_a_run_is_started_although_a_restore_is_put_back_that_hangs() {
    let scratch = Scratch::new();
    let at = |name: &str| scratch.path.join(name);
    fs::create_dir_all(at("tools")).unwrap();
    fs::create_dir_all(at("data/backup")).unwrap();
    // A server that does not answer; nobody is left when the folder is gone.
    let hanging = at("hanging");
    let script =
        format!("#!/bin/sh\ntouch {hanging:?}\nwhile [ -e {hanging:?} ]; do sleep 1; done\n");
    for name in ["psql", "pg_dump"] {
        let file = at("tools").join(name);
        fs::write(&file, &script).unwrap();
        program::run(Command::new("chmod").arg("+x").arg(&file));
    }
    let (tools, started) = (at("tools"), at("started"));
    let config = format!(
        "host: here\nexporter: {{engine: /nowhere.sock}}\nbackup:\n  targets: [{{name: local, folder: {:?}}}]\n  jobs:\n    \
         - {{name: slow, database: shop, host: /nowhere, bin: {tools:?}, stop: [web]}}\n    \
         - {{name: files, directory: {tools:?}, after: [touch, {started:?}]}}\n",
        at("copies"),
    );
    let left = |job: &str, what: &str| {
        let file = format!("data/backup/{job}.json");
        fs::write(at(&file), what).unwrap();
    };
    let names = r#"{"live": "shop", "beside": "shop__restore_1", "before": "shop__before_1"}"#;
    left("restore-slow", names);
    let web = r#"{"touched": [{"id": "web", "name": "web", "pause": false}], "after": false}"#;
    left("quiet-slow", web);
    let belfry = Launch::with(&config).data(&at("data")).start();
    poll::holds("the restore should be put back", || hanging.exists());
    for _ in 0..2 {
        left("quiet-files", r#"{"touched": [], "after": true}"#);
        poll::holds("what was stopped should be started", || started.exists());
        poll::holds("that should be noted", || {
            !at("data/backup/quiet-files.json").exists()
        });
        fs::remove_file(&started).unwrap();
    }
    let series = r#"belfry_backup_container_stopped{job_name="slow",stopped="web"}"#;
    poll::holds("it waits, and is stopped", || {
        belfry.metric(series) == Some(1.0)
    });
}

#[test]
fn a_disk_without_room_is_told_before_anything_is_unpacked() {
    let place = Place::new(24);
    place.expect(0, &["backup", "run", "files"]);
    let small = place.scratch.path.join("small");
    fs::create_dir(&small).unwrap();
    program::run(
        Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"])
            .arg(&small),
    );
    let told = place.expect(2, &["restore", "files", "--into", "small/out"]);
    let left = has(&small, "large");
    program::run(Command::new("umount").arg("--lazy").arg(&small));
    assert!(told.contains("are needed to unpack it"), "{told}");
    assert!(!left);
}

#[test]
fn who_wants_a_folder_dropped_for_its_backup_is_told_that_only_a_database_can_be() {
    let place = Place::new(0);
    place.expect(0, &["backup", "run", "files"]);
    fs::write(place.folder.join("small"), "changed").unwrap();
    for go in ["--plan", "--yes"] {
        let replace = ["restore", "files", "--lose-newer", "--replace", go];
        let told = place.expect(2, &replace);
        assert!(told.contains("only a database can be replaced"), "{told}");
    }
    assert_eq!(fs::read(place.folder.join("small")).unwrap(), b"changed");
}

#[test]
fn files_that_nobody_may_read_make_a_run_a_warning_and_the_rest_is_there() {
    let place = Place::new(0);
    fs::write(place.folder.join("secret"), "secret").unwrap();
    program::run(
        Command::new("chmod")
            .args(["-R", "a+rwX"])
            .arg(&place.scratch.path),
    );
    program::run(
        Command::new("chmod")
            .arg("000")
            .arg(place.folder.join("secret")),
    );
    // Where everybody can enter: the checkout may lie in a closed folder.
    let belfry = place.scratch.path.join("belfry");
    fs::copy(env!("CARGO_BIN_EXE_belfry"), &belfry).unwrap();
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&belfry)
        .args(["backup", "run", "files"])
        .current_dir(&place.scratch.path);
    let done = command.output().unwrap();
    let told = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(1), "{told}");
    assert!(
        told.contains("warn    secret cannot be read: Permission denied"),
        "{told}"
    );
    let told = place.expect(0, &["restore", "files", "--into", "out"]);
    assert!(told.contains("hash by hash"), "{told}");
    assert!(place.scratch.path.join("out/small").exists());
}
