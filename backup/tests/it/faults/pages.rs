//! Listings of which a page is missing or comes twice, when old copies are deleted:
//! nothing is, and what seems to be missing is not forgotten.

use backup::prune::prune;

use super::request::{AT_ONCE, alone};
use super::{bucket, good_ones_restore, one_line, with_a_good_one};
use crate::prune::{NEWEST, manner};
use crate::store::Store;
use crate::strict::Harm::{LosePage, TwicePage};
use crate::strict::{Harm, Strict, To, all_of};
use crate::tree::LATER;

/// What happens to listings, after how many that are whole, and how often.
const CASES: &[(Harm, usize, usize)] = &[
    (LosePage(true), 0, 1),
    (LosePage(false), 0, 1),
    (LosePage(true), 1, 1),
    (LosePage(false), 1, 1),
    // Both of two in a row lose the same.
    (LosePage(true), 0, usize::MAX),
    (LosePage(false), 0, usize::MAX),
    (TwicePage, 0, usize::MAX),
    (TwicePage, 1, 1),
];

async fn case(upstream: u16, at: usize, (harm, after, times): (Harm, usize, usize)) {
    let case = &format!("{harm:?} after {after}, {times} times");
    let (strict, port) = Strict::start(upstream).await;
    let place = bucket(port, &format!("pages-{at}"));
    let (mut bench, _) = with_a_good_one(|config| config.targets = vec![place]).await;
    for _ in 0..3 {
        bench.good().await;
    }
    let copies = bench.listed("r2").await;
    bench.change(|config| config.jobs[0].keep = NEWEST);
    // What a listing has had once is known.
    let dry = prune(&bench.setup, bench.job(), &manner(true, true), LATER).await;
    let going = |done: &[backup::prune::Pruned]| {
        let plan = done[0].plan.iter();
        plan.filter(|verdict| verdict.stays.is_empty()).count()
    };
    assert_eq!(going(&dry.unwrap()), 3, "{case}");
    strict.harm_later(To::List, harm, after, times);
    let done = prune(&bench.setup, bench.job(), &manner(false, true), LATER).await;
    assert!(strict.struck() > 0, "{case}: it struck nothing");
    strict.heal();
    let done = done.unwrap();
    assert_eq!(done[0].deleted, Vec::<String>::new(), "{case}");
    one_line(&done[0].errors[0], "nothing is deleted", case);
    assert_eq!(bench.listed("r2").await, copies, "{case}");
    assert_eq!(good_ones_restore(&bench, "r2", case).await, 4, "{case}");
    // Whole again, they do what they are for.
    let done = prune(&bench.setup, bench.job(), &manner(false, true), LATER).await;
    assert_eq!(done.unwrap()[0].deleted.len(), 3, "{case}");
}

#[test]
fn a_listing_with_a_page_missing_or_told_twice_deletes_nothing() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = runtime.block_on(Store::start());
    all_of(AT_ONCE, CASES, |at, this| alone(case(store.port, at, this)));
}
