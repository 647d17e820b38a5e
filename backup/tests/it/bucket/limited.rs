//! An upload leaves room for others where the configuration says so.

use std::fs;
use std::time::{Duration, Instant};

use backup::replicate::replicate;

use super::bench::{Bench, noise};
use crate::faults::bucket;
use crate::tree;

#[tokio::test(flavor = "multi_thread")]
async fn a_run_and_what_is_brought_later_go_up_no_faster_than_the_limit() {
    let (mut bench, root) = tree::bench();
    let there = Bench::new().await;
    let all: Vec<u8> = (0..3).flat_map(noise).collect();
    fs::write(root.join("noise"), all).unwrap();
    bench.good().await;
    let limited = backup::Place {
        limit: settings::Size(1 << 20),
        ..bucket(there.port, "host")
    };
    bench.change(|config| config.targets.push(limited));
    // All but the last block waits for those before it.
    let least = Duration::from_millis(1500);
    let began = Instant::now();
    let brought = replicate(&bench.setup, bench.job(), &|_| {}).await.unwrap();
    assert_eq!((brought.brought.len(), brought.errors), (1, vec![]));
    assert!(began.elapsed() >= least, "{:?}", began.elapsed());
    let began = Instant::now();
    bench.good().await;
    assert!(began.elapsed() >= least, "{:?}", began.elapsed());
    assert_eq!(bench.listed("r2").await.len(), 2);
}
