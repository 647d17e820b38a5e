//! The whole way on each version of PostgreSQL that there are programs for: dumped,
//! verified, drilled, lost, restored, compared in full.

use backup::drill::drill;
use backup::restore::{self, restore};
use backup::verify::verify;

use crate::cluster::Cluster;
use crate::place::Bench;
use crate::tree::LATER;

async fn there_and_back(cluster: &Cluster) {
    let mut bench = Bench::new(cluster);
    bench.change(|config| config.level = 1);
    let manifest = bench.good().await;
    assert!(manifest.warnings.is_empty(), "{manifest:?}");
    let facts = manifest.postgres.as_ref().unwrap();
    assert!(facts.entries > Some(20), "it is known how to read it");
    let wanted = cluster.fingerprint("shop");
    let (target, copy) = (bench.target("local"), bench.newest().await);
    verify(&bench.setup, bench.job(), &target, &copy, LATER, &|_| {})
        .await
        .unwrap();
    let report = drill(&bench.setup, bench.job(), &target, &copy, LATER, &|_| {})
        .await
        .unwrap();
    assert!(report.passed, "{report:?}");
    cluster.sql("postgres", "DROP DATABASE shop");
    cluster.sql("postgres", "CREATE DATABASE shop");
    restore(&bench.setup, bench.job(), &target, &copy, &|_| {})
        .await
        .unwrap();
    assert_eq!(cluster.fingerprint("shop"), wanted);
    restore::confirm(&bench.setup, bench.job()).await.unwrap();
    let again = bench.good().await;
    assert_eq!(again.rows(), manifest.rows());
}

#[tokio::test]
async fn a_database_of_postgresql_13_comes_back_alike() {
    let cluster = Cluster::of(13);
    cluster.shop();
    there_and_back(&cluster).await;
}

#[tokio::test]
async fn a_database_of_postgresql_16_comes_back_alike() {
    let cluster = Cluster::of(16);
    cluster.shop();
    there_and_back(&cluster).await;
}

#[tokio::test]
async fn a_database_of_postgresql_17_comes_back_alike() {
    let cluster = Cluster::of(17);
    cluster.shop();
    there_and_back(&cluster).await;
}

#[tokio::test]
async fn a_database_of_postgresql_18_comes_back_alike() {
    let cluster = Cluster::of(18);
    cluster.shop();
    there_and_back(&cluster).await;
}
