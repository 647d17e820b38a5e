//! The last backup before an upgrade or a migration is pinned by the first one after it.

use std::time::Duration;

use backup::catalogue::Copy;
use backup::marks::{Kind, Mark};
use backup::prune::prune;
use backup::replicate::replicate;

use crate::cluster::Cluster;
use crate::place::{Bench, folder};
use crate::prune::{NEWEST, manner};

const DAY: i64 = 86_400_000;
/// When the bench begins.
const BEGAN: i64 = 1_787_454_600_000;
/// A pin of so many days lies ahead by the clock of whoever runs this too.
const CENTURY: u64 = 36_500;

const MAKE: &str = "CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean); \
    INSERT INTO schema_migrations VALUES (1)";

/// Which copies of a target are pinned, for how many days from the start, and why.
async fn pinned(bench: &Bench, target: &str) -> Vec<(String, i64, String)> {
    let mut found = Vec::new();
    for copy in bench.listed(target).await {
        let Copy { manifest, .. } = &copy;
        if let Some(at_ms) = copy.last(Kind::Pinned) {
            let kind = Kind::Pinned;
            let id = backup::id::Id::parse(&manifest.id).unwrap();
            let (target, shelf) = (bench.target(target), manifest.shelf());
            let why = Mark { kind, at_ms }.why(&target, &shelf, &id).await;
            let why = why.unwrap_or_default();
            found.push((manifest.id.clone(), (at_ms - BEGAN) / DAY, why));
        }
    }
    found
}

#[tokio::test]
async fn the_last_copy_before_a_migration_and_an_upgrade_stays_in_every_target_and_says_why() {
    let old = Cluster::start();
    old.sql("postgres", "CREATE DATABASE shop");
    old.sql("shop", MAKE);
    let mut bench = Bench::new(&old);
    let away = bench.scratch.path().join("away");
    std::fs::create_dir(&away).unwrap();
    bench.change(|config| {
        config.targets.push(folder("away", &away));
        config.jobs[0].keep = NEWEST;
    });
    let first = bench.good().await;
    let second = bench.good().await;
    for target in ["local", "away"] {
        assert_eq!(pinned(&bench, target).await, [], "nothing was changed");
    }
    old.sql("shop", "INSERT INTO schema_migrations VALUES (2)");
    bench.good().await;
    let fourth = bench.good().await;
    let migrated = "the last one before the migration of public.schema_migrations from 1 to 2";
    let migrated = (second.id.clone(), 30, migrated.to_owned());
    for target in ["local", "away"] {
        let all = pinned(&bench, target).await;
        assert_eq!(all, std::slice::from_ref(&migrated), "{target}");
    }

    let new = Cluster::of(16);
    new.sql("postgres", "CREATE DATABASE shop");
    new.sql("shop", MAKE);
    new.sql("shop", "INSERT INTO schema_migrations VALUES (2)");
    bench.change(|config| {
        config.jobs[0].host = new.sockets.display().to_string();
        config.jobs[0].bin.clone_from(&new.clients);
        config.jobs[0].keep.before_change = Duration::from_secs(CENTURY * 86_400);
    });
    let fifth = bench.good().await;
    assert_eq!(fifth.warnings, Vec::<String>::new());
    let upgraded = "the last one before the upgrade of PostgreSQL from 15 to 16";
    let upgraded = (
        fourth.id.clone(),
        CENTURY.cast_signed(),
        upgraded.to_owned(),
    );
    // What retention lets go is what nobody needs to go back.
    let done = prune(&bench.setup, bench.job(), &manner(false, true), BEGAN + DAY).await;
    for pruned in done.unwrap() {
        assert!(pruned.deleted.contains(&first.id), "{pruned:?}");
        assert_eq!(pruned.deleted.len(), 2, "{pruned:?}");
    }
    for target in ["local", "away"] {
        let all = pinned(&bench, target).await;
        assert_eq!(all, [migrated.clone(), upgraded.clone()], "{target}");
    }
    // Where that is not wanted it is not done.
    bench.change(|config| config.jobs[0].keep.before_change = Duration::ZERO);
    new.sql("shop", "INSERT INTO schema_migrations VALUES (3)");
    bench.good().await;
    assert_eq!(pinned(&bench, "local").await, [migrated, upgraded.clone()]);
    // What is brought to a target later stays there as long: the newest three are.
    let late = bench.scratch.path().join("late");
    std::fs::create_dir(&late).unwrap();
    bench.change(|config| config.targets.push(folder("late", &late)));
    let done = replicate(&bench.setup, bench.job(), &|_| {}).await.unwrap();
    assert_eq!((done.brought.len(), done.errors), (3, Vec::new()));
    assert_eq!(pinned(&bench, "late").await, [upgraded]);
}
