//! The whole way on each version of PostgreSQL that there are programs for: dumped,
//! verified, drilled, lost, restored, compared in full.

use std::path::Path;
use std::process::Command;

use backup::drill::drill;
use backup::postgres::Checker;
use backup::restore::{self, restore};
use backup::verify::verify;

use crate::cluster::{Cluster, run};
use crate::place::Bench;
use crate::tree::LATER;

/// A dump with the places of its data, as a restore makes it.
fn placed(mut raw: Vec<u8>) -> Vec<u8> {
    let mut checker = Checker::default();
    raw.chunks(777)
        .for_each(|bytes| checker.read(bytes).unwrap());
    let offsets = checker.end().unwrap().offsets;
    assert!(offsets.len() > 5, "{offsets:?}");
    for offset in offsets {
        let at = usize::try_from(offset.field).unwrap();
        raw[at..at + 9].copy_from_slice(&offset.bytes());
    }
    raw
}

/// The dump that pg_dump makes where it can go back and fill in the places.
fn placed_by_pg_dump(cluster: &Cluster, file: &Path) -> Vec<u8> {
    let mut dump = Command::new(cluster.clients.join("pg_dump"));
    dump.arg("--host").arg(&cluster.sockets);
    dump.args(["--username", "postgres", "--format=custom", "--compress=0"]);
    run(dump.arg("--file").arg(file).arg("shop"));
    std::fs::read(file).unwrap()
}

/// The same without the time at which it was made.
fn undated(mut dump: Vec<u8>) -> Vec<u8> {
    let (minor, int) = (dump[6], usize::from(dump[8]));
    let compression = if minor < 15 { 1 + int } else { 1 };
    let date = 11 + compression;
    dump[date..date + 7 * (1 + int)].fill(0);
    dump
}

async fn there_and_back(cluster: &Cluster) {
    let mut bench = Bench::new(cluster);
    bench.change(|config| config.level = 1);
    let manifest = bench.good().await;
    assert!(manifest.warnings.is_empty(), "{manifest:?}");
    let facts = manifest.postgres.as_ref().unwrap();
    assert!(facts.entries > Some(20), "it is known how to read it");
    let raw = bench.open("local", &manifest.pieces[0]).await;
    let own = placed_by_pg_dump(cluster, &bench.scratch.path().join("own"));
    assert!(undated(placed(raw)) == undated(own), "places differ");
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
async fn a_database_of_postgresql_15_comes_back_alike() {
    let cluster = Cluster::of(15);
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
