//! Databases and tables whose names leave no room for what is put behind them.

use backup::Job;
use backup::restore::{self, table};

use crate::cluster::Cluster;
use crate::place::Bench;

/// Alike but for their ends, and as long as a server takes them.
fn long(end: &str) -> String {
    format!("{}{end}", "\u{434}".repeat(31))
}

#[tokio::test]
async fn databases_and_tables_with_long_names_that_begin_alike_are_not_taken_for_each_other() {
    let cluster = Cluster::start();
    cluster.shop();
    let mut bench = Bench::new(&cluster);
    let names = ["a", "b"].map(long);
    let count = format!("SELECT count(*) FROM \"{}\"", long("t"));
    let mut copies = Vec::new();
    for name in &names {
        cluster.sql("postgres", &format!("CREATE DATABASE \"{name}\""));
        let make = format!(
            "CREATE TABLE \"{}\" AS SELECT generate_series(1, 9) n",
            long("t")
        );
        cluster.sql(name, &make);
    }
    let job = bench.job().clone();
    let mut jobs = names.each_ref().map(|name| Job {
        database: name.clone(),
        ..job.clone()
    });
    for (job, end) in jobs.iter_mut().zip(["a", "b"]) {
        job.name = format!("db-{end}");
        bench.change(|config| config.jobs = vec![job.clone()]);
        bench.good().await;
        let listed = bench.listed("local").await;
        let of_job = |copy: &backup::catalogue::Copy| copy.manifest.source == job.name;
        copies.push(listed.into_iter().find(of_job).unwrap());
        cluster.sql(&job.database, &format!("DELETE FROM \"{}\"", long("t")));
    }
    let target = bench.target("local");
    let setup = &bench.setup;
    for (job, copy) in jobs.iter().zip(&copies) {
        let made = table::restore(setup, job, &target, copy, (&long("t"), None), &|_| {}).await;
        let made = made.unwrap();
        let (_, made) = made.split_once('.').unwrap();
        let rows = format!("SELECT count(*) FROM \"{made}\"");
        assert_eq!(cluster.sql(&job.database, &rows), "9");
        let done = restore::restore(setup, job, &target, copy, &|_| {}).await;
        done.unwrap();
        assert_eq!(cluster.sql(&job.database, &count), "9");
    }
    // What is kept of the other one stays.
    let removed = restore::confirm(setup, &jobs[0]).await.unwrap();
    assert_eq!(removed.len(), 1, "{removed:?}");
    restore::undo(setup, &jobs[1]).await.unwrap();
    assert_eq!(cluster.sql(&names[0], &count), "9");
    assert_eq!(cluster.sql(&names[1], &count), "0");
}
