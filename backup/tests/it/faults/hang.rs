//! A bucket that does not answer: each kind of request once, and for ever. One that
//! hangs is given up and made again; a bucket that stays silent is named.

use std::collections::BTreeMap;
use std::time::Duration;

use backup::target::{Bucket, Error, Ledger, Target};

use super::request::{AT_ONCE, alone};
use crate::bucket::bench::send;
use crate::store::Store;
use crate::strict::{Harm, Strict, To, all_of};

/// Request, and how often it hangs.
const CASES: &[(To, usize)] = &[
    (To::Create, usize::MAX),
    (To::Part, usize::MAX),
    (To::Complete, usize::MAX),
    (To::Put, usize::MAX),
    (To::Get, usize::MAX),
    (To::Head, usize::MAX),
    (To::List, usize::MAX),
    (To::Delete, usize::MAX),
    (To::Part, 1),
    (To::Get, 1),
    (To::Head, 1),
    (To::List, 1),
];

const THERE: &str = "here/postgres/db/there";

async fn asked(target: &Target, to: To, key: &str) -> Result<(), Error> {
    match to {
        To::Put => target.put(key, vec![1; 10]).await,
        To::Get => target.get(THERE).await.map(drop),
        To::Head => target.size(THERE).await.map(drop),
        To::List => target.list("").await.map(drop),
        To::Uploads => target.sweep("here/", &BTreeMap::new()).await.map(drop),
        To::Delete => target.delete("here/postgres/db/none").await,
        To::Create | To::Part | To::Complete | To::Abort => send(target, key, 9).await,
    }
}

async fn case(upstream: u16, at: usize, (to, times): (To, usize)) {
    let (strict, port) = Strict::start(upstream).await;
    let scratch = tempfile::tempdir().unwrap();
    let mut access = crate::store::access(port);
    access.prefix = format!("hang-{at}");
    let ledger = Ledger::new(scratch.path().join("uploads"));
    let patient: Target = Bucket::new(access.clone(), ledger.clone()).unwrap().into();
    patient.put(THERE, vec![7; 100]).await.unwrap();
    // Long for a server that is busy, and short for who waits for us.
    access.patience = Duration::from_secs(5);
    let target: Target = Bucket::new(access, ledger).unwrap().into();
    strict.harm(to, Harm::Hang, times);
    let done = asked(&target, to, "here/postgres/db/first").await;
    assert!(strict.struck() > 0, "{to:?}: none hung");
    strict.heal();
    if times == 1 {
        assert_eq!(done, Ok(()), "{to:?} once");
        return;
    }
    let told = done.unwrap_err().to_string();
    assert!(!told.is_empty() && !told.contains('\n'), "{to:?}: {told}");
    assert!(!told.contains("hunter2"), "{to:?}: {told}");
    let first = patient.size("here/postgres/db/first").await;
    assert!(first.is_err(), "{to:?}: {first:?}");
    let open = std::fs::read_dir(scratch.path().join("uploads")).map_or(0, Iterator::count);
    assert_eq!(open, 0, "{to:?}: no upload stays open");
    let done = asked(&patient, to, "here/postgres/db/second").await;
    assert_eq!(done, Ok(()), "{to:?}: healed");
}

#[test]
fn a_request_that_hangs_is_made_again_and_a_silent_bucket_is_named() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = runtime.block_on(Store::start());
    all_of(AT_ONCE, CASES, |at, this| alone(case(store.port, at, this)));
}
