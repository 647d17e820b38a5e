//! What is put off while a database is filled that nobody uses yet.

use std::fs;
use std::sync::Mutex;

use backup::restore::restore;

use crate::cluster::Cluster;
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
