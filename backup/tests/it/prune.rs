//! Pruning: what the plan says goes, whole, and nothing else is touched.

use backup::Keep;
use backup::id::Id;
use backup::marks::{Kind, Mark};
use backup::prune::{Manner, prune};
use backup::retain::Reason;
use backup::run::Outcome;
use jiff::tz::TimeZone;

use crate::cluster::Cluster;
use crate::place::Bench;

const DAY: i64 = 86_400_000;
const NOW: i64 = 1_787_454_600_000 + DAY;

/// Keeps the newest copy alone.
pub(crate) const NEWEST: Keep = Keep {
    last: 1,
    daily: 0,
    weekly: 0,
    monthly: 0,
    min_keep: 1,
    before_change: std::time::Duration::from_secs(30 * 86_400),
};

pub(crate) fn manner(dry: bool, force: bool) -> Manner {
    Manner {
        dry,
        force,
        zone: TimeZone::UTC,
    }
}

#[tokio::test]
async fn what_the_plan_lets_go_is_gone_whole_and_written_down() {
    let cluster = Cluster::start();
    cluster.sql("postgres", "CREATE DATABASE shop");
    cluster.sql("shop", "CREATE TABLE a AS SELECT generate_series(1, 10)");
    let mut bench = Bench::new(&cluster);
    for _ in 0..4 {
        assert_eq!(bench.run().await.outcome, Outcome::Good);
    }
    bench.change(|config| {
        config.jobs[0].keep = Keep { daily: 1, ..NEWEST };
    });
    // Of another job whose name begins alike, and of nobody we know.
    let root = bench.scratch.path().join("local/testhost/postgres");
    std::fs::create_dir(root.join("db2")).unwrap();
    for name in [
        "db2/20250101T000000Z-00000000.pgdump.zst",
        "db/notes.txt",
        "db/20250101T000000Z-00000000.pgdump.zst",
    ] {
        std::fs::write(root.join(name), "x").unwrap();
        let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
        std::fs::File::options()
            .write(true)
            .open(root.join(name))
            .unwrap()
            .set_modified(long_ago)
            .unwrap();
    }
    let copies = bench.listed("local").await;
    let pinned = &copies[0].manifest;
    let target = bench.target("local");
    let id = Id::parse(&pinned.id).unwrap();
    for (kind, at_ms) in [(Kind::Pinned, NOW + DAY), (Kind::Verified, NOW)] {
        Mark { kind, at_ms }
            .set(&target, &pinned.shelf(), &id)
            .await
            .unwrap();
    }
    let before = bench.files("local");
    let dry = prune(&bench.setup, bench.job(), &manner(true, false), NOW)
        .await
        .unwrap();
    assert_eq!(
        dry[0]
            .plan
            .iter()
            .filter(|verdict| verdict.stays.is_empty())
            .count(),
        2,
        "{dry:?}"
    );
    assert_eq!(bench.files("local"), before);

    let done = prune(&bench.setup, bench.job(), &manner(false, false), NOW)
        .await
        .unwrap();
    assert_eq!(
        (done[0].deleted.len(), &done[0].errors),
        (2, &Vec::new()),
        "{done:?}"
    );
    let left = bench.listed("local").await;
    assert_eq!(
        left.iter()
            .map(|copy| &copy.manifest.id)
            .collect::<Vec<_>>(),
        [&pinned.id, &copies[3].manifest.id]
    );
    // Three files of each, two marks, and what is not of this job or not ours.
    assert_eq!(bench.files("local").len(), 2 * 3 + 2 + 2);
    let written = std::fs::read_to_string(bench.setup.work.join("deleted.jsonl")).unwrap();
    assert_eq!(written.lines().count(), 3, "{written}");
    assert!(written.contains(&copies[1].manifest.id));
    // Once its time is over, the pin holds nothing; but no other was ever read.
    let later = async || {
        let manner = manner(false, false);
        let done = prune(&bench.setup, bench.job(), &manner, NOW + 2 * DAY).await;
        done.unwrap()
    };
    let done = later().await;
    assert_eq!(done[0].deleted, Vec::<String>::new());
    let verdict = done[0].plan.iter().find(|verdict| verdict.id == pinned.id);
    assert_eq!(verdict.unwrap().stays, [Reason::Verified]);
    let newest = &copies[3].manifest;
    let id = Id::parse(&newest.id).unwrap();
    Mark {
        kind: Kind::Verified,
        at_ms: NOW,
    }
    .set(&target, &newest.shelf(), &id)
    .await
    .unwrap();
    // Half of two is not more than half.
    let done = later().await;
    assert_eq!(done[0].deleted, std::slice::from_ref(&pinned.id));
    assert_eq!(
        bench.files("local").len(),
        3 + 1 + 2,
        "its marks go with it"
    );
}

#[tokio::test]
async fn nothing_is_deleted_when_anything_is_in_doubt() {
    let cluster = Cluster::start();
    cluster.sql("postgres", "CREATE DATABASE shop");
    let mut bench = Bench::new(&cluster);
    for _ in 0..4 {
        bench.run().await;
    }
    bench.change(|config| config.jobs[0].keep = NEWEST);
    let before = bench.files("local");
    for (now_ms, cause) in [
        (NOW, "3 of 4 copies would go at once"),
        (NOW - 3 * DAY, "the clock is wrong"),
    ] {
        let refused = prune(&bench.setup, bench.job(), &manner(false, false), now_ms)
            .await
            .unwrap();
        assert!(refused[0].errors[0].contains(cause), "{refused:?}");
    }
    let broken = bench
        .scratch
        .path()
        .join("local/testhost/postgres/db/20250101T000000Z-00000000.manifest.json");
    std::fs::write(&broken, "{").unwrap();
    let refused = prune(&bench.setup, bench.job(), &manner(false, true), NOW)
        .await
        .unwrap();
    assert!(
        refused[0].errors[0].contains("a manifest cannot be read"),
        "{refused:?}"
    );
    std::fs::remove_file(&broken).unwrap();
    assert_eq!(bench.files("local"), before);
    // The last run has failed, or was killed: what is there may be needed.
    let database = bench.job().database.clone();
    bench.change(|config| config.jobs[0].database = "nowhere".into());
    assert_eq!(bench.run().await.outcome, Outcome::Failed);
    bench.change(|config| {
        config.jobs[0].database = database;
        config.jobs[0].keep = Keep { last: 2, ..NEWEST };
    });
    for dry in [true, false] {
        let refused = prune(&bench.setup, bench.job(), &manner(dry, false), NOW).await;
        let [refused] = &refused.unwrap()[..] else {
            panic!("one target");
        };
        let told = &refused.errors[0];
        assert!(
            told.contains("the last run of db has made nothing"),
            "{told}"
        );
        assert_eq!((refused.plan.len(), refused.deleted.len()), (4, 0));
    }
    assert_eq!(bench.files("local"), before);
    bench.good().await;
    let done = prune(&bench.setup, bench.job(), &manner(false, false), NOW).await;
    assert_eq!(
        done.unwrap()[0].errors,
        [
            "nothing is deleted: 3 of 5 copies would go at once; say so with --force if that is meant, which also lets good ones go after a run that made nothing"
        ]
    );
    bench.change(|config| config.jobs[0].keep = NEWEST);
    let done = prune(&bench.setup, bench.job(), &manner(false, true), NOW)
        .await
        .unwrap();
    assert_eq!(done[0].deleted.len(), 4);
    // The target is away: that is told, and nothing else happens.
    let root = bench.scratch.path().join("local");
    std::fs::rename(&root, bench.scratch.path().join("away")).unwrap();
    let refused = prune(&bench.setup, bench.job(), &manner(false, true), NOW)
        .await
        .unwrap();
    assert!(
        refused[0].errors[0].contains("cannot be listed"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn after_a_run_that_made_nothing_only_what_nobody_can_restore_goes() {
    let (mut bench, data) = crate::tree::bench();
    let mut made = Vec::new();
    for text in ["a", "b", "c", "d"] {
        std::fs::write(data.join("file"), text).unwrap();
        made.push(bench.good().await);
    }
    bench.change(|config| config.jobs[0].keep = Keep { last: 2, ..NEWEST });
    let (target, oldest) = (bench.target("local"), &made[0]);
    let unsound = Mark {
        kind: Kind::Unsound,
        at_ms: NOW,
    };
    let id = Id::parse(&oldest.id).unwrap();
    unsound.set(&target, &oldest.shelf(), &id).await.unwrap();
    // Of a run that was killed long ago.
    let key = oldest.shelf().key(&id, "tar.zst");
    let stray = bench.scratch.path().join("local").join(key);
    let stray = stray.with_file_name("20250101T000000Z-00000000.tar.zst");
    std::fs::write(&stray, "x").unwrap();
    let file = std::fs::File::options().write(true).open(&stray).unwrap();
    file.set_modified(std::time::UNIX_EPOCH).unwrap();
    std::fs::rename(&data, data.with_extension("away")).unwrap();
    assert_eq!(bench.run().await.outcome, Outcome::Failed);

    // By then nobody looks at what is not good any more.
    let later = NOW + 30 * DAY;
    let done = prune(&bench.setup, bench.job(), &manner(false, false), later).await;
    let [done] = &done.unwrap()[..] else {
        panic!("one target");
    };
    assert_eq!(done.deleted, std::slice::from_ref(&oldest.id), "{done:?}");
    assert!(!stray.exists());
    let told = &done.errors[0];
    assert!(told.starts_with("no good copy is deleted, since"), "{told}");
    assert_eq!(bench.listed("local").await.len(), 3);
    let done = prune(&bench.setup, bench.job(), &manner(false, true), later).await;
    assert_eq!(done.unwrap()[0].deleted, std::slice::from_ref(&made[1].id));
}
