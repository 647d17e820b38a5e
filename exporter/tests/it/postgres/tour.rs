//! What a page holds of a server that works: all databases, who waits for
//! whom, statements, replication.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use exporter::postgres::Config;
use exposition::Kind;
use rustix::process::Signal;

use super::Work;
use super::cluster::{Cluster, PASSWORD};
use crate::peer::{self, Page};
use crate::server::{Port, Server, find};

const DEADLINE: Duration = Duration::from_secs(30);
/// What neither stands still nor only grows while both are asked.
const VOLATILE: [&str; 2] = ["pg_stat_database_numbackends*", "pg_locks_count*"];

/// Reads a server that has two databases, a table that is being changed, a
/// query that waits for it, and statements with a secret in them.
pub(super) async fn whole(cluster: &Cluster) {
    let admin = cluster.session("postgres", "admin").await;
    for name in ["shop", "blog"] {
        admin.run(&format!("CREATE DATABASE {name}")).await;
    }
    let shop = cluster.session("shop", "shop").await;
    shop.run("CREATE TABLE items (id int PRIMARY KEY, name text); CREATE TABLE orders (id int PRIMARY KEY)").await;
    shop.run("INSERT INTO items SELECT n, 'x' FROM generate_series(1, 1000) n")
        .await;
    shop.run("VACUUM ANALYZE items").await;
    shop.run("SET enable_seqscan = off").await;
    shop.run("SELECT name FROM items WHERE id = 7").await;
    let blog = cluster.session("blog", "blog").await;
    blog.run("CREATE TABLE posts (id int); INSERT INTO posts VALUES (1), (2), (3)")
        .await;
    blog.run("UPDATE posts SET id = 9 WHERE id = 1; DELETE FROM posts WHERE id = 2")
        .await;
    admin
        .run("SELECT pg_create_physical_replication_slot('standby', true)")
        .await;
    admin
        .run(&format!(
            "DO $$ BEGIN PERFORM pg_sleep(0.2), '{PASSWORD}'; END $$"
        ))
        .await;
    // A session's counts are told at its end.
    drop((shop, blog));
    let holder = cluster.session("shop", "holder").await;
    holder
        .run("BEGIN; SELECT pg_sleep(1); LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        .await;
    let waiter = cluster.session("shop", "waiter").await;
    let waiting = tokio::spawn(async move { waiter.run("SELECT * FROM orders").await });

    let work = Work::start(cluster.address(), DEADLINE);
    let posts = |what: &str| {
        format!(
            "pg_stat_user_tables_{what}{{datname=\"blog\",relname=\"posts\",schemaname=\"public\"}}"
        )
    };
    let of_shop = |what: &str, table: &str| {
        format!("{what}{{datname=\"shop\",relname=\"{table}\",schemaname=\"public\"}}")
    };
    work.whole().await;
    let page = work
        .page("counts of all databases", |page| {
            page.value(&posts("n_tup_del")) == Some(1.0)
                && page.value(&of_shop("pg_stat_user_tables_n_tup_ins", "items")) == Some(1000.0)
                && page.value("belfry_postgres_blocked_queries{datname=\"shop\"}") == Some(1.0)
        })
        .await;
    for (series, value) in [
        (posts("n_tup_ins"), 3.0),
        (posts("n_tup_upd"), 1.0),
        (posts("last_autovacuum"), 0.0),
        (of_shop("pg_stat_user_tables_vacuum_count", "items"), 1.0),
        (of_shop("pg_stat_user_tables_n_tup_ins", "orders"), 0.0),
        ("belfry_postgres_tables{datname=\"shop\"}".into(), 2.0),
        ("belfry_postgres_tables_shown{datname=\"shop\"}".into(), 2.0),
        ("pg_replication_slots_active{slot_name=\"standby\"}".into(), 0.0),
        ("pg_replication_is_replica".into(), 0.0),
        ("pg_locks_count{datname=\"shop\",mode=\"accessexclusivelock\"}".into(), 1.0),
        ("belfry_postgres_connections_limit".into(), 27.0),
        ("pg_settings_max_connections".into(), 30.0),
        // The server's, not our connection's.
        ("pg_settings_statement_timeout_seconds".into(), 0.0),
        ("pg_settings_default_transaction_read_only".into(), 0.0),
        (
            "belfry_postgres_blockers{application_name=\"holder\",datname=\"shop\",state=\"idle in transaction\",usename=\"postgres\"}".into(),
            1.0,
        ),
        (
            "belfry_postgres_connections{application_name=\"waiter\",datname=\"shop\",state=\"active\",usename=\"postgres\"}".into(),
            1.0,
        ),
        ("pg_stat_activity_count{datname=\"template1\",state=\"idle\"}".into(), 0.0),
    ] {
        assert_eq!(page.value(&series), Some(value), "{series}");
    }
    let index = |family: &str| {
        let labels =
            "datname=\"shop\",indexrelname=\"items_pkey\",relname=\"items\",schemaname=\"public\"";
        page.value(&format!("{family}{{{labels}}}"))
    };
    assert_eq!(index("belfry_postgres_index_scans_total"), Some(1.0));
    assert!(index("pg_statio_user_indexes_idx_blks_hit_total") > Some(0.0));
    // Idle since its last statement ended, not since its transaction began.
    let holder_of = |what: &str| {
        let labels = "application_name=\"holder\",datname=\"shop\",state=\"idle in transaction\",usename=\"postgres\"";
        page.value(&format!("belfry_postgres_{what}_seconds{{{labels}}}"))
            .unwrap()
    };
    let (idle, open) = (
        holder_of("idle_in_transaction"),
        holder_of("longest_transaction"),
    );
    assert!(idle > 0.0 && open - idle >= 0.9, "{idle} of {open}");
    let longest = "belfry_postgres_longest_query_seconds{application_name=\"waiter\",datname=\"shop\",state=\"active\",usename=\"postgres\"}";
    assert!(page.value(longest).unwrap() > 0.0);
    let kept = page.value("pg_replication_slots_pg_wal_lsn_diff{slot_name=\"standby\"}");
    let most = "SELECT pg_current_wal_lsn() - restart_lsn FROM pg_replication_slots";
    let most = admin.number(most).await;
    assert!(kept > Some(0.0) && kept <= Some(most), "{kept:?} of {most}");
    assert!(
        page.value("belfry_postgres_blocked_longest_seconds{datname=\"shop\"}")
            .unwrap()
            > 0.0
    );
    let id = admin
        .cell("SELECT system_identifier FROM pg_control_system()")
        .await;
    let system = format!("belfry_postgres_system_info{{system_identifier=\"{id}\"}}");
    assert_eq!(page.value(&system), Some(1.0));
    let size = "pg_stat_user_tables_table_size_bytes";
    let items = cluster.session("shop", "sizes").await;
    let wanted = items.number("SELECT pg_table_size('items')").await;
    assert_eq!(page.value(&of_shop(size, "items")), Some(wanted));
    assert_eq!(
        page.value(&of_shop(size, "orders")),
        None,
        "asking would have waited"
    );
    both_names(&page, cluster.version);
    contract(&page, cluster.version);
    statements(&work).await;

    // The change ends: what waited goes on, and the size can be known.
    holder.run("ROLLBACK").await;
    waiting.await.unwrap();
    work.page("the size of the changed table", |page| {
        page.value(&of_shop(size, "orders")) == Some(0.0)
            && page.value("belfry_postgres_blocked_queries{datname=\"shop\"}") == Some(0.0)
    })
    .await;
    admin.run("CREATE DATABASE late").await;
    let late = "belfry_postgres_tables{datname=\"late\"}";
    work.page("a new database", |page| page.value(late) == Some(0.0))
        .await;
    admin.run("DROP DATABASE late WITH (FORCE)").await;
    work.page("its end", |page| page.value(late).is_none())
        .await;
    vacuuming(cluster, &work).await;
    work.whole().await;
}

/// How far a vacuum has come that takes its time.
async fn vacuuming(cluster: &Cluster, work: &Work) {
    let admin = cluster.session("postgres", "admin").await;
    let vacuum = cluster.session("postgres", "vacuum").await;
    vacuum
        .run("CREATE TABLE dust AS SELECT n FROM generate_series(1, 50000) n")
        .await;
    vacuum.run("DELETE FROM dust WHERE n % 2 = 0").await;
    vacuum
        .run("SET vacuum_cost_delay = 100; SET vacuum_cost_limit = 1")
        .await;
    let blocks = vacuum
        .number("SELECT pg_relation_size('dust') / current_setting('block_size')::int")
        .await;
    let sweeping = tokio::spawn(async move { vacuum.0.batch_execute("VACUUM dust").await });
    let of = |what: &str| {
        format!("pg_stat_progress_vacuum_{what}{{datname=\"postgres\",relname=\"dust\"}}")
    };
    let phase = "pg_stat_progress_vacuum_phase{datname=\"postgres\",phase=\"scanning heap\",relname=\"dust\"}";
    let page = work
        .page("a vacuum", |page| {
            page.value(phase) == Some(1.0) && page.value(&of("heap_blks_scanned")) > Some(0.0)
        })
        .await;
    assert_eq!(page.value(&of("heap_blks")), Some(blocks));
    assert!(page.value(&of("max_dead_tuples")) > Some(0.0));
    admin
        .run(
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'vacuum'",
        )
        .await;
    let _ = sweeping.await.unwrap();
    admin.run("DROP TABLE dust").await;
}

/// What costs the server much, such as sizes, is not asked at each reading.
pub(super) async fn sizes_are_kept(cluster: &Cluster) {
    let admin = cluster.session("postgres", "admin").await;
    // Nobody else of ours asks any more.
    let others = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'watch'";
    while admin.number(others).await > 0.0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let work = Work::with(Config {
        servers: vec![cluster.address()],
        seldom: Duration::from_secs(3600),
        ..Work::config(DEADLINE)
    });
    work.whole().await;
    let asked = async |what: &str| {
        let sql = format!(
            "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements
             WHERE userid = 'watch'::regrole AND query LIKE '%{what}%'"
        );
        admin.number(&sql).await
    };
    let dear = ["pg_database_size", "pg_table_size", "pg_settings"];
    let mut before = Vec::new();
    for what in dear {
        before.push(asked(what).await);
    }
    let cheap = asked("pg_stat_bgwriter").await;
    for _ in 0..3 {
        let page = work.text().await;
        assert!(page.contains("pg_database_size_bytes{datname=\"shop\"}"));
    }
    assert!(asked("pg_stat_bgwriter").await > cheap && before[0] > 0.0);
    for (what, before) in dear.into_iter().zip(before) {
        assert_eq!(asked(what).await, before, "{what}");
    }
}

/// Statements are named without their values.
async fn statements(work: &Work) {
    let block = |text: &str| text.contains("query=\"DO ?\"");
    work.page("the text of a statement", |page| {
        page.values.keys().any(|series| block(series))
    })
    .await;
    let text = work.text().await;
    assert!(!text.contains(PASSWORD), "{text}");
    assert!(text.contains("pg_stat_statements_calls_total{datname=\"postgres\",queryid="));
}

/// What versions name differently is there under each name.
fn both_names(page: &Page, version: u32) {
    for (old, new) in [
        (
            "pg_stat_bgwriter_checkpoints_timed_total",
            "pg_stat_checkpointer_num_timed_total",
        ),
        (
            "pg_stat_bgwriter_checkpoints_req_total",
            "pg_stat_checkpointer_num_requested_total",
        ),
        (
            "pg_stat_bgwriter_buffers_checkpoint_total",
            "pg_stat_checkpointer_buffers_written_total",
        ),
        ("pg_replication_lag", "pg_replication_lag_seconds"),
    ] {
        assert!(
            page.value(old).is_some() && page.value(old) == page.value(new),
            "{old} {new}"
        );
    }
    assert!(
        page.value("pg_stat_bgwriter_buffers_backend_total")
            .is_some()
    );
    let reads = "belfry_postgres_io_read_bytes_total{backend_type=\"client backend\",context=\"normal\",object=\"relation\"}";
    assert_eq!(
        page.value(reads).is_some_and(|bytes| bytes > 0.0),
        version >= 16
    );
    assert_eq!(
        page.value("belfry_postgres_wal_bytes_total").is_some(),
        version >= 14
    );
}

/// All families of the contract's first two tiers are there, with their types.
fn contract(page: &Page, version: u32) {
    let file = "../../shared/reference/metrics/postgres_exporter.tsv";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let Ok(text) = std::fs::read_to_string(&file) else {
        say(&format!(
            "{} is missing: the contract is not checked",
            file.display()
        ));
        return;
    };
    // There is no file of queries; 13 does not count active time.
    let mut absent = BTreeSet::from(["pg_exporter_user_queries_load_error"]);
    if version < 14 {
        absent.insert("pg_stat_database_active_time_seconds_total");
    }
    let mut checked = 0;
    for line in text.lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let [name, kind, _, _, tier, ..] = cells[..] else {
            continue;
        };
        if !matches!(tier, "1" | "2") || name.contains('*') || absent.contains(name) {
            continue;
        }
        let found = page.types.get(name).map(|kind: &Kind| kind.as_str());
        assert_eq!(found, Some(kind), "{name}");
        checked += 1;
    }
    assert!(checked > 100, "the contract has {checked} rows");
}

#[expect(clippy::print_stderr, reason = "a test says what it leaves out")]
fn say(what: &str) {
    eprintln!("{what}");
}

/// Debian's exporter finds nothing on its page that ours lacks.
pub(super) async fn beside_debians_exporter(cluster: &Cluster) {
    let name = "prometheus-postgres-exporter";
    let (web, log) = (Port::claim(), cluster.scratch.path.join("peer.log"));
    let mut peer = Command::new(find(name, name));
    peer.env(
        "DATA_SOURCE_NAME",
        format!("{} sslmode=disable", cluster.url("postgres")),
    );
    peer.arg(format!("--web.listen-address=127.0.0.1:{}", web.number));
    let mut peer = Server::start(&mut peer, &log, Signal::TERM);
    let answer = || peer::get(web.number, "/metrics");
    // Its first page lacks the counts of its own collectors.
    peer.ready(|| answer().filter(|page| page.contains("\npg_up 1")));
    let work = Work::start(cluster.address(), DEADLINE);
    work.whole().await;
    peer::between(
        || answer().unwrap(),
        async || work.text().await,
        &["server"],
        "PostgreSQL",
        &VOLATILE,
    )
    .await;
}

/// A replica, its slot, and how far it is behind, seen from both ends.
pub(super) async fn with_a_replica(cluster: &Cluster) {
    let (_server, address) = cluster.replica();
    let replica = Work::start(address, DEADLINE);
    let page = replica.whole().await;
    assert_eq!(page.value("pg_replication_is_replica"), Some(1.0));
    replica
        .page("what it receives", |page| {
            let mut series = page.values.keys();
            series.any(|series| {
                series.starts_with("pg_stat_wal_receiver_flushed_lsn{slot_name=\"standby\"")
            })
        })
        .await;
    let original = Work::start(cluster.address(), DEADLINE);
    let page = original
        .page("its replica", |page| {
            page.value("pg_replication_slots_active{slot_name=\"standby\"}") == Some(1.0)
                && page.value("belfry_postgres_replicas{application_name=\"walreceiver\"}")
                    == Some(1.0)
        })
        .await;
    let status = "pg_replication_slots_wal_status{slot_name=\"standby\",slot_type=\"physical\",wal_status=\"reserved\"}";
    assert_eq!(page.value(status), Some(1.0));
    assert!(
        page.value("pg_replication_slots_pg_wal_lsn_diff{slot_name=\"standby\"}")
            .unwrap()
            >= 0.0
    );
    let behind = page.values.keys().any(|series| {
        series.starts_with("pg_stat_replication_pg_wal_lsn_diff{application_name=\"walreceiver\"")
    });
    assert!(behind);
}
