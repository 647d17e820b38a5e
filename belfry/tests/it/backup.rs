//! `belfry backup` at the terminal, beside a real PostgreSQL.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::backup_files::{begin, command};
use crate::support::belfry::Launch;
use crate::support::poll;
use crate::support::postgres::Postgres;
use crate::support::program;
use crate::support::scratch::Scratch;

/// A database, a folder for copies, and a configuration that names both.
struct Place {
    postgres: Postgres,
    scratch: Scratch,
}

impl Place {
    fn new() -> Self {
        let place = Self {
            postgres: Postgres::start(),
            scratch: Scratch::new(),
        };
        place.postgres.query(
            "CREATE TABLE orders AS SELECT n, md5(n::text) FROM generate_series(1, 20000) n",
        );
        std::fs::create_dir(place.scratch.path.join("copies")).unwrap();
        let port = place.postgres.port();
        let config = format!(
            "host: here\ndata: data\nbackup:\n  targets: [{{name: local, folder: copies, reserve: 1MiB}}]\n  \
             jobs: [{{name: db, database: postgres, host: 127.0.0.1, port: {port}, password: hunter2}}]\n"
        );
        place.scratch.file("belfry.yml", &config);
        place
    }

    fn belfry(&self, arguments: &[&str]) -> Output {
        command(&self.scratch.path, arguments).output().unwrap()
    }

    fn files(&self) -> Vec<PathBuf> {
        let folder = self.scratch.path.join("copies/here/postgres/db");
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_backup_is_made_and_listed() {
    let place = Place::new();
    let empty = place.belfry(&["backup", "list"]);
    assert_eq!(
        (empty.status.code(), text(&empty.stdout)),
        (Some(0), "no backups\n".into())
    );

    let made = place.belfry(&["backup", "run", "db"]);
    let told = text(&made.stdout);
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    assert!(told.contains("20000 rows, whole"), "{told}");
    assert!(told.contains("NOT encrypted"), "{told}");
    assert!(
        told.lines().all(|line| line.chars().count() <= 80),
        "{told}"
    );
    // Nobody else on this host reads it.
    for file in place.files() {
        assert_eq!(
            std::fs::metadata(&file).unwrap().permissions().mode() & 0o077,
            0
        );
    }

    let listed = place.belfry(&["backup", "list", "db"]);
    let told = text(&listed.stdout);
    assert_eq!(told.lines().count(), 3, "{told}");
    assert!(
        told.contains("  db  ") && told.contains(" 20000 ") && told.contains("stored"),
        "{told}"
    );
    assert!(
        told.lines().all(|line| line.chars().count() <= 80),
        "{told}"
    );
    let listed = place.belfry(&["backup", "list", "--json"]);
    let all: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(all[0]["copies"]["local"]["good"], true);
    assert_eq!(all[0]["rows"], 20000);

    let unknown = place.belfry(&["backup", "run", "bd"]);
    assert_eq!(unknown.status.code(), Some(3));
    assert!(text(&unknown.stderr).contains("no backup job is named \"bd\"; there are: db"));
    // A piece of it goes: it is not good any more, and that is told.
    let dump = place
        .files()
        .into_iter()
        .find(|file| file.to_string_lossy().ends_with("pgdump.zst"));
    std::fs::remove_file(dump.unwrap()).unwrap();
    let told = text(&place.belfry(&["backup", "list"]).stdout);
    assert!(
        told.contains("broken") && told.contains("local(!)"),
        "{told}"
    );
}

#[test]
fn a_failed_backup_is_critical_and_names_its_cause() {
    let place = Place::new();
    let config = std::fs::read_to_string(place.scratch.path.join("belfry.yml")).unwrap();
    place.scratch.file(
        "belfry.yml",
        &config.replace("database: postgres", "database: nowhere"),
    );
    let failed = place.belfry(&["backup", "run", "db"]);
    assert_eq!(failed.status.code(), Some(2));
    let told = text(&failed.stdout);
    assert!(
        told.contains("database \"nowhere\" does not exist"),
        "{told}"
    );
    assert!(!told.contains("hunter2"));
    let failed = place.belfry(&["backup", "run", "db", "--json"]);
    let told: serde_json::Value = serde_json::from_slice(&failed.stdout).unwrap();
    assert_eq!(
        (told["outcome"].as_str(), told["manifest"].is_null()),
        (Some("failed"), true)
    );
}

#[test]
fn a_run_that_is_killed_leaves_no_backup_and_the_next_one_cleans_up() {
    let place = Place::new();
    // A dump that stops in the middle, and is seen in the list of processes.
    let bin = place.scratch.path.join("bin");
    std::fs::create_dir(&bin).unwrap();
    for name in ["psql", "pg_dumpall"] {
        std::os::unix::fs::symlink(format!("/usr/lib/postgresql/15/bin/{name}"), bin.join(name))
            .unwrap();
    }
    let script = "#!/bin/bash\nreal=/usr/lib/postgresql/15/bin/pg_dump\n[[ $1 == --version ]] && exec $real --version\n\
        $real \"$@\" | (head -c 300000; sleep 600 & echo $! >sleeper; wait)\n";
    std::fs::write(bin.join("pg_dump"), script).unwrap();
    std::fs::set_permissions(bin.join("pg_dump"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let config = std::fs::read_to_string(place.scratch.path.join("belfry.yml")).unwrap();
    place.scratch.file(
        "belfry.yml",
        &config.replace("password", "bin: bin, password"),
    );
    let mut run = begin(&place.scratch.path, &["backup", "run", "db"]);
    poll::holds("the dump should stop in the middle", || {
        std::fs::read_to_string(place.scratch.path.join("sleeper")).is_ok_and(|pid| !pid.is_empty())
            && place
                .files()
                .iter()
                .any(|file| file.to_string_lossy().ends_with(".partial"))
    });
    let processes = program::run(Command::new("ps").args(["-eo", "args"]));
    assert!(processes.contains("--snapshot="), "{processes}");
    assert!(
        !processes.contains("hunter2"),
        "no argument holds the password"
    );
    let other = place.belfry(&["backup", "run", "db"]);
    assert_eq!(other.status.code(), Some(1));
    assert!(text(&other.stderr).contains("another run of db goes on"));
    run.kill();
    let sleeper = std::fs::read_to_string(place.scratch.path.join("sleeper")).unwrap();
    program::run(Command::new("kill").arg(sleeper.trim()));
    assert_eq!(
        text(&place.belfry(&["backup", "list"]).stdout),
        "no backups\n"
    );
    place.scratch.file("belfry.yml", &config);
    let made = place.belfry(&["backup", "run", "db"]);
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    let files = place.files();
    assert_eq!(files.len(), 3, "the partial file is swept: {files:?}");
}

#[test]
fn a_backup_is_verified_drilled_pruned_and_restored_at_the_terminal() {
    let place = Place::new();
    assert_eq!(
        place.belfry(&["backup", "run", "db"]).status.code(),
        Some(0)
    );
    let verified = place.belfry(&["backup", "verify", "db"]);
    assert_eq!(verified.status.code(), Some(0), "{verified:?}");
    assert!(
        text(&verified.stdout).contains("verified  20"),
        "{verified:?}"
    );
    let drilled = place.belfry(&["backup", "drill", "db"]);
    assert_eq!(drilled.status.code(), Some(0), "{drilled:?}");
    assert!(
        text(&drilled.stdout).contains("20000 rows, as in the backup"),
        "{drilled:?}"
    );
    let listed = text(&place.belfry(&["backup", "list"]).stdout);
    assert!(listed.contains("drilled"), "{listed}");
    let pruned = place.belfry(&["backup", "prune", "db", "--dry-run"]);
    assert!(
        text(&pruned.stdout).contains("stays  newest, verified, drilled, last, daily"),
        "{pruned:?}"
    );

    place.postgres.query("INSERT INTO orders VALUES (0, 'new')");
    let plan = place.belfry(&["restore", "db", "--plan"]);
    assert_eq!(plan.status.code(), Some(1));
    let told = text(&plan.stdout);
    assert!(
        told.contains("lost    public.orders: 1 rows that are new or were changed since"),
        "{told}"
    );
    // Nobody was asked, and what is newer would be lost.
    for arguments in [&["restore", "db"][..], &["restore", "db", "--yes"]] {
        assert_eq!(place.belfry(arguments).status.code(), Some(2));
        assert_eq!(place.postgres.query("SELECT count(*) FROM orders"), "20001");
    }
    let restored = place.belfry(&["restore", "db", "--yes", "--lose-newer"]);
    assert_eq!(restored.status.code(), Some(0), "{restored:?}");
    assert_eq!(place.postgres.query("SELECT count(*) FROM orders"), "20000");
    let undone = place.belfry(&["restore", "db", "--undo"]);
    assert_eq!(undone.status.code(), Some(0), "{undone:?}");
    assert_eq!(place.postgres.query("SELECT count(*) FROM orders"), "20001");
    assert_eq!(
        place
            .belfry(&["restore", "db", "--from", "yesterday", "--plan"])
            .status
            .code(),
        Some(2)
    );
}

/// Answers every request well; its address, and the paths that were asked for.
fn ear() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let heard = Arc::new(Mutex::new(Vec::new()));
    let paths = Arc::clone(&heard);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut first = String::new();
            let _ = reader.read_line(&mut first);
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                line.clear();
            }
            let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
            paths.lock().unwrap().push(path);
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    (address, heard)
}

/// What was heard of a job whose address has this path.
fn heard_of(heard: &Mutex<Vec<String>>, job: &str) -> Vec<String> {
    let paths = heard.lock().unwrap();
    let of_job = paths.iter().filter(|path| path.starts_with(job));
    of_job.cloned().collect()
}

#[test]
fn a_run_by_hand_is_told_outside_too_be_it_good_or_not() {
    let place = Place::new();
    let (ear, heard) = ear();
    let config = std::fs::read_to_string(place.scratch.path.join("belfry.yml")).unwrap();
    let pinging = config.replace("password", &format!("ping: '{ear}/x', password"));
    place.scratch.file("belfry.yml", &pinging);
    place.belfry(&["backup", "run", "db"]);
    let lost = pinging.replace("database: postgres", "database: nowhere");
    place.scratch.file("belfry.yml", &lost);
    place.belfry(&["backup", "run", "db"]);
    let told = heard.lock().unwrap().clone();
    assert_eq!(told, ["/x/start", "/x", "/x/start", "/x/fail"]);
    // Whoever is not there holds up nobody, and is told to the one at the terminal.
    place.scratch.file(
        "belfry.yml",
        &config.replace("password", "ping: 'http://127.0.0.1:1/x', password"),
    );
    assert_eq!(
        place.belfry(&["backup", "run", "db"]).status.code(),
        Some(0)
    );
}

#[test]
fn a_job_runs_by_its_schedule_and_is_told_outside_and_known_after_a_restart() {
    let place = Place::new();
    let (ear, heard) = ear();
    let config = std::fs::read_to_string(place.scratch.path.join("belfry.yml")).unwrap();
    let copies = place.scratch.path.join("copies").display().to_string();
    let config = config
        .replace("host: here\ndata: data\n", "host: here\n")
        .replace("folder: copies", &format!("folder: {copies}"))
        .replace(
            "jobs: [{",
            &format!(
                "jobs: [{{name: lost, database: nowhere, host: 127.0.0.1, port: {}, \
                 schedule: '* * * * *', jitter: 0s, ping: '{ear}/lost'}}, \
                 {{schedule: '* * * * *', jitter: 0s, ping: '{ear}/x', ",
                place.postgres.port()
            ),
        );
    let mut running = Launch::with(&config).start();
    let last = "belfry_backup_last_run_success{job_name=\"db\",task=\"backup\"}";
    let deadline = Instant::now() + Duration::from_secs(120);
    while running.metric(last) != Some(1.0) {
        assert!(
            Instant::now() < deadline,
            "{}",
            running.get("/metrics/backup").body
        );
        std::thread::sleep(Duration::from_millis(200));
    }
    // Somebody outside hears of it: that it began, and that it was good.
    for (job, wanted) in [
        ("/x", ["/x/start", "/x"]),
        ("/lost", ["/lost/start", "/lost/fail"]),
    ] {
        let told = || heard_of(&heard, job);
        poll::holds("the run should be told outside", || told().len() >= 2);
        assert_eq!(told()[..2], wanted);
    }
    for sample in [
        "belfry_backup_target_readable{job_name=\"db\",target=\"local\"} 1\n",
        "belfry_backup_target_copies{job_name=\"db\",target=\"local\"} ",
        "belfry_backup_next_run_timestamp_seconds{job_name=\"db\",task=\"backup\"} ",
        "belfry_backup_last_success_timestamp_seconds{job_name=\"db\"} 1",
    ] {
        poll::holds(sample, || {
            running.get("/metrics/backup").body.contains(sample)
        });
    }
    assert!(!running.get("/metrics/backup").body.contains("hunter2"));
    // The same as data.
    let told = running.get("/api/belfry/v1/backups").json();
    let of_job = &told["jobs"][0];
    let of_target = &of_job["targets"][0];
    assert_eq!(
        (&of_job["job"], &of_target["target"], &of_target["readable"]),
        (&json!("db"), &json!("local"), &json!(true)),
        "{told}"
    );
    assert_eq!(of_job["newest_ms"], of_target["newest_ms"], "{told}");
    assert!(of_target["newest_ms"].as_i64() > Some(0), "{told}");
    let of_task = &of_job["tasks"][0];
    assert_eq!(
        (&of_task["task"], &of_task["good"]),
        (&json!("backup"), &json!(true)),
        "{told}"
    );
    // What a restart knows, it knows from the disk.
    running.kill();
    running.restart();
    poll::holds("the last run should be known after a restart", || {
        running.metric(last) == Some(1.0)
    });
}

#[test]
fn a_line_that_is_no_cron_line_is_told_with_its_place() {
    let place = Place::new();
    let config = std::fs::read_to_string(place.scratch.path.join("belfry.yml")).unwrap();
    place.scratch.file(
        "belfry.yml",
        &config.replace("jobs: [{", "jobs: [{schedule: '70 * * * *', "),
    );
    let told = place.belfry(&["backup", "list"]);
    assert_eq!(told.status.code(), Some(3));
    let told = text(&told.stderr);
    assert!(
        told.contains("belfry.yml:5:") && told.contains("not between 0 and 59"),
        "{told}"
    );
}
