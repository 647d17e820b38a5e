//! A restore of a database that many use, who come back at once when they are cut off.

use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use backup::restore::restore;

use crate::cluster::Cluster;
use crate::place::Bench;

const CROWD: usize = 6;
/// Who is connected to a database, and does as the crowd does.
const HERE: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'shop' AND query LIKE '%pg_sleep(600)%' \
AND pid <> pg_backend_pid()";

/// Stays connected, and connects again as soon as it is cut off.
fn come_back(cluster: &Cluster, over: &AtomicBool, cut: &AtomicUsize) {
    while !over.load(Ordering::Relaxed) {
        let mut psql = cluster.psql("shop");
        psql.args(["-c", "SELECT pg_sleep(600)"]);
        let ended = psql.stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(!ended.unwrap().success(), "nobody waits so long");
        cut.fetch_add(1, Ordering::Relaxed);
    }
}

fn all_here(cluster: &Cluster) {
    let began = Instant::now();
    while cluster.sql("postgres", HERE) != CROWD.to_string() {
        assert!(began.elapsed() < Duration::from_secs(120), "they come back");
        thread::sleep(Duration::from_millis(50));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_come_back_at_once_keep_no_restore_from_its_place() {
    let cluster = Cluster::start();
    cluster.shop();
    let bench = Bench::new(&cluster);
    bench.good().await;
    let wanted = cluster.fingerprint("shop");
    cluster.sql("shop", "DELETE FROM users WHERE id > 10");
    let copy = bench.newest().await;
    let (over, cut) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..CROWD {
            scope.spawn(|| come_back(&cluster, &over, &cut));
        }
        all_here(&cluster);
        let target = bench.target("local");
        let restoring = restore(&bench.setup, bench.job(), &target, &copy, &|_| {});
        let restored =
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(restoring));
        let cut = cut.load(Ordering::Relaxed);
        if restored.is_ok() {
            // What they come back to is what was restored.
            all_here(&cluster);
        }
        over.store(true, Ordering::Relaxed);
        let began = Instant::now();
        while cluster.sql("postgres", HERE) != "0" {
            assert!(began.elapsed() < Duration::from_secs(120), "they go");
            let away =
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'shop'";
            cluster.sql("postgres", away);
        }
        let names = restored.unwrap();
        assert!(cut >= CROWD, "each was cut off: {cut}");
        let before = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}'",
            names.before
        );
        assert_eq!(cluster.sql("postgres", &before), "0");
    });
    assert_eq!(cluster.fingerprint("shop"), wanted);
}
