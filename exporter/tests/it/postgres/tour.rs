//! What a page holds of a server that works: all databases, who waits for
//! whom, statements, replication.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

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
        .run("BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
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
    let idle = "belfry_postgres_idle_in_transaction_seconds{application_name=\"holder\",datname=\"shop\",state=\"idle in transaction\",usename=\"postgres\"}";
    assert!(page.value(idle).unwrap() > 0.0);
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
    work.whole().await;
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
