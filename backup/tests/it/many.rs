//! A database with as many schemas and tables as a server without settings of its own
//! can dump.

use std::io::Write;
use std::process::Stdio;

use backup::restore::{self, restore};

use crate::cluster::Cluster;
use crate::place::Bench;

const SCHEMAS: usize = 200;
/// In each of them.
const TABLES: usize = 25;

/// Statements that make the schemas, each with its tables, and then their rows: in
/// transactions of their own, since all of them need more locks than there are.
const MAKE: &str = "\
SELECT format('CREATE SCHEMA s%s ', s) || string_agg(format(
    'CREATE TABLE t%s (id int PRIMARY KEY, other int REFERENCES t%s, text text DEFAULT %L)', t, greatest(t - 1, 1), t), ' ' ORDER BY t)
  FROM generate_series(1, 200) s, generate_series(1, 25) t GROUP BY s ORDER BY s \\gexec
SELECT string_agg(format(
    'INSERT INTO s%s.t%s SELECT n, n FROM generate_series(1, %s) n', s, t, 30 - t + s % 3), '; ' ORDER BY t)
  FROM generate_series(1, 200) s, generate_series(1, 25) t GROUP BY s ORDER BY s \\gexec
";

#[tokio::test]
async fn a_database_of_200_schemas_and_5000_tables_comes_back_alike() {
    let cluster = Cluster::start();
    cluster.sql("postgres", "CREATE DATABASE shop");
    let mut psql = cluster.psql("shop").stdin(Stdio::piped()).spawn().unwrap();
    let mut input = psql.stdin.take().unwrap();
    input.write_all(MAKE.as_bytes()).unwrap();
    drop(input);
    assert!(psql.wait().unwrap().success());
    let wanted = cluster.fingerprint("shop");

    let bench = Bench::new(&cluster);
    let manifest = bench.good().await;
    let facts = manifest.postgres.as_ref().unwrap();
    assert_eq!(facts.tables.len(), SCHEMAS * TABLES);
    let counted = "SELECT sum((xpath('/row/c/text()', query_to_xml(format('SELECT count(*) AS c FROM %s', oid::regclass), false, true, '')))[1]::text::int) FROM pg_class WHERE relkind = 'r' AND relname ~ '^t[0-9]+$' AND relnamespace::regnamespace::text = 's7'";
    let in_one: u64 = facts
        .tables
        .iter()
        .filter(|table| table.schema == "s7")
        .map(|table| table.rows)
        .sum();
    assert_eq!(cluster.sql("shop", counted), in_one.to_string());

    cluster.sql("shop", "DROP SCHEMA s1 CASCADE; DELETE FROM s2.t25");
    let (copy, target) = (bench.newest().await, bench.target("local"));
    restore(&bench.setup, bench.job(), &target, &copy, &|_| {})
        .await
        .unwrap();
    assert_eq!(cluster.fingerprint("shop"), wanted);
    restore::confirm(&bench.setup, bench.job()).await.unwrap();
    assert_eq!(cluster.databases(), "postgres shop");
}
