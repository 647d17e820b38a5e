//! Each kind of request to a bucket, with each kind of trouble, in whole runs: into
//! a folder and a bucket at once.

use backup::prune::prune;

use super::{End, bucket, good_ones_restore, grow, is_brought_later, newest_is_alike};
use super::{one_line, open_uploads, why, with_a_good_one};
use crate::prune::{NEWEST, manner};
use crate::store::Store;
use crate::strict::Harm::{
    Answer, CorruptDown, CorruptUp, Endless, ErrorInside, Lie, LoseAnswer, Reset, Torn, WrongEtag,
};
use crate::strict::To::{Complete, Create, Delete, Get, Head, List, Part, Put};
use crate::strict::{Harm, Strict, To, all_of};

const DENIED: Harm = Answer(403, "AccessDenied");
const ALWAYS: usize = usize::MAX;

/// How many cases go on at once.
pub(super) const AT_ONCE: usize = 6;

/// What comes of [`DENIED`].
const REFUSED: End = End::Without("403 Forbidden AccessDenied");

/// Why no copy is deleted where not all are known.
const UNLISTED: &str = "nothing is deleted, since it cannot be listed";

/// Request, trouble, after how many, how often, and what comes of it.
type Case = (To, Harm, usize, usize, End);

const CASES: &[Case] = &[
    (List, Answer(500, "InternalError"), 0, 1, End::Good),
    (List, Answer(503, "SlowDown"), 0, 2, End::Good),
    (List, Answer(429, "TooManyRequests"), 0, 1, End::Good),
    (List, Reset, 0, 1, End::Good),
    (List, LoseAnswer, 0, 1, End::Good),
    (List, Torn, 0, ALWAYS, End::Without("")),
    (List, DENIED, 0, ALWAYS, REFUSED),
    (
        List,
        Endless,
        0,
        ALWAYS,
        End::Without("the listing has no end"),
    ),
    (Get, Answer(500, "InternalError"), 0, 1, End::Good),
    (Get, Reset, 0, 1, End::Good),
    (Get, DENIED, 0, ALWAYS, REFUSED),
    (Get, Torn, 0, ALWAYS, End::Without("")),
    (Get, CorruptDown, 0, ALWAYS, End::Good),
    (Create, Answer(500, "InternalError"), 0, 2, End::Good),
    (Create, Answer(429, "TooManyRequests"), 0, 1, End::Good),
    (Create, LoseAnswer, 0, 1, End::Good),
    (Create, DENIED, 0, ALWAYS, REFUSED),
    (Create, Torn, 0, ALWAYS, End::Without("")),
    (Part, Answer(500, "InternalError"), 1, 3, End::Good),
    (Part, Answer(503, "SlowDown"), 0, 2, End::Good),
    (Part, Answer(429, "TooManyRequests"), 1, 1, End::Good),
    (Part, Answer(400, "BadDigest"), 0, 1, End::Good),
    (Part, Reset, 0, 2, End::Good),
    (Part, LoseAnswer, 1, 1, End::Good),
    (Part, CorruptUp, 1, 1, End::Good),
    (Part, DENIED, 1, ALWAYS, REFUSED),
    (
        Part,
        Answer(404, "NoSuchUpload"),
        1,
        ALWAYS,
        End::Without("the upload was ended by the store"),
    ),
    (
        Part,
        CorruptUp,
        0,
        ALWAYS,
        End::Without("400 Bad Request XAmzContentSHA256Mismatch"),
    ),
    (
        Part,
        WrongEtag,
        0,
        1,
        End::Without("400 Bad Request InvalidPart"),
    ),
    (Complete, Answer(503, "SlowDown"), 0, 1, End::Good),
    (Complete, LoseAnswer, 0, 1, End::Good),
    (Complete, Lie(500, "InternalError"), 0, 1, End::Good),
    (Complete, ErrorInside, 0, 1, End::Good),
    (Complete, Torn, 0, 1, End::Good),
    (Complete, DENIED, 0, ALWAYS, REFUSED),
    (
        Complete,
        Answer(400, "InvalidPart"),
        0,
        ALWAYS,
        End::Without("400 Bad Request InvalidPart"),
    ),
    (Head, Answer(500, "InternalError"), 0, 1, End::Good),
    (Head, Reset, 0, 1, End::Good),
    (Head, DENIED, 0, ALWAYS, End::Without("403 Forbidden")),
    (
        Head,
        Answer(404, "NoSuchKey"),
        0,
        ALWAYS,
        End::Without("is not there"),
    ),
    // The index, and behind it the manifest, which makes it a backup.
    (Put, Answer(500, "InternalError"), 0, 1, End::Good),
    (Put, Answer(429, "TooManyRequests"), 1, 1, End::Good),
    (Put, Reset, 1, 1, End::Good),
    (Put, LoseAnswer, 1, 1, End::Good),
    (Put, Lie(412, "PreconditionFailed"), 1, 1, End::Good),
    (Put, WrongEtag, 0, 2, End::Good),
    (Put, DENIED, 0, ALWAYS, REFUSED),
    (Put, DENIED, 1, ALWAYS, REFUSED),
    (
        Put,
        CorruptUp,
        1,
        ALWAYS,
        End::Without("400 Bad Request XAmzContentSHA256Mismatch"),
    ),
];

async fn case(upstream: u16, at: usize, (to, harm, after, times, end): Case) {
    let case = &format!("{to:?} {harm:?} after {after}");
    let (strict, port) = Strict::start(upstream).await;
    let place = bucket(port, &format!("case-{at}"));
    let (bench, root) = with_a_good_one(|config| config.targets.push(place)).await;
    grow(&root);
    // What was read of manifests is asked for again.
    let _ = std::fs::remove_dir_all(bench.setup.kept());
    strict.harm_later(to, harm, after, times);
    let report = bench.run().await;
    assert!(strict.struck() > 0, "{case}: it struck nothing");
    strict.heal();
    assert_eq!(report.outcome, end.outcome(), "{case}: {report:?}");
    if let End::Without(cause) = end {
        one_line(why(&report, "r2"), cause, case);
    }
    let there = good_ones_restore(&bench, "r2", case).await;
    let wanted = if matches!(end, End::Good) { 2 } else { 1 };
    assert_eq!(there, wanted, "{case}: the last good one, and no half one");
    assert_eq!(good_ones_restore(&bench, "local", case).await, 2, "{case}");
    assert_eq!(open_uploads(&bench), 0, "{case}");
    is_brought_later(&bench, case).await;
    newest_is_alike(&bench, "r2", &root, case).await;
    newest_is_alike(&bench, "local", &root, case).await;
}

pub(super) fn alone(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(work);
}

#[test]
fn every_request_of_a_run_may_fail_in_every_way_and_no_copy_is_lost_or_false() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = runtime.block_on(Store::start());
    all_of(AT_ONCE, CASES, |at, this| alone(case(store.port, at, this)));
}

/// Trouble while old copies are deleted: how many of three are deleted, and the
/// cause if it is told.
const DELETING: &[(To, Harm, usize, usize, usize, &str)] = &[
    (Delete, Answer(500, "InternalError"), 0, 1, 3, ""),
    (Delete, Answer(503, "SlowDown"), 4, 1, 3, ""),
    (Delete, Reset, 1, 1, 3, ""),
    (Delete, LoseAnswer, 2, 1, 3, ""),
    (
        Delete,
        Answer(403, "ObjectLockedByBucketPolicy"),
        0,
        ALWAYS,
        0,
        "ObjectLockedByBucketPolicy",
    ),
    (
        Delete,
        Answer(403, "AccessDenied"),
        4,
        ALWAYS,
        1,
        "AccessDenied",
    ),
    (List, DENIED, 0, ALWAYS, 0, UNLISTED),
    (List, Endless, 0, ALWAYS, 0, UNLISTED),
    (List, Torn, 0, ALWAYS, 0, UNLISTED),
    (
        Get,
        CorruptDown,
        0,
        ALWAYS,
        0,
        "nothing is deleted, since a manifest cannot be read",
    ),
    (Get, DENIED, 0, ALWAYS, 0, UNLISTED),
];

async fn deleting(
    upstream: u16,
    at: usize,
    (to, harm, after, times, gone, cause): (To, Harm, usize, usize, usize, &str),
) {
    let case = &format!("{to:?} {harm:?} after {after}");
    let (strict, port) = Strict::start(upstream).await;
    let place = bucket(port, &format!("deleting-{at}"));
    let (mut bench, _) = with_a_good_one(|config| config.targets = vec![place]).await;
    for _ in 0..3 {
        bench.good().await;
    }
    let copies = bench.listed("r2").await;
    let newest = copies.last().unwrap().manifest.id.clone();
    bench.change(|config| config.jobs[0].keep = NEWEST);
    let manner = manner(false, true);
    std::fs::remove_dir_all(bench.setup.kept()).unwrap();
    strict.harm_later(to, harm, after, times);
    let now_ms = crate::tree::LATER;
    let done = prune(&bench.setup, bench.job(), &manner, now_ms).await;
    assert!(strict.struck() > 0, "{case}: it struck nothing");
    strict.heal();
    let done = done.unwrap();
    assert_eq!(done[0].deleted.len(), gone, "{case}: {done:?}");
    match cause {
        "" => assert!(done[0].errors.is_empty(), "{case}: {done:?}"),
        cause => one_line(&done[0].errors[0], cause, case),
    }
    good_ones_restore(&bench, "r2", case).await;
    let left = bench.listed("r2").await;
    let newest_left = &left.last().unwrap().manifest.id;
    assert_eq!(*newest_left, newest, "{case}: the newest stays");
    // What is half deleted is gone for whoever looks, and nothing is in the way.
    let done = prune(&bench.setup, bench.job(), &manner, now_ms).await;
    assert!(done.unwrap()[0].errors.is_empty(), "{case}");
    assert_eq!(good_ones_restore(&bench, "r2", case).await, 1, "{case}");
}

#[test]
fn whatever_fails_while_copies_are_deleted_the_newest_stays_and_the_rest_goes_later() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = runtime.block_on(Store::start());
    all_of(AT_ONCE, DELETING, |at, this| {
        alone(deleting(store.port, at, this));
    });
}
