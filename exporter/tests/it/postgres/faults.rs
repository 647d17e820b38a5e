//! Servers that do not let us in, hold everything locked, hang, and restart.

use std::time::Duration;

use exporter::postgres::{Config, Query, Server as Address, Tls};
use rustix::process::{Pid, Signal, kill_process};
use settings::Secret;

use super::Work;
use super::cluster::{Cluster, PASSWORD};

const DEADLINE: Duration = Duration::from_secs(30);

/// Waits until reading fails with these words, and finds no secret beside them.
async fn fails(address: Address, words: &str) {
    let work = Work::start(address, DEADLINE);
    let trouble =
        |series: &str| series.starts_with("belfry_postgres_read_trouble") && series.contains(words);
    let page = work
        .page(words, |page| {
            page.values.keys().any(|series| trouble(series))
        })
        .await;
    assert_eq!(page.value("pg_up"), Some(0.0));
    assert!(!work.text().await.contains(PASSWORD));
}

/// The certificate is checked, against the right authority only.
pub(super) async fn over_tls(cluster: &Cluster) {
    let port = cluster.port.number;
    let address = Address {
        url: Secret::new(format!("postgres://watch@localhost:{port}/postgres")),
        tls: Tls::Verify,
        ca_file: Some(cluster.folder.join("certificate.pem")),
        ..cluster.address()
    };
    let work = Work::start(address.clone(), DEADLINE);
    work.whole().await;
    drop(work);
    // As applications are told of their database: all in one address.
    let alone = Address {
        url: Secret::new(format!(
            "postgres://watch:{PASSWORD}@localhost:{port}/postgres?sslmode=require"
        )),
        password: Secret::default(),
        ..address.clone()
    };
    let work = Work::start(alone.clone(), DEADLINE);
    work.whole().await;
    assert!(!work.text().await.contains(PASSWORD));
    drop(work);
    // Which then is not spoken to in the clear.
    let clear = Address {
        tls: Tls::Off,
        ..alone
    };
    fails(
        clear,
        "its settings: sslmode wants the connection encrypted",
    )
    .await;
    let plain = Address {
        tls: Tls::Off,
        ..address.clone()
    };
    fails(
        plain,
        "28000: pg_hba.conf does not let this user in, or wants TLS",
    )
    .await;
    // The system's authorities do not know the certificate.
    let unknown = Address {
        ca_file: None,
        ..address.clone()
    };
    fails(unknown, "TLS failed").await;
    let missing = Address {
        ca_file: Some("/nowhere".into()),
        ..address
    };
    fails(missing, "cannot read ca_file").await;
}

/// While the catalogues are locked the server is up, what can be read is, and
/// the page says what cannot.
pub(super) async fn with_catalogues_locked(cluster: &Cluster) {
    let databases = ["shop", "blog", "market"];
    let work = Work::with(Config {
        servers: vec![cluster.address()],
        queries: vec![Query {
            name: "answer".into(),
            sql: "SELECT 42 AS value".into(),
            databases: databases.map(str::to_owned).into(),
            interval: Duration::from_millis(300),
            ..Query::default()
        }],
        ..Work::config(Duration::from_secs(10))
    });
    work.whole().await;
    let holder = cluster.session("postgres", "holder").await;
    // The server would not hinder us to take more than we should.
    holder.run("ALTER ROLE watch CONNECTION LIMIT 9").await;
    holder
        .run("BEGIN; LOCK TABLE pg_catalog.pg_database IN ACCESS EXCLUSIVE MODE")
        .await;
    let page = work
        .page("collectors that fail beside others that do not", |page| {
            let success = |collector: &str| {
                page.value(&format!(
                    "pg_scrape_collector_success{{collector=\"{collector}\"}}"
                ))
            };
            success("database") == Some(0.0)
                && ["wal", "stat_archiver", "stat_bgwriter"]
                    .iter()
                    .all(|collector| success(collector) == Some(1.0))
        })
        .await;
    assert_eq!(page.value("pg_up"), Some(1.0));
    assert_eq!(page.value("belfry_postgres_read_success"), Some(1.0));
    assert_eq!(
        page.value("pg_database_connection_limit{datname=\"shop\"}"),
        None
    );
    for _ in 0..3 {
        work.text().await;
    }
    // A server keeps a process for each attempt to connect until the lock is gone:
    // ours, and one for each of three databases, visited or asked.
    let hanging = "SELECT count(*) FROM pg_stat_get_activity(NULL)
        WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    let hanging = holder.number(hanging).await;
    assert!(hanging <= 4.0, "{hanging} connections");
    holder.run("ROLLBACK").await;
    work.whole().await;
    holder.run("ALTER ROLE watch CONNECTION LIMIT 3").await;
}

/// A user without rights sees less, and is told so; one that does not exist,
/// or says the wrong password, sees nothing.
pub(super) async fn without_rights(cluster: &Cluster) {
    let admin = cluster.session("postgres", "admin").await;
    admin.run("CREATE ROLE plain LOGIN").await;
    let plain = Address {
        url: Secret::new(cluster.url("plain")),
        ..cluster.address()
    };
    let work = Work::start(plain, DEADLINE);
    let page = work
        .page("the page", |page| page.value("pg_up") == Some(1.0))
        .await;
    let success = |collector: &str| {
        page.value(&format!(
            "pg_scrape_collector_success{{collector=\"{collector}\"}}"
        ))
    };
    assert_eq!(success("wal"), Some(0.0));
    assert_eq!(success("stat_database"), Some(1.0));
    drop(work);
    let wrong = Address {
        password: Secret::new("hunter2 or so"),
        ..cluster.address()
    };
    fails(wrong, "28P01: the password is wrong").await;
    let elsewhere = Address {
        url: Secret::new(
            cluster
                .url("watch")
                .replace("dbname=postgres", "dbname=gone"),
        ),
        ..cluster.address()
    };
    fails(elsewhere, "3D000: there is no such database").await;
    let silent = Address {
        password: Secret::default(),
        ..cluster.address()
    };
    fails(silent, "the server wants a password, and none is set").await;
}

/// A server that hangs is down in time, and one that restarted is found again.
pub(super) async fn frozen_and_restarted(cluster: &mut Cluster) {
    let work = Work::start(cluster.address(), Duration::from_secs(10));
    let page = work.whole().await;
    let start = page.value("pg_postmaster_start_time_seconds").unwrap();
    let admin = cluster.session("postgres", "admin").await;
    let pid = "SELECT pid FROM pg_stat_activity WHERE usename = 'watch' AND datname = 'postgres'";
    let pid = Pid::from_raw(admin.cell(pid).await.parse().unwrap()).unwrap();
    let server = cluster.server.as_mut().unwrap();
    // The one that takes connections, so that no new one helps, then ours.
    server.signal(Signal::STOP);
    kill_process(pid, Signal::STOP).unwrap();
    let page = work
        .page("a server that hangs", |page| {
            page.value("pg_up") == Some(0.0)
        })
        .await;
    let late = "belfry_postgres_read_trouble{err=\"no answer in time\"}";
    assert_eq!(page.value(late), Some(1.0));
    assert_eq!(page.value("belfry_postgres_read_success"), Some(0.0));
    kill_process(pid, Signal::CONT).unwrap();
    server.signal(Signal::CONT);
    work.whole().await;
    for setting in ["archive_mode = on", "archive_command = 'false'"] {
        admin.run(&format!("ALTER SYSTEM SET {setting}")).await;
    }
    drop(admin);
    cluster.launch();
    work.page("the restarted server", |page| {
        let now = page.value("pg_postmaster_start_time_seconds");
        page.value("pg_up") == Some(1.0) && now.is_some_and(|now| now > start)
    })
    .await;
    archiving(cluster, &work).await;
}

/// An archive that takes nothing, and then does.
async fn archiving(cluster: &Cluster, work: &Work) {
    let admin = cluster.session("postgres", "admin").await;
    let piece = async || {
        admin.run("CREATE TABLE archived (id int)").await;
        admin.run("DROP TABLE archived").await;
        admin.run("SELECT pg_switch_wal()").await;
    };
    let failing = "belfry_postgres_archiver_failing";
    piece().await;
    let page = work
        .page("an archive that takes nothing", |page| {
            page.value(failing) == Some(1.0)
        })
        .await;
    assert!(page.value("pg_stat_archiver_failed_count") >= Some(1.0));
    let when = page.value("belfry_postgres_archiver_last_failure_timestamp_seconds");
    assert!(when > Some(1e9), "{when:?}");
    admin.run("ALTER SYSTEM SET archive_command = 'true'").await;
    admin.run("SELECT pg_reload_conf()").await;
    piece().await;
    work.page("an archive that takes what comes", |page| {
        page.value(failing) == Some(0.0)
            && page.value("pg_stat_archiver_archived_count") >= Some(1.0)
            && page.value("pg_stat_archiver_last_archive_age") >= Some(0.0)
    })
    .await;
}
