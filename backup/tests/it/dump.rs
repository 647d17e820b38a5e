//! Backups of a database that go well.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use backup::manifest::Manifest;
use backup::run::{Outcome, run};

use crate::cluster::{Cluster, bin};
use crate::faults::tool::instead;
use crate::place::{Bench, folder};

#[tokio::test]
async fn a_backup_restores_to_the_same_database_with_standard_tools_alone() {
    let cluster = Cluster::start();
    cluster.shop();
    let bench = Bench::new(&cluster);
    let manifest = bench.good().await;
    assert_eq!(bench.listed("local").await[0].manifest, manifest);

    let facts = manifest.postgres.as_ref().unwrap();
    assert_eq!(facts.properties.encoding, "LATIN1");
    assert_eq!(facts.properties.owner, "seller");
    assert_eq!(facts.properties.comment.as_deref(), Some("the shop"));
    assert_eq!(
        facts.properties.settings,
        [(None, "work_mem=8MB".to_owned())]
    );
    assert!(
        facts
            .extensions
            .iter()
            .any(|extension| extension.name == "pg_trgm")
    );
    assert!(facts.entries > Some(20), "{facts:?}");
    let rows = |name: &str| {
        facts
            .tables
            .iter()
            .find(|table| table.name == name)
            .unwrap()
            .rows
    };
    assert_eq!(
        [
            rows("users"),
            rows("parent"),
            rows("child"),
            rows("guarded")
        ],
        [5000, 1, 2, 2]
    );
    assert_eq!(rows("ta\tble\ntwo"), 3);

    let globals = String::from_utf8(bench.open("local", &manifest.pieces[1]).await).unwrap();
    assert!(globals.contains("CREATE ROLE seller"));
    let dump = bench.scratch.path().join("dump");
    std::fs::write(&dump, bench.open("local", &manifest.pieces[0]).await).unwrap();
    cluster.sql(
        "postgres",
        "CREATE DATABASE back OWNER seller TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'",
    );
    let mut restore = Command::new(bin("pg_restore"));
    restore.arg("-h").arg(&cluster.sockets).args([
        "-U",
        "postgres",
        "-d",
        "back",
        "--exit-on-error",
    ]);
    crate::cluster::run(restore.arg(&dump));
    assert_eq!(cluster.fingerprint("back"), cluster.fingerprint("shop"));
}

#[tokio::test]
async fn the_counts_are_those_of_the_dump_although_writes_go_on() {
    let cluster = Cluster::start();
    cluster.shop();
    let mut writer = cluster
        .psql("shop")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = writer.stdin.take().unwrap();
    let writing = std::thread::spawn(move || {
        // Until psql is gone.
        while stdin
            .write_all(b"INSERT INTO users (name) VALUES ('new'); DELETE FROM child WHERE a < 0;\n")
            .is_ok()
        {}
    });
    let bench = Bench::new(&cluster);
    let manifest = bench.good().await;
    writer.kill().unwrap();
    writer.wait().unwrap();
    writing.join().unwrap();
    let dump = bench.open("local", &manifest.pieces[0]).await;
    cluster.sql(
        "postgres",
        "CREATE DATABASE back TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'",
    );
    let mut restore = Command::new(bin("pg_restore"));
    restore.arg("-h").arg(&cluster.sockets).args([
        "-U",
        "postgres",
        "-d",
        "back",
        "--exit-on-error",
    ]);
    let mut restore = restore.stdin(Stdio::piped()).spawn().unwrap();
    restore.stdin.take().unwrap().write_all(&dump).unwrap();
    assert!(restore.wait().unwrap().success());
    let counted = cluster.sql("back", "SELECT count(*) FROM users");
    let tables = &manifest.postgres.unwrap().tables;
    let users = tables.iter().find(|table| table.name == "users").unwrap();
    assert_eq!(counted, users.rows.to_string());
}

#[tokio::test]
async fn one_pass_fills_two_targets_alike_and_a_second_run_waits_for_none() {
    let cluster = Cluster::start();
    cluster.shop();
    let mut bench = Bench::new(&cluster);
    let second = bench.scratch.path().join("second");
    std::fs::create_dir(&second).unwrap();
    bench.change(|config| {
        config.targets.push(folder("second", &second));
        config.recipients.clear();
    });
    let (one, other) = tokio::join!(
        run(&bench.setup, bench.job(), &|| 1_787_454_600_000, &|_| {}),
        run(&bench.setup, bench.job(), &|| 1_787_454_600_000, &|_| {})
    );
    assert_eq!(one.unwrap().outcome, Outcome::Good);
    assert!(
        other
            .unwrap_err()
            .to_string()
            .contains("another run of db goes on")
    );
    let read = |folder: &str| -> Vec<_> {
        let root = bench.scratch.path().join(folder);
        let files = bench.files(folder);
        files
            .iter()
            .map(|file| {
                (
                    file.strip_prefix(&root).unwrap().to_owned(),
                    std::fs::read(file).unwrap(),
                )
            })
            .collect()
    };
    assert_eq!(read("local").len(), 3);
    assert_eq!(read("local"), read("second"));
}

#[tokio::test]
async fn a_run_that_takes_its_time_tells_how_far_it_is() {
    let cluster = Cluster::start();
    cluster.shop();
    let mut bench = Bench::new(&cluster);
    let slow = "$real \"$@\" | (head -c 200000; sleep 6; cat)";
    instead(&mut bench, "pg_dump", slow);
    // Of how much is known from the run before.
    for told in ["dump    0 MB so far", " % of 1 MB, about "] {
        let lines = Mutex::new(Vec::new());
        let say = |line: String| lines.lock().unwrap().push(line);
        let now_ms = 1_787_454_600_000;
        let report = run(&bench.setup, bench.job(), &|| now_ms, &say).await;
        assert_eq!(report.unwrap().outcome, Outcome::Good);
        let lines = lines.into_inner().unwrap();
        let told = |line: &String| line.starts_with("dump ") && line.contains(told);
        assert!(lines.iter().any(told), "{lines:?}");
    }
}

#[tokio::test]
async fn a_backup_that_lost_most_of_its_rows_does_not_count_until_several_say_so() {
    let cluster = Cluster::start();
    cluster.shop();
    let bench = Bench::new(&cluster);
    bench.good().await;
    cluster.sql("shop", "TRUNCATE users");
    cluster.sql("shop", "SELECT lo_unlink(4712)");
    for _ in 0..3 {
        let report = bench.run().await;
        assert_eq!(report.outcome, Outcome::Partly);
        let doubt = report.manifest.unwrap().doubt.unwrap();
        assert!(doubt.contains("fell from"), "{doubt}");
    }
    let Manifest {
        doubt, warnings, ..
    } = bench.good().await;
    assert_eq!(doubt, None);
    assert!(warnings[0].contains("taken as right"), "{warnings:?}");
}
