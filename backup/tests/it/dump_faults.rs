//! Dumps that go wrong: whatever it is, no copy appears, and the cause is named.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use backup::run::{Outcome, Report};
use settings::Secret;

use crate::cluster::{BIN, Cluster};
use crate::faults::tool::instead;
use crate::place::{Bench, Mount, folder};

/// PostgreSQL's programs in a folder, with another `pg_dump`.
fn with_dump(bench: &mut Bench, script: &str) {
    let folder = bench.scratch.path().join("bin");
    std::fs::create_dir_all(&folder).unwrap();
    for name in ["psql", "pg_dumpall", "pg_restore"] {
        let link = folder.join(name);
        if !link.exists() {
            std::os::unix::fs::symlink(Path::new(BIN).join(name), link).unwrap();
        }
    }
    let file = folder.join("pg_dump");
    // Its version is asked first.
    let text =
        format!("#!/bin/bash\n[[ $1 == --version ]] && exec {BIN}/pg_dump --version\n{script}\n");
    std::fs::write(&file, text).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    bench.change(|config| config.jobs[0].bin = folder);
}

fn nothing_is_left(bench: &Bench, report: &Report, cause: &str) {
    assert_eq!(report.outcome, Outcome::Failed, "{report:?}");
    let error = report.error.as_deref().unwrap_or_default();
    assert!(
        error.contains(cause) && !error.contains('\n'),
        "{cause}: {error}"
    );
    assert!(!error.contains("hunter2"), "{error}");
    let files = bench.files("local");
    assert!(files.is_empty(), "{cause}: {files:?} {report:?}");
}

#[tokio::test]
async fn a_dump_that_does_not_end_well_leaves_nothing() {
    let cluster = Cluster::start();
    cluster.shop();
    let mut bench = Bench::new(&cluster);
    for (script, cause) in [
        ("exit 1", "pg_dump ended with code 1: it said nothing"),
        (
            "echo 'pg_dump: error: no way' >&2; exit 3",
            "code 3: pg_dump: error: no way",
        ),
        ("exit 0", "the dump is not whole: it is empty"),
        ("kill -9 $$", "pg_dump was killed"),
        // All of it, and then a failure.
        (
            "/usr/lib/postgresql/15/bin/pg_dump \"$@\"; exit 1",
            "ended with code 1",
        ),
        // A part of it, as if it were all.
        (
            "/usr/lib/postgresql/15/bin/pg_dump \"$@\" | head -c 5000",
            "not whole: it ends within its table of contents",
        ),
        (
            "/usr/lib/postgresql/15/bin/pg_dump \"$@\" | head -c 200000",
            "not whole: it ends within the data",
        ),
        (
            "echo 'no dump at all, but of some length'",
            "does not begin as a dump does",
        ),
        (
            "/usr/lib/postgresql/15/bin/pg_dump \"$@\"; head -c 10 /dev/zero",
            "no known kind",
        ),
    ] {
        with_dump(&mut bench, script);
        let report = bench.run().await;
        nothing_is_left(&bench, &report, cause);
    }
}

#[tokio::test]
async fn a_server_that_does_not_let_us_is_named_without_the_password() {
    let cluster = Cluster::start();
    cluster.shop();
    cluster.sql(
        "postgres",
        "CREATE ROLE locked LOGIN PASSWORD 'right'; CREATE ROLE small LOGIN",
    );
    let mut bench = Bench::new(&cluster);
    bench.change(|config| {
        config.jobs[0].user = "locked".into();
        config.jobs[0].password = Secret::new("hunter2");
    });
    let report = bench.run().await;
    nothing_is_left(&bench, &report, "password authentication failed");
    // Row security would hide rows from it.
    bench.change(|config| config.jobs[0].user = "small".into());
    let report = bench.run().await;
    nothing_is_left(&bench, &report, "permission denied");
    bench.change(|config| {
        config.jobs[0].user = "postgres".into();
        config.jobs[0].database = "nowhere".into();
    });
    let report = bench.run().await;
    nothing_is_left(&bench, &report, "database \"nowhere\" does not exist");
    bench.change(|config| config.jobs[0].host = "/nowhere".into());
    let report = bench.run().await;
    nothing_is_left(&bench, &report, "No such file or directory");
}

#[tokio::test]
async fn a_client_of_another_version_is_refused_before_anything_is_dumped() {
    let cluster = Cluster::start();
    cluster.shop();
    let mut bench = Bench::new(&cluster);
    with_dump(&mut bench, "exit 0");
    for version in [14, 17] {
        let file = bench.scratch.path().join("bin/pg_dump");
        std::fs::write(
            file,
            format!("#!/bin/sh\necho 'pg_dump (PostgreSQL) {version}.1'\n"),
        )
        .unwrap();
        let report = bench.run().await;
        let cause = format!(
            "the server is PostgreSQL 15, and pg_dump of that version is wanted; found: {version}"
        );
        nothing_is_left(&bench, &report, &cause);
    }
}

#[tokio::test]
async fn a_lock_and_a_slow_dump_are_waited_for_only_so_long() {
    let cluster = Cluster::start();
    cluster.shop();
    let mut bench = Bench::new(&cluster);
    let mut holder = cluster.psql("shop");
    let mut holder = holder
        .args(["-c", "BEGIN; LOCK TABLE users; SELECT pg_sleep(600)"])
        .spawn()
        .unwrap();
    while cluster.sql(
        "shop",
        "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock'",
    ) == "0"
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The limit holds for the list of tables too, which takes its time on a busy machine.
    bench.change(|config| config.jobs[0].lock_wait = Duration::from_secs(3));
    let report = bench.run().await;
    nothing_is_left(&bench, &report, "lock");
    cluster.sql(
        "postgres",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ 'pg_slee[p]'",
    );
    holder.wait().unwrap();

    with_dump(
        &mut bench,
        &format!("{BIN}/pg_dump \"$@\" | head -c 100000; sleep 600"),
    );
    bench.change(|config| config.jobs[0].timeout = Duration::from_secs(2));
    let report = bench.run().await;
    nothing_is_left(&bench, &report, "it took longer than 2s");
}

#[tokio::test]
async fn a_server_that_goes_away_in_the_middle_leaves_nothing() {
    let cluster = Cluster::start();
    cluster.shop();
    let mut bench = Bench::new(&cluster);
    let ending = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'belfry_backup'";
    let sockets = cluster.sockets.display();
    with_dump(
        &mut bench,
        &format!(
            "{BIN}/pg_dump \"$@\" | (head -c 50000; {BIN}/psql -q -h {sockets} -U postgres -c \"{ending}\" >/dev/null; cat); exit ${{PIPESTATUS[0]}}"
        ),
    );
    let report = bench.run().await;
    assert_eq!(report.outcome, Outcome::Failed, "{report:?}");
    assert!(bench.files("local").is_empty());
    assert!(
        report.error.unwrap().contains("terminat"),
        "the cause is named"
    );
}

#[tokio::test]
async fn a_full_disk_costs_its_own_copy_and_no_other_one() {
    let cluster = Cluster::start();
    cluster.shop();
    let mut bench = Bench::new(&cluster);
    let path = bench.scratch.path().join("small");
    let _disk = Mount::small(&path, "size=64k");
    bench.change(|config| config.targets.push(folder("small", &path)));
    let report = bench.run().await;
    assert_eq!(report.outcome, Outcome::Partly, "{report:?}");
    assert_eq!(report.targets[0], ("local".into(), Ok(())));
    let why = report.targets[1].1.clone().unwrap_err();
    assert!(why.contains("no space is left"), "{why}");
    assert_eq!(bench.files("small"), Vec::<std::path::PathBuf>::new());
    assert_eq!(bench.listed("local").await.len(), 1);
    // Now it is known how large it will be: nothing is begun there.
    let report = bench.run().await;
    let why = report.targets[1].1.clone().unwrap_err();
    assert!(why.contains("are needed"), "{why}");
    assert_eq!(bench.listed("local").await.len(), 2);
    // Alone, it fails the run, and what is elsewhere stays.
    bench.change(|config| config.jobs[0].targets = vec!["small".into()]);
    let report = bench.run().await;
    assert_eq!(report.outcome, Outcome::Failed);
    assert_eq!(bench.listed("local").await.len(), 2);
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_not_made() {
    let cluster = Cluster::start();
    cluster.shop();
    let mut bench = Bench::new(&cluster);
    let gone = bench.scratch.path().join("gone");
    bench.change(|config| config.targets.push(folder("gone", &gone)));
    let report = bench.run().await;
    assert_eq!(report.outcome, Outcome::Partly, "{report:?}");
    assert!(!gone.exists());
    assert!(
        report.targets[1]
            .1
            .clone()
            .unwrap_err()
            .contains("is not there")
    );
}

/// A session as `pg_dumpall` has one, to a database of its own choice, that goes on until
/// it may end.
const HELD: &str = r#"
coproc { exec "${real%/*}/psql" -d postgres -qAt 2>/dev/null; }
echo "SELECT 1;" >&"${COPROC[1]}"
read -r one <&"${COPROC[0]}"
touch FOLDER/connected
until [[ -e FOLDER/go ]]; do sleep 0.02; done
echo "SELECT 2;" >&"${COPROC[1]}"
read -r two <&"${COPROC[0]}"
[[ $one$two == 12 ]] || exit 3
exec "$real" "$@"
"#;

#[tokio::test]
async fn who_reads_the_roles_is_not_taken_for_left_over_by_another_backup() {
    let cluster = Cluster::start();
    cluster.shop();
    let mut bench = Bench::new(&cluster);
    let folder = bench.scratch.path().to_owned();
    let script = HELD.replace("FOLDER", &folder.display().to_string());
    instead(&mut bench, "pg_dumpall", &script);
    let mut other = Bench::new(&cluster);
    other.change(|config| config.jobs[0].database = "postgres".to_owned());
    let began = Instant::now();
    let meanwhile = async {
        while !folder.join("connected").exists() {
            assert!(began.elapsed() < Duration::from_secs(120), "it is there");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let other = other.good().await;
        std::fs::write(folder.join("go"), "").unwrap();
        other
    };
    let (report, other) = tokio::join!(bench.run(), meanwhile);
    assert_eq!(report.outcome, Outcome::Good, "{report:?}");
    let own = bench.newest().await.manifest;
    for warning in own.warnings.iter().chain(&other.warnings) {
        assert!(!warning.contains("passwords"), "{warning}");
    }
}

#[tokio::test]
async fn who_is_cut_off_while_he_reads_the_roles_is_not_taken_for_one_who_may_not() {
    let cluster = Cluster::start();
    cluster.shop();
    let mut bench = Bench::new(&cluster);
    let why = "FATAL:  terminating connection due to administrator command";
    let script = format!(
        r#"[[ $* == *--no-role-passwords* ]] && exec "$real" "$@"
echo "pg_dumpall: error: query failed: {why}" >&2
exit 1"#
    );
    instead(&mut bench, "pg_dumpall", &script);
    let report = bench.run().await;
    nothing_is_left(&bench, &report, "terminating connection");
}
