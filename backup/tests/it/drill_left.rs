//! What drills that died left on a server, and what is left of others there.

use backup::Setup;
use backup::drill::drill;
use backup::run::Lock;

use crate::cluster::Cluster;
use crate::place::Bench;
use crate::tree::LATER;

#[tokio::test]
async fn a_drill_takes_of_a_server_that_others_use_what_it_may_have_and_no_more() {
    let cluster = Cluster::start();
    cluster.shop();
    let mut bench = Bench::new(&cluster);
    bench.good().await;
    let (target, copy) = (bench.target("local"), bench.newest().await);
    let limits = "SELECT current_setting('work_mem') = '16MB' \
        AND current_setting('maintenance_work_mem') = '128MB' \
        AND current_setting('temp_file_limit') <> '-1'";
    bench.change(|config| config.jobs[0].checks = vec![limits.to_owned()]);
    let report = drill(&bench.setup, bench.job(), &target, &copy, LATER, &|_| {}).await;
    let report = report.unwrap();
    assert!(report.passed, "{report:?}");
    // Every database is larger than that.
    bench.change(|config| {
        let job = &mut config.jobs[0];
        job.checks = vec!["SELECT pg_sleep(20) IS NOT NULL".to_owned()];
        job.drill_disk = settings::Size::mib(1);
    });
    let report = drill(&bench.setup, bench.job(), &target, &copy, LATER, &|_| {}).await;
    let report = report.unwrap();
    let why = report.error.as_deref().unwrap_or_default();
    assert!(
        why.ends_with("bytes and grows, and may have 1048576"),
        "{report:?}"
    );
    assert!(!report.passed && !report.unsound, "{report:?}");
    assert_eq!(cluster.databases(), "postgres shop");
}

#[tokio::test]
async fn a_drill_drops_what_dead_ones_left_even_of_jobs_that_are_gone_and_nothing_of_others() {
    let cluster = Cluster::start();
    cluster.shop();
    let bench = Bench::new(&cluster);
    bench.good().await;
    let mark = bench.setup.mark();
    let database = |name: &str| {
        cluster.sql("postgres", &format!("CREATE DATABASE {name}"));
        name.to_owned()
    };
    database(&format!("belfry_drill_db_{mark}_0123abcd"));
    database(&format!("belfry_drill_gone_{mark}_0123abcd"));
    // Who drilled with it here has left its lock.
    drop(Lock::take(&bench.setup.work, "gone").unwrap());
    // One goes on, though its job is there no more.
    let busy = database(&format!("belfry_drill_busy_{mark}_0123abcd"));
    let held = Lock::take(&bench.setup.work, "busy").unwrap();
    // A job of the same name on another host, and in another folder on this one.
    let elsewhere = [
        Setup {
            host: "elsewhere".into(),
            ..bench.setup.clone()
        },
        Setup {
            work: "/elsewhere".into(),
            ..bench.setup.clone()
        },
    ];
    let others =
        elsewhere.map(|other| database(&format!("belfry_drill_db_{}_0123abcd", other.mark())));
    let mut left = vec![busy.clone(), database("belfry_drill_notes")];
    // Under our own names, and yet nobody here ever worked on such a job.
    left.push(database(&format!("belfry_drill_other_{mark}_0123abcd")));
    left.extend(others);
    left.extend(["postgres".to_owned(), "shop".to_owned()]);
    let (target, copy) = (bench.target("local"), bench.newest().await);
    let drilled = async || {
        let report = drill(&bench.setup, bench.job(), &target, &copy, LATER, &|_| {}).await;
        assert!(report.as_ref().unwrap().passed, "{report:?}");
        let mut found: Vec<_> = cluster.databases().split(' ').map(str::to_owned).collect();
        found.sort();
        found
    };
    left.sort();
    assert_eq!(drilled().await, left);
    // When it has died it is no different.
    drop(held);
    left.retain(|name| *name != busy);
    assert_eq!(drilled().await, left);
}
