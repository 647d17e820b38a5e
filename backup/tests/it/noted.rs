//! Rows that are not counted again after a restore, since the server noted how many it took
//! in and read.

use std::sync::Mutex;

use backup::drill::drill;
use backup::manifest::Table;
use backup::postgres::{Server, Session, noted_rows};
use backup::restore::{self, restore};

use crate::cluster::Cluster;
use crate::place::Bench;
use crate::tree::LATER;

/// Of eight tables three have an index that is built when their rows are there.
async fn counted_only_where_nothing_is_noted(version: u32, noted: usize) {
    let cluster = Cluster::of(version);
    cluster.shop();
    cluster.sql("shop", "CREATE INDEX ON events (at)");
    let bench = Bench::new(&cluster);
    let manifest = bench.good().await;
    assert_eq!(manifest.postgres.as_ref().unwrap().tables.len(), 8);
    let wanted = cluster.fingerprint("shop");
    let compared = Mutex::new(Vec::new());
    let say = |line: String| {
        if line.starts_with("compare ") {
            compared.lock().unwrap().push(line);
        }
    };
    let (target, copy) = (bench.target("local"), bench.newest().await);
    restore(&bench.setup, bench.job(), &target, &copy, &say)
        .await
        .unwrap();
    assert_eq!(cluster.fingerprint("shop"), wanted);
    restore::confirm(&bench.setup, bench.job()).await.unwrap();
    let report = drill(&bench.setup, bench.job(), &target, &copy, LATER, &say)
        .await
        .unwrap();
    assert!(report.passed, "{report:?}");
    let rows = manifest.rows().unwrap();
    let told = |counted: usize| {
        format!(
            "compare 8 tables, {rows} rows, as in the backup; {counted} of the tables were counted"
        )
    };
    // A drill is the proof: nothing else will do there.
    assert_eq!(compared.into_inner().unwrap(), [told(8 - noted), told(8)]);
}

#[tokio::test]
async fn postgresql_13_may_lose_what_it_notes_and_every_table_is_counted() {
    counted_only_where_nothing_is_noted(13, 0).await;
}

#[tokio::test]
async fn of_postgresql_15_tables_with_an_index_are_not_counted_again_but_by_a_drill() {
    counted_only_where_nothing_is_noted(15, 3).await;
}

#[tokio::test]
async fn of_postgresql_16_tables_with_an_index_are_not_counted_again_but_by_a_drill() {
    counted_only_where_nothing_is_noted(16, 3).await;
}

#[tokio::test]
async fn of_postgresql_17_tables_with_an_index_are_not_counted_again_but_by_a_drill() {
    counted_only_where_nothing_is_noted(17, 3).await;
}

#[tokio::test]
async fn of_postgresql_18_tables_with_an_index_are_not_counted_again_but_by_a_drill() {
    counted_only_where_nothing_is_noted(18, 3).await;
}

#[tokio::test]
async fn what_is_noted_counts_only_where_all_of_it_is_what_is_wanted() {
    // Statistics that the server makes by itself would be its own estimate.
    let (cluster, ()) = Cluster::set(15, |_| {}, &["autovacuum=off", "fsync=off"]);
    cluster.sql("postgres", "CREATE DATABASE shop");
    let rows = |table: &str| format!("INSERT INTO {table} SELECT generate_series(1, 3000)");
    let index = |table: &str| format!("CREATE INDEX ON {table} (a)");
    let make = |table: &str| format!("CREATE TABLE {table} (a int)");
    let all = [
        ("as_wanted", vec![rows("as_wanted"), index("as_wanted")]),
        ("bare", vec![rows("bare")]),
        ("early", vec![index("early"), rows("early")]),
        (
            "later",
            vec![
                rows("later"),
                index("later"),
                "DELETE FROM later WHERE a = 7".into(),
            ],
        ),
        (
            "more",
            vec![
                rows("more"),
                index("more"),
                "INSERT INTO more VALUES (0)".into(),
            ],
        ),
        // As many go in as are wanted, and not all of them are there when they are read.
        (
            "undone",
            vec![
                format!("BEGIN; {}; ROLLBACK", rows("undone")),
                index("undone"),
            ],
        ),
        (
            "unvalid",
            vec![
                rows("unvalid"),
                index("unvalid"),
                "UPDATE pg_index SET indisvalid = false WHERE indrelid = 'unvalid'::regclass"
                    .into(),
            ],
        ),
        ("void", vec![index("void")]),
    ];
    for (table, steps) in &all {
        cluster.sql("shop", &make(table));
        for step in steps {
            cluster.sql("shop", step);
        }
    }
    let wanted: Vec<_> = all
        .iter()
        .map(|(name, _)| Table {
            schema: "public".into(),
            name: (*name).into(),
            rows: if *name == "void" { 0 } else { 3000 },
        })
        .collect();
    let bench = Bench::new(&cluster);
    let server = bench.setup.server(bench.job()).unwrap();
    let counts = async |server: &Server| {
        let mut session = Session::open(server).await.unwrap();
        let (found, counted) = noted_rows(&mut session, &wanted).await.unwrap();
        session.close().await.unwrap();
        let mut rows: Vec<_> = found
            .iter()
            .map(|table| format!("{} {}", table.name, table.rows))
            .collect();
        rows.sort();
        (rows.join(", "), counted)
    };
    let told = "as_wanted 3000, bare 3000, early 3000, later 2999, more 3001, undone 0, unvalid 3000, void 0";
    assert_eq!(counts(&server).await, (told.to_owned(), 7));
    // Nothing of it is known any more.
    cluster.sql("shop", "SELECT pg_stat_reset()");
    assert_eq!(counts(&server).await, (told.to_owned(), 8));
    // Where nothing is noted, nothing is what is noted of a table without rows.
    cluster.sql("postgres", "ALTER DATABASE shop SET track_counts = off");
    cluster.sql(
        "shop",
        "CREATE TABLE later_on AS SELECT 1 AS a; CREATE INDEX ON later_on (a)",
    );
    let (rows, counted) = counts(&server).await;
    assert!(rows.contains("later_on 1"), "{rows}");
    assert_eq!(counted, 9);
}

#[tokio::test]
async fn a_restore_counts_where_its_server_notes_nothing() {
    let (cluster, ()) = Cluster::set(15, |_| {}, &["track_counts=off", "fsync=off"]);
    cluster.shop();
    let bench = Bench::new(&cluster);
    bench.good().await;
    let wanted = cluster.fingerprint("shop");
    let told = Mutex::new(String::new());
    let say = |line: String| {
        if line.starts_with("compare ") {
            *told.lock().unwrap() = line;
        }
    };
    let (target, copy) = (bench.target("local"), bench.newest().await);
    restore(&bench.setup, bench.job(), &target, &copy, &say)
        .await
        .unwrap();
    let told = told.into_inner().unwrap();
    assert!(told.ends_with("; 8 of the tables were counted"), "{told}");
    assert_eq!(cluster.fingerprint("shop"), wanted);
}
