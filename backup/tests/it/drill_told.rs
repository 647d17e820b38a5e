//! What a drill tells beside the copy.

use std::fs;

use backup::drill::drill;
use backup::marks::Kind;

use crate::bucket::bench::Bench as Bucket;
use crate::cluster::Cluster;
use crate::faults::bucket;
use crate::place::Bench;
use crate::strict::{Harm, To};
use crate::tree::{LATER, bench};

#[tokio::test]
async fn what_was_read_of_an_encrypted_copy_is_not_told_in_plain_text_beside_it() {
    let cluster = Cluster::start();
    cluster.shop();
    let bench = Bench::new(&cluster);
    let manifest = bench.good().await;
    assert!(!manifest.pieces[0].recipients.is_empty());
    let (target, copy) = (bench.target("local"), bench.newest().await);
    let all = |folder: &str| {
        let files = bench.files(folder).into_iter();
        let texts = files.map(|file| fs::read(file).unwrap());
        let texts = texts.map(|text| String::from_utf8_lossy(&text).into_owned());
        texts.collect::<Vec<_>>().join("\n")
    };
    let sql = "SELECT 'se' || 'cret'";
    let mut job = bench.job().clone();
    job.checks = vec![sql.into()];
    let report = drill(&bench.setup, &job, &target, &copy, LATER, &|_| {}).await;
    let report = report.unwrap();
    assert_eq!(report.error, Some(format!("{sql} is secret")));
    assert_eq!(bench.newest().await.last(Kind::Report), Some(LATER));
    let beside = all("local");
    assert!(beside.contains(sql) && beside.contains("FAILED"));
    assert!(!beside.contains("secret"));
    assert!(all("work/drills").contains("is secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_takes_no_mark_of_what_is_not_sound_is_told_in_the_report() {
    let (mut bench, root) = bench();
    let there = Bucket::new().await;
    fs::write(root.join("file"), "x").unwrap();
    let place = bucket(there.port, "host");
    bench.change(|config| config.targets = vec![place]);
    bench.good().await;
    let mut copy = bench.listed("r2").await.remove(0);
    copy.broken = Some("half of it is away".into());
    let refused = Harm::Answer(403, "AccessDenied");
    there.strict.harm(To::Put, refused, 1);
    let target = bench.target("r2");
    let report = drill(&bench.setup, bench.job(), &target, &copy, LATER, &|_| {}).await;
    let report = report.unwrap();
    let error = report.error.unwrap();
    let told = "half of it is away; r2 does not take the mark of that: ";
    assert!(report.unsound && error.starts_with(told), "{error}");
    assert!(error.contains("403"), "{error}");
    // The report is told all the same.
    let copies = bench.listed("r2").await;
    assert_eq!(copies[0].last(Kind::Report), Some(LATER));
    assert_eq!(copies[0].last(Kind::Unsound), None);
    let kept = bench.files("work/drills");
    assert!(fs::read_to_string(&kept[1]).unwrap().contains(&error));
}
