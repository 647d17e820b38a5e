//! The schema's revision: noted with the dump, compared after a restore.

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
    let wanted = cluster.fingerprint("shop");
    let mut lying = copy.clone();
    let facts = lying.manifest.postgres.as_mut().unwrap();
    facts.revisions[3].revision = "11".into();
    let err = restore(&bench.setup, bench.job(), &target, &lying, &|_| {}).await;
    let told = "public.schema_migrations is at 11 in the backup, and at 10 in what was restored";
    let err = err.unwrap_err();
    assert!(err.contains(told), "{err}");
    assert_eq!(cluster.databases(), "postgres shop");
    assert_eq!(cluster.fingerprint("shop"), wanted);
    let restored = restore(&bench.setup, bench.job(), &target, &copy, &|_| {}).await;
    restored.unwrap();
    let at = "SELECT max(version) FROM schema_migrations";
    assert_eq!(cluster.sql("shop", at), "10");
}

#[tokio::test]
async fn a_table_that_looks_like_a_migration_tools_and_cannot_be_read_as_one_costs_no_backup() {
    let cluster = Cluster::start();
    cluster.shop();
    cluster.sql(
        "shop",
        "CREATE TABLE _sqlx_migrations (version int, success text)",
    );
    let bench = Bench::new(&cluster);
    let manifest = bench.good().await;
    let [warning] = &manifest.warnings[..] else {
        panic!("{:?}", manifest.warnings);
    };
    assert!(
        warning.contains("the schema's revision cannot be read: psql ended with code 3"),
        "{warning}"
    );
    bench.verified().await.unwrap();
}
