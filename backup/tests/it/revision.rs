//! The schema's revision: noted with the dump, compared after a restore.

use std::sync::Mutex;

use backup::drill::drill;
use backup::restore::{restore, schema};

use crate::cluster::Cluster;
use crate::place::Bench;
use crate::tree::LATER;

/// What migration tools make, and two tables that only have a name of theirs.
const MAKE: &str = "\
CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);
INSERT INTO alembic_version VALUES ('91bc'), ('3f2a');
CREATE SCHEMA blog;
CREATE TABLE blog.django_migrations (id int, app text, name text);
INSERT INTO blog.django_migrations VALUES (2, 'shop', '0002_it''s'), (1, 'shop', '0001_initial');
CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean);
INSERT INTO schema_migrations VALUES (9), (10);
CREATE SCHEMA git;
CREATE TABLE git.version (id bigint, version bigint);
INSERT INTO git.version VALUES (1, 305);
CREATE TABLE version (id text, version jsonb);
INSERT INTO version VALUES ('1', '{}');
CREATE TABLE flyway_schema_history (version text);
CREATE TABLE knex_migrations (id int, name text, batch int);";

#[tokio::test]
async fn the_revision_of_the_schema_is_noted_with_the_dump_and_compared_after_a_restore() {
    let cluster = Cluster::start();
    cluster.shop();
    cluster.sql("shop", MAKE);
    let bench = Bench::new(&cluster);
    let manifest = bench.good().await;
    assert_eq!(manifest.warnings, Vec::<String>::new());
    let facts = manifest.postgres.as_ref().unwrap();
    let told: Vec<_> = facts.revisions.iter().map(ToString::to_string).collect();
    let noted = [
        "blog.django_migrations is at shop.0002_it's",
        "git.version is at 305",
        "public.alembic_version is at 3f2a, 91bc",
        "public.schema_migrations is at 10",
    ];
    assert_eq!(told, noted);
    let (target, copy) = (bench.target("local"), bench.newest().await);
    assert_eq!(copy.manifest, manifest);
    let report = drill(&bench.setup, bench.job(), &target, &copy, LATER, &|_| {}).await;
    let report = report.unwrap();
    assert!(report.passed, "{report:?}");
    let line = "- schema: git.version is at 305, as when it was dumped";
    assert!(report.markdown().contains(line), "{}", report.markdown());

    // A migration that came after it.
    cluster.sql("shop", "INSERT INTO schema_migrations VALUES (11)");
    let now = schema(&bench.setup, bench.job(), facts).await;
    assert_eq!(now[..3], noted[..3]);
    assert_eq!(now[3], format!("{}, and now at 11", noted[3]));
    let mut lying = copy.clone();
    let facts = lying.manifest.postgres.as_mut().unwrap();
    facts.revisions[3].revision = "11".into();
    let told = "public.schema_migrations is at 11 in the backup, and at 10 in what was restored";
    let report = drill(&bench.setup, bench.job(), &target, &lying, LATER, &|_| {}).await;
    let report = report.unwrap();
    assert!(report.unsound, "{report:?}");
    assert_eq!(report.error.as_deref(), Some(told));
    // Who needs the rows gets them, and is told.
    let said = Mutex::new(Vec::new());
    let say = |line| said.lock().unwrap().push(line);
    let restored = restore(&bench.setup, bench.job(), &target, &lying, &say).await;
    restored.unwrap();
    let said = said.into_inner().unwrap();
    assert!(said.contains(&format!("warn    {told}")), "{said:?}");
    let at = "SELECT max(version) FROM schema_migrations";
    assert_eq!(cluster.sql("shop", at), "10");
}

/// Tables that only look like a migration tool's: of a type whose cast runs what somebody
/// wrote, of other types, of parts, and a view that does the same.
const ODD: &str = r#"
CREATE FUNCTION run() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'it was run'; END $$;
CREATE TYPE evil AS (at int);
CREATE FUNCTION told(evil) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN public.run(); END $$;
CREATE CAST (evil AS text) WITH FUNCTION told(evil);
CREATE TABLE schema_migrations (version evil);
INSERT INTO schema_migrations VALUES (ROW(1));
CREATE DOMAIN word AS text;
CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);
INSERT INTO alembic_version VALUES ('B'), ('a');
CREATE TABLE "SequelizeMeta" (name word);
INSERT INTO "SequelizeMeta" VALUES ('a');
CREATE TABLE _sqlx_migrations (version int, success text);
CREATE TABLE django_migrations (id json, app int, name text);
CREATE TABLE goose_db_version (id int, version_id bigint, is_applied int);
CREATE TABLE __diesel_schema_migrations (version text) PARTITION BY LIST (version);
CREATE VIEW doctrine_migration_versions AS SELECT run() AS version;
CREATE TABLE migrations (id int, migration text, batch int, "timestamp" bigint, name text);
INSERT INTO migrations VALUES (1, 'from Berlin to Rome', 1, 1, 'storks');"#;

#[tokio::test]
async fn nothing_of_a_table_that_only_looks_like_a_migration_tools_is_run_and_others_are_noted() {
    let cluster = Cluster::start();
    cluster.shop();
    cluster.sql("shop", ODD);
    let bench = Bench::new(&cluster);
    let manifest = bench.good().await;
    assert_eq!(manifest.warnings, Vec::<String>::new());
    let facts = manifest.postgres.as_ref().unwrap();
    let wanted = ["public.alembic_version is at B, a"];
    let told: Vec<_> = facts.revisions.iter().map(ToString::to_string).collect();
    assert_eq!(told, wanted);
    assert_eq!(schema(&bench.setup, bench.job(), facts).await, wanted);
    let (target, copy) = (bench.target("local"), bench.newest().await);
    let report = drill(&bench.setup, bench.job(), &target, &copy, LATER, &|_| {}).await;
    let report = report.unwrap();
    assert!(report.passed, "{report:?}");
    assert_eq!(report.schema, wanted);
}
