//! `belfry backup` of folders and Docker volumes, beside a real engine.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::container::Container;
use crate::support::engine::Engine;
use crate::support::process::Process;
use crate::support::scratch::Scratch;

/// An engine, and a configuration that names it.
pub(crate) struct Place {
    pub(crate) engine: Engine,
    pub(crate) scratch: Scratch,
}

/// Belfry in a folder, with the configuration that is there.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_belfry"));
    command
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null());
    command
}

/// The same, started: it ends with the test, however that ends.
#[track_caller]
pub(crate) fn begin(folder: &Path, arguments: &[&str]) -> Process {
    let log = folder.join("begun.log");
    Process::spawn("belfry", &mut command(folder, arguments), &log)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Place {
    pub(crate) fn new(jobs: &str) -> Self {
        let place = Self {
            engine: Engine::start(),
            scratch: Scratch::new(),
        };
        fs::create_dir(place.scratch.path.join("copies")).unwrap();
        let socket = place.engine.socket();
        let config = format!(
            "host: here\ndata: data\nexporter: {{engine: {socket:?}}}\nbackup:\n  \
             targets: [{{name: local, folder: copies, reserve: 1MiB}}]\n  jobs:\n{jobs}"
        );
        place.scratch.file("belfry.yml", &config);
        place
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        command(&self.scratch.path, arguments)
    }

    /// Starts it, and goes on.
    pub(crate) fn begin(&self, arguments: &[&str]) -> Process {
        begin(&self.scratch.path, arguments)
    }

    /// Starts the watch.
    pub(crate) fn watch(&self) -> Process {
        self.begin(&["run", "--listen", "127.0.0.1:0"])
    }

    /// Runs it, and expects this exit code; what it told.
    #[track_caller]
    pub(crate) fn expect(&self, code: i32, arguments: &[&str]) -> String {
        let done = self.command(arguments).output().unwrap();
        let told = text(&done.stdout) + &text(&done.stderr);
        assert_eq!(done.status.code(), Some(code), "{arguments:?}: {told}");
        told
    }

    fn volume(&self, name: &str) -> std::path::PathBuf {
        let at = ["volume", "inspect", "--format", "{{.Mountpoint}}", name];
        self.engine.docker(&at).into()
    }
}

#[test]
fn a_volume_is_backed_up_lost_and_made_again() {
    let place = Place::new("  - {name: up, volume: uploads, project: shop}\n");
    let create = [
        "volume",
        "create",
        "--label=com.docker.compose.project=shop",
        "--label=com.docker.compose.volume=uploads",
        "shop_uploads",
    ];
    place.engine.docker(&create);
    let writer = Container::named("writer")
        .option("--volume", "shop_uploads:/data")
        .script("mkdir -p /data/a; echo hello > /data/a/file; chown 33:33 /data/a/file; touch /data/ready; while :; do sleep 1; done");
    place.engine.run(&writer);
    let folder = place.volume("shop_uploads");
    crate::support::poll::holds("the container should write", || {
        folder.join("ready").exists()
    });

    let told = place.expect(0, &["backup", "run", "up"]);
    assert!(told.contains("2 files, 2 folders, whole"), "{told}");
    place.expect(0, &["backup", "verify", "up"]);
    let told = place.expect(0, &["backup", "drill", "up"]);
    assert!(told.contains("compare 2 files, hash by hash"), "{told}");
    let told = place.expect(0, &["backup", "list"]);
    assert!(told.contains("drilled"), "{told}");

    // While somebody uses it, it stays; and so does all that is in it.
    let told = place.expect(2, &["restore", "up", "--yes"]);
    assert!(
        told.contains("writer run(s) with it; --stop NAME stops it meanwhile"),
        "{told}"
    );
    place.engine.docker(&["rm", "--force", "writer"]);
    place.engine.docker(&["volume", "rm", "shop_uploads"]);
    let told = place.expect(0, &["restore", "up", "--plan"]);
    assert!(told.contains("make the volume"), "{told}");
    let told = place.expect(0, &["restore", "up", "--yes"]);
    assert!(told.contains("made    the volume shop_uploads"), "{told}");
    let folder = place.volume("shop_uploads");
    assert_eq!(fs::read(folder.join("a/file")).unwrap(), b"hello\n");
    let about = fs::metadata(folder.join("a/file")).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&about), 33);
    let labels = [
        "volume",
        "inspect",
        "--format",
        "{{index .Labels \"com.docker.compose.volume\"}}",
        "shop_uploads",
    ];
    assert_eq!(place.engine.docker(&labels), "uploads");
    place.expect(0, &["restore", "up", "--confirm"]);
}

#[test]
fn a_folder_is_restored_at_the_terminal_and_single_files_beside_it() {
    let place = Place::new("  - {name: etc, directory: DIR, exclude: ['*.log']}\n");
    let folder = place.scratch.path.join("etc");
    fs::create_dir_all(folder.join("app")).unwrap();
    fs::write(folder.join("app/one.conf"), "one").unwrap();
    fs::write(folder.join("app/noise.log"), "noise").unwrap();
    let config = fs::read_to_string(place.scratch.path.join("belfry.yml")).unwrap();
    let config = config.replace("DIR", &folder.display().to_string());
    place.scratch.file("belfry.yml", &config);
    place.expect(0, &["backup", "run", "etc"]);

    fs::write(folder.join("app/two.conf"), "two").unwrap();
    let told = place.expect(1, &["restore", "etc", "--plan"]);
    assert!(
        told.contains("lost    app/two.conf: it is not in the backup"),
        "{told}"
    );
    assert!(told.contains("hash by hash"), "{told}");
    place.expect(2, &["restore", "etc", "--yes"]);
    assert!(folder.join("app/two.conf").exists());
    place.expect(0, &["restore", "etc", "--into", "out", "--file", "*.conf"]);
    let out = place.scratch.path.join("out/app/one.conf");
    assert_eq!(fs::read(out).unwrap(), b"one");
    place.expect(
        2,
        &["restore", "etc", "--into", "none", "--file", "nowhere"],
    );
    let told = place.expect(0, &["restore", "etc", "--path", "*.conf"]);
    assert!(told.contains("/etc.restored-"), "{told}");
    let told = place.expect(0, &["restore", "etc", "--yes", "--lose-newer"]);
    assert!(told.contains("next    look at it"), "{told}");
    assert!(!folder.join("app/two.conf").exists());
    place.expect(0, &["restore", "etc", "--undo"]);
    assert!(folder.join("app/two.conf").exists() && folder.join("app/noise.log").exists());
}

#[test]
fn what_has_not_changed_is_told_as_such_and_stored_once() {
    let place = Place::new("  - {name: etc, directory: DIR, skip_unchanged: true}\n");
    let folder = place.scratch.path.join("etc");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("one.conf"), "one").unwrap();
    let config = fs::read_to_string(place.scratch.path.join("belfry.yml")).unwrap();
    let config = config.replace("DIR", &folder.display().to_string());
    place.scratch.file("belfry.yml", &config);
    let told = place.expect(0, &["backup", "run", "etc", "--json"]);
    let first: serde_json::Value = serde_json::from_str(told.trim()).unwrap();
    assert_eq!(first["unchanged"], false);
    let id = first["id"].as_str().unwrap();
    let told = place.expect(0, &["backup", "run", "etc"]);
    for line in [
        format!("same    {id} holds all that there is: nothing new is stored"),
        format!("good    {id}"),
    ] {
        assert!(told.contains(&line), "{line}: {told}");
    }
    let told = place.expect(0, &["backup", "list"]);
    assert_eq!(told.matches(" etc ").count(), 1, "{told}");
    assert!(told.contains("unchanged since, last looked at: "), "{told}");
    fs::write(folder.join("one.conf"), "two").unwrap();
    let told = place.expect(0, &["backup", "run", "etc", "--json"]);
    let second: serde_json::Value = serde_json::from_str(told.trim()).unwrap();
    assert!(second["unchanged"] == false && second["id"] != id, "{told}");
    let bad = config.replace("directory: ", "database: d, project: ");
    place.scratch.file("belfry.yml", &bad);
    let told = place.expect(3, &["backup", "list"]);
    assert!(
        told.contains("skip_unchanged") && told.contains("no dump is like another"),
        "{told}"
    );
}

#[test]
fn what_a_job_is_of_is_told_with_its_place_when_it_is_not_one_thing() {
    let place = Place::new(
        "  - {name: a, directory: relative}\n  - {name: b, volume: v, database: d}\n  - {name: c}\n",
    );
    let told = place.expect(3, &["backup", "list"]);
    for fault in [
        "it must begin with a slash",
        "a job is of one thing",
        "a job needs a database, globals, a directory or a volume",
    ] {
        assert!(told.contains(fault), "{fault}: {told}");
    }
}
