//! What a bootstrap restored, and what it did not, in the history of the new host.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;

use crate::backup_files::{begin, command};
use crate::support::poll;
use crate::support::program;
use crate::support::scratch::Scratch;

#[track_caller]
fn expect(folder: &Path, code: i32, arguments: &[&str]) -> String {
    let done = command(folder, arguments).output().unwrap();
    let told = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(code), "{arguments:?}: {told}");
    told.into_owned()
}

/// All runs that a data folder knows of.
fn runs(data: &Path) -> String {
    let sql = "SELECT job, task, status, error FROM backup_runs ORDER BY id";
    let mut command = Command::new(program::find("sqlite3", "sqlite3"));
    command.args(["-readonly", "-cmd", ".timeout 20000"]);
    program::run(command.arg(data.join("belfry.db")).arg(sql))
}

/// Another byte in the middle of every archive below a folder.
fn damage(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            damage(&path);
        } else if path.to_string_lossy().contains(".tar.") {
            let mut bytes = fs::read(&path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(&path, bytes).unwrap();
        }
    }
}

#[test]
fn what_a_bootstrap_restored_failed_at_or_was_killed_in_is_in_the_history_of_the_new_host() {
    let scratch = Scratch::new();
    let at = |name: &str| scratch.path.join(name);
    fs::create_dir(at("copies")).unwrap();
    let mut jobs = String::from("  jobs:\n");
    for (importance, name) in ["good", "harmed", "large"].iter().enumerate() {
        fs::create_dir(at(name)).unwrap();
        fs::write(at(name).join("file"), name).unwrap();
        let directory = at(name);
        jobs.push_str(&format!(
            "    - {{name: {name}, directory: {directory:?}, importance: {importance}}}\n"
        ));
    }
    fs::write(at("large/zeros"), vec![0; 8 << 20]).unwrap();
    let bare = "host: here\ndata: data\nexporter: {engine: /nowhere.sock}\nbackup:\n  \
                targets: [{name: local, folder: copies, reserve: 1MiB}]\n";
    scratch.file("belfry.yml", &format!("{bare}{jobs}"));
    for name in ["good", "harmed", "large"] {
        expect(&scratch.path, 0, &["backup", "run", name]);
    }
    for name in ["good", "harmed", "large", "data"] {
        fs::remove_dir_all(at(name)).unwrap();
    }
    damage(&at("copies/here/directory/harmed"));
    scratch.file("belfry.yml", bare);
    let bootstrap = ["restore", "--bootstrap", "--yes"];
    // The kernel kills who makes a file larger than that: in the middle of the last one.
    let mut killed = Command::new(program::find("prlimit", "util-linux"));
    killed
        .args([&format!("--fsize={}", 4 << 20), "--core=0"])
        .arg(env!("CARGO_BIN_EXE_belfry"))
        .args(bootstrap)
        .current_dir(&scratch.path);
    let done = killed.output().unwrap();
    let signal = Some(rustix::process::Signal::XFSZ.as_raw());
    assert_eq!(done.status.signal(), signal, "{done:?}");
    let told = runs(&at("data"));
    let lines: Vec<_> = told.lines().collect();
    assert_eq!(lines.len(), 3, "{told}");
    assert_eq!(lines[0], "good|restore|ok|");
    assert!(lines[1].starts_with("harmed|restore|failed|"), "{told}");
    assert_eq!(lines[2], "large|restore|running|");

    expect(&scratch.path, 2, &bootstrap);
    let told = runs(&at("data"));
    let lines: Vec<_> = told.lines().skip(3).collect();
    assert!(lines[0].starts_with("good|restore|skipped|"), "{told}");
    assert!(lines[0].ends_with("good is not empty"), "{told}");
    assert!(lines[1].starts_with("harmed|restore|failed|"), "{told}");
    assert_eq!(lines[2], "large|restore|ok|");

    // Whoever watches the new host knows that the one that was killed goes on no more.
    let _watch = begin(&scratch.path, &["run", "--listen", "127.0.0.1:0"]);
    poll::holds("it should be interrupted", || {
        let told = runs(&at("data"));
        told.lines().nth(2) == Some("large|restore|interrupted|")
    });
}

#[test]
fn a_folder_in_which_belfrys_own_would_lie_comes_back_where_that_is_elsewhere() {
    let scratch = Scratch::new();
    let at = |name: &str| scratch.path.join(name);
    for folder in ["copies", "home"] {
        fs::create_dir(at(folder)).unwrap();
    }
    fs::write(at("home/file"), "file").unwrap();
    let rest = "exporter: {engine: /nowhere.sock}\nbackup:\n  \
                targets: [{name: local, folder: copies, reserve: 1MiB}]\n";
    let config = |data: &str, jobs: &str| {
        let text = format!("host: here\ndata: {data}\n{rest}{jobs}");
        scratch.file("belfry.yml", &text);
    };
    let job = format!("  jobs: [{{name: home, directory: {:?}}}]\n", at("home"));
    config("home/data", &job);
    {
        let _watch = begin(&scratch.path, &["run", "--listen", "127.0.0.1:0"]);
        poll::holds("the watch should keep its state", || {
            at("home/data/belfry.db").exists()
        });
    }
    expect(&scratch.path, 0, &["backup", "run", "home"]);
    fs::remove_dir_all(at("home")).unwrap();
    config("home/data", "");
    for words in [&["--plan"], &["--yes"]] {
        let bootstrap = [&["restore", "--bootstrap"], &words[..]].concat();
        let told = expect(&scratch.path, 2, &bootstrap);
        assert!(
            told.contains("home is to come back, and Belfry's own folder "),
            "{told}"
        );
        assert!(!at("home").exists(), "nothing was touched");
    }
    config("elsewhere", "");
    let bootstrap = ["restore", "--bootstrap", "--yes"];
    expect(&scratch.path, 0, &bootstrap);
    assert_eq!(fs::read(at("home/file")).unwrap(), b"file");
    assert_eq!(runs(&at("elsewhere")), "home|restore|ok|\n");
    // Where there is more already, it is left alone as any other.
    config("home/data", "");
    let told = expect(&scratch.path, 1, &bootstrap);
    assert!(told.contains("is not empty, and is left alone"), "{told}");
}
