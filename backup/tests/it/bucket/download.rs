//! What is fetched from a bucket is whole, or an error.

use backup::target::{Error, Target};

use super::bench::{Bench, noise};
use crate::strict::{Harm, To};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_fetched_is_whole_or_an_error() {
    let bench = Bench::new().await;
    let key = "here/postgres/db/0";
    bench.send(key, 3).await.unwrap();
    let stored = bench.target.size(key).await.unwrap();
    let raw: Vec<u8> = (0..3).flat_map(noise).collect();
    let sha = |bytes: &[u8]| {
        let hash = ring::digest::digest(&ring::digest::SHA256, bytes);
        data_encoding::HEXLOWER.encode(hash.as_ref())
    };
    let mut whole = Vec::new();
    let mut flow = bench.target.read(key).await.unwrap();
    while let Some(bytes) = flow.recv().await {
        whole.extend_from_slice(&bytes.unwrap());
    }
    let piece = backup::manifest::Piece {
        name: "dump".into(),
        key: key.into(),
        raw_bytes: raw.len() as u64,
        raw_sha256: sha(&raw),
        stored_bytes: stored,
        stored_sha256: sha(&whole),
        recipients: Vec::new(),
    };
    let fetch = || backup::fetch::fetch(&bench.target, &piece, &[], std::io::sink());
    fetch().await.unwrap();
    for (harm, cause) in [
        (Harm::CorruptDown, "dump is damaged"),
        (Harm::CutDown, "dump is damaged"),
        (Harm::LongDown, "dump is damaged"),
        (
            Harm::Answer(403, "AccessDenied"),
            "403 Forbidden AccessDenied",
        ),
        (Harm::Answer(404, "NoSuchKey"), "is not there"),
    ] {
        bench.strict.harm(To::Get, harm, usize::MAX);
        let err = fetch().await.unwrap_err().to_string();
        assert!(err.contains(cause), "{harm:?}: {err}");
        bench.strict.heal();
    }
    bench.strict.harm(To::Get, Harm::Answer(503, "SlowDown"), 1);
    fetch().await.unwrap();
}

async fn fetched(target: &Target, key: &str) -> Result<Vec<u8>, Error> {
    let mut all = Vec::new();
    let mut flow = target.read(key).await?;
    while let Some(bytes) = flow.recv().await {
        all.extend_from_slice(&bytes?);
    }
    Ok(all)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_download_is_not_cut_and_one_that_stands_still_goes_on_where_it_was() {
    let bench = Bench::new().await;
    let key = "here/postgres/db/0";
    bench.send(key, 3).await.unwrap();
    let whole = fetched(&bench.target, key).await.unwrap();
    let patient = |seconds| -> Target {
        let mut access = crate::store::access(bench.port);
        access.patience = std::time::Duration::from_secs(seconds);
        let ledger = backup::target::Ledger::new(bench.scratch.path().join("uploads"));
        backup::target::Bucket::new(access, ledger).unwrap().into()
    };
    // Twice as long as anything may take that does not move.
    bench.strict.forget();
    bench.strict.harm(To::Get, Harm::Slow(24), 1);
    assert_eq!(fetched(&patient(6), key).await.unwrap(), whole);
    assert_eq!(bench.strict.seen(To::Get), 1, "it was not cut");
    // More often than any one request is tried again.
    bench.strict.harm(To::Get, Harm::Stall, 9);
    assert_eq!(fetched(&patient(3), key).await.unwrap(), whole);
    assert!(bench.strict.seen(To::Get) > 9, "each was tried again");
    for harm in [Harm::Torn, Harm::Stall] {
        bench.strict.heal();
        bench.strict.harm(To::Get, harm, 1);
        let gone = Harm::Answer(404, "NoSuchKey");
        bench.strict.harm(To::Get, gone, usize::MAX);
        let err = fetched(&patient(3), key).await.unwrap_err();
        assert!(!err.to_string().contains('\n'), "{err}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_does_not_go_on_with_another_file_of_the_same_key() {
    let bench = Bench::new().await;
    let key = "here/postgres/db/0";
    // Its half is more than waits for us: nothing is asked anew before we read.
    bench.send(key, 16).await.unwrap();
    let mut access = crate::store::access(bench.port);
    access.patience = std::time::Duration::from_secs(5);
    let ledger = backup::target::Ledger::new(bench.scratch.path().join("uploads"));
    let target: Target = backup::target::Bucket::new(access, ledger).unwrap().into();
    bench.strict.harm(To::Get, Harm::Stall, 1);
    let mut flow = target.read(key).await.unwrap();
    bench.target.delete(key).await.unwrap();
    bench.send(key, 17).await.unwrap();
    bench.strict.forget();
    let mut last = Ok(());
    while let Some(block) = flow.recv().await {
        last = block.map(drop);
    }
    let err = last.unwrap_err().to_string();
    assert!(err.contains("is another file by now"), "{err}");
    let seen = bench.strict.seen(To::Get);
    assert!(seen <= 2, "{seen}: the client asks once more, and so do we");
}
