//! An upload of what lies here whole, cut off, and going on where it was.

use std::fs;
use std::path::{Path, PathBuf};

use backup::replicate::replicate;
use backup::run::Outcome;
use backup::verify::verify;

use crate::bucket::bench::{Bench as Bucket, noise};
use crate::faults::bucket;
use crate::place::Bench;
use crate::strict::{Harm, To};
use crate::tree::{LATER, bench};

/// A backup of 44 MiB in a folder, a bucket that lacks it, and in how many parts it goes.
async fn lacking() -> (Bench, Bucket, usize) {
    let (mut bench, root) = bench();
    let there = Bucket::new().await;
    let all: Vec<u8> = (0..44).flat_map(noise).collect();
    fs::write(root.join("noise"), all).unwrap();
    bench.good().await;
    let place = bucket(there.port, "host");
    bench.change(|config| config.targets.push(place));
    (bench, there, 6)
}

/// The same, when the bucket took some parts of it and then no more.
async fn cut_off() -> (Bench, Bucket, usize) {
    let (bench, there, all) = lacking().await;
    cut(&bench, &there, 4).await;
    (bench, there, all)
}

/// Cuts it off when the bucket has taken so many parts.
async fn cut(bench: &Bench, there: &Bucket, after: usize) {
    let refused = Harm::Answer(403, "AccessDenied");
    there
        .strict
        .harm_later(To::Part, refused, after, usize::MAX);
    let errors = brought(bench).await;
    assert!(errors[0].contains("403"), "{errors:?}");
    let parts = there.strict.seen(To::Part);
    // All but the one that was refused, and one that may have been on its way.
    assert!(parts > after, "{parts}");
    assert_eq!(open(bench), 1);
    assert_eq!(there.strict.seen(To::Abort), 0);
    there.strict.heal();
    there.strict.forget();
}

/// The largest file of the copy that lies here.
fn stored(bench: &Bench) -> PathBuf {
    let files = bench.files("local").into_iter();
    let largest = files.max_by_key(|file| fs::metadata(file).unwrap().len());
    largest.unwrap()
}

/// Damages a file's first part; what was in it before.
fn damage(file: &Path) -> Vec<u8> {
    let whole = fs::read(file).unwrap();
    let mut damaged = whole.clone();
    damaged[1 << 20] ^= 1;
    fs::write(file, damaged).unwrap();
    whole
}

async fn brought(bench: &Bench) -> Vec<String> {
    replicate(&bench.setup, bench.job(), &|_| {})
        .await
        .unwrap()
        .errors
}

fn open(bench: &Bench) -> usize {
    bench.files("work/uploads").len()
}

/// How many parts have arrived without a gap, as the open upload's file has them.
fn arrived(bench: &Bench) -> usize {
    let file = fs::read(&bench.files("work/uploads")[0]).unwrap();
    let upload: serde_json::Value = serde_json::from_slice(&file).unwrap();
    upload["sums"].as_array().unwrap().len()
}

/// The oldest copy in the bucket is whole, and what is brought keeps to its rules.
async fn is_whole(bench: &Bench, there: &Bucket) {
    let copies = bench.listed("r2").await;
    let target = bench.target("r2");
    let verified = verify(
        &bench.setup,
        bench.job(),
        &target,
        &copies[0],
        LATER,
        &|_| {},
    );
    verified.await.unwrap();
    assert_eq!(there.strict.broken(), Vec::<String>::new());
    assert_eq!(open(bench), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_was_cut_off_goes_on_where_it_was_though_another_run_came_between() {
    let (bench, there, all) = cut_off().await;
    // The next run takes away what dead runs left, and this is not of them.
    let root = bench.scratch.path().join("data");
    fs::write(root.join("more"), noise(99)).unwrap();
    assert_eq!(bench.run().await.outcome, Outcome::Good);
    assert_eq!(open(&bench), 1);
    there.strict.forget();
    assert_eq!(brought(&bench).await, Vec::<String>::new());
    assert_eq!(there.strict.seen(To::Create), 0);
    let parts = there.strict.seen(To::Part);
    // Which of them had arrived without a gap is up to how they overtook each other.
    assert!(parts < all, "{parts} of {all} were sent once more");
    is_whole(&bench, &there).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_the_store_no_longer_knows_is_begun_anew() {
    let (bench, there, all) = cut_off().await;
    there
        .strict
        .harm(To::Part, Harm::Answer(404, "NoSuchUpload"), usize::MAX);
    let errors = brought(&bench).await;
    assert!(errors[0].contains("ended by the store"), "{errors:?}");
    assert_eq!(open(&bench), 0);
    there.strict.heal();
    there.strict.forget();
    assert_eq!(brought(&bench).await, Vec::<String>::new());
    assert_eq!(there.strict.seen(To::Create), 1);
    assert_eq!(there.strict.seen(To::Part), all);
    is_whole(&bench, &there).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_of_a_damaged_source_that_cannot_be_ended_neither_goes_on_nor_is_forgotten() {
    let (bench, there, all) = lacking().await;
    let refused = Harm::Answer(403, "AccessDenied");
    there.strict.harm(To::Abort, refused, usize::MAX);
    let stored = stored(&bench);
    let whole = damage(&stored);
    let errors = brought(&bench).await;
    assert!(errors[0].contains("damaged where it lies"), "{errors:?}");
    assert!(there.strict.seen(To::Part) > 1);
    assert_eq!(open(&bench), 1);

    fs::write(&stored, whole).unwrap();
    there.strict.forget();
    let errors = brought(&bench).await;
    assert!(errors[0].contains("403"), "{errors:?}");
    assert_eq!(there.strict.seen(To::Create), 0);
    assert_eq!(open(&bench), 1);

    there.strict.heal();
    there.strict.forget();
    assert_eq!(brought(&bench).await, Vec::<String>::new());
    assert_eq!(there.strict.seen(To::Abort), 1);
    assert_eq!(there.strict.seen(To::Part), all);
    is_whole(&bench, &there).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_arrived_of_a_source_that_was_damaged_then_is_no_part_of_the_copy() {
    let (bench, there, all) = lacking().await;
    let stored = stored(&bench);
    let whole = damage(&stored);
    // So early that nobody has read all of it; once more where the first part was
    // overtaken by others, and nothing can go on.
    loop {
        cut(&bench, &there, 2).await;
        if arrived(&bench) > 0 {
            break;
        }
    }
    // It is mended then.
    fs::write(&stored, whole).unwrap();
    let errors = brought(&bench).await;
    assert!(errors[0].contains("not what lies here"), "{errors:?}");
    assert_eq!(there.strict.seen(To::Part), 0);
    assert_eq!(open(&bench), 0);
    assert_eq!(brought(&bench).await, Vec::<String>::new());
    assert_eq!(there.strict.seen(To::Part), all);
    is_whole(&bench, &there).await;
}
