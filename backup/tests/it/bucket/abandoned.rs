//! More uploads of a lost host than a bucket tells at once.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::aws::AmazonS3Builder;
use object_store::multipart::MultipartStore;
use object_store::path::Path;

use backup::target::{Bucket, Ledger, Target};

use super::bench::Bench;
use crate::store::{BUCKET, KEY_ID, SECRET, access};
use crate::strict::To;

/// So many uploads, and so many that are told at once.
const MORE: usize = 20;
const AT_ONCE: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn of_more_uploads_than_a_bucket_tells_at_once_all_are_ended() {
    let bench = Bench::new().await;
    let mut lost = access(bench.port);
    let client = AmazonS3Builder::new()
        .with_bucket_name(BUCKET)
        .with_endpoint(&lost.endpoint)
        .with_region(&lost.region)
        .with_access_key_id(KEY_ID)
        .with_secret_access_key(SECRET)
        .with_allow_http(true)
        .build()
        .unwrap();
    let begin = async |at: usize| {
        let key = format!(
            "{}/here/postgres/db/20260823T031000Z-{at:08}.pgdump.zst",
            lost.prefix
        );
        client.create_multipart(&Path::from(key)).await.map(drop)
    };
    let begun = stream::iter(0..MORE).map(begin).buffer_unordered(8);
    begun.try_collect::<Vec<_>>().await.unwrap();
    lost.abandoned = Duration::ZERO;
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::new(folder.path().to_owned());
    let host = Target::from(Bucket::new(lost.clone(), ledger).unwrap());
    let none = BTreeMap::new();
    // Two of one key are told apart by their ids, also where a page ends between them.
    for _ in 0..2 {
        begin(1).await.unwrap();
    }
    bench.strict.tells_at_once(AT_ONCE);
    bench.strict.forget();
    let swept = host.sweep("here/postgres/db/", &none).await;
    assert_eq!(swept, Ok(MORE as u64 + 2));
    let asked = bench.strict.seen(To::Uploads);
    assert_eq!(asked, (MORE + 2).div_ceil(AT_ONCE));
    assert_eq!(host.sweep("here/postgres/db/", &none).await, Ok(0));
    assert_eq!(bench.strict.broken(), Vec::<String>::new());
}
