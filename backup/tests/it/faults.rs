//! Faults at every stage of whole runs. Whatever is broken: what is listed as good
//! restores byte for byte, the last good copy is still there, the cause is one line.

mod disk;
mod download;
mod hang;
mod own;
mod pages;
mod request;
pub(crate) mod tool;

use std::fs;
use std::path::{Path, PathBuf};

use backup::catalogue::Copy;
use backup::replicate::replicate;
use backup::restore::tree;
use backup::run::{Outcome, Report};
use backup::verify::verify;
use backup::{Place, Setup};

use crate::place::Bench;
use crate::store;
use crate::tree::{LATER, told};

/// The S3 server as a target, by way of a port.
pub(crate) fn bucket(port: u16, prefix: &str) -> Place {
    Place {
        name: "r2".into(),
        bucket: store::BUCKET.into(),
        endpoint: format!("http://127.0.0.1:{port}"),
        prefix: prefix.into(),
        access_key_id: store::KEY_ID.into(),
        secret_access_key: settings::Secret::new(store::SECRET),
        slowest: settings::Size(1 << 20),
        ..Place::default()
    }
}

/// A bench with a folder of files, which has one good backup.
async fn with_a_good_one(change: impl FnOnce(&mut backup::Config)) -> (Bench, PathBuf) {
    let (mut bench, root) = crate::tree::bench();
    bench.change(change);
    bench.change(|config| config.level = 1);
    fs::write(root.join("first"), "of the first run").unwrap();
    bench.good().await;
    (bench, root)
}

/// Makes the files larger than one part of an upload.
fn grow(root: &Path) {
    let noise: Vec<u8> = (0..8).flat_map(crate::bucket::bench::noise).collect();
    fs::write(root.join("noise"), &noise).unwrap();
    fs::write(root.join("more"), &noise[..400_000]).unwrap();
    fs::create_dir_all(root.join("folder")).unwrap();
    fs::write(root.join("folder/small"), "small").unwrap();
}

/// The cause in one line, without any secret.
#[track_caller]
fn one_line(text: &str, cause: &str, case: &str) {
    assert!(text.contains(cause), "{case}: {text}");
    assert!(!text.contains('\n') && text.len() < 600, "{case}: {text}");
    assert!(!text.contains("hunter2"), "{case}: {text}");
}

/// Why a target is out of a run.
fn why<'a>(report: &'a Report, target: &str) -> &'a str {
    let found = report.targets.iter().find(|(name, _)| name == target);
    match &found.expect("a target of the run").1 {
        Ok(()) => "",
        Err(why) => why,
    }
}

/// Everything that is listed as good can be restored; how many copies that is.
async fn good_ones_restore(bench: &Bench, target: &str, case: &str) -> usize {
    let copies = bench.listed(target).await;
    let good: Vec<_> = copies.iter().filter(|copy| copy.is_good()).collect();
    for copy in &good {
        restores(&bench.setup, bench, target, copy, case).await;
    }
    good.len()
}

async fn restores(setup: &Setup, bench: &Bench, target: &str, copy: &Copy, case: &str) {
    let target = bench.target(target);
    let verified = verify(setup, bench.job(), &target, copy, LATER, &|_| {}).await;
    assert!(verified.is_ok(), "{case}: {verified:?}");
}

/// The newest copy of a target is just what the folder is.
async fn newest_is_alike(bench: &Bench, target: &str, root: &Path, case: &str) {
    let copies = bench.listed(target).await;
    let copy = copies.iter().rfind(|copy| copy.is_good()).unwrap();
    let into = bench.scratch.path().join("into").join(target);
    let target = bench.target(target);
    tree::into(
        &bench.setup,
        bench.job(),
        &target,
        copy,
        (&into, &[]),
        &|_| {},
    )
    .await
    .unwrap_or_else(|err| panic!("{case}: {err}"));
    assert_eq!(told(&into), told(root), "{case}");
    fs::remove_dir_all(&into).unwrap();
}

/// A target that a run left out gets the backup later, and then is whole.
async fn is_brought_later(bench: &Bench, case: &str) {
    let done = replicate(&bench.setup, bench.job(), &|_| {}).await.unwrap();
    assert_eq!(done.errors, Vec::<String>::new(), "{case}");
}

fn open_uploads(bench: &Bench) -> usize {
    bench.files("work/uploads").len()
}

/// What a run came to, for comparing with what is expected.
#[derive(Debug, Clone, Copy)]
enum End {
    /// Nothing is noticed but the time.
    Good,
    /// The target is out of it, for this reason.
    Without(&'static str),
    /// There is no backup, for this reason.
    Failed(&'static str),
}

impl End {
    fn outcome(self) -> Outcome {
        match self {
            Self::Good => Outcome::Good,
            Self::Without(_) => Outcome::Partly,
            Self::Failed(_) => Outcome::Failed,
        }
    }
}
