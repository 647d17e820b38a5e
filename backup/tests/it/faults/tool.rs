//! PostgreSQL's programs that fail, are killed, say nonsense or hang, at every stage
//! of a backup, a restore and a drill.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

use backup::drill::drill;
use backup::marks::Kind;
use backup::restore::restore;
use backup::run::Outcome;
use backup::verify::{Error, verify};

use super::one_line;
use crate::cluster::{BIN, Cluster};
use crate::place::Bench;
use crate::tree::LATER;

/// PostgreSQL's programs in a folder of the bench, one of which is a script. What
/// they are asked for their version is answered by the real one.
pub(crate) fn instead(bench: &mut Bench, program: &str, script: &str) {
    let folder = bench.scratch.path().join("tools");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).unwrap();
    for name in ["psql", "pg_dump", "pg_dumpall", "pg_restore"] {
        let file = folder.join(name);
        if name != program {
            symlink(Path::new(BIN).join(name), file).unwrap();
            continue;
        }
        let real = Path::new(BIN).join(name);
        let real = real.display();
        let text = format!(
            "#!/bin/bash\nreal={real}\n[[ $1 == --version ]] && exec $real --version\n{script}\n"
        );
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }
    bench.change(|config| config.jobs[0].bin = folder);
}

/// Program, what it does, and the cause that is told.
const DUMPING: &[(&str, &str, &str)] = &[
    ("psql", "exit 2", "psql ended with code 2"),
    ("psql", "kill -9 $$", "psql was killed"),
    ("psql", "echo nonsense; exit 0", "psql"),
    (
        "psql",
        "exec 1>&-; sleep 60 & wait",
        "it took longer than 2s",
    ),
    ("psql", "exec sleep 60", "it took longer than 2s"),
    // The conversation is cut in the middle.
    (
        "psql",
        "dd bs=1 count=700 2>/dev/null | $real \"$@\"",
        "psql",
    ),
    ("pg_dump", "exec sleep 60", "it took longer than 2s"),
    (
        "pg_dump",
        "$real \"$@\" | head -c 3000; exec sleep 60",
        "it took longer than 2s",
    ),
    (
        "pg_dump",
        "$real \"$@\" | head -c 90000; kill -9 $$",
        "pg_dump was killed",
    ),
    (
        "pg_dump",
        "$real \"$@\"; kill -TERM $$",
        "pg_dump was killed",
    ),
    ("pg_dump", "$real \"$@\" | head -c -1", "is not whole"),
    (
        "pg_dump",
        "$real \"$@\" | tail -c +2",
        "does not begin as a dump does",
    ),
    (
        "pg_dump",
        "$real \"$@\" | sed 's/PGDMP/PGDNP/'",
        "does not begin as a dump does",
    ),
    ("pg_dumpall", "exit 1", "pg_dumpall ended with code 1"),
    ("pg_dumpall", "kill -9 $$", "pg_dumpall was killed"),
    (
        "pg_dumpall",
        "exit 0",
        "the last words of the globals are missing",
    ),
    (
        "pg_dumpall",
        "$real \"$@\" | head -n 12",
        "the last words of the globals are missing",
    ),
    ("pg_dumpall", "exec sleep 60", "it took longer than 2s"),
];

#[tokio::test]
async fn no_program_that_fails_while_dumping_leaves_a_copy_or_harms_the_last_one() {
    let cluster = Cluster::start();
    cluster.shop();
    let mut bench = Bench::new(&cluster);
    bench.change(|config| config.level = 1);
    let good = bench.good().await;
    let before = bench.files("local");
    for (program, script, cause) in DUMPING {
        let case = &format!("{program}: {script}");
        instead(&mut bench, program, script);
        let hangs = script.contains("sleep");
        bench.change(|config| {
            config.jobs[0].timeout = Duration::from_secs(if hangs { 2 } else { 600 });
        });
        let report = bench.run().await;
        assert_eq!(report.outcome, Outcome::Failed, "{case}: {report:?}");
        one_line(report.error.as_deref().unwrap(), cause, case);
        assert_eq!(bench.files("local"), before, "{case}");
    }
    let copy = bench.newest().await;
    assert_eq!(copy.manifest, good);
    bench.change(|config| {
        config.jobs[0].bin = BIN.into();
        config.jobs[0].timeout = Duration::from_secs(600);
    });
    bench.verified().await.unwrap();
    bench.good().await;
    // Nobody is left in the database; a server needs a moment to see that one is gone.
    let left = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'belfry_backup'";
    let asked = Instant::now();
    while cluster.sql("postgres", left) != "0" {
        let waited = asked.elapsed();
        assert!(waited < Duration::from_secs(60), "somebody is left");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What `pg_restore` does, and the cause that is told.
const RESTORING: &[(&str, &str)] = &[
    ("exit 1", "pg_restore ended with code 1"),
    ("kill -9 $$", "pg_restore was killed"),
    ("$real \"$@\"; exit 1", "pg_restore ended with code 1"),
    ("$real \"$@\"; kill -9 $$", "pg_restore was killed"),
    // It says that all is well, and nothing is.
    ("exit 0", "is missing"),
    ("$real --schema-only \"$@\"", " rows, and the backup has "),
    (
        "echo 'pg_restore: error: could not extend file: No space left on device' >&2; exit 1",
        "No space left on device",
    ),
];

#[tokio::test]
async fn no_program_that_fails_while_restoring_touches_the_live_database() {
    let cluster = Cluster::start();
    cluster.shop();
    let mut bench = Bench::new(&cluster);
    bench.good().await;
    let wanted = cluster.fingerprint("shop");
    let (copy, target) = (bench.newest().await, bench.target("local"));
    for (script, cause) in RESTORING {
        instead(&mut bench, "pg_restore", script);
        let restored = restore(&bench.setup, bench.job(), &target, &copy, &|_| {}).await;
        one_line(&restored.unwrap_err(), cause, script);
        assert_eq!(cluster.databases(), "postgres shop", "{script}");
        assert_eq!(cluster.fingerprint("shop"), wanted, "{script}");
    }
    bench.change(|config| config.jobs[0].bin = BIN.into());
    restore(&bench.setup, bench.job(), &target, &copy, &|_| {})
        .await
        .unwrap();
    assert_eq!(cluster.fingerprint("shop"), wanted);
}

#[tokio::test]
async fn a_drill_whose_programs_fail_fails_and_a_good_copy_stays_good() {
    let cluster = Cluster::start();
    cluster.shop();
    let mut bench = Bench::new(&cluster);
    bench.good().await;
    let target = bench.target("local");
    for (at, (program, script, cause)) in [
        ("pg_restore", "kill -9 $$", "pg_restore was killed"),
        ("pg_restore", "$real \"$@\"; kill -9 $$", "pg_restore was killed"),
        (
            "pg_restore",
            "echo 'pg_restore: error: could not extend file: No space left on device' >&2; exit 1",
            "No space left on device",
        ),
        (
            "pg_restore",
            "echo 'pg_restore: error: connection to server failed: server closed the connection unexpectedly' >&2; exit 1",
            "server closed the connection",
        ),
        ("psql", "exit 2", "psql ended with code 2"),
        ("psql", "kill -9 $$", "psql was killed"),
    ]
    .into_iter()
    .enumerate()
    {
        instead(&mut bench, program, script);
        let copy = bench.newest().await;
        let now_ms = LATER + i64::try_from(at).unwrap() * 1000;
        let report = drill(&bench.setup, bench.job(), &target, &copy, now_ms, &|_| {}).await;
        let report = report.unwrap();
        assert!(!report.passed, "{script}: {report:?}");
        one_line(report.error.as_deref().unwrap(), cause, script);
        assert!(!report.unsound, "{script}: {report:?}");
        let newest = bench.newest().await;
        assert!(newest.is_good(), "{script}");
        // What became of it is told beside the copy all the same.
        assert_eq!(newest.last(Kind::Report), Some(now_ms), "{script}");
        bench.change(|config| config.jobs[0].bin = BIN.into());
    }
    // Verifying too: the program is at fault, not the copy.
    for script in ["kill -9 $$", "exec 0<&-; kill -9 $$"] {
        instead(&mut bench, "pg_restore", script);
        let copy = bench.newest().await;
        let verified = verify(&bench.setup, bench.job(), &target, &copy, LATER, &|_| {}).await;
        let Err(Error::Unknown(why)) = verified else {
            panic!("{script}: {verified:?}");
        };
        one_line(&why, "pg_restore", script);
        assert!(bench.newest().await.is_good(), "{script}");
    }
    bench.change(|config| config.jobs[0].bin = BIN.into());
    let copy = bench.newest().await;
    let report = drill(
        &bench.setup,
        bench.job(),
        &target,
        &copy,
        LATER + 60_000,
        &|_| {},
    )
    .await;
    assert!(report.unwrap().passed);
    assert_eq!(cluster.databases(), "postgres shop");
}

#[tokio::test]
async fn a_drill_without_room_or_time_ends_and_leaves_nothing() {
    let cluster = Cluster::start();
    cluster.shop();
    let mut bench = Bench::new(&cluster);
    bench.good().await;
    let (copy, target) = (bench.newest().await, bench.target("local"));
    let mut large = copy.clone();
    large.manifest.postgres.as_mut().unwrap().size = Some(1 << 50);
    let report = drill(&bench.setup, bench.job(), &target, &large, LATER, &|_| {}).await;
    let report = report.unwrap();
    let cause = "bytes are free where the server keeps its data";
    one_line(report.error.as_deref().unwrap(), cause, "no room");
    assert!(!report.passed && !report.unsound, "{report:?}");
    assert_eq!(cluster.databases(), "postgres shop");
    // Nor does it wait longer for a server that does not answer it at all.
    instead(&mut bench, "psql", "exec sleep 60");
    bench.change(|config| config.jobs[0].timeout = Duration::from_secs(2));
    let report = drill(&bench.setup, bench.job(), &target, &copy, LATER, &|_| {}).await;
    let report = report.unwrap();
    one_line(
        report.error.as_deref().unwrap(),
        "it took longer than 2s",
        "no answer",
    );
    assert!(!report.passed && !report.unsound, "{report:?}");
    // It has begun when its time is over.
    let begun = bench.scratch.path().join("begun");
    let script = format!("touch {}; exec sleep 300", begun.display());
    instead(&mut bench, "pg_restore", &script);
    bench.change(|config| config.jobs[0].timeout = Duration::from_secs(20));
    let report = drill(&bench.setup, bench.job(), &target, &copy, LATER, &|_| {}).await;
    let report = report.unwrap();
    one_line(
        report.error.as_deref().unwrap(),
        "it took longer than 20s",
        "no time",
    );
    assert!(begun.exists() && !report.passed && !report.unsound);
    assert_eq!(cluster.databases(), "postgres shop");
    assert!(bench.newest().await.is_good());
}
