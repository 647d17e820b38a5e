//! What is put off while a database is filled that nobody uses yet.

use std::fs;
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use backup::restore::{Names, restore};

use crate::cluster::Cluster;
use crate::faults::tool::instead;
use crate::place::Bench;

#[tokio::test]
async fn what_was_put_off_is_on_the_disk_before_its_place_is_taken_and_the_live_database_puts_nothing_off()
 {
    let settings = [
        // Nobody else writes anything down, nor has it written.
        "autovacuum=off",
        "wal_writer_delay=10s",
        "log_statement=all",
        "log_line_prefix=%d ",
    ];
    let (cluster, ()) = Cluster::set(15, |_| {}, &settings);
    cluster.shop();
    cluster.sql(
        "postgres",
        "ALTER ROLE postgres SET synchronous_commit = off",
    );
    let bench = Bench::new(&cluster);
    bench.good().await;
    let put_off = Mutex::new(None);
    let say = |line: String| {
        if line.starts_with("restore all of it ") {
            let sql = "SELECT pg_current_wal_insert_lsn() - pg_current_wal_flush_lsn()";
            *put_off.lock().unwrap() = Some(cluster.sql("postgres", sql));
        }
    };
    let (target, copy) = (bench.target("local"), bench.newest().await);
    let restored = restore(&bench.setup, bench.job(), &target, &copy, &say);
    let names = restored.await.unwrap();
    let put_off = put_off.into_inner().unwrap().unwrap();
    // The head of a page that was not begun counts too.
    assert!(put_off.parse::<u64>().unwrap() <= 40, "{put_off}");

    let log = fs::read_to_string(cluster.sockets.join("log")).unwrap();
    let asked = |database: &str, sql: &str| {
        let line = format!("{database} LOG:  statement: {sql}");
        log.lines().any(|told| told.starts_with(&line))
    };
    let off = "SET synchronous_commit = off";
    assert!(asked(&names.beside, off));
    assert!(asked("shop", "ANALYZE"));
    assert!(!asked("shop", off));
}

/// Somebody who is at the table `users`, as the server's own cleaning is.
struct At(Child);

impl At {
    fn users_of(cluster: &Cluster, database: &str) -> Self {
        let mut psql = cluster.psql(database);
        let lock = "BEGIN; LOCK TABLE users IN SHARE UPDATE EXCLUSIVE MODE; SELECT pg_sleep(3600)";
        let at = psql.args(["-c", lock]).stderr(Stdio::null()).spawn();
        let at = Self(at.unwrap());
        let began = Instant::now();
        let held = "SELECT count(*) FROM pg_locks WHERE relation = 'users'::regclass AND granted \
            AND mode = 'ShareUpdateExclusiveLock'";
        while cluster.sql(database, held) != "1" {
            assert!(began.elapsed() < Duration::from_secs(120), "it is there");
            thread::sleep(Duration::from_millis(20));
        }
        at
    }
}

impl Drop for At {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_table_that_the_server_cleans_is_not_waited_for_before_the_swap() {
    let (cluster, ()) = Cluster::set(15, |_| {}, &["autovacuum=off", "fsync=off"]);
    cluster.shop();
    let mut bench = Bench::new(&cluster);
    // Who waited for it would fail at once.
    bench.change(|config| config.jobs[0].lock_wait = Duration::from_millis(1));
    bench.good().await;
    let copy = bench.newest().await;
    let beside = Names::new("shop", &copy.manifest.id).beside;
    let at = Mutex::new(None);
    let say = |line: String| {
        if line.starts_with("restore all of it ") {
            *at.lock().unwrap() = Some(At::users_of(&cluster, &beside));
        }
    };
    let target = bench.target("local");
    let restored = restore(&bench.setup, bench.job(), &target, &copy, &say).await;
    let at = at.into_inner().unwrap();
    assert!(at.is_some());
    restored.unwrap();
    // By then all of it is made of each.
    let made = "SELECT count(*) > 0 FROM pg_stats WHERE tablename = 'users'";
    assert_eq!(cluster.sql("shop", made), "t");
}

/// Those who wait for `pg_restore` in the meantime are cut off, as the server does with
/// whoever is idle for too long.
const CUT: &str = r#"
"${real%/*}/psql" -d postgres -qAtc "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
WHERE application_name = 'belfry_backup' AND datname = 'postgres' AND pid <> pg_backend_pid()" >>FOLDER/cut
exec "$real" "$@"
"#;

#[tokio::test]
async fn a_session_that_is_cut_off_while_a_database_is_filled_is_opened_again() {
    let (cluster, ()) = Cluster::set(15, |_| {}, &["autovacuum=off", "fsync=off"]);
    cluster.shop();
    let mut bench = Bench::new(&cluster);
    bench.good().await;
    let wanted = cluster.fingerprint("shop");
    let folder = bench.scratch.path().to_owned();
    let script = CUT.replace("FOLDER", &folder.display().to_string());
    instead(&mut bench, "pg_restore", &script);
    let (target, copy) = (bench.target("local"), bench.newest().await);
    restore(&bench.setup, bench.job(), &target, &copy, &|_| {})
        .await
        .unwrap();
    let cut = fs::read_to_string(folder.join("cut")).unwrap();
    assert!(cut.contains('t'), "somebody was cut off: {cut:?}");
    assert_eq!(cluster.fingerprint("shop"), wanted);
}
