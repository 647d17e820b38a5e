//! A backup that does not come down as it went up, when a database is to be restored
//! from a bucket: refused before anything is touched, and named in one line.

use backup::restore::{self, restore};

use super::{bucket, one_line};
use crate::cluster::Cluster;
use crate::place::Bench;
use crate::store::Store;
use crate::strict::{Harm, Strict, To};

/// What happens to all that is fetched, and the cause that is told.
const CASES: &[(Harm, &str)] = &[
    (Harm::CorruptDown, "dump is damaged"),
    (Harm::CutDown, "dump is damaged"),
    (Harm::LongDown, "dump is damaged"),
    (Harm::Torn, ""),
    (
        Harm::Answer(403, "AccessDenied"),
        "403 Forbidden AccessDenied",
    ),
    (Harm::Answer(404, "NoSuchKey"), "is not there"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_of_what_is_fetched_in_another_length_or_otherwise_wrong_touches_nothing() {
    let cluster = Cluster::start();
    cluster.shop();
    let store = Store::start().await;
    let (strict, port) = Strict::start(store.port).await;
    let mut bench = Bench::new(&cluster);
    bench.change(|config| config.targets = vec![bucket(port, "down")]);
    bench.good().await;
    let copy = bench.listed("r2").await.pop().unwrap();
    let (target, wanted) = (bench.target("r2"), cluster.fingerprint("shop"));
    for (harm, cause) in CASES {
        let case = &format!("{harm:?}");
        let struck = strict.struck();
        strict.harm(To::Get, *harm, usize::MAX);
        let restored = restore(&bench.setup, bench.job(), &target, &copy, &|_| {}).await;
        assert!(strict.struck() > struck, "{case}: it struck nothing");
        strict.heal();
        one_line(&restored.unwrap_err(), cause, case);
        assert_eq!(cluster.databases(), "postgres shop", "{case}");
        assert_eq!(cluster.fingerprint("shop"), wanted, "{case}");
        let left = restore::recover(&bench.setup, bench.job()).await;
        assert_eq!(left, Ok(None), "{case}: nothing was begun");
    }
    // Slow is not wrong.
    cluster.sql("shop", "DELETE FROM users WHERE id = 1");
    strict.harm(To::Get, Harm::Slow(4), 1);
    restore(&bench.setup, bench.job(), &target, &copy, &|_| {})
        .await
        .unwrap();
    assert_eq!(cluster.fingerprint("shop"), wanted);
}
