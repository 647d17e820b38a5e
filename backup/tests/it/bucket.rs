//! A bucket under R2's rules, and with every kind of trouble on the way.

mod abandoned;
mod again;
pub(crate) mod bench;
mod download;
mod limited;

use std::collections::BTreeMap;
use std::time::Duration;

use backup::flow::{self, Feed, Sealing};
use backup::target::{Error, Target};

use crate::strict::{Harm, To};
use bench::{Bench, noise};

#[tokio::test(flavor = "multi_thread")]
async fn uploads_of_every_size_keep_to_the_rules_of_r2() {
    let bench = Bench::new().await;
    for (at, mib) in [0, 1, 7, 8, 9, 16, 25].into_iter().enumerate() {
        let key = format!("here/postgres/db/{at}");
        assert_eq!(bench.send(&key, mib).await, Ok(()), "{mib}");
        assert!(bench.is_whole(&key, mib).await, "{mib}");
    }
    assert_eq!(bench.strict.broken(), Vec::<String>::new());
    assert_eq!(bench.strict.seen(To::Abort), 0);
    assert_eq!(bench.open_uploads(), 0);
    // What is there is never written over.
    assert_eq!(
        bench
            .target
            .put("here/postgres/db/0", b"other".to_vec())
            .await
            .unwrap_err(),
        Error::Exists("here/postgres/db/0".into())
    );
    assert!(bench.is_whole("here/postgres/db/0", 0).await);
    let listed = bench.target.list("here/postgres/db/").await.unwrap();
    assert_eq!(listed.len(), 7);
    assert!(
        bench
            .target
            .list("here/postgres/d")
            .await
            .unwrap()
            .is_empty(),
        "a prefix is a folder"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_is_tried_again_until_it_is_through() {
    let bench = Bench::new().await;
    for (at, (to, harm)) in [
        (To::Part, Harm::Answer(500, "InternalError")),
        (To::Part, Harm::Answer(503, "SlowDown")),
        (To::Part, Harm::Answer(429, "TooManyRequests")),
        (To::Part, Harm::Answer(400, "BadDigest")),
        (To::Part, Harm::Reset),
        (To::Part, Harm::LoseAnswer),
        (To::Part, Harm::CorruptUp),
        (To::Create, Harm::Answer(503, "SlowDown")),
        (To::Create, Harm::Reset),
        (To::Complete, Harm::Answer(500, "InternalError")),
        (To::Complete, Harm::Reset),
        // The truth is what is there.
        (To::Complete, Harm::LoseAnswer),
        (To::Complete, Harm::Lie(500, "InternalError")),
        (To::Complete, Harm::Lie(404, "NoSuchUpload")),
        (To::Complete, Harm::ErrorInside),
    ]
    .into_iter()
    .enumerate()
    {
        let key = format!("here/postgres/db/{at}");
        bench.strict.harm(to, harm, 1);
        assert_eq!(bench.send(&key, 17).await, Ok(()), "{to:?} {harm:?}");
        assert!(bench.is_whole(&key, 17).await, "{to:?} {harm:?}");
        assert_eq!(bench.open_uploads(), 0, "{to:?} {harm:?}");
        bench.strict.heal();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_file_is_put_once_whatever_is_lost() {
    let bench = Bench::new().await;
    for (at, harm) in [
        Harm::Answer(500, "InternalError"),
        Harm::Answer(429, "TooManyRequests"),
        Harm::Reset,
        Harm::LoseAnswer,
        Harm::Lie(500, "InternalError"),
        Harm::Lie(412, "PreconditionFailed"),
    ]
    .into_iter()
    .enumerate()
    {
        let key = format!("here/postgres/db/{at}");
        bench.strict.harm(To::Put, harm, 1);
        assert_eq!(
            bench.target.put(&key, b"content".to_vec()).await,
            Ok(()),
            "{harm:?}"
        );
        assert_eq!(
            bench.target.get(&key).await.unwrap(),
            b"content",
            "{harm:?}"
        );
        bench.strict.heal();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_pass_is_given_up_soon_and_leaves_nothing() {
    let bench = Bench::new().await;
    for (at, (to, harm, cause)) in [
        (
            To::Create,
            Harm::Answer(403, "AccessDenied"),
            "403 Forbidden AccessDenied",
        ),
        (
            To::Part,
            Harm::Answer(403, "AccessDenied"),
            "403 Forbidden AccessDenied",
        ),
        (
            To::Part,
            Harm::Answer(404, "NoSuchUpload"),
            "the upload was ended by the store",
        ),
        (
            To::Part,
            Harm::CorruptUp,
            "400 Bad Request XAmzContentSHA256Mismatch",
        ),
        (
            To::Part,
            Harm::Answer(400, "EntityTooLarge"),
            "400 Bad Request EntityTooLarge",
        ),
        (
            To::Complete,
            Harm::Answer(400, "InvalidPart"),
            "400 Bad Request InvalidPart",
        ),
        (
            To::Complete,
            Harm::Answer(403, "AccessDenied"),
            "403 Forbidden AccessDenied",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let key = format!("here/postgres/db/{at}");
        bench.strict.forget();
        bench.strict.harm(to, harm, usize::MAX);
        let err = bench.send(&key, 17).await.unwrap_err().to_string();
        assert!(err.contains(cause), "{to:?} {harm:?}: {err}");
        assert!(!err.contains("hunter2"), "{err}");
        let requests = bench.strict.seen(to);
        assert!(requests <= 9, "{to:?} {harm:?}: {requests} requests");
        bench.strict.heal();
        assert!(
            matches!(bench.target.size(&key).await, Err(Error::Missing(_))),
            "{harm:?}"
        );
        assert_eq!(bench.open_uploads(), 0, "{to:?} {harm:?}");
        if to != To::Create {
            assert!(bench.strict.seen(To::Abort) > 0, "{to:?} {harm:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_fails_ends_the_upload() {
    let bench = Bench::new().await;
    let sealing = Sealing {
        level: 1,
        recipients: Vec::new(),
    };
    let sent = flow::send(
        std::slice::from_ref(&bench.target),
        "here/postgres/db/0",
        0,
        &sealing,
        async |feed: &Feed| {
            for at in 0..20 {
                feed.give(noise(at)).await.unwrap();
            }
            Err::<(), _>("it broke")
        },
    );
    assert_eq!(sent.await.unwrap_err(), "it broke");
    assert!(bench.strict.seen(To::Part) > 0);
    assert_eq!(
        (
            bench.strict.seen(To::Abort),
            bench.strict.seen(To::Complete)
        ),
        (1, 0)
    );
    assert!(bench.target.list("").await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_could_not_be_ended_is_swept_later() {
    let bench = Bench::new().await;
    bench
        .strict
        .harm(To::Complete, Harm::Answer(400, "InvalidPart"), usize::MAX);
    bench
        .strict
        .harm(To::Abort, Harm::Answer(403, "AccessDenied"), usize::MAX);
    bench.send("here/postgres/db/0", 17).await.unwrap_err();
    assert_eq!(bench.open_uploads(), 1);
    bench.strict.heal();
    let none = BTreeMap::new();
    assert_eq!(
        bench.target.sweep("here/postgres/other/", &none).await,
        Ok(0)
    );
    assert_eq!(bench.target.sweep("here/postgres/db/", &none).await, Ok(1));
    assert_eq!(bench.open_uploads(), 0);
    assert_eq!(bench.target.sweep("here/postgres/db/", &none).await, Ok(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_a_lost_host_left_are_ended_by_whoever_has_its_jobs_now() {
    let bench = Bench::new().await;
    let keys = [
        "here/postgres/db/20260823T031000Z-00000001.pgdump.zst",
        "here/postgres/other/20260823T031000Z-00000002.pgdump.zst",
        "here/postgres/db/notes",
    ];
    let harms = [
        (To::Complete, 400, "InvalidPart"),
        (To::Abort, 403, "AccessDenied"),
    ];
    for (to, status, code) in harms {
        bench
            .strict
            .harm(to, Harm::Answer(status, code), usize::MAX);
    }
    for key in keys {
        bench.send(key, 17).await.unwrap_err();
    }
    bench.strict.heal();
    assert_eq!(bench.open_uploads(), keys.len());
    // A new host knows nothing of them.
    let folder = tempfile::tempdir().unwrap();
    let host = |abandoned: Duration| {
        let mut access = crate::store::access(bench.port);
        access.abandoned = abandoned;
        let ledger = backup::target::Ledger::new(folder.path().to_owned());
        Target::from(backup::target::Bucket::new(access, ledger).unwrap())
    };
    let none = BTreeMap::new();
    let db = "here/postgres/db/";
    // They may still go on.
    let young = host(Duration::from_secs(3600));
    assert_eq!(young.sweep(db, &none).await, Ok(0));
    assert_eq!(bench.strict.seen(To::Abort), keys.len());
    // Nor is what cannot be told a reason to make no backup.
    let lost = host(Duration::ZERO);
    let refused = Harm::Answer(403, "AccessDenied");
    bench.strict.harm(To::Uploads, refused, usize::MAX);
    assert_eq!(lost.sweep(db, &none).await, Ok(0));
    bench.strict.heal();
    // What is noted under the name that a target had before is known.
    let mut access = crate::store::access(bench.port);
    access.name = "renamed".into();
    access.abandoned = Duration::ZERO;
    let ledger = backup::target::Ledger::new(bench.scratch.path().join("uploads"));
    let renamed = Target::from(backup::target::Bucket::new(access, ledger).unwrap());
    assert_eq!(renamed.sweep(db, &none).await, Ok(0));
    assert_eq!(lost.sweep(db, &none).await, Ok(1));
    assert_eq!(lost.sweep(db, &none).await, Ok(0));
    assert_eq!(bench.strict.broken(), Vec::<String>::new());
    // The other job's is there still, and what is noted is no other's.
    assert_eq!(lost.sweep("here/postgres/other/", &none).await, Ok(1));
    assert_eq!(bench.target.sweep("here/postgres/", &none).await, Ok(3));
    assert_eq!(bench.open_uploads(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_is_complete_or_an_error_and_a_refused_delete_is_told() {
    let bench = Bench::new().await;
    for at in 0..3 {
        bench
            .target
            .put(&format!("here/postgres/db/{at}"), vec![at])
            .await
            .unwrap();
    }
    bench
        .strict
        .harm(To::List, Harm::Answer(403, "AccessDenied"), usize::MAX);
    let err = bench.target.list("").await.unwrap_err();
    assert!(
        matches!(&err, Error::Refused(why) if why.contains("AccessDenied")),
        "{err:?}"
    );
    bench.strict.heal();
    bench
        .strict
        .harm(To::List, Harm::Answer(500, "InternalError"), 1);
    assert_eq!(bench.target.list("").await.unwrap().len(), 3);
    bench.strict.harm(To::List, Harm::Endless, usize::MAX);
    let err = bench.target.list("").await.unwrap_err().to_string();
    assert!(err.contains("the listing has no end"), "{err}");
    bench.strict.heal();
    bench.strict.harm(
        To::Delete,
        Harm::Answer(403, "ObjectLockedByBucketPolicy"),
        usize::MAX,
    );
    let err = bench.target.delete("here/postgres/db/0").await.unwrap_err();
    assert!(
        err.to_string().contains("ObjectLockedByBucketPolicy"),
        "{err}"
    );
    bench.strict.heal();
    for _ in 0..2 {
        assert_eq!(bench.target.delete("here/postgres/db/0").await, Ok(()));
    }
    assert_eq!(bench.target.list("").await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_and_a_bucket_that_is_down_are_named() {
    let bench = Bench::new().await;
    let mut access = crate::store::access(bench.port);
    access.secret = settings::Secret::new("hunter3");
    let ledger = backup::target::Ledger::new(bench.scratch.path().join("uploads"));
    let wrong: Target = backup::target::Bucket::new(access.clone(), ledger.clone())
        .unwrap()
        .into();
    let err = wrong.list("").await.unwrap_err().to_string();
    assert!(
        err.contains("403 Forbidden") && !err.contains("hunter"),
        "{err}"
    );
    access.endpoint = "http://127.0.0.1:9".into();
    let down: Target = backup::target::Bucket::new(access, ledger).unwrap().into();
    let err = down.list("").await.unwrap_err();
    assert!(matches!(err, Error::Failed(_)), "{err:?}");
}
