//! What fails in passing is counted, and what is refused is not.

use backup::target::{Error, retries};

use super::bench::Bench;
use crate::strict::{Harm, To};

/// What is told of the bucket.
fn counted(target: &str) -> Option<u64> {
    let line = format!("belfry_backup_target_retries_total{{target=\"{target}\"}} ");
    let text = retries();
    let mut lines = text.lines();
    lines.find_map(|told| told.strip_prefix(&line)?.parse().ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_made_again_are_counted_by_target() {
    assert_eq!(retries(), "");
    let bench = Bench::new().await;
    let target = bench.target.name();
    // It was asked while it did not answer yet.
    let mut wanted = counted(target).unwrap();
    for (at, (to, harm, again)) in [
        (To::Part, Harm::Answer(503, "SlowDown"), true),
        (To::Part, Harm::Answer(429, "TooManyRequests"), true),
        (To::Part, Harm::Answer(400, "BadDigest"), true),
        (To::Create, Harm::Reset, true),
        (To::Part, Harm::Answer(403, "AccessDenied"), false),
    ]
    .into_iter()
    .enumerate()
    {
        bench.strict.harm(to, harm, 1);
        let sent = bench.send(&format!("here/postgres/db/{at}"), 9).await;
        assert_eq!(sent.is_ok(), again, "{to:?} {harm:?}: {sent:?}");
        let now = counted(target).unwrap();
        // A request that was slow may have been made again besides.
        assert!(
            now > wanted || !again && now == wanted,
            "{to:?} {harm:?}: {now}"
        );
        wanted = now;
    }
    // Its end did not come: the rest is asked for.
    bench.strict.harm(To::Get, Harm::Torn, 1);
    assert!(bench.target.get("here/postgres/db/0").await.is_ok());
    let torn = counted(target).unwrap();
    assert!(torn > wanted, "{torn}");
    let lacks = bench.target.get("here/postgres/db/no").await;
    assert!(matches!(lacks, Err(Error::Missing(_))), "{lacks:?}");
    assert_eq!(counted(target), Some(torn));
}
